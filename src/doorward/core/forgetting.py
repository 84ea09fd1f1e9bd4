"""What an application told of is forgotten: places, people and bookings by their keys, and whole customers.

A few are forgotten in each transaction, so that others get their turn however many there are. If it dies half way, what
is left is forgotten when it is asked for again; what is not there any more is no trouble. Codes go from all doors, as
fast as these can be reached.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from doorward.core import access_grants, leaving, spaces, user_identities
from doorward.core.context import Core
from doorward.core.customers import Named
from doorward.store import access_grants as grant_store
from doorward.store import spaces as space_store
from doorward.store import user_identities as identity_store
from doorward.store.db import Tx, Where

TOGETHER = 40
"""Things that are forgotten in one transaction."""
MayGo = Callable[[str | None], bool]
"""Whether what is this customer's is forgotten."""
ForgetOne = Callable[[Tx, Core, str, str, str, MayGo], Awaitable[None]]


@dataclass(frozen=True)
class Keys:
    """What is to be forgotten."""

    places: Sequence[Named] = ()
    people: Sequence[Named] = ()
    bookings: Sequence[Named] = ()
    customers: Sequence[str] = ()


# ---------------------------------------------------------------- by their keys


async def forget(core: Core, workspace_id: str, keys: Keys, only_of: str | None = None) -> None:
    """Forget what these keys name. `only_of`: what is another customer's is as good as not there."""

    def may_go(customer_key: str | None) -> bool:
        return only_of in (None, customer_key)

    each: list[tuple[ForgetOne, Named]] = [
        *((_forget_booking, one) for one in keys.bookings),
        *((_forget_person, one) for one in keys.people),
        *((_forget_place, one) for one in keys.places),
    ]
    for start in range(0, len(each), TOGETHER):
        await core.db.write(_forget_each, core, workspace_id, each[start : start + TOGETHER], may_go)
    for key in filter(may_go, keys.customers):
        await core.db.write(_end_sessions, core, workspace_id, key)
        while await core.db.write(_forget_some, core, workspace_id, key):
            pass


async def _forget_each(
    tx: Tx, core: Core, workspace_id: str, each: Sequence[tuple[ForgetOne, Named]], may_go: MayGo
) -> None:
    await tx.lock("user_identities", workspace_id)  # before spaces and grants are, as everywhere
    for forget_one, (kind, key) in each:
        await forget_one(tx, core, workspace_id, kind, key, may_go)


async def _forget_booking(tx: Tx, core: Core, workspace_id: str, kind: str, key: str, may_go: MayGo) -> None:
    grant = await grant_store.by_key(tx, workspace_id, kind, key)
    if grant is not None and may_go(grant.customer_key):
        await access_grants.delete(tx, core, grant)


async def _forget_person(tx: Tx, core: Core, workspace_id: str, kind: str, key: str, may_go: MayGo) -> None:
    person = await identity_store.by_key(tx, workspace_id, kind, key)
    if person is None or not may_go(person.customer_key):
        return
    if person.merged_into is not None:
        await identity_store.forget_merged(tx, person)
    else:
        await user_identities.delete(tx, core, workspace_id, person.user_identity_id)


async def _forget_place(tx: Tx, core: Core, workspace_id: str, kind: str, key: str, may_go: MayGo) -> None:
    space = await space_store.by_key(tx, workspace_id, kind, key)
    if space is not None and may_go(space.customer_key):
        await spaces.delete(tx, core, workspace_id, space.space_id)


# ---------------------------------------------------------------- whole customers


async def _end_sessions(tx: Tx, core: Core, workspace_id: str, customer_key: str) -> None:
    where = Where()
    where.add("s.workspace_id = {} AND s.customer_key = {}", workspace_id, customer_key)
    await leaving.end_sessions(tx, core, where)


async def _forget_some(tx: Tx, core: Core, workspace_id: str, customer_key: str) -> bool:
    """Some of what is a customer's: bookings before people, and these before places. False: that was all."""
    await tx.lock("user_identities", workspace_id)
    room = TOGETHER

    where = Where()
    where.add("g.workspace_id = {} AND g.customer_key = {} AND g.is_wanted = 1", workspace_id, customer_key)
    grants = await grant_store.list_page(tx, where, room)
    for grant in grants:
        await access_grants.delete(tx, core, grant)
    room -= len(grants)

    where = Where()
    where.add("workspace_id = {} AND customer_key = {} AND merged_into IS NULL", workspace_id, customer_key)
    people = await identity_store.list_page(tx, where, room)
    for person in people:
        await user_identities.delete(tx, core, workspace_id, person.user_identity_id)
    room -= len(people)

    where = Where()
    where.add("s.workspace_id = {} AND s.customer_key = {}", workspace_id, customer_key)
    places = await space_store.see_page(tx, where, room)
    for place in places:
        await spaces.delete(tx, core, workspace_id, place.row.space_id)
    return len(places) == room
