"""What has become of access grants on their doors: a method is issued when all doors have its code, and gone when all
have let go of it; a grant is gone with the last of its methods.

Called back where a device's state is written down (`outcomes`), and by the rules of grants (`access_grants`). All of it
happens in the caller's transaction, which has locked the workspace's grants (`lock`).
"""

from collections.abc import Callable, Sequence
from typing import Any

from msgspec import UNSET

from doorward.core import code_state, kinds, leaving, pins, problems
from doorward.core.context import Core
from doorward.core.events import emit
from doorward.core.plan import Content
from doorward.errors import AccessGrantNotFound, AccessMethodNotFound
from doorward.store import access_codes as code_store
from doorward.store import access_grants as store
from doorward.store import user_identities as identity_store
from doorward.store.access_codes import CodeRow
from doorward.store.access_grants import GrantRow, MethodRow
from doorward.store.db import Reader, Tx
from doorward.wire.events import access_grant as event
from doorward.wire.events.base import Event

PIN = "an access method's PIN"
REQUESTS = "what an access grant was asked for"
UNSUPPORTED = "device_does_not_support_access_codes"


# ---------------------------------------------------------------- reading


async def get(read: Reader, workspace_id: str, access_grant_id: str | None, key: str | None = None) -> GrantRow:
    """By id, else by key. Raises AccessGrantNotFound, InvalidInput where several have the key."""
    if access_grant_id is not None:
        row = await store.get(read, workspace_id, access_grant_id)
    else:
        row = await of_key(read, workspace_id, key or "")
    if row is None:
        raise AccessGrantNotFound(
            data={"access_grant_id": access_grant_id} if access_grant_id else {"access_grant_key": key}
        )
    return row


async def of_key(read: Reader, workspace_id: str, access_grant_key: str) -> GrantRow | None:
    """The grant that a key means; one that is being deleted, if there is no other. Raises InvalidInput where several
    have it."""
    return kinds.meant(await store.having_key(read, workspace_id, access_grant_key), store.OWN, "access_grant_key")


async def get_method(read: Reader, workspace_id: str, access_method_id: str) -> MethodRow:
    """Raises AccessMethodNotFound."""
    row = await store.get_method(read, workspace_id, access_method_id)
    if row is None:
        raise AccessMethodNotFound(data={"access_method_id": access_method_id})
    return row


async def space_ids(read: Reader, row: GrantRow) -> list[str]:
    return [one for _, one in await store.places(read, row.workspace_id, [row.access_grant_id], "spaces")]


async def device_ids(read: Reader, row: GrantRow) -> list[str]:
    """Its doors: devices that it names, or that are in its spaces."""
    return [one for _, one in await store.doors(read, row.workspace_id, [row.access_grant_id])]


def is_wanted(code: CodeRow) -> bool:
    """Its door is to have it, and somebody sees to it."""
    return bool(code.is_managed and code.is_wanted)


def requests_of(core: Core, row: GrantRow) -> list[tuple[str, str | None, int]]:
    """The methods that were asked for: mode, PIN, when."""
    return [tuple(one) for one in core.vault.open_json(row.requests_sealed, REQUESTS)]


def pin_of(core: Core, row: MethodRow) -> str | None:
    return core.vault.open(row.code_sealed, PIN) if row.code_sealed else None


async def lock(tx: Tx, workspace_id: str) -> None:
    """The grants of a workspace stay as they are until the transaction ends. To be locked before devices are."""
    await tx.lock("access_grants", workspace_id)


def lacking(row: GrantRow) -> dict[str, str]:
    """Doors that cannot have its codes, and why."""
    return {
        str(one.data["device_id"]): one.message for one in problems.read(row.warnings_json) if one.code == UNSUPPORTED
    }


# ---------------------------------------------------------------- called back


async def code_changed(tx: Tx, core: Core, code: CodeRow, before: Content | None = None) -> None:
    """A device holds one of the codes now, or has let go of it, or nobody manages it any more. Grants are locked.

    `before`: what the device held of it.
    """
    if code.access_method_id is None:
        return
    method = await store.get_method(tx, code.workspace_id, code.access_method_id)
    if method is None:
        return
    is_moved, is_pulled = False, False
    if before is not None:
        has_its_pin = before.pin != pins.pin_of(core, code) == pin_of(core, method)
        is_moved = has_its_pin or (before.starts_at, before.ends_at) != (code.starts_at, code.ends_at)
        is_pulled = bool(code.pulled_for) and before.ends_at is None  # it was a reserve code
    row, backup = await get(tx, code.workspace_id, method.access_grant_id), code if is_pulled else None
    await settle(tx, core, row, method, is_moved=is_moved, backup=backup)


async def code_is_late(tx: Tx, core: Core, code: CodeRow) -> None:
    """A device should hold one of the codes for some time now. Grants are locked."""
    await _trouble(tx, core, code, event.AccessMethodDelayInIssuing, code_state.is_late)


async def code_refused(tx: Tx, core: Core, code: CodeRow) -> None:
    """A device did not take one of the codes. Grants are locked."""
    await _trouble(tx, core, code, event.AccessMethodFailedToIssue, code_state.is_refused)


async def _trouble(
    tx: Tx, core: Core, code: CodeRow, cls: type[event.AboutMethod], has_it: Callable[[CodeRow], bool]
) -> None:
    """Say of a method that is not issued yet what is wrong at one of its doors; once, though it is so at others too."""
    method = await store.get_method(tx, code.workspace_id, code.access_method_id) if code.access_method_id else None
    if method is None or not method.is_wanted or method.issued_at is not None:
        return
    for other in await code_store.of_methods(tx, code.workspace_id, [method.access_method_id]):
        if other.access_code_id != code.access_code_id and is_wanted(other) and has_it(other):
            return
    row = await get(tx, code.workspace_id, method.access_grant_id)
    await tell(tx, core, row, cls(**about_method(row, method)))


async def settle(
    tx: Tx, core: Core, row: GrantRow, method: MethodRow, *, is_moved: bool = False, backup: CodeRow | None = None
) -> None:
    """Say what has become true: the method is issued, or issued with other times, another PIN or this backup code, or
    gone."""
    held = await code_store.of_methods(tx, row.workspace_id, [method.access_method_id])
    if not method.is_wanted:
        if not held:
            await store.delete_method(tx, method)
            await tell(tx, core, row, event.AccessMethodDeleted(**about_method(row, method)))
            await end(tx, core, row)
        return
    # A backup code is enough to let somebody in; new times are told of when both have them.
    if not _is_everywhere(held, is_backup_enough=method.issued_at is None or backup is not None):
        return
    about = {"code": known(pin_of(core, method)), **about_method(row, method)}
    if method.issued_at is None:
        await store.change_method(tx, method, issued_at=core.clock.now())
        await tell(tx, core, row, event.AccessMethodIssued(**about))
    elif is_moved:
        if backup is not None:
            about |= {"code": known(pins.pin_of(core, backup)), "is_backup_code": True}
        await tell(tx, core, row, event.AccessMethodReissued(**about))
    await _is_granted(tx, core, row)


def _is_everywhere(codes: Sequence[CodeRow], *, is_backup_enough: bool = True) -> bool:
    """All doors that can have the codes of a method hold them, or a backup code in their place."""
    wanted = [code for code in codes if is_wanted(code)]
    stood_for = {code.pulled_for for code in wanted if is_backup_enough and code.held_revision == code.revision}
    return bool(wanted) and all(
        code.held_revision == code.revision or code.access_code_id in stood_for for code in wanted
    )


async def _is_granted(tx: Tx, core: Core, before: GrantRow) -> None:
    """All doors have all methods: said once, however doors come and go later."""
    row = await get(tx, before.workspace_id, before.access_grant_id)
    if row.granted_at is not None or lacking(row):
        return
    for method in await store.methods_of(tx, row.workspace_id, [row.access_grant_id]):
        held = await code_store.of_methods(tx, row.workspace_id, [method.access_method_id])
        if method.is_wanted and (method.issued_at is None or not _is_everywhere(held)):
            return
    row = await store.change(tx, row, granted_at=core.clock.now())
    await tell(tx, core, row, event.AccessGrantedToAllDoors(access_grant_id=row.access_grant_id))


async def end(tx: Tx, core: Core, row: GrantRow) -> None:
    """A grant that is not wanted, and has no methods left, is gone."""
    if row.is_wanted or await store.methods_of(tx, row.workspace_id, [row.access_grant_id]):
        return
    if await store.delete(tx, row.workspace_id, row.access_grant_id):
        await tell(tx, core, row, event.AccessGrantDeleted(access_grant_id=row.access_grant_id))
        await forget_nobody(tx, core, row)


async def forget_nobody(tx: Tx, core: Core, row: GrantRow) -> None:
    """A grant is not theirs any more: a person of whom nothing is known goes with the last of theirs."""
    person = await identity_store.get(tx, row.workspace_id, row.user_identity_id)
    if person is None or person.kind != identity_store.NOBODY:
        return
    if not await store.of_identity(tx, row.workspace_id, row.user_identity_id):
        await leaving.forget_person(tx, core, row.workspace_id, row.user_identity_id)


async def device_gone(tx: Tx, core: Core, workspace_id: str, device_id: str, lost: Sequence[CodeRow]) -> None:
    """A device was deleted, with its codes: it is no door any more."""
    await store.forget_place(tx, workspace_id, "devices", device_id)
    for code in lost:
        await code_changed(tx, core, code)


async def tell(tx: Tx, core: Core, row: GrantRow, told: Event) -> None:
    """An event of a grant or of one of its methods: it is its customer's, and its person's."""
    await emit(tx, core, row.workspace_id, told, customer_key=row.customer_key, user_identity_id=row.user_identity_id)


def about_method(row: GrantRow, method: MethodRow) -> dict[str, Any]:
    about: dict[str, Any] = {
        "access_method_id": method.access_method_id,
        "access_grant_ids": [row.access_grant_id],
    }
    if row.access_grant_key is not None:
        about["access_grant_keys"] = [row.access_grant_key]
    return about


def known(value: Any) -> Any:
    return UNSET if value is None else value
