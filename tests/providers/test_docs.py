"""The page "Connect a real 2N intercom" explains every sentence that may be met while connecting and using one."""

import inspect
import ipaddress
import re
from pathlib import Path
from typing import Any

import pytest

from doorward.core.accounts import NOT_LOGGED_IN
from doorward.providers.my_2n import checkup, direct, probe_failures, troubles
from doorward.providers.my_2n.probe_failures import ProbeFailed

PAGE = Path(__file__).parents[2] / "docs/how-to/connect-a-2n.md"
MARK = "…"
NOT_FOR_OWNERS = {3, 11, 12, 13, 14, 15, 17, 18}
"""Numbers of the API that speak of our own requests, and stand for a mistake of ours or of the device."""


def probe_sentences() -> list[str]:
    """Of each failure, with the place it is about left out."""
    found = []
    for _, cls in inspect.getmembers(probe_failures, inspect.isclass):
        if not issubclass(cls, ProbeFailed) or cls is ProbeFailed:
            continue
        filled: dict[str, Any] = {
            "address": ipaddress.ip_address("192.0.2.1"),
            "ports": [1],
            "message": "",
            "code": None,
        }
        names = list(inspect.signature(cls).parameters)
        found.append(cls(**{name: filled.get(name, "@") for name in names}).message)
    return [
        text.replace("@ (192.0.2.1)", MARK).replace("@", MARK).replace("port 1.", f"port {MARK}.") for text in found
    ]


def trouble_sentences() -> list[str]:
    rows = [row.sentence for code, row in troubles._TABLE.items() if code not in NOT_FOR_OWNERS]
    lines = [
        troubles.outward(cls()).message
        for cls in (
            troubles.CertificateChanged,
            troubles.CertificateUnknown,
            troubles.AnotherDevice,
            troubles.AddressNotAllowed,
            troubles.Busy,
            troubles.Unreachable,
            troubles.NoAnswer,
            troubles.NotTheApi,
        )
    ]
    lines += [troubles.outward(troubles.NoAnswer(is_write=True)).message]
    lines += [troubles.outward(cls("")).message for cls in (troubles.TunnelRefused, troubles.NotThroughTunnel)]
    return [re.sub(r"“?\{\w+\}”?", MARK, text) for text in (*rows, *lines)]


SENTENCES = [
    *probe_sentences(),
    *trouble_sentences(),
    checkup.WRONG_LOGIN,
    checkup.NO_DIRECTORY,
    direct._CHANGED,
    direct.NO_TUNNEL,
    NOT_LOGGED_IN,
]


def plain(text: str) -> str:
    return re.sub(r"[`*]", "", " ".join(text.split()))


@pytest.mark.parametrize("sentence", SENTENCES)
def test_the_page_explains_it(sentence: str) -> None:
    first = re.split(r"(?<=[\w…)])[.:;] ", sentence)[0].rstrip(".")
    assert plain(first) in plain(PAGE.read_text(encoding="utf-8"))


def test_every_setting_that_the_page_names_exists() -> None:
    from doorward.config import Config

    named = {name.lower() for name in re.findall(r"DOORWARD_([A-Z0-9_]+)", PAGE.read_text(encoding="utf-8"))}
    assert named <= set(Config.model_fields)
