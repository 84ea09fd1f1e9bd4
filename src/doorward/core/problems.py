"""From what goes wrong at a device to what each reader is told: the one table.

Issues are stored as JSON lists of `{code, message, created_at}` on the thing they are about, and turned into Seam's
`error_code` / `warning_code` entries when it is read.
"""

from typing import Any

import msgspec

from doorward.errors import (
    ApiError,
    DeviceIsOffline,
    DeviceLoginMissing,
    DeviceRefused,
    DeviceTypeNotSupported,
)
from doorward.providers.errors import (
    AccountDisconnected,
    CodeRejected,
    DuplicateCode,
    NoRoom,
    NotAuthorized,
    Offline,
    OutcomeUnknown,
    ProviderError,
    Refused,
    Unsupported,
)
from doorward.wire.reply import Issue
from doorward.wire.time import iso

# The first class that fits wins. `attempt`: error type of an action attempt. `device`: standing error of the device,
# None when it is not the device's state that is wrong. `code`: standing error of the access code. `tries`: whether
# trying again can help.
_TABLE: tuple[tuple[type[ProviderError], str, str | None, str, bool], ...] = (
    (AccountDisconnected, "account_disconnected", None, "failed_to_set_on_device", True),
    (Offline, "device_disconnected", "device_disconnected", "failed_to_set_on_device", True),
    (NotAuthorized, "missing_device_credentials", "missing_device_credentials", "failed_to_set_on_device", True),
    (Unsupported, "not_supported", None, "code_constraints_violated", False),
    (CodeRejected, "device_refused", None, "code_constraints_violated", False),
    (DuplicateCode, "device_refused", None, "duplicate_code_on_device", True),
    (NoRoom, "device_refused", None, "no_space_for_access_code_on_device", True),
    (Refused, "device_refused", None, "failed_to_set_on_device", True),
    (OutcomeUnknown, "outcome_unknown", None, "failed_to_set_on_device", True),
    (ProviderError, "provider_issue", None, "provider_issue", True),
)


def _row(error: ProviderError) -> tuple[type[ProviderError], str, str | None, str, bool]:
    return next(row for row in _TABLE if isinstance(error, row[0]))


def attempt_error(error: ProviderError) -> dict[str, str]:
    """The `error` of an action attempt."""
    return {"type": _row(error)[1], "message": error.message}


def device_code(error: ProviderError) -> str | None:
    """The device's standing error; None when the device itself is well."""
    return _row(error)[2]


def code_error(error: ProviderError, *, removing: bool) -> str:
    """The access code's standing error."""
    return "failed_to_remove_from_device" if removing else _row(error)[3]


def api_error(error: ProviderError, device_id: str) -> ApiError:
    """What somebody is answered who asked a device something directly."""
    cls: type[ApiError] = DeviceRefused
    if isinstance(error, Offline):
        cls = DeviceIsOffline
    elif isinstance(error, Unsupported):
        cls = DeviceTypeNotSupported
    elif isinstance(error, NotAuthorized) and error.missing is None:
        cls = DeviceLoginMissing
    return cls(error.message, data={"device_id": device_id})


def can_retry(error: ProviderError) -> bool:
    """Trying again later may help."""
    return _row(error)[4]


# ---------------------------------------------------------------- stored issues

_decode = msgspec.json.Decoder(list[Issue]).decode


def read(issues_json: str) -> list[Issue]:
    """Stored issues."""
    return _decode(issues_json) if issues_json != "[]" else []


def write(issues: list[Issue]) -> str:
    """Issues, to be stored."""
    return msgspec.json.encode(issues).decode()


def with_issue(issues_json: str, code: str, message: str, now: int, **data: object) -> str:
    """Add an issue, or renew its sentence and data (never a PIN); its time stays the first one."""
    issues = read(issues_json)
    for issue in issues:
        if issue.code == code:
            issue.message, issue.data = message, data
            return write(issues)
    return write([*issues, Issue(code=code, message=message, created_at=now, data=data)])


def without(issues_json: str, *codes: str) -> str:
    """Drop issues; all of them when none is named."""
    if issues_json == "[]" or not codes:
        return "[]"
    return write([issue for issue in read(issues_json) if issue.code not in codes])


def wire(issues_json: str, kind: str, **marks: Any) -> list[dict[str, Any]]:
    """As Seam shows them: `kind` is `error` or `warning`, `marks` are e.g. `is_device_error=True`."""
    if issues_json == "[]":
        return []
    return [
        {
            f"{kind}_code": issue.code,
            "message": issue.message,
            "created_at": iso(issue.created_at),
            **marks,
            **issue.data,
        }
        for issue in read(issues_json)
    ]
