"""`/devices/*`."""

from typing import Annotated, Any, Literal

import msgspec
from annotated_types import Ge, Gt, Le
from pydantic import BaseModel, ConfigDict, StringConstraints

from doorward.api import door_switch, page
from doorward.api.connect_webviews import Category
from doorward.api.params import NOT_BLANK, NULL, Cursor, Id, Instant, Metadata, Params, Part
from doorward.api.request import Request, one_of
from doorward.api.route import route
from doorward.core import access_codes, events, grant_doors, grant_progress, metadata, switches
from doorward.core import devices as rules
from doorward.errors import DeviceIsManaged, DeviceNotFound, DeviceTypeNotSupported
from doorward.store import access_codes as code_store
from doorward.store import client_sessions, connect_webviews, spaces
from doorward.store import devices as store
from doorward.store.db import Tx, Where
from doorward.store.devices import Version
from doorward.wire import time
from doorward.wire.device import Device, DeviceProvider, UnmanagedDevice
from doorward.wire.device_type import DeviceType, LockMaker, LockType, Maker
from doorward.wire.events import device as event
from doorward.wire.reply import Pagination

PAGE = 500
UNMANAGED_PAGE = 22_900
MOST = 10_000
"""Items of a list that does not come in pages."""
_VIRTUAL = (
    "d.is_managed = 1 AND d.secret_sealed IS NOT NULL AND "
    "EXISTS (SELECT 1 FROM workspaces w WHERE w.workspace_id = d.workspace_id AND w.is_sandbox = 1)"
)
_AWAY = "(d.errors_json LIKE '%\"device_disconnected\"%' OR d.errors_json LIKE '%\"device_removed\"%')"
FLAGS = {
    # Capability flag → when a device has it, now.
    "can_simulate_connection": f"{_VIRTUAL} AND {_AWAY}",
    "can_simulate_disconnection": f"{_VIRTUAL} AND d.online = 1",
    "can_simulate_removal": f"{_VIRTUAL} AND d.errors_json NOT LIKE '%\"device_removed\"%'",
    "can_remotely_unlock": "d.is_lock = 1 AND d.online = 1",
    "can_remotely_lock": "d.is_lock = 1 AND d.online = 1",
    "can_program_online_access_codes": "d.report_json NOT LIKE '%\"code_lengths\":[]%'",
    "can_unlock_with_code": "d.report_json NOT LIKE '%\"code_lengths\":[]%'",
}
Flag = Literal[
    "can_remotely_unlock",
    "can_remotely_lock",
    "can_program_offline_access_codes",
    "can_program_online_access_codes",
    "can_hvac_heat",
    "can_hvac_cool",
    "can_hvac_heat_cool",
    "can_turn_off_hvac",
    "can_simulate_removal",
    "can_simulate_connection",
    "can_simulate_disconnection",
    "can_unlock_with_code",
    "can_run_thermostat_programs",
    "can_program_thermostat_programs_as_weekday_weekend",
    "can_program_thermostat_programs_as_different_each_day",
    "can_program_thermostat_programs_as_same_each_day",
    "can_simulate_hub_connection",
    "can_simulate_hub_disconnection",
    "can_simulate_paid_subscription",
    "can_configure_auto_lock",
]


# ---------------------------------------------------------------- shared


_shown = rules.Shown()


async def one(req: Request, device_id: str | None, name: str | None, *, is_managed: bool) -> msgspec.Raw:
    """A device by id, else by name, as JSON. Raises DeviceNotFound."""
    one_of(device_id=device_id, name=name)
    if device_id is not None:
        found = await store.version_of(req.db, req.workspace_id, device_id)
    else:
        where = Where()
        where.add("d.workspace_id = {}", req.workspace_id)
        where.add("(d.nickname = {} OR (d.nickname IS NULL AND d.name = {}))", name, name)
        req.narrow(where, account="d.connected_account_id")
        found = next(iter(await store.version_page(req.db, where, 1)), None)
    shown = [] if found is None or bool(found.is_managed) != is_managed else await many(req, [found])
    if not shown:
        raise DeviceNotFound(data={"device_id": device_id} if device_id else None)
    return msgspec.Raw(shown[0])


async def many(req: Request, versions: list[Version]) -> list[bytes]:
    """Devices as JSON."""
    return await _shown(req.core, req.workspace_id, versions, req.base_url)


def as_list(shown: list[bytes]) -> msgspec.Raw:
    """A JSON array of what is JSON already."""
    return msgspec.Raw(b"[" + b",".join(shown) + b"]")


async def _owned(req: Request, p: "Filters", *, is_managed: bool) -> Where:
    """Whose devices, and of which kind."""
    where = Where()
    only_locks = " AND d.is_lock = 1" if isinstance(p, LockFilters) else ""
    where.add(f"d.workspace_id = {{}} AND d.is_managed = {{}}{only_locks}", req.workspace_id, int(is_managed))
    req.narrow(where, account="d.connected_account_id")
    if p.connected_account_id is not None:
        where.add("d.connected_account_id = {}", p.connected_account_id)
    if p.connect_webview_id is not None:
        webview = await connect_webviews.get(req.db, req.workspace_id, p.connect_webview_id)
        account = webview.connected_account_id if webview else None
        where.any_of("d.connected_account_id", [account] if account else [])
    if p.customer_key is not None:
        where.add("d.customer_key = {}", p.customer_key)
    if p.device_type is not None:
        where.add("d.device_type = {}", p.device_type)
    if p.device_types is not None:
        where.any_of("d.device_type", p.device_types)
    if p.manufacturer is not None:
        where.add("d.manufacturer = {}", p.manufacturer)
    return where


# ---------------------------------------------------------------- get, list


class Get(Params):
    """Parameters of get."""

    device_id: Id | None = None
    """The device."""
    name: str | None = None
    """Its name."""


@route("/devices/get", auth="ACKR", returns={"device": Device})
async def get(req: Request, p: Get) -> dict[str, Any]:
    """Get a device, by id or by name."""
    return {"device": await one(req, p.device_id, p.name, is_managed=True)}


@route("/devices/unmanaged/get", auth="AC", returns={"device": UnmanagedDevice})
async def get_unmanaged(req: Request, p: Get) -> dict[str, Any]:
    """Get a device that is not managed, by id or by name."""
    return {"device": await one(req, p.device_id, p.name, is_managed=False)}


class Filters(Params):
    """What all device lists take."""

    UNDOCUMENTED = frozenset({"include_if", "exclude_if"})

    connect_webview_id: Id | None = None
    """Only those of the account that this webview connected."""
    connected_account_id: Id | None = None
    """Only those of this account."""
    connected_account_ids: list[Id] | None = None
    """Only those of these accounts."""
    created_before: Instant | None = None
    """Only those first seen before this."""
    customer_key: Id | None = None
    """Only those of this customer."""
    device_ids: list[Id] | None = None
    """Only these."""
    device_type: DeviceType | None = None
    """Only those of this type."""
    device_types: list[Any] | None = None
    """Only those of these types; each list says which there are."""
    exclude_if: list[Flag] | None = None
    """Not those with any of these abilities."""
    include_if: list[Flag] | None = None
    """Only those with all of these abilities."""
    manufacturer: Maker | None = None
    """Only those of this manufacturer."""
    page_cursor: Cursor | None = None
    """Where the page before ended."""
    search: str | None = None
    """Only those that contain this text in id, account id, name, metadata or location."""
    custom_metadata_has: Metadata | None = None
    """Only those with all of these pairs."""
    space_id: Id | None = None
    """Only those of this space."""
    unstable_location_id: Annotated[Id, NULL] | None = None
    """Older name of `space_id`."""
    user_identifier_key: str | None = None
    """Only those of this user's client sessions."""


class LockFilters(Filters):
    """Parameters of locks/list: everything at once, unless a limit is given."""

    device_type: LockType | None = None
    """Only those of this type."""
    device_types: list[LockType] | None = None
    """Only those of these types."""
    manufacturer: LockMaker | None = None
    """Only those of this manufacturer."""
    limit: Annotated[int, Gt(0)] = MOST
    """Items in a page."""


class List(Filters):
    """Parameters of list."""

    device_types: list[DeviceType] | None = None
    """Only those of these types."""
    limit: Annotated[int, Gt(0)] = PAGE
    """Items in a page."""


class ListUnmanaged(Filters):
    """Parameters of unmanaged/list."""

    device_types: list[DeviceType] | None = None
    """Only those of these types."""
    limit: Annotated[int, Gt(0)] = UNMANAGED_PAGE
    """Items in a page."""


async def filtered(req: Request, p: Filters, *, is_managed: bool, limit: int) -> tuple[msgspec.Raw, Pagination]:
    """A page of devices as JSON, and what stands beside it."""
    where = await _owned(req, p, is_managed=is_managed)
    if p.connected_account_ids is not None:
        where.any_of("d.connected_account_id", p.connected_account_ids)
    if p.device_ids is not None:
        where.any_of("d.device_id", p.device_ids)
    if p.created_before is not None:
        where.add("d.created_at < {}", time.parse(p.created_before))
    for flag in dict.fromkeys(p.include_if or ()):
        where.add(f"({FLAGS.get(flag, '1 = 0')})")
    for flag in dict.fromkeys(p.exclude_if or ()):
        where.add(f"NOT ({FLAGS.get(flag, '1 = 0')})")
    for space_id in filter(None, (p.space_id, p.unstable_location_id)):
        spaces.devices_in(where, "d.device_id", req.workspace_id, space_id)
    if p.user_identifier_key is not None:
        client_sessions.of_users(
            where, "d.connected_account_id", "connected_account_id", req.workspace_id, p.user_identifier_key
        )
    await page.begin(req, where, "devices", p.page_cursor, search=p.search, metadata=p.custom_metadata_has)
    rows = await store.version_page(req.db, where, limit + 1)
    shown, pagination = page.cut(req, rows, limit, lambda r: (r.created_at, r.device_id))
    return as_list(await many(req, shown)), pagination


@route("/devices/list", auth="ACKR", returns={"devices": list[Device], "pagination": Pagination}, pages=PAGE)
async def list_(req: Request, p: List) -> dict[str, Any]:
    """List managed devices, oldest first."""
    found, pagination = await filtered(req, p, is_managed=True, limit=min(p.limit, PAGE))
    return {"devices": found, "pagination": pagination}


@route(
    "/devices/unmanaged/list",
    auth="AKR",
    returns={"devices": list[UnmanagedDevice], "pagination": Pagination},
    pages=UNMANAGED_PAGE,
)
async def list_unmanaged(req: Request, p: ListUnmanaged) -> dict[str, Any]:
    """List devices that are not managed, oldest first."""
    found, pagination = await filtered(req, p, is_managed=False, limit=min(p.limit, UNMANAGED_PAGE))
    return {"devices": found, "pagination": pagination}


class Zoned(Part):
    """What a maker's app knows of a device."""

    time_zone: str
    """Its time zone, as `Europe/Paris`."""


class Reported(Part):
    """A device, and what its maker's app knows of it."""

    device_id: Id
    """The device."""
    omnitec_metadata: Zoned | None = None
    """What Omnitec knows of it."""
    schlage_metadata: Zoned | None = None
    """What Schlage knows of it."""
    ultraloq_metadata: Zoned | None = None
    """What Ultraloq knows of it."""


class ReportMetadata(Params):
    """Parameters of report_provider_metadata."""

    devices: list[Reported]
    """The devices."""


@route("/devices/report_provider_metadata", auth="A", has_none=True)
async def report_provider_metadata(req: Request, p: ReportMetadata) -> None:
    """Say what apps of Omnitec, Schlage and Ultraloq know of their devices: this server has none of these.

    Nothing would be kept of it, so a device that is named is answered that it is of another make.
    """
    wanted = [one.device_id for one in p.devices]
    found = {one.row.device_id for one in await store.see_many(req.db, req.workspace_id, wanted)}
    for device_id in wanted:
        about = {"device_id": device_id}
        if device_id not in found:
            raise DeviceNotFound(data=about)
        raise DeviceTypeNotSupported("This device was not made by Omnitec, Schlage or Ultraloq.", data=about)


class Providers(Params):
    """Parameters of list_device_providers."""

    provider_category: Category | None = None
    """Only those of this category."""


@route("/devices/list_device_providers", auth="AC", returns={"device_providers": list[DeviceProvider]})
async def list_device_providers(req: Request, p: Providers) -> dict[str, Any]:
    """List the brands that can be connected to this server."""
    return {
        "device_providers": [
            DeviceProvider(
                device_provider_name=provider.key,
                display_name=provider.display_name,
                image_url=f"{req.base_url}/assets/images/devices/intercom.png",
                provider_categories=list(provider.categories),
                **dict.fromkeys((a for a in provider.abilities if a in FLAGS), True),
            )
            for provider in req.core.providers.values()
            if p.provider_category is None or p.provider_category in provider.categories
        ]
    }


# ---------------------------------------------------------------- update


Name = Annotated[str, StringConstraints(min_length=1, max_length=255), NOT_BLANK]
"""Of a device, for people."""


class TwoN(BaseModel):
    """Settings of a 2N intercom."""

    model_config = ConfigDict(strict=True, extra="ignore", use_attribute_docstrings=True)

    door_switch: Annotated[int, Ge(1), Le(4)] | None = None
    """Which of its switches stands for the door: 1 to 4. The device is asked whether it has it."""


class Properties(BaseModel):
    """Older place of a device's name, and settings of its brand."""

    model_config = ConfigDict(strict=True, extra="ignore", use_attribute_docstrings=True)

    name: Annotated[Name, NULL] | None = None
    """Its new name; null: the device's own."""
    two_n_metadata: TwoN | None = None
    """An extension of Doorward: settings of a 2N intercom."""


class Update(Params):
    """Parameters of update."""

    device_id: Id
    """The device."""
    backup_access_code_pool_enabled: bool | None = None
    """Keep reserve codes on the device."""
    custom_metadata: Metadata | None = None
    """Added to the stored pairs; null removes a key."""
    is_managed: bool = True
    """False: stop managing it."""
    name: Annotated[Name, NULL] | None = None
    """Its new name; null: the device's own."""
    properties: Properties | None = None
    """Older place of `name`, and settings of the device's brand."""


@route("/devices/update", auth="ACK")
async def update(req: Request, p: Update) -> None:
    """Rename a device, stop managing it, or change its metadata or settings."""
    settings = p.properties.two_n_metadata if p.properties else None
    number = settings.door_switch if settings else None
    # The device is asked first: no transaction is open while it answers.
    chosen = None if number is None else await door_switch.ask(req, p.device_id, number)

    async def change(tx: Tx) -> None:
        if not p.is_managed:
            await grant_progress.lock(tx, req.workspace_id)
        await tx.lock("device", req.workspace_id, p.device_id)
        row = await rules.get(tx, req.workspace_id, p.device_id)
        values: dict[str, Any] = {}
        rename = p.given("name") or (p.properties is not None and "name" in p.properties.model_fields_set)
        if rename:
            values["nickname"] = p.name if p.given("name") else (p.properties.name if p.properties else None)
        if p.custom_metadata is not None:
            values["custom_metadata_json"] = metadata.merged(row.custom_metadata_json, p.custom_metadata)
        if not p.is_managed:
            values["is_managed"] = 0
        if p.backup_access_code_pool_enabled is not None:
            values["backup_pool_enabled"] = int(p.backup_access_code_pool_enabled)
            await rules.wake(tx, req.core, req.workspace_id, p.device_id)
        if chosen is not None:
            values |= switches.chosen(tx, req.core, row, chosen)
        if not values:
            return
        before = row.nickname or row.name
        row = await store.change(tx, row, **values)
        after = row.nickname or row.name
        if rename and after != before:
            renamed = event.DeviceNameChanged(device_name=after, **events.about_device(row))
            await events.emit(tx, req.core, req.workspace_id, renamed)
        if not p.is_managed:
            unmanaged = event.DeviceConvertedToUnmanaged(**events.about_device(row))
            await events.emit(tx, req.core, req.workspace_id, unmanaged)
            for code in await code_store.managed_of_device(tx, req.workspace_id, row.device_id):
                if code.is_backup and code.pulled_for is None:
                    await access_codes.let_go(tx, req.core, code)
                    await rules.wake(tx, req.core, req.workspace_id, p.device_id)
                    continue
                code = await access_codes.stop_managing(tx, req.core, row, code)
                await grant_progress.code_changed(tx, req.core, code)

    await req.write(change)
    if chosen is not None:
        await door_switch.settle(req, p.device_id)


class UpdateUnmanaged(Params):
    """Parameters of unmanaged/update."""

    device_id: Id
    """The device."""
    custom_metadata: Metadata | None = None
    """Added to the stored pairs; null removes a key."""
    is_managed: Literal[True] | None = None
    """True: manage it."""


@route("/devices/unmanaged/update", auth="A")
async def update_unmanaged(req: Request, p: UpdateUnmanaged) -> None:
    """Start managing a device."""

    async def change(tx: Tx) -> None:
        await grant_progress.lock(tx, req.workspace_id)
        await tx.lock("device", req.workspace_id, p.device_id)
        row = await store.get(tx, req.workspace_id, p.device_id)
        if row is None:
            raise DeviceNotFound(data={"device_id": p.device_id})
        if row.is_managed:
            raise DeviceIsManaged(data={"device_id": p.device_id})
        values: dict[str, Any] = {}
        if p.custom_metadata is not None:
            values["custom_metadata_json"] = metadata.merged(row.custom_metadata_json, p.custom_metadata)
        if p.is_managed:
            values["is_managed"] = 1
        if not values:
            return
        row = await store.change(tx, row, **values)
        if p.is_managed:
            managed = event.DeviceUnmanagedConvertedToManaged(**events.about_device(row))
            await events.emit(tx, req.core, req.workspace_id, managed)
            await grant_doors.device_is_managed(tx, req.core, row)

    await req.write(change)
