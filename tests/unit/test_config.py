"""Settings: what is taken, and what is said about the rest."""

from pathlib import Path
from typing import Any

import pytest
import typer

from doorward.cli import configured
from doorward.config import Config, pauses_ms

RETRIES = "write pauses like 5s,5m,2h, or off"


@pytest.fixture(autouse=True)
def _nothing_is_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in Config.model_fields:
        monkeypatch.delenv(f"DOORWARD_{name.upper()}", raising=False)


def refused(capsys: pytest.CaptureFixture[str], **flags: Any) -> str:
    """What a start says that is refused."""
    with pytest.raises(typer.Exit):
        configured(**flags)
    return capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5s,5m,2h,1d", [5, 300, 7_200, 86_400]),
        (" 5s , 5m,\t2h ", [5, 300, 7_200]),
        ("0s", [0]),
        ("", []),
        (" ", []),
        ("off", []),
        ("Off ", []),
    ],
)
def test_pauses_between_tries(monkeypatch: pytest.MonkeyPatch, text: str, seconds: list[int]) -> None:
    monkeypatch.setenv("DOORWARD_WEBHOOK_RETRIES", text)
    assert [ms // 1000 for ms in pauses_ms(configured().webhook_retries)] == seconds


def test_the_documented_pauses_are_the_default() -> None:
    assert [ms // 1000 for ms in pauses_ms(configured().webhook_retries)] == [
        5,
        300,
        1_800,
        7_200,
        18_000,
        36_000,
        36_000,
    ]


def test_webhooks_need_not_be_disabled(monkeypatch: pytest.MonkeyPatch) -> None:
    assert configured().webhook_disable_after == 5
    monkeypatch.setenv("DOORWARD_WEBHOOK_DISABLE_AFTER", "off")
    assert configured().webhook_disable_after is None
    monkeypatch.setenv("DOORWARD_WEBHOOK_DISABLE_AFTER", "0.5")
    assert configured().webhook_disable_after == 0.5


@pytest.mark.parametrize(
    ("name", "wrong", "said"),
    [
        *(
            ("WEBHOOK_RETRIES", wrong, RETRIES)
            for wrong in ("5", "5s,,5m", "5x", "never", "5s;5m", "-5s", "1234567s", "５s")
        ),
        *(
            ("WEBHOOK_DISABLE_AFTER", wrong, "write days, 365 at most, like 5 or 0.5, or off")
            for wrong in ("0", "x", "366", "")
        ),
        ("MASS_REMOVAL_GUARD", "some", "write a share like 20%, a number of access codes, or off"),
        ("WEBHOOK_ALLOW", "10.0.0.1/8", "“10.0.0.1/8” is not a network; write 10.0.0.0/8 or the address alone."),
    ],
)
def test_a_wrong_setting_is_named_with_what_to_write(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, wrong: str, said: str
) -> None:
    monkeypatch.setenv(f"DOORWARD_{name}", wrong)
    assert refused(capsys) == f"DOORWARD_{name}: {said}\n"


def test_a_wrong_setting_is_named_as_it_was_given(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("doorward.toml").write_text('port = 99999\nlog_level = "loud"\n', encoding="utf-8")
    assert refused(capsys).splitlines() == [
        "port in doorward.toml: Input should be less than or equal to 65535",
        "log_level in doorward.toml: Input should be 'debug', 'info', 'warning' or 'error'",
    ]
    monkeypatch.setenv("doorward_port", "88888")
    assert refused(capsys, log_level="info").startswith("DOORWARD_PORT: ")
    assert refused(capsys, port=77777, log_level="info").startswith("--port: ")
