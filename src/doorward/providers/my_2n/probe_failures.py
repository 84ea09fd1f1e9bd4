"""What can be wrong with an address somebody typed, each with a sentence that says it and how to mend it.

`where` is host and port as they were typed and checked; no sentence repeats anything that the other side said.
"""

import ipaddress
from collections.abc import Sequence
from typing import ClassVar

from doorward.providers.errors import (
    Offline,
    ProviderError,
    Refused,
    Unsupported,
)

_SERVICES = "Services / HTTP API / Services"


class ProbeFailed(ProviderError):
    """No 2N device was found at the address."""

    tells: ClassVar[int] = 0
    """Of several failures at one address, the one that tells most is reported."""


# ---------------------------------------------------------------- before anything is sent


class BadAddress(ProbeFailed, Unsupported):
    """What was typed is no address."""

    def __init__(self, message: str = "") -> None:
        super().__init__(
            message
            or "This is not an address. Enter the device's IP address or host name, such as 192.168.1.20, "
            "192.168.1.20:8443 or https://intercom.local."
        )


class NameUnknown(ProbeFailed, Offline):
    """There is no address behind the name."""

    def __init__(self, host: str) -> None:
        hint = "Check its spelling, or enter the device's IP address."
        if host.rstrip(".").endswith(".local"):
            hint = (
                "Names that end in .local are asked for in the local network only, and not every server can. "
                "Enter the device's IP address."
            )
        super().__init__(f"The name {host} is not known to this server. {hint}")


class AddressOutsideNetworks(ProbeFailed, Unsupported):
    """The address is not one that devices may have."""

    def __init__(self, host: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
        shown = str(address) if host == str(address) else f"{host} ({address})"
        super().__init__(
            f"{shown} is outside of the networks in which this server looks for devices. If the device is really "
            "there, let its operator add the network to DOORWARD_DEVICE_NETWORKS."
        )


# ---------------------------------------------------------------- the line


class NothingListens(ProbeFailed, Offline):
    """The connection was refused."""

    tells = 20

    def __init__(self, host: str, ports: Sequence[int]) -> None:
        super().__init__(
            f"{host} refuses connections on port {' and '.join(map(str, ports))}. Check the address, and whether the "
            "device's web server uses another port; if so, enter it behind a colon."
        )
        self.host = host
        self.ports = tuple(ports)


class DoesNotAnswer(ProbeFailed, Offline):
    """No connection within the time, or no way there."""

    tells = 10

    def __init__(self, host: str) -> None:
        super().__init__(
            f"{host} does not answer. Check that the device has power and network, that the address is right, and that "
            "no firewall stands between it and this server."
        )


class Silent(ProbeFailed, Offline):
    """It took the connection and said nothing, or not all, within the time."""

    tells = 40

    def __init__(self, where: str) -> None:
        super().__init__(
            f"Something at {where} takes connections but did not answer in time. If it is the device, it may be busy "
            "or starting: try again. If not, check address and port."
        )


class NoTls(ProbeFailed, Refused):
    """What listens does not speak TLS."""

    tells = 30

    def __init__(self, where: str) -> None:
        super().__init__(
            f"Something listens at {where}, but it does not speak HTTPS. If the device is set to plain HTTP, begin its "
            "address with http://; better, switch HTTPS on at the device."
        )


class TlsTrouble(ProbeFailed, Refused):
    """It speaks TLS, but not with us."""

    tells = 60

    def __init__(self, where: str) -> None:
        super().__init__(
            f"There is no TLS version or cipher that both {where} and this server accept. Update the device's "
            "firmware; it needs TLS 1.2 or newer."
        )


class CertificateUnsteady(ProbeFailed, Refused):
    """Two connections saw two certificates."""

    tells = 65

    def __init__(self, where: str) -> None:
        super().__init__(
            f"{where} showed two different certificates within a moment. Either the device is just getting a new one: "
            "try again. Or more than one device answers at this address."
        )


# ---------------------------------------------------------------- what answers


class NotA2N(ProbeFailed, Unsupported):
    """Something else answers."""

    tells = 50

    def __init__(self, where: str) -> None:
        super().__init__(
            f"Something answers at {where}, but it is not the HTTP API of a 2N device. Check the address; it may "
            "belong to a router, a camera or another machine."
        )


class HttpsOnly(ProbeFailed, Refused):
    """The device wants HTTPS."""

    tells = 70

    def __init__(self, host: str, code: str | None = None) -> None:
        super().__init__(
            f"The device at {host} takes HTTPS only. Enter its address as https://{host}, with a colon and the port "
            "behind it if its HTTPS port is not 443.",
            code=code,
        )


class AnswersWithError(ProbeFailed, Refused):
    """Nothing but an error comes."""

    tells = 80

    def __init__(self, where: str, what: str, code: str) -> None:
        super().__init__(
            f"What answers at {where} gives only an error ({what}). If it is the device, it may be starting: try again "
            f"in a minute. If that does not help, look at its settings under {_SERVICES}, or update its firmware.",
            code=code,
        )


class SystemServiceDisabled(ProbeFailed, Refused):
    """The device is there, but the part of its API that says who it is, is off."""

    tells = 90

    def __init__(self, where: str) -> None:
        super().__init__(
            f"The device at {where} has the System service of its HTTP API switched off. Enable it on the device under "
            f"{_SERVICES}, then try again.",
            code="4",
        )


def most_telling(failures: Sequence[ProbeFailed]) -> ProbeFailed:
    """The one to report; the first of equals. Refused connections are reported as one, with all their ports."""
    if failures and all(isinstance(failure, NothingListens) for failure in failures):
        refused = [failure for failure in failures if isinstance(failure, NothingListens)]
        return NothingListens(refused[0].host, list(dict.fromkeys(p for one in refused for p in one.ports)))
    return max(failures, key=lambda failure: failure.tells)
