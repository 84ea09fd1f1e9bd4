"""What a caller can be told. The class is the wire type, its docstring the default message.

ApiError
├ BadRequest (400)        InvalidInput, InvalidQueryParams, InvalidContentType, MismatchedPageParameters,
│                         DeviceUnmanaged, DeviceManaged, DeviceTypeNotSupported, DeviceRefused, …
├ Unauthorized (401)      WorkspaceOfHeaderNotFound, ClientSessionNotFound, ClientSessionExpired, …
├ Forbidden (403)
├ NotFound (404)          one class per resource
├ MethodNotAllowed (405)
├ DuplicateAccessCode (409)
├ TooLarge (413)
├ RateLimited (429)
├ NotImplementedYet (501)
└ Unavailable (503)       the database does not answer; StandingBy
"""

from collections.abc import Mapping, Sequence
from typing import Any


class ApiError(Exception):
    """The request failed."""

    status = 500
    type = "internal_server_error"

    def __init__(self, message: str | None = None, *, data: Mapping[str, Any] | None = None) -> None:
        super().__init__(message or self.__doc__ or self.type)
        self.message = str(self)
        self.data = data

    @property
    def headers(self) -> dict[str, str]:
        """Headers that go with the answer."""
        return {}

    def of_item(self, path: Sequence[str], said: str) -> None:
        """It is about one item of many: where that stands in the request, and what to call it."""
        self.message = f"{'.'.join(path)} ({said}): {self.message}"

    def body(self) -> dict[str, Any]:
        """The `error` member of the answer, less the request id."""
        body: dict[str, Any] = {"type": self.type, "message": self.message}
        if self.data:
            body["data"] = dict(self.data)
        return body


class BadRequest(ApiError):
    """The request cannot be carried out as it is."""

    status = 400
    type = "bad_request"


class InvalidInput(BadRequest):
    """The parameters are not right."""

    type = "invalid_input"

    def __init__(self, message: str | None = None, *, problems: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        # Without a parameter's name the rule is about the whole request.
        self.problems = problems if problems is not None else {"_errors": [self.message]}

    @classmethod
    def of(cls, name: str, text: str) -> "InvalidInput":
        """One parameter is wrong: `text` says how."""
        message = f"{name} is required" if text == "Required" else f'{text} for "{name}"'
        return cls(message, problems={"_errors": [], name: {"_errors": [text]}})

    def of_item(self, path: Sequence[str], said: str) -> None:
        super().of_item(path, said)
        for part in reversed(path):
            self.problems = {"_errors": [], part: self.problems}

    def body(self) -> dict[str, Any]:
        return {**super().body(), "validation_errors": self.problems}


class InvalidEventTypes(BadRequest):
    """An event type does not exist."""

    type = "invalid_event_types"


class InvalidQueryParams(BadRequest):
    """The query string cannot be read."""

    type = "invalid_query_params"


class InvalidContentType(BadRequest):
    """Requests with a body must have a Content-Type header with "application/json"."""

    type = "invalid_content_type"


class InvalidJson(BadRequest):
    """The body is not valid JSON."""

    type = "invalid_json"


class MismatchedPageParameters(BadRequest):
    """The parameters of a further page must equal those of the first one."""

    type = "mismatched_page_parameters"


class DeviceIsUnmanaged(BadRequest):
    """The device is unmanaged. Convert it to managed first."""

    type = "device_unmanaged"


class DeviceIsManaged(BadRequest):
    """The device is managed already."""

    type = "device_managed"


class DeviceTypeNotSupported(BadRequest):
    """The device cannot do this."""

    type = "device_type_not_supported"


class DeviceIsOffline(BadRequest):
    """The device is offline, and the request cannot or shall not wait for it."""

    type = "device_offline"


class DeviceLoginMissing(BadRequest):
    """The device has not been logged in to, or does not accept the login any more."""

    type = "missing_device_credentials"


class DeviceRefused(BadRequest):
    """The device answered, and refused."""

    type = "device_refused"


class AccessCodeBeingRemoved(BadRequest):
    """The access code is being removed."""

    type = "access_code_being_removed"


class AccessCodeCannotBeManaged(BadRequest):
    """The access code cannot be managed here."""

    type = "access_code_cannot_be_managed"


class ClientSessionAlreadyExists(BadRequest):
    """There is a client session of this user already."""

    type = "client_session_token_already_exists"


class SessionsUserIdentityNotFound(BadRequest):
    """There is no user identity for the client session to act for."""

    type = "user_identity_not_found"


class InvalidClientSessionToken(BadRequest):
    """This is not a client session token."""

    type = "invalid_client_session_token"


class PublishableKeyHeaderRequired(BadRequest):
    """The seam-publishable-key header is missing."""

    type = "publishable_key_header_required"


class PublishableKeyNeedsUser(BadRequest):
    """With a publishable key, user_identifier_key or the seam-user-identifier-key header is required."""

    type = "publishable_key_requires_user_identifier_key"


class WorkspaceOfKeyNotFound(BadRequest):
    """There is no workspace with this publishable key."""

    type = "workspace_not_found"


class NotSupported(BadRequest):
    """This server cannot do it."""

    type = "not_supported"


class WebhookIsDisabled(BadRequest):
    """The webhook is disabled, and gets nothing. Update it first (/webhooks/update): that wakes it."""

    type = "webhook_disabled"


class WorkspaceNotSandbox(BadRequest):
    """This works in sandbox workspaces only."""

    type = "workspace_not_sandbox"


class AccessCodeNotTimeBound(BadRequest):
    """An ongoing access code has no backup."""

    type = "access_code_not_time_bound"


class Unauthorized(ApiError):
    """No valid credentials."""

    status = 401
    type = "unauthorized"


class WorkspaceOfHeaderNotFound(Unauthorized):
    """There is no workspace with the id in the seam-workspace header."""

    type = "workspace_not_found"


class ClientSessionNotFound(Unauthorized):
    """There is no client session with this token."""

    type = "client_session_not_found"


class ClientSessionRevoked(Unauthorized):
    """This client session was revoked."""

    type = "client_session_revoked"


class ClientSessionExpired(Unauthorized):
    """This client session has expired."""

    type = "client_session_expired"


class InvalidPublishableKey(Unauthorized):
    """This is not a publishable key."""

    type = "invalid_publishable_key"


class Forbidden(ApiError):
    """The credential may not do this."""

    status = 403
    type = "forbidden"


class MustCreateEmptySessions(Forbidden):
    """With a publishable key only empty client sessions can be made."""

    type = "publishable_keys_must_create_empty_client_sessions"


class NotFound(ApiError):
    """There is no such thing."""

    status = 404
    type = "not_found"


class NoSuchClientSession(NotFound):
    """There is no such client session."""

    type = "client_session_not_found"


class DeviceNotFound(NotFound):
    """Device not found."""

    type = "device_not_found"


class AccessCodeNotFound(NotFound):
    """Access code not found."""

    type = "access_code_not_found"


class BackupAccessCodeNotFound(NotFound):
    """The device's backup pool has no access code that it holds already."""

    type = "backup_access_code_not_found"


class WebhookNotFound(NotFound):
    """There is no such webhook."""

    type = "webhook_not_found"


class DeliveryNotFound(NotFound):
    """There is no such delivery."""

    type = "delivery_not_found"


class ActionAttemptNotFound(NotFound):
    """Action attempt not found."""

    type = "action_attempt_not_found"


class ConnectWebviewNotFound(NotFound):
    """Connect webview not found."""

    type = "connect_webview_not_found"


class ConnectedAccountNotFound(NotFound):
    """Connected account not found."""

    type = "connected_account_not_found"


class ManufacturerNotFound(NotFound):
    """No device of this maker can be connected."""

    type = "manufacturer_not_found"


class DeviceModelNotFound(NotFound):
    """No device of this model can be connected."""

    type = "device_model_not_found"


class AcsAccessGroupNotFound(NotFound):
    """This server has no access control systems, and no access groups of them."""

    type = "acs_access_group_not_found"


class AcsCredentialNotFound(NotFound):
    """This server has no access control systems, and no credentials of them."""

    type = "acs_credential_not_found"


class AcsEncoderNotFound(NotFound):
    """This server has no access control systems, and no encoders of them."""

    type = "acs_encoder_not_found"


class AcsEntranceNotFound(NotFound):
    """This server has no access control systems, and no entrances of them."""

    type = "acs_entrance_not_found"


class AcsSystemNotFound(NotFound):
    """This server has no access control systems."""

    type = "acs_system_not_found"


class AcsUserNotFound(NotFound):
    """This server has no access control systems, and no users of them."""

    type = "acs_user_not_found"


class PhoneNotFound(NotFound):
    """This server has no phones."""

    type = "phone_not_found"


class InstantKeyNotFound(NotFound):
    """This server has no instant keys."""

    type = "instant_key_not_found"


class NoiseThresholdNotFound(NotFound):
    """This server has no noise sensors, and no thresholds of them."""

    type = "noise_threshold_not_found"


class ThermostatScheduleNotFound(NotFound):
    """This server has no thermostats, and no schedules of them."""

    type = "thermostat_schedule_not_found"


class ThermostatDailyProgramNotFound(NotFound):
    """This server has no thermostats, and no daily programs of them."""

    type = "thermostat_daily_program_not_found"


class SpaceNotFound(NotFound):
    """Space not found."""

    type = "space_not_found"


class UserIdentityNotFound(NotFound):
    """User identity not found."""

    type = "user_identity_not_found"


class AccessGrantNotFound(NotFound):
    """Access grant not found."""

    type = "access_grant_not_found"


class AccessMethodNotFound(NotFound):
    """Access method not found."""

    type = "access_method_not_found"


class EventNotFound(NotFound):
    """Event not found."""

    type = "event_not_found"


class MethodNotAllowed(ApiError):
    """The route does not take this verb."""

    status = 405
    type = "method_not_allowed"

    def __init__(self, verbs: tuple[str, ...]) -> None:
        super().__init__(f"only {','.join(verbs)} accepted")
        self.verbs = verbs

    @property
    def headers(self) -> dict[str, str]:
        return {"allow": ", ".join((*self.verbs, "OPTIONS"))}


class DuplicateAccessCode(ApiError):
    """The device already has a code with this PIN."""

    status = 409
    type = "duplicate_access_code"


class TooLarge(ApiError):
    """The body is too large."""

    status = 413
    type = "request_too_large"


class RateLimited(ApiError):
    """Too many requests for this device."""

    status = 429
    type = "rate_limit_exceeded"

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after

    @property
    def headers(self) -> dict[str, str]:
        return {"retry-after": str(self.retry_after)}


class NotImplementedYet(ApiError):
    """Doorward does not do this yet."""

    status = 501
    type = "not_implemented"


class Unavailable(ApiError):
    """The server cannot store anything at the moment. Try again."""

    status = 503
    type = "service_unavailable"


class StandingBy(Unavailable):
    """Another server has the devices, and this one stands by to take over. Ask that one, or try again."""

    @property
    def headers(self) -> dict[str, str]:
        return {"retry-after": "1"}
