"""Routes about what this server has none of: they take what Seam's take, check it, and say so.

    a list                          is empty
    what names one of them          is answered that there is no such thing
    what names a device             is answered that the device is of another kind

So an application that looks for such things among others gets a true answer, and not an error it must know of. Each
call below is one line of a family's table; nothing is stored.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from doorward import errors
from doorward.api import page, scope
from doorward.api.params import Params
from doorward.api.request import Request, one_of
from doorward.api.route import route
from doorward.core import devices
from doorward.errors import DeviceTypeNotSupported, NotFound
from doorward.store.db import Where
from doorward.wire.reply import Pagination

Answer = Callable[[Request, Any], Awaitable[Mapping[str, Any]]]

MISSING: Mapping[str, type[NotFound]] = {
    "acs_access_group_id": errors.AcsAccessGroupNotFound,
    "acs_credential_id": errors.AcsCredentialNotFound,
    "acs_encoder_id": errors.AcsEncoderNotFound,
    "acs_entrance_id": errors.AcsEntranceNotFound,
    "acs_user_id": errors.AcsUserNotFound,
    # The user of an access control system that stands for a person.
    "user_identity_id": errors.AcsUserNotFound,
    "acs_system_id": errors.AcsSystemNotFound,
    "instant_key_id": errors.InstantKeyNotFound,
    "instant_key_url": errors.InstantKeyNotFound,
    "noise_threshold_id": errors.NoiseThresholdNotFound,
    "thermostat_daily_program_id": errors.ThermostatDailyProgramNotFound,
    "thermostat_schedule_id": errors.ThermostatScheduleNotFound,
}
"""Parameter → what there is none of."""


def empty(path: str, about: str, params: type[Params], *, auth: str, pages: int | None = None, **returns: Any) -> None:
    """A list. `returns` are its keys, `pages` the length of a page where it comes in pages."""

    async def answer(req: Request, p: Any) -> Mapping[str, Any]:
        req.narrow(Where())  # there is nothing to be narrowed
        found: dict[str, Any] = {key: [] for key in returns}
        if pages is not None:
            page.start(req, p.page_cursor)
            found["pagination"] = page.page(req, False, None)
        return found

    keys = returns if pages is None else {**returns, "pagination": Pagination}
    _declare(path, about, params, answer, auth=auth, pages=pages, returns=keys)


def no_such(
    path: str,
    about: str,
    params: type[Params],
    *by: str,
    auth: str,
    methods: tuple[str, ...] | None = None,
    action_type: str | None = None,
    **returns: Any,
) -> None:
    """What needs one of them: the first parameter of `by` that is given names what there is not."""

    async def answer(_req: Request, p: Any) -> Mapping[str, Any]:
        name = one_of(**{name: getattr(p, name) for name in by})
        raise MISSING[name](data={name: getattr(p, name)} if name.endswith("_id") else None)

    _declare(path, about, params, answer, auth=auth, methods=methods, action_type=action_type, returns=returns)


def other_kind(
    path: str,
    about: str,
    params: type[Params],
    kind: str,
    *,
    auth: str,
    methods: tuple[str, ...] | None = None,
    action_type: str | None = None,
    **returns: Any,
) -> None:
    """What needs a device of this kind: no device is."""

    async def answer(req: Request, p: Any) -> Mapping[str, Any]:
        about = {"device_id": p.device_id}
        if req.session is not None:
            await scope.guard(req.db, req.session, about)
        await devices.get(req.db, req.workspace_id, p.device_id)
        raise DeviceTypeNotSupported(f"This device is not a {kind}.", data=about)

    _declare(path, about, params, answer, auth=auth, methods=methods, action_type=action_type, returns=returns)


def _declare(path: str, about: str, params: type[Params], answer: Answer, **options: Any) -> None:
    async def handler(req: Request, p: Any) -> Mapping[str, Any]:
        return await answer(req, p)

    handler.__doc__ = f"{about}: this server has none."
    handler.__annotations__["p"] = params
    route(path, has_none=True, **options)(handler)
