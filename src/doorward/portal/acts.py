"""What the forms do. An act is asked for by `act`, and gives the next page, with a sentence by its name (`SAID`)."""

from collections.abc import Awaitable, Callable

from doorward.core import portals
from doorward.errors import ApiError, ConnectedAccountNotFound
from doorward.portal import views
from doorward.portal.entries import IN_A_BOOKING, Entries
from doorward.portal.visit import Visit
from doorward.webview.forms import Posted

Next = dict[str, str] | str
"""A page of the portal, or an address elsewhere."""
Act = Callable[[Visit, Posted], Awaitable[Next]]
SAID = {
    "unlocked": "The door is unlocked.",
    "locked": "The door is locked.",
    "renamed": "The name was changed.",
    "code_made": "The code was made. It works once the device has it, in a moment.",
    "code_removed": "The code is being removed.",
    "booked": "The booking was made. Its code works once the doors have it, in a moment.",
    "canceled": "The booking was canceled. Its code is being removed from all doors.",
    "place_made": "The place was made.",
    "place_removed": "The place was removed.",
    "put": "The doors of this place were changed.",
    "connected": "The account is connected.",
    "left": "The account was removed.",
}


class Refused(ApiError):
    """The device did not do it."""

    status = 409
    type = "action_failed"


async def _move(visit: Visit, posted: Posted, path: str, said: str) -> Next:
    row = await visit.device(posted.one("device_id"))
    attempt = (await visit.ask(path, device_id=row["device_id"]))["action_attempt"]
    if attempt["status"] == "error":
        raise Refused(attempt["error"]["message"])
    return {"at": "device", "device_id": row["device_id"], "said": said if attempt["status"] == "success" else ""}


async def unlock(visit: Visit, posted: Posted) -> Next:
    return await _move(visit, posted, "/locks/unlock_door", "unlocked")


async def lock(visit: Visit, posted: Posted) -> Next:
    return await _move(visit, posted, "/locks/lock_door", "locked")


async def rename_device(visit: Visit, posted: Posted) -> Next:
    row = await visit.device(posted.one("device_id"))
    await visit.ask("/devices/update", device_id=row["device_id"], name=_name(posted))
    return {"at": "device", "device_id": row["device_id"], "said": "renamed"}


async def make_code(visit: Visit, posted: Posted) -> Next:
    row = await visit.device(posted.one("device_id"))
    entries = Entries(posted)
    name, code = entries.name(), entries.code([row])
    starts_at, ends_at = entries.times(views.zone_of_device(row), visit.core.clock.now(), needs_end=True)
    entries.check()
    await visit.ask(
        "/access_codes/create",
        device_id=row["device_id"],
        name=name,
        code=code,
        starts_at=starts_at,
        ends_at=ends_at,
    )
    return {"at": "device", "device_id": row["device_id"], "said": "code_made"}


async def remove_code(visit: Visit, posted: Posted) -> Next:
    code = (await visit.ask("/access_codes/get", access_code_id=posted.one("access_code_id")))["access_code"]
    row = await visit.device(code["device_id"])
    await visit.ask("/access_codes/delete", access_code_id=code["access_code_id"])
    return {"at": "device", "device_id": row["device_id"], "said": "code_removed"}


async def book(visit: Visit, posted: Posted) -> Next:
    space_id = posted.one("space_id")
    place = await views.place_of(visit, {"space_id": space_id})
    entries = Entries(posted)
    name, code = entries.name("the guest's name"), entries.code(place["here"], IN_A_BOOKING)
    starts_at, ends_at = entries.times(place["zone"], visit.core.clock.now())
    entries.check()
    made = await visit.ask(
        "/access_grants/create",
        space_ids=[space_id],
        name=name,
        user_identity={"full_name": name},
        requested_access_methods=[{"mode": "code", **({"code": code} if code else {})}],
        starts_at=starts_at,
        ends_at=ends_at,
    )
    return {"at": "booking", "access_grant_id": made["access_grant"]["access_grant_id"], "said": "booked"}


async def cancel(visit: Visit, posted: Posted) -> Next:
    await visit.ask("/access_grants/delete", access_grant_id=posted.one("access_grant_id"))
    return {"at": "bookings", "said": "canceled"}


async def make_place(visit: Visit, posted: Posted) -> Next:
    made = await visit.ask("/spaces/create", name=_name(posted), customer_key=visit.row.customer_key)
    return {"at": "place", "space_id": made["space"]["space_id"], "said": "place_made"}


async def rename_place(visit: Visit, posted: Posted) -> Next:
    await visit.ask("/spaces/update", space_id=posted.one("space_id"), name=_name(posted))
    return {"at": "place", "space_id": posted.one("space_id"), "said": "renamed"}


async def remove_place(visit: Visit, posted: Posted) -> Next:
    await visit.ask("/spaces/delete", space_id=posted.one("space_id"))
    return {"at": "places", "said": "place_removed"}


async def put(visit: Visit, posted: Posted) -> Next:
    """Put devices into a place."""
    entries = Entries(posted)
    wanted = entries.some("device", "Choose at least one door.")
    entries.check()
    chosen = [(await visit.device(one))["device_id"] for one in wanted]
    await visit.ask("/spaces/add_devices", space_id=posted.one("space_id"), device_ids=chosen)
    return {"at": "place", "space_id": posted.one("space_id"), "said": "put"}


async def take(visit: Visit, posted: Posted) -> Next:
    """Take a device out of a place."""
    row = await visit.device(posted.one("device_id"))
    await visit.ask("/spaces/remove_devices", space_id=posted.one("space_id"), device_ids=[row["device_id"]])
    return {"at": "place", "space_id": posted.one("space_id"), "said": "put"}


async def connect(visit: Visit, _posted: Posted) -> Next:
    """To a connect webview, and back here."""
    here = portals.link(visit.core, visit.row, visit.base)
    made = await visit.ask(
        "/connect_webviews/create",
        accepted_providers=visit.portal.accepted_providers,
        excluded_providers=list(visit.portal.excluded_providers) or None,
        custom_metadata=visit.metadata,
        custom_redirect_url=f"{here}&at=accounts&said=connected",
        custom_redirect_failure_url=f"{here}&at=accounts",
        wait_for_device_creation=True,
    )
    return str(made["connect_webview"]["url"])


async def leave(visit: Visit, posted: Posted) -> Next:
    """Forget an account."""
    about = {"connected_account_id": posted.one("connected_account_id")}
    row = (await visit.ask("/connected_accounts/get", **about))["connected_account"]
    if any(row["custom_metadata"].get(key) != value for key, value in visit.portal.metadata.items()):
        raise ConnectedAccountNotFound(data=about)
    await visit.ask("/connected_accounts/delete", **about)
    return {"at": "accounts", "said": "left"}


ACTS: dict[str, tuple[Act, str]] = {
    "unlock": (unlock, "device"),
    "lock": (lock, "device"),
    "rename_device": (rename_device, "device"),
    "make_code": (make_code, "device"),
    "remove_code": (remove_code, "device"),
    "book": (book, "bookings"),
    "cancel": (cancel, "booking"),
    "make_place": (make_place, "places"),
    "rename_place": (rename_place, "places"),
    "remove_place": (remove_place, "places"),
    "put": (put, "places"),
    "take": (take, "places"),
    "connect": (connect, "accounts"),
    "leave": (leave, "accounts"),
}
"""Name → what it does, and the view that a portal must have for it."""


def _name(posted: Posted) -> str:
    entries = Entries(posted)
    name = entries.name()
    entries.check()
    return name
