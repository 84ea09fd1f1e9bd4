"""`/access_codes/create_multiple` and `/access_codes/update_multiple`: one PIN for several doors."""

from typing import Any, Literal

from doorward.api.access_codes.shared import Name, Pin
from doorward.api.params import Id, Instant, Params
from doorward.api.request import Request
from doorward.api.route import route
from doorward.core import code_state, linked_codes
from doorward.core.access_codes import Wish
from doorward.store import access_codes as store
from doorward.store.access_codes import SeenCode
from doorward.wire.access_code import AccessCode


class CreateMultiple(Params):
    """Parameters of create_multiple."""

    device_ids: list[Id]
    """The devices, each once."""
    allow_external_modification: bool | None = None
    """Older name of `is_external_modification_allowed`."""
    attempt_for_offline_device: bool = True
    """False: refuse when one of the devices is offline."""
    behavior_when_code_cannot_be_shared: Literal["throw", "create_random_code"] = "throw"
    """`throw`: nothing is created then. `create_random_code`: whatever cannot share the PIN gets one of its own."""
    code: Pin | None = None
    """The PIN; one that fits all devices is chosen when there is none."""
    ends_at: Instant | None = None
    """Until when it opens; with `starts_at`, rounded to the minute."""
    is_external_modification_allowed: bool | None = None
    """Leave changes made at the devices as they are."""
    name: Name | None = None
    """Their name."""
    prefer_native_scheduling: bool | None = None
    """False: have them set on the devices when they begin, not ahead of time."""
    preferred_code_length: float | None = None
    """Digits of a chosen PIN."""
    starts_at: Instant | None = None
    """From when it opens; with `ends_at`, rounded to the minute."""
    use_backup_access_code_pool: bool | None = None
    """Keep a reserve code ready."""


@route("/access_codes/create_multiple", auth="ACK", methods=("POST", "PUT"), returns={"access_codes": list[AccessCode]})
async def create_multiple(req: Request, p: CreateMultiple) -> dict[str, Any]:
    """Create access codes with one PIN on several devices: all of them, or none."""
    wish = Wish(
        device_id="",
        code=p.code,
        name=p.name,
        starts_at=p.starts_at,
        ends_at=p.ends_at,
        preferred_code_length=p.preferred_code_length,
        is_external_modification_allowed=bool(p.is_external_modification_allowed or p.allow_external_modification),
        attempt_for_offline_device=p.attempt_for_offline_device,
        use_backup_access_code_pool=bool(p.use_backup_access_code_pool),
        prefer_native_scheduling=p.prefer_native_scheduling is not False,
    )
    otherwise = p.behavior_when_code_cannot_be_shared
    with req.counted("access_code_create", *p.device_ids):
        rows = await req.write(linked_codes.create, req.core, req.workspace, wish, p.device_ids, otherwise)
    return {"access_codes": [code_state.wire(req.core, SeenCode(row)) for row in rows]}


class UpdateMultiple(Params):
    """Parameters of update_multiple."""

    common_code_key: Id
    """The key that the codes have in common."""
    ends_at: Instant | None = None
    """Until when they open, rounded to the minute."""
    name: Name | None = None
    """Their new name."""
    starts_at: Instant | None = None
    """From when they open, rounded to the minute."""


@route("/access_codes/update_multiple", auth="ACK")
async def update_multiple(req: Request, p: UpdateMultiple) -> None:
    """Change the name or the times of all access codes with a common key."""
    codes = await store.of_common_key(req.db, req.workspace_id, p.common_code_key)
    with req.counted("access_code_update", *(row.device_id for row in codes if row.is_wanted)):
        await req.write(
            linked_codes.change,
            req.core,
            req.workspace,
            p.common_code_key,
            name=p.name,
            starts_at=p.starts_at,
            ends_at=p.ends_at,
        )
