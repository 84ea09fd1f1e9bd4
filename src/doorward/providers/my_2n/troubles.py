"""What goes wrong between us and a device, by name, and what each becomes outside of this package.

Two families: **refusals**, the numbered errors of a device's reply (one table), and **line troubles**, where there is
no reply worth reading. `outward` is the border: nothing but `providers.base` errors crosses it, with whole sentences
and without a device's own text, a PIN or a password. Source: HTTP API manual, 2.3 (replies and error codes).
"""

from dataclasses import dataclass
from typing import Final

from doorward.providers.errors import (
    NotAuthorized,
    Offline,
    OutcomeUnknown,
    ProviderError,
    Refused,
    Unsupported,
)


class DeviceTrouble(Exception):
    """Something went wrong at a device. `function` is the API function, e.g. `switch/ctrl`."""

    function: str = ""


# ---------------------------------------------------------------- the line


class LineTrouble(DeviceTrouble):
    """There is no reply."""

    def __init__(self, function: str = "", *, is_write: bool = False) -> None:
        super().__init__(function)
        self.function = function
        self.is_write = is_write
        """The request would have changed something."""


class Unreachable(LineTrouble):
    """No connection: nothing was sent."""


class CertificateUnknown(Unreachable):
    """The device's certificate is signed by nobody we know, and no fingerprint of it is kept."""


class CertificateChanged(Unreachable):
    """The device shows another certificate than the one that was pinned."""


class AddressNotAllowed(Unreachable):
    """The device's address is outside of the networks that may be reached."""


class AnotherDevice(LineTrouble):
    """Another device than the one that was connected answers at its address."""


class Busy(Unreachable):
    """The time was over before it was this request's turn: nothing was sent."""


class NoAnswer(LineTrouble):
    """The request was sent, at least in part, and then the line broke or the time was over."""


class NotThroughTunnel(NoAnswer):
    """A gateway before the device answered in its place: there is no line between the two, or it broke."""


class NotTheApi(LineTrouble):
    """An answer came, but not in the language of the 2N HTTP API."""


class LoginRefused(DeviceTrouble):
    """The device does not accept user name and password."""

    def __init__(self, function: str) -> None:
        super().__init__(function)
        self.function = function


class PasswordAsked(DeviceTrouble):
    """Something that is not known to be a 2N asks for the password itself, by Basic: it was not told."""

    def __init__(self, function: str) -> None:
        super().__init__(function)
        self.function = function


class TunnelRefused(DeviceTrouble):
    """A gateway before the device does not let us through: nothing reached the device."""

    def __init__(self, function: str) -> None:
        super().__init__(function)
        self.function = function


# ---------------------------------------------------------------- refusals


class Refusal(DeviceTrouble):
    """The device answered with an error number."""

    def __init__(self, code: int, function: str, param: str | None = None) -> None:
        super().__init__(f"{function}: error {code}" + (f" ({param})" if param else ""))
        self.code = code
        self.function = function
        self.param = param
        """The parameter the device names."""


class NotSupported(Refusal):
    """1: this model has no such function."""


class UnknownPath(Refusal):
    """2: this firmware has no such function."""


class WrongMethod(Refusal):
    """3: not with this verb."""


class ServiceDisabled(Refusal):
    """4: the service is switched off."""


class NotLicensed(Refusal):
    """5: firmware before 2.35 wants a licence."""


class TlsRequired(Refusal):
    """7: the service asks for HTTPS."""


class WrongLoginMethod(Refusal):
    """8: Basic where Digest is set, or the reverse."""


class LoginNeeded(Refusal):
    """9: log in first."""


class PrivilegeMissing(Refusal):
    """10: the account lacks a check box."""


class ParameterMissing(Refusal):
    """11."""


class ParameterInvalid(Refusal):
    """12: also what an unknown log channel gets."""


class TooBig(Refusal):
    """13."""


class ActionFailed(Refusal):
    """14: the catch-all; at a switch it means locked, held or disabled."""


class NoData(Refusal):
    """15."""


class Collision(Refusal):
    """17: parameters that exclude each other."""


class Rejected(Refusal):
    """18: not in the device's present state."""


@dataclass(frozen=True, slots=True)
class _Row:
    cls: type[Refusal]
    becomes: type[ProviderError]
    sentence: str
    """`{service}`, `{function}` and `{privilege}` are filled in."""


_TABLE: Final[dict[int, _Row]] = {
    1: _Row(NotSupported, Unsupported, "This model does not have the function {function}."),
    2: _Row(UnknownPath, Unsupported, "The device's firmware does not know {function}. A newer firmware may."),
    3: _Row(WrongMethod, Refused, "The device does not take {function} the way the manual says."),
    4: _Row(
        ServiceDisabled,
        Refused,
        "The {service} service is switched off on the device. Enable it there under Services / HTTP API / Services.",
    ),
    5: _Row(
        NotLicensed,
        Unsupported,
        "The device wants a licence (Enhanced Integration or Gold) for {function}. Firmware from 2.35 on does not.",
    ),
    7: _Row(
        TlsRequired,
        Refused,
        "The {service} service of the device takes HTTPS only. Connect the device by an https address, or set the "
        "service's connection type under Services / HTTP API / Services.",
    ),
    8: _Row(
        WrongLoginMethod,
        Refused,
        "The {service} service of the device asks for a login of another kind. Set its authentication to Digest "
        "under Services / HTTP API / Services.",
    ),
    9: _Row(LoginNeeded, NotAuthorized, "The device asks for a login for {function} and does not take ours."),
    10: _Row(
        PrivilegeMissing,
        NotAuthorized,
        "The device's account lacks the privilege {privilege}. Tick it for this account under Services / HTTP API.",
    ),
    11: _Row(ParameterMissing, Refused, "The device misses something in our request {function}."),
    12: _Row(ParameterInvalid, Refused, "The device does not accept a value in our request {function}."),
    13: _Row(TooBig, Refused, "Our request {function} was too big for the device."),
    14: _Row(ActionFailed, Refused, "The device could not carry out {function}."),
    15: _Row(NoData, Refused, "The device has no data for {function}."),
    17: _Row(Collision, Refused, "The device found our request {function} contradictory."),
    18: _Row(Rejected, Refused, "The device refuses {function} in its present state."),
}
_OTHER: Final = _Row(Refusal, Refused, "The device answered {function} with an error of its own.")


def refusal(code: int, function: str, param: str | None = None) -> Refusal:
    """The named error of a number; plain `Refusal` for numbers that are not documented."""
    return _TABLE.get(code, _OTHER).cls(code, function, param)


# ---------------------------------------------------------------- names

_SERVICES: Final = {
    "system": "System",
    "firmware": "System",
    "config": "System",
    "cert": "System",
    "pcap": "System",
    "dir": "System",
    "mobilekey": "System",
    "accesspoint": "Access Control",
    "lpr": "Access Control",
    "lift": "Access Control",
    "switch": "Switch",
    "io": "I/O",
    "audio": "Audio",
    "camera": "Camera",
    "display": "Display",
    "email": "E-mail",
    "phone": "Phone/Call",
    "call": "Phone/Call",
    "log": "Logging",
    "automation": "Automation",
}
_PRIVILEGES: Final = {
    "System": "System – Control",
    "Access Control": "Access Control – Control",
    "Switch": "Switches – Control",
    "I/O": "Inputs and Outputs – Monitoring",
    "Phone/Call": "Phone/Calls – Monitoring",
    "Camera": "Camera – Monitoring",
}


def service_of(function: str) -> str:
    """The service, as the device's own pages call it, that a function belongs to (manual, chapter 3)."""
    return _SERVICES.get(function.partition("/")[0], "HTTP API")


def privilege_of(function: str) -> str:
    """The check box that a function needs."""
    if function == "system/status":
        return "System – Monitoring"
    return _PRIVILEGES.get(service_of(function), f"{service_of(function)} – Control")


# ---------------------------------------------------------------- the border


def outward(trouble: DeviceTrouble) -> ProviderError:
    """The same trouble in the words of `providers.base`."""
    match trouble:
        case Refusal():
            row = _TABLE.get(trouble.code, _OTHER)
            privilege = privilege_of(trouble.function)
            sentence = row.sentence.format(
                service=service_of(trouble.function), function=trouble.function, privilege=f"“{privilege}”"
            )
            if isinstance(trouble, PrivilegeMissing):
                return NotAuthorized(sentence, code=str(trouble.code), missing=privilege)
            return row.becomes(sentence, code=str(trouble.code))
        case LoginRefused():
            return NotAuthorized(
                "The device does not accept this user name and password. Check the account under Services / HTTP API "
                "on the device; it must be enabled."
            )
        case PasswordAsked():
            return NotAuthorized("What answers asks for the password itself, and does not say that it is a 2N.")
        case CertificateChanged():
            return NotAuthorized(
                "The device shows another certificate than before. If it was reset or given a new certificate, "
                "connect it again to trust the new one; if not, something else answers at its address."
            )
        case CertificateUnknown():
            return NotAuthorized(
                "The device's certificate is not known. Connect the device again to trust its certificate."
            )
        case AnotherDevice():
            return NotAuthorized(
                "Another device answers at the address of this one, so nothing was sent to it. Connect this device "
                "again under its new address."
            )
        case AddressNotAllowed():
            return Offline("The device's address is outside of the networks this server may reach.")
        case Busy():
            return Offline("The device was busy with earlier requests until the time was over; nothing was sent.")
        case Unreachable():
            return Offline("The device cannot be reached. Check its power, its network and its address.")
        case TunnelRefused():
            return NotAuthorized(
                "The My2N tunnel does not accept this server's key. Whoever runs this server must renew it; the "
                "device's own login was not tried."
            )
        case NotThroughTunnel(is_write=False):
            return Offline("The My2N tunnel answers, but the device is not connected to it.")
        case NoAnswer(is_write=True):
            return OutcomeUnknown(
                "The connection to the device broke before it answered: it may or may not have done what was asked."
            )
        case NoAnswer():
            return Offline("The device did not answer.")
        case NotTheApi(is_write=True):
            return OutcomeUnknown(
                "The device answered something that is not the 2N HTTP API: it may or may not have done what was asked."
            )
        case NotTheApi():
            return Refused("The device answered something that is not the 2N HTTP API.")
        case _:
            return ProviderError("Something went wrong at the device.")
