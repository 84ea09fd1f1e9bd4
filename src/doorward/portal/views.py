"""What each page shows. A view is asked for by `at=`, and gives its template what it needs."""

import dataclasses
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from doorward.errors import AccessGrantNotFound, InvalidInput, MismatchedPageParameters, NotFound, SpaceNotFound
from doorward.portal.entries import IN_A_BOOKING, code_lengths
from doorward.portal.times import zone_named
from doorward.portal.visit import Visit

PAGE = 50
MOST = 500
"""Items of a list that cannot be turned over."""
View = Callable[[Visit], Awaitable[dict[str, Any]]]


async def devices(visit: Visit) -> dict[str, Any]:
    """Devices, and how they are."""
    found = await _part(visit, "/devices/list", search=_search(visit), custom_metadata_has=visit.metadata)
    return {"devices": found["devices"], "next": found["pagination"]["next_page_cursor"]}


async def device(visit: Visit) -> dict[str, Any]:
    """One device, and its codes."""
    row = await visit.device(visit.asked.get("device_id", ""))
    codes = []
    if row.get("can_program_online_access_codes"):
        codes = (await visit.ask("/access_codes/list", device_id=row["device_id"], limit=MOST))["access_codes"]
    return {"device": row, "codes": codes, "lengths": code_lengths([row]), "zone": zone_of_device(row)}


async def bookings(visit: Visit) -> dict[str, Any]:
    """Access grants."""
    found, places = await _part(visit, "/access_grants/list"), await _places(visit)
    return {
        "bookings": [{**row, **_where(row, places)} for row in found["access_grants"]],
        "next": found["pagination"]["next_page_cursor"],
        "places": list(places.values()),
    }


async def booking(visit: Visit) -> dict[str, Any]:
    """One access grant, with its PIN."""
    about = {name: visit.asked[name] for name in ("access_grant_id", "access_grant_key") if name in visit.asked}
    if not about:
        raise AccessGrantNotFound
    row = (await visit.ask("/access_grants/get", **about))["access_grant"]
    methods = (await visit.ask("/access_methods/list", access_grant_id=row["access_grant_id"]))["access_methods"]
    return {"booking": row, "methods": methods, **_where(row, await _places(visit))}


async def places(visit: Visit) -> dict[str, Any]:
    """Spaces."""
    found = await _part(visit, "/spaces/list", search=_search(visit))
    return {"places": found["spaces"], "next": found["pagination"]["next_page_cursor"]}


async def place(visit: Visit) -> dict[str, Any]:
    """One space, and what is in it."""
    return await place_of(visit, visit.asked)


async def place_of(visit: Visit, asked: Mapping[str, str]) -> dict[str, Any]:
    """The space that is asked for by id or by key, what is in it, and what could be."""
    about = {name: asked[name] for name in ("space_id", "space_key") if name in asked}
    if not about:
        raise SpaceNotFound
    row = (await visit.ask("/spaces/get", **about))["space"]
    here = await visit.ask("/devices/list", space_id=row["space_id"], custom_metadata_has=visit.metadata, limit=MOST)
    known = {one["device_id"] for one in here["devices"]}
    others = []
    if visit.portal.organizes and visit.may_change:
        found = await visit.ask("/devices/list", custom_metadata_has=visit.metadata, limit=MOST)
        others = [one for one in found["devices"] if one["device_id"] not in known]
    return {
        "place": row,
        "here": here["devices"],
        "others": others,
        "lengths": code_lengths(here["devices"], IN_A_BOOKING),
        "zone": zone_of_place(row, here["devices"]),
    }


async def accounts(visit: Visit) -> dict[str, Any]:
    """Accounts, and how they are."""
    found = await _part(visit, "/connected_accounts/list", custom_metadata_has=visit.metadata)
    return {"accounts": found["connected_accounts"], "next": found["pagination"]["next_page_cursor"]}


VIEWS: dict[str, tuple[View, Callable[[Visit], bool]]] = {
    "devices": (devices, lambda visit: visit.portal.manages),
    "device": (device, lambda visit: visit.portal.manages),
    "bookings": (bookings, lambda visit: visit.portal.books),
    "booking": (booking, lambda visit: visit.portal.books),
    "places": (places, lambda visit: visit.portal.organizes),
    "place": (place, lambda visit: visit.portal.organizes or visit.portal.books),
    "accounts": (accounts, lambda visit: visit.portal.connects),
}
"""Name → what it shows, and whether this portal has it."""


async def first(visit: Visit) -> dict[str, str]:
    """Where the portal begins: what its link names, if it is there; else its first page."""
    landing = (
        ("device", "device_id", visit.portal.device_id),
        ("booking", "access_grant_id", visit.portal.access_grant_id),
        ("place", "space_id", visit.portal.space_id),
    )
    for name, key, value in landing:
        view, is_there = VIEWS[name]
        if value is None or not is_there(visit):
            continue
        try:
            await view(dataclasses.replace(visit, asked={key: value}))
        except NotFound:
            continue
        return {"at": name, key: value}
    return {"at": visit.pages[0]}


# ---------------------------------------------------------------- what they share


def _search(visit: Visit) -> str | None:
    return visit.asked.get("search", "").strip()[:200] or None


async def _part(visit: Visit, path: str, **which: Any) -> Any:
    """The part of a list that is asked for. A cursor that does not fit (the search was changed) begins it anew."""
    if cursor := visit.asked.get("page_cursor"):
        try:
            return await visit.ask(path, limit=PAGE, page_cursor=cursor, **which)
        except (InvalidInput, MismatchedPageParameters):
            pass
    return await visit.ask(path, limit=PAGE, **which)


async def _places(visit: Visit) -> dict[str, Any]:
    """Spaces by id, each with its `zone`."""
    places = (await visit.ask("/spaces/list", limit=MOST))["spaces"]
    doors = await visit.ask("/devices/list", custom_metadata_has=visit.metadata, limit=MOST)
    here: dict[str, list[Any]] = {}
    for one in doors["devices"]:
        for space_id in one["space_ids"]:
            here.setdefault(space_id, []).append(one)
    return {place["space_id"]: {**place, "zone": zone_of_place(place, here.get(place["space_id"]))} for place in places}


def _where(row: Any, known: Mapping[str, Any]) -> dict[str, Any]:
    """The places of an access grant, and the zone that it is in."""
    places = [known[space_id] for space_id in row["space_ids"] if space_id in known]
    return {"places": places, "zone": places[0]["zone"] if places else "UTC"}


def zone_of_device(row: Any) -> str:
    """The zone that a device is in."""
    return zone_named((row.get("location") or {}).get("time_zone"))


def zone_of_place(row: Any, here: list[Any] | None = None) -> str:
    """The zone that a space is in: as it says itself, else that of its first device."""
    own = (row.get("customer_data") or {}).get("time_zone")
    return zone_named(own) if own or not here else zone_of_device(here[0])
