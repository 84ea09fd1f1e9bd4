"""Where devices may be, and where to look for them: networks an operator names, as pure values.

`Networks` is the allow-list that stands between this server and every device address; `Ranges` is a list of places to
ask whether a device is there. No I/O here.
"""

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

DEVICE_NETWORKS: Final = "10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, fc00::/7, 127.0.0.0/8, ::1/128"
"""Private networks (RFC 1918, and RFC 4193 for IPv6), and this machine, where emulators run."""
MAX_TARGETS: Final = 4096

_MAPPED: Final = ipaddress.IPv6Network("::ffff:0:0/96")
_LINK_LOCAL: Final[tuple[IpNetwork, ...]] = (
    ipaddress.ip_network("169.254.0.0/16"),
    ipaddress.ip_network("fe80::/10"),
)
_NEVER: Final[tuple[IpNetwork, ...]] = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8",  # "this host": a connection to it ends on this machine
        "::/128",
        "224.0.0.0/4",
        "ff00::/8",
        "255.255.255.255/32",
        # What clouds tell their machines, keys among it: not a place for a door.
        "169.254.169.254/32",
        "169.254.170.2/32",
        "100.100.100.200/32",
        "168.63.129.16/32",
        "fd00:ec2::254/128",
        "fd20:ce::254/128",
    )
)


def _plain(address: IpAddress) -> IpAddress:
    """An IPv4 address that came as `::ffff:…` as what it is; no interface after a `%`."""
    if isinstance(address, ipaddress.IPv6Address):
        return address.ipv4_mapped or ipaddress.IPv6Address(int(address))
    return address


# ---------------------------------------------------------------- the allow-list


@dataclass(frozen=True, slots=True)
class Networks:
    """Networks that devices may be in.

    Never allowed, whatever is named: unspecified, multicast and broadcast addresses, and the metadata services of
    clouds. Link-local addresses only where a network inside the link-local range is named: `0.0.0.0/0` and `::/0` do
    not cover them.
    """

    of: tuple[IpNetwork, ...]

    @classmethod
    def parse(cls, text: str) -> "Networks":
        """Networks or addresses between commas or spaces; nothing at all allows nothing.

        Raises: ValueError, a sentence that names the part that is wrong.
        """
        return cls(tuple(_network(part) for part in re.split(r"[\s,]+", text) if part))

    def allows(self, address: IpAddress) -> bool:
        """Whether a device may be at this address; a `transport.Allowed`."""
        address = _plain(address)
        if any(address in network for network in _NEVER):
            return False
        local = next((network for network in _LINK_LOCAL if address in network), None)
        return any(address in network and (local is None or _is_inside(network, local)) for network in self.of)

    def names(self, address: IpAddress, special: tuple[IpNetwork, ...]) -> bool:
        """Whether a network of ours has this address, and lies inside one of these where they have it, too."""
        around = [network for network in special if address in network]
        return any(address in own and all(_is_inside(own, one) for one in around) for own in self.of)

    def __str__(self) -> str:
        return ", ".join(map(str, self.of))


# ---------------------------------------------------------------- where events may be sent

_ENDS_IN_IPV4: Final = tuple(
    ipaddress.IPv6Network(text)
    for text in (
        "64:ff9b::/96",  # NAT64 (RFC 6052)
        "::ffff:0:0:0/96",  # SIIT (RFC 2765)
        "::/96",  # IPv4-compatible (RFC 4291)
    )
)
_6TO4: Final = ipaddress.IPv6Network("2002::/16")
_LOCAL_NAT64: Final = ipaddress.IPv6Network("64:ff9b:1::/48")
"""Gateways of one's own (RFC 8215): where the IPv4 address stands inside is theirs to choose."""
_SPECIAL: Final = (*_NEVER, *_LINK_LOCAL, _LOCAL_NAT64)
_IPV6_INTERNET: Final = ipaddress.IPv6Network("2000::/3")
"""All that was ever given out."""
_IPV6_SAMPLES: Final = ipaddress.IPv6Network("3fff::/20")
"""For documentation (RFC 9637), inside of it."""


RECEIVERS_SETTING: Final = "DOORWARD_WEBHOOK_ALLOW"


@dataclass(frozen=True, slots=True)
class Receivers:
    """Where webhooks may be: everywhere on the Internet, and in the networks that an operator names.

    Loopback, private, link-local and reserved addresses only where they are named; what clouds tell their machines,
    link-local, and what is behind a local NAT64, only by a network inside of them: `0.0.0.0/0` and `::/0` do not cover
    them. An IPv4 address inside an IPv6 one (mapped, NAT64, 6to4 and the like) is judged as what it is.
    """

    named: Networks

    def allows(self, address: IpAddress) -> bool:
        plain = _inner(_plain(address))
        return _is_on_the_internet(plain) or self.named.names(plain, _SPECIAL)

    @staticmethod
    def refusal(address: IpAddress) -> str:
        """Why nothing is sent there, and what to do."""
        inner = _inner(_plain(address))
        which = f"{address}" if inner == address else f"{address}, which stands for {inner},"
        return (
            f"{which} is not on the Internet. If the receiver is meant to be there, name its network in "
            f"{RECEIVERS_SETTING}, e.g. {RECEIVERS_SETTING}={inner}/{inner.max_prefixlen}"
        )


def _is_on_the_internet(plain: IpAddress) -> bool:
    if any(plain in network for network in _SPECIAL):
        return False
    if isinstance(plain, ipaddress.IPv6Address) and (plain not in _IPV6_INTERNET or plain in _IPV6_SAMPLES):
        return False
    return plain.is_global and not plain.is_multicast


def _inner(address: IpAddress) -> IpAddress:
    """The IPv4 address that a gateway would send to in the end."""
    if isinstance(address, ipaddress.IPv6Address) and int(address) > 1:  # `::` and `::1` are what they are
        if any(address in network for network in _ENDS_IN_IPV4):
            return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
        if address in _6TO4:
            return ipaddress.IPv4Address(int(address) >> 80 & 0xFFFF_FFFF)
    return address


def _network(text: str) -> IpNetwork:
    try:
        network = ipaddress.ip_network(text)
    except ValueError:
        raise ValueError(f"{_quoted(text)} is not a network{_meant(text)}.") from None
    if isinstance(network, ipaddress.IPv6Network) and network.subnet_of(_MAPPED):
        inner = ipaddress.IPv4Address(int(network.network_address) & 0xFFFF_FFFF)
        return ipaddress.IPv4Network((inner, network.prefixlen - _MAPPED.prefixlen))
    return network


def _meant(text: str) -> str:
    """What to write in its place."""
    try:
        return f"; write {ipaddress.ip_network(text, strict=False)} or the address alone"
    except ValueError:
        return ": write it like 192.168.0.0/16 or fd00::/8"


def _is_inside(network: IpNetwork, outer: IpNetwork) -> bool:
    return (
        network.version == outer.version
        and int(outer.network_address) <= int(network.network_address)
        and int(network.broadcast_address) <= int(outer.broadcast_address)
    )


# ---------------------------------------------------------------- where to look


@dataclass(frozen=True, slots=True)
class Target:
    """One place to ask. `port` None: the usual two, 443 and then 80."""

    address: IpAddress
    port: int | None = None


@dataclass(frozen=True, slots=True)
class _Span:
    """Addresses one after the other, each with the same ports."""

    version: int
    first: int
    last: int
    ports: range | None

    def __len__(self) -> int:
        # Not by `len`: of a wide IPv6 network it would not fit.
        return min(self.addresses * (1 if self.ports is None else len(self.ports)), 2**62)

    @property
    def addresses(self) -> int:
        return self.last - self.first + 1


@dataclass(frozen=True, slots=True)
class Ranges:
    """Places to look for intercoms, in the order they were written; at most 4,096."""

    spans: tuple[_Span, ...]

    @classmethod
    def parse(cls, text: str) -> "Ranges":
        """Parts between commas or spaces, each a network, an address or a range of addresses, and behind it a port
        or a range of ports: `192.168.1.0/24, 10.0.0.10-10.0.0.40, 192.168.1.7:8443, 127.0.0.1:8100-8103`. With a
        port, IPv6 wants brackets: `[fd00::10]:8443`.

        Raises: ValueError, a sentence that names the part that is wrong, or says how many places are too many.
        """
        spans: list[_Span] = []
        count = 0
        for part in re.split(r"[\s,]+", re.sub(r"\s*-\s*", "-", text.strip())):
            if not part:
                continue
            span = _span(part)
            spans.append(span)
            count += len(span)
            if count > MAX_TARGETS:
                raise ValueError(
                    f"With {_quoted(part)} there are more than {MAX_TARGETS:,} places to look in. Name smaller ranges."
                )
        return cls(tuple(spans))

    def __len__(self) -> int:
        return sum(len(span) for span in self.spans)

    def __iter__(self) -> Iterator[Target]:
        """Each target once."""
        seen: set[Target] = set()
        for span in self.spans:
            for number in range(span.first, span.last + 1):
                address = ipaddress.IPv4Address(number) if span.version == 4 else ipaddress.IPv6Address(number)
                for port in span.ports or (None,):
                    target = Target(address, port)
                    if target not in seen:
                        seen.add(target)
                        yield target


_BRACKETS: Final = re.compile(r"\[([^\[\]]+)\](?::([0-9-]+))?")


def _span(part: str) -> _Span:
    ports: str | None = None
    places = part
    if match := _BRACKETS.fullmatch(part):
        places, ports = match.groups()
    elif part.count(":") == 1:
        places, _, ports = part.partition(":")
    try:
        first, last = _bounds(places)
        if first.version != last.version or int(first) > int(last):
            raise ValueError
        found_ports = None if ports is None else _ports(ports)
    except ValueError:
        raise ValueError(
            f"{_quoted(part)} is not a range of addresses: write it like 192.168.1.0/24, 10.0.0.10-10.0.0.40, "
            "192.168.1.7:8443 or [fd00::10]:8443."
        ) from None
    return _Span(first.version, int(first), int(last), found_ports)


def _bounds(places: str) -> tuple[IpAddress, IpAddress]:
    """The first and the last address. Raises: ValueError."""
    start, dash, end = places.partition("-")
    if dash:
        if re.fullmatch(r"[0-9]{1,3}", end) and "." in start:  # 10.0.0.10-40
            end = f"{start.rpartition('.')[0]}.{end}"
        return _address(start), _address(end)
    if "/" not in places:
        return (_address(places),) * 2
    network = ipaddress.ip_network(places, strict=False)
    first, last = network[0], network[-1]
    if network.version == 4 and network.prefixlen < 31:  # the network's own address and its broadcast
        return first + 1, last - 1
    return first, last


def _address(text: str) -> IpAddress:
    if "%" in text:
        raise ValueError
    return _plain(ipaddress.ip_address(text))


def _ports(text: str) -> range:
    first, dash, last = text.partition("-")
    low, high = int(first), int(last if dash else first)
    if not 0 < low <= high < 65_536:
        raise ValueError
    return range(low, high + 1)


def _quoted(text: str) -> str:
    """What was written, short and printable."""
    return "“" + "".join(c if c.isprintable() else "?" for c in text[:60]) + "”"
