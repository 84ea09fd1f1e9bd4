"""How a function says no: the numbered errors of the JSON envelope.

Every one of them travels with HTTP status 200; only code 9 comes with 401 (HTTP API manual, 2.3). The
descriptions are the device's lower-case English.
"""

from typing import Any, Final

NOT_SUPPORTED: Final = 1
INVALID_PATH: Final = 2
INVALID_METHOD: Final = 3
DISABLED: Final = 4
LICENSED: Final = 5
INVALID_CONNECTION: Final = 7
INVALID_AUTHENTICATION: Final = 8
AUTHORIZATION_REQUIRED: Final = 9
INSUFFICIENT_PRIVILEGES: Final = 10
MISSING_PARAMETER: Final = 11
INVALID_VALUE: Final = 12
TOO_BIG: Final = 13
PROCESSING: Final = 14
NO_DATA: Final = 15
COLLISION: Final = 17
REJECTED: Final = 18

DESCRIPTIONS: Final[dict[int, str]] = {
    NOT_SUPPORTED: "function is not supported",
    INVALID_PATH: "invalid request path",
    INVALID_METHOD: "invalid request method",
    DISABLED: "function is disabled",
    LICENSED: "function is licensed",
    INVALID_CONNECTION: "invalid connection type",
    INVALID_AUTHENTICATION: "invalid authentication method",
    AUTHORIZATION_REQUIRED: "authorization required",
    INSUFFICIENT_PRIVILEGES: "insufficient user privileges",
    MISSING_PARAMETER: "missing mandatory parameter",
    INVALID_VALUE: "invalid parameter value",
    TOO_BIG: "parameter data too big",
    PROCESSING: "unspecified processing error",
    NO_DATA: "no data available",
    COLLISION: "parameter collision",
    REJECTED: "request rejected",
}


class ApiError(Exception):
    """A refusal in the device's own numbers."""

    def __init__(self, code: int, *, param: str | None = None, description: str | None = None) -> None:
        self.code = code
        self.param = param
        """The offending parameter, None when no single one is to blame."""
        self.description = description or DESCRIPTIONS[code]
        super().__init__(f"{code}: {self.description}")

    def envelope(self) -> dict[str, Any]:
        """The whole JSON reply."""
        error: dict[str, Any] = {"code": self.code}
        if self.param is not None:
            error["param"] = self.param
        error["description"] = self.description
        return {"success": False, "error": error}


def missing(param: str) -> ApiError:
    """Code 11: a mandatory parameter was not sent."""
    return ApiError(MISSING_PARAMETER, param=param)


def invalid(param: str, description: str | None = None) -> ApiError:
    """Code 12: a parameter's value is of the wrong kind or out of range."""
    return ApiError(INVALID_VALUE, param=param, description=description)
