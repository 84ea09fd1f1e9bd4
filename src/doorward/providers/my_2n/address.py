"""Addresses that a device may have."""

import ipaddress
import re
from urllib.parse import urlsplit


def plain_base(url: str) -> str:
    """`http(s)://host[:port]`, without anything after it."""
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        raise ValueError("This is not the address of a device.") from None
    is_plain = parts.scheme in ("http", "https") and port != 0 and not parts.username and not parts.password
    if not is_plain or not parts.hostname or not is_host(parts.hostname):
        raise ValueError("A device's address looks like https://192.0.2.10 or http://192.0.2.10:8080.")
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError("A device's address ends after host and port.")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}" + (f":{port}" if port else "")


def is_host(name: str) -> bool:
    """An IP address or a name that DNS can be asked for."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        try:
            name.encode("idna")
        except UnicodeError:
            return False
        return re.fullmatch(r"[^\W_]([\w.-]*\w)?\.?", name) is not None
    return True
