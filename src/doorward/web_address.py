"""Addresses on the web, read by one function where they are taken and where they are used: what is taken can be used.

No I/O here: whether a name leads anywhere, and where, is found out when something is sent.
"""

import ipaddress
import re
import socket
from dataclasses import dataclass
from typing import Final

from yarl import URL

from doorward.networks import IpAddress

MOST_OF_NAME: Final = 253
_LABEL: Final = re.compile(r"[a-z0-9_-]{1,63}")
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")


@dataclass(frozen=True, slots=True)
class WebAddress:
    """Where something may be sent to, as far as the address says so itself."""

    url: URL
    host: str
    port: int
    ip: IpAddress | None
    """The host, when it is no name."""

    @classmethod
    def parse(cls, text: str) -> "WebAddress":
        """Raises: ValueError, what is wrong with it, in a sentence without its end."""
        if any(char.isspace() or ord(char) < 32 for char in text):
            raise ValueError("Must not hold spaces or control characters")
        try:
            url = URL(text)
            url.raw_path_qs.encode("ascii")
        except ValueError:
            raise ValueError("Invalid url") from None
        if url.scheme not in ("http", "https") or not url.raw_host:
            raise ValueError("Must be an http or https address")
        if url.user is not None or url.password is not None:
            raise ValueError("Must not hold a user or a password: verify the signature instead")
        if not url.port:
            raise ValueError("Must not have the port 0: nothing can listen there")
        return cls(url, url.raw_host, url.port, _ip(url.raw_host))


def _ip(host: str) -> IpAddress | None:
    """The host as an address; None: a name. Raises: ValueError, when it can be neither."""
    name = host.removesuffix(".")
    try:
        if ":" in host and "%" not in host:
            return ipaddress.IPv6Address(host)
        if _NUMBER.fullmatch(name.rpartition(".")[2]):  # also `127.1` and `0x7f000001`, as resolvers take them
            return ipaddress.IPv4Address(socket.inet_aton(host))
    except (OSError, ValueError):
        raise ValueError("Its host is no IP address") from None
    if len(name) > MOST_OF_NAME or not all(_is_label(label) for label in name.split(".")):
        raise ValueError("Its host cannot be a name")
    return None


def _is_label(label: str) -> bool:
    if not _LABEL.fullmatch(label):
        return False
    try:
        return not label.startswith("xn--") or not label[4:].encode().decode("punycode").isascii()
    except UnicodeError:
        return False
