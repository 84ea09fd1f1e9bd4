"""What a client session may reach.

    parameters ──▶ guard: every id and key in them is the session's own, or as good as not there
    lists      ──▶ narrow: one more condition, in the query itself

Both fail closed. A parameter that looks like an id and that the guard does not know is refused, and so is an answer
of a list that nobody has narrowed. So a new route is safe before anybody thinks of sessions.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from doorward import errors
from doorward.errors import Forbidden, NotFound
from doorward.store import client_sessions
from doorward.store.client_sessions import SessionRow
from doorward.store.db import Reader, Where


@dataclass(frozen=True)
class Kind:
    """One kind of thing: where it is, and what says whose it is."""

    table: str
    """FROM; the table itself is `x`."""
    column: str
    missing: type[NotFound]
    account: str | None = None
    """The column of its account."""
    webview: str | None = None
    """The column of its webview."""
    customer: str | None = None
    """The column of its customer."""
    identity: str | None = None
    """The column of the user identity that it is, or is about."""
    may_be_new: bool = False
    """A key that nothing has yet may be given to something new."""

    def narrow(self, where: Where, session: SessionRow) -> None:
        narrow(
            where,
            session,
            account=self.account,
            webview=self.webview,
            customer=self.customer,
            identity=self.identity,
        )


def narrow(
    where: Where,
    session: SessionRow,
    *,
    account: str | None = None,
    webview: str | None = None,
    customer: str | None = None,
    identity: str | None = None,
) -> None:
    """Only rows that the session may see: any of these columns makes them its own."""

    def own(where: Where) -> None:
        if account is not None:
            client_sessions.only_accounts(where, account, session)
        if webview is not None:
            client_sessions.only_webviews(where, webview, session)
        if customer is not None and session.customer_key is not None:
            where.add(f"{customer} = {{}}", session.customer_key)
        if identity is not None and session.user_identity_id is not None:
            where.add(f"{identity} = {{}}", session.user_identity_id)

    where.either(own)


_CODES = (
    "access_codes x JOIN devices d ON d.workspace_id = x.workspace_id AND d.device_id = x.device_id",
    "d.connected_account_id",
)
_METHODS = (
    "access_methods x JOIN access_grants g ON g.workspace_id = x.workspace_id AND g.access_grant_id = x.access_grant_id"
)
_DEVICE = Kind("devices x", "x.device_id", errors.DeviceNotFound, account="x.connected_account_id")
_CODE = Kind(_CODES[0], "x.access_code_id", errors.AccessCodeNotFound, account=_CODES[1])
_ACCOUNT = Kind(
    "connected_accounts x", "x.connected_account_id", errors.ConnectedAccountNotFound, account="x.connected_account_id"
)
_WEBVIEW = Kind(
    "connect_webviews x", "x.connect_webview_id", errors.ConnectWebviewNotFound, webview="x.connect_webview_id"
)
_SPACE = Kind("spaces x", "x.space_id", errors.SpaceNotFound, customer="x.customer_key")
_SPACE_KEY = Kind("spaces x", "x.space_key", errors.SpaceNotFound, customer="x.customer_key", may_be_new=True)
_IDENTITY = Kind(
    "user_identities x",
    "x.user_identity_id",
    errors.UserIdentityNotFound,
    customer="x.customer_key",
    identity="x.user_identity_id",
)
_IDENTITY_KEY = Kind(
    "user_identities x",
    "x.user_identity_key",
    errors.UserIdentityNotFound,
    customer="x.customer_key",
    identity="x.user_identity_id",
    may_be_new=True,
)
_GRANT = Kind("access_grants x", "x.access_grant_id", errors.AccessGrantNotFound, customer="x.customer_key")
_GRANT_KEY = Kind(
    "access_grants x", "x.access_grant_key", errors.AccessGrantNotFound, customer="x.customer_key", may_be_new=True
)
_RESERVATION = Kind(
    "access_grants x", "x.reservation_key", errors.AccessGrantNotFound, customer="x.customer_key", may_be_new=True
)
_METHOD = Kind(_METHODS, "x.access_method_id", errors.AccessMethodNotFound, customer="g.customer_key")

GUARDED: Mapping[str, Kind] = {
    "access_code_id": _CODE,
    "access_grant_id": _GRANT,
    "access_grant_key": _GRANT_KEY,
    "access_method_id": _METHOD,
    "action_attempt_id": Kind(
        "action_attempts x",
        "x.action_attempt_id",
        errors.ActionAttemptNotFound,
        account="x.connected_account_id",
    ),
    # Codes that have it share their PIN with the next one that asks for it.
    "common_code_key": Kind(
        _CODES[0], "x.common_code_key", errors.AccessCodeNotFound, account=_CODES[1], may_be_new=True
    ),
    "connect_webview_id": _WEBVIEW,
    "connected_account_id": _ACCOUNT,
    "device_id": _DEVICE,
    "event_id": Kind(
        "events x",
        "x.event_id",
        errors.EventNotFound,
        account="x.connected_account_id",
        webview="x.connect_webview_id",
        customer="x.customer_key",
        # Not what they did at a door: such an event carries the metadata of the device and its owner.
        identity="x.device_id IS NULL AND x.user_identity_id",
    ),
    "location_id": _SPACE,
    "parent_space_id": _SPACE,
    "parent_space_key": _SPACE_KEY,
    "reservation_key": _RESERVATION,
    "space_id": _SPACE,
    "space_key": _SPACE_KEY,
    "unstable_location_id": _SPACE,
    "user_identity_id": _IDENTITY,
    "user_identity_key": _IDENTITY_KEY,
    "booking_key": _GRANT_KEY,
    **dict.fromkeys(
        ("building_key", "common_area_key", "facility_key", "listing_key", "property_key", "property_listing_key"),
        _SPACE_KEY,
    ),
    **dict.fromkeys(("room_key", "site_key", "unit_key"), _SPACE_KEY),
    **dict.fromkeys(("guest_key", "resident_key", "staff_member_key", "tenant_key", "user_key"), _IDENTITY_KEY),
}
"""Parameter → what it names. The plural names several of the same."""
OPEN = {
    # Names, not things; and things that this server has none of.
    "acs_access_group_id", "acs_credential_id", "acs_encoder_id", "acs_entrance_id", "acs_system_id", "acs_user_id",
    "climate_preset_key", "credential_manager_acs_system_id", "customization_profile_id", "noise_threshold_id",
    "device_model_id", "manufacturer_id",
    "phone_id", "schedule_id", "thermostat_daily_program_id", "thermostat_schedule_id",
    "monday_program_id", "tuesday_program_id", "wednesday_program_id", "thursday_program_id", "friday_program_id",
    "saturday_program_id", "sunday_program_id",
}  # fmt: skip
FREE_FORM = {"custom_metadata", "custom_metadata_has", "customer_data"}
"""Objects whose members are the caller's own."""


def _named(values: Mapping[str, Any]) -> Iterator[tuple[str, str, list[str]]]:
    """Every id and key in the parameters, however deep: as it is named, in the singular, and its values."""
    for name, value in values.items():
        if name in FREE_FORM or value is None:
            continue
        for inner in value if isinstance(value, list) else [value]:
            if isinstance(inner, Mapping):
                yield from _named(inner)
        singular = name[:-1] if name.endswith(("_ids", "_keys")) else name
        if singular.endswith(("_id", "_key")):
            yield name, singular, [str(one) for one in (value if isinstance(value, list) else [value])]


async def guard(read: Reader, session: SessionRow, values: Mapping[str, Any], *, but_keys: bool = False) -> None:
    """Raises NotFound where something is not the session's own, Forbidden where that cannot be told. `but_keys`: the
    route itself knows what keys name of the session's own."""
    for name, singular, wanted in _named(values):
        if singular in OPEN:
            continue
        if singular in ("client_session_id", "customer_key", "customer_id", "user_identifier_key"):
            mine = {
                "client_session_id": session.client_session_id,
                "user_identifier_key": session.user_identifier_key,
            }.get(singular, session.customer_key)
            if any(one != mine for one in wanted):
                if singular == "client_session_id":
                    raise errors.NoSuchClientSession(data={name: wanted[0]})
                raise Forbidden(f"A client session cannot name another {name}.")
            continue
        if but_keys and singular.endswith("_key"):
            continue
        kind = GUARDED.get(singular)
        if kind is None:
            raise Forbidden(f"A client session cannot use {name}.")
        if foreign := await _foreign(read, session, kind, wanted):
            raise kind.missing(data={singular: foreign})


async def _foreign(read: Reader, session: SessionRow, kind: Kind, wanted: list[str]) -> str | None:
    """The first of these that is not the session's own."""
    seen = await _found(read, session, kind, wanted, is_own=True)
    if kind.may_be_new:
        there = await _found(read, session, kind, wanted, is_own=False)
        others = [one for one in wanted if there.get(one, 0) > seen.get(one, 0)]
    else:
        others = [one for one in wanted if one not in seen]
    return others[0] if others else None


async def _found(read: Reader, session: SessionRow, kind: Kind, wanted: list[str], *, is_own: bool) -> dict[str, int]:
    """How many things there are of each name."""
    where = Where()
    where.add("x.workspace_id = {}", session.workspace_id)
    where.any_of(kind.column, wanted)
    if is_own:
        kind.narrow(where, session)
    rows = await read.all(
        f"SELECT {kind.column}, COUNT(*) FROM {kind.table} WHERE {where} GROUP BY {kind.column}", *where.args
    )
    return {str(row[0]): int(row[1]) for row in rows}
