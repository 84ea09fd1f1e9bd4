"""A device's HTTP API behind a gateway: a path in front of it, and a header of the gateway's own.

2N offers such a gateway (My2N, Remote API Access) but publishes neither its addresses nor its authorization: both are
configuration here, and nothing of it has met the real one. The device's own login passes through untouched: its Digest
is made for the path that the device sees, and the `Authorization` header is the device's alone.
"""

import ipaddress
import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote, urlsplit

_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_TAKEN: Final = frozenset(
    {"authorization", "connection", "content-length", "content-type", "host", "te", "transfer-encoding", "upgrade"}
)
LONGEST_PULL_S: Final = 20
"""Gateways cut connections that are idle for longer."""


@dataclass(frozen=True, slots=True)
class Tunnel:
    """One gateway and the key to it.

    Raises: ValueError for a template that is no `https` address with `{device}` in its path (plain `http` on this
    machine only, since the header is a secret), and for a header that cannot be sent or is taken.
    """

    base_template: str
    """E.g. `https://gateway.example/devices/{device}`."""
    header_name: str
    header_value: str = field(repr=False)

    def __post_init__(self) -> None:
        parts = urlsplit(self.base_template)
        if parts.scheme != "https" and not (parts.scheme == "http" and _is_here(parts.hostname or "")):
            raise ValueError("The address of a tunnel begins with https://.")
        if not parts.hostname or parts.username or parts.query or parts.fragment:
            raise ValueError("The address of a tunnel is https://host/path, without user name, query and fragment.")
        if self.base_template.count("{device}") != 1 or "{device}" not in parts.path:
            raise ValueError("The address of a tunnel has {device} once, in its path.")
        if re.search(r"[\s{}]", self.base_template.replace("{device}", "")):
            raise ValueError("The address of a tunnel has no spaces, and no braces but those of {device}.")
        if not _TOKEN.fullmatch(self.header_name) or self.header_name.lower() in _TAKEN:
            raise ValueError("The header of a tunnel has a name of its own; Authorization belongs to the device.")
        if not self.header_value.strip() or not all(" " <= c <= "~" for c in self.header_value):
            raise ValueError("The header of a tunnel has a value of plain ASCII.")

    def base_of(self, device: str) -> str:
        """Where a device's API begins, without the slash before `api`. Raises: ValueError for no device."""
        if not device or device in (".", ".."):
            raise ValueError("A tunnel wants to know the device.")
        return self.base_template.replace("{device}", quote(device, safe="")).rstrip("/")

    def checked(self, base_url: str) -> str:
        """The address, if it is one of this tunnel: its header goes nowhere else. Raises: ValueError."""
        before, _, after = self.base_template.rstrip("/").partition("{device}")
        device = base_url[len(before) : len(base_url) - len(after)]
        is_ours = base_url.startswith(before) and base_url.endswith(after)
        if not is_ours or not re.fullmatch(r"[\w.~%-]+", device, re.ASCII) or device in (".", ".."):
            raise ValueError("This is not an address behind the tunnel.")
        return base_url


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
