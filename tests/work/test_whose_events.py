"""Whose events are: what customers and people are told, and that nobody is told of others."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.server import SINCE, World, serving
from tests.work.test_access_grants import CODE, CREATE
from tests.work.test_codes import reaches

from doorward.store.db import Tx
from doorward.store.migrate import migrations


@dataclass(frozen=True)
class Customer:
    """A customer with a door in a place, a person, and their access; and sessions of both."""

    space_id: str
    person_id: str
    grant_id: str
    method_id: str
    door_id: str
    token: str
    """Of a session of the customer."""
    own_token: str
    """Of a session of the person."""

    @property
    def things(self) -> set[str]:
        return {self.space_id, self.grant_id, self.method_id}


async def customer(world: World, key: str, door: int) -> Customer:
    mine = {"customer_key": key}
    space = (await world.call("/spaces/create", name=key, device_ids=[world.devices[door]], **mine))["space"]
    await world.call("/customers/push_data", guests=[{"guest_key": f"{key}-guest", "name": "Jane"}], **mine)
    person = (await world.call("/user_identities/get", user_identity_key=f"{key}-guest"))["user_identity"]
    about = {"user_identity_id": person["user_identity_id"], "space_ids": [space["space_id"]]}
    grant = (await world.call(CREATE, requested_access_methods=CODE, **mine, **about))["access_grant"]
    codes = (await world.call("/access_codes/list", access_grant_id=grant["access_grant_id"]))["access_codes"]
    for code in codes:
        await reaches(world, code["access_code_id"], "set")
    sessions = [
        (await world.call("/client_sessions/create", **of))["client_session"]["token"]
        for of in (mine, {"user_identity_id": person["user_identity_id"]})
    ]
    return Customer(
        space["space_id"],
        person["user_identity_id"],
        grant["access_grant_id"],
        grant["access_method_ids"][0],
        world.devices[door],
        *sessions,
    )


def things(events: list[Any]) -> set[str]:
    """The spaces, grants and methods that events are about."""
    names = ("space_id", "access_grant_id", "access_method_id")
    return {one[name] for one in events for name in names if name in one}


async def seen(world: World, token: str, **which: Any) -> list[Any]:
    reply = await world.raw("/events/list", {"since": SINCE, "limit": 5000, **which}, key=token)
    assert reply.status == 200, reply
    found: list[Any] = reply.json["events"]
    return found


async def test_a_customer_is_told_of_its_own_spaces_and_grants_and_of_no_others(
    tmp_path: Path, database_url: str | None
) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect(count=2)
        one, other = await customer(world, "one", 0), await customer(world, "other", 1)
        everything = await world.events()
        assert things(everything) == one.things | other.things
        for mine, key in ((one, "one"), (other, "other")):
            listed = await world.events(customer_key=key)
            assert things(listed) == mine.things
            assert {e["event_type"] for e in listed} == {
                "space.created",
                "access_grant.created",
                "access_method.created",
                "access_method.issued",
                "access_grant.access_granted_to_all_doors",
            }
            assert await seen(world, mine.token) == listed
            assert await seen(world, mine.token, customer_key=key) == listed
        assert await seen(world, one.token, customer_key="other") == []
        assert await seen(world, one.token, space_id=other.space_id) == []


async def test_a_person_is_told_of_their_own_access_alone(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect(count=2)
        one, other = await customer(world, "one", 0), await customer(world, "other", 1)
        for mine in (one, other):
            own = await seen(world, mine.own_token)
            assert things(own) == {mine.grant_id, mine.method_id}
            assert await world.events(user_identity_id=mine.person_id) == own
            assert await seen(world, mine.own_token, user_identity_id=mine.person_id) == own
        assert await seen(world, one.own_token, user_identity_id=other.person_id) == []
        assert await seen(world, one.own_token, access_grant_id=other.grant_id) == []
        # Two that turn out to be one person.
        both = {"user_identity_id": one.person_id, "merged_user_identity_ids": [other.person_id]}
        await world.call("/user_identities/merge", **both)
        assert things(await seen(world, one.own_token)) == (one.things | other.things) - {one.space_id, other.space_id}


async def test_who_came_in_by_a_grant_is_told_to_those_who_run_the_door(
    tmp_path: Path, database_url: str | None
) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect(count=1)
        account = (await world.call("/connected_accounts/list"))["connected_accounts"][0]["connected_account_id"]
        jane = await customer(world, "one", 0)
        [code] = (await world.call("/access_codes/list", device_id=jane.door_id))["access_codes"]
        typed = {"device_id": jane.door_id, "code": code["code"]}
        await world.call("/locks/simulate/keypad_code_entry", **typed)

        async def opened() -> Any:
            return await world.events(event_type="lock.unlocked", user_identity_id=jane.person_id)

        [event] = await world.eventually(opened)
        assert (event["user_identity_id"], event["access_code_id"]) == (jane.person_id, code["access_code_id"])
        about = {"connected_account_ids": [account]}
        owner = (await world.call("/client_sessions/create", **about))["client_session"]["token"]
        assert event in await seen(world, owner)
        # The person's own session does not see the door's metadata.
        assert event not in await seen(world, jane.own_token)
        reply = await world.raw("/events/get", {"event_id": event["event_id"]}, key=jane.own_token)
        assert reply.status == 404
        # Merged into another person, the visit is theirs.
        john = (await world.call("/user_identities/create", full_name="John"))["user_identity"]["user_identity_id"]
        await world.call("/user_identities/merge", user_identity_id=john, merged_user_identity_ids=[jane.person_id])
        assert [one["event_id"] for one in await world.events(event_type="lock.unlocked", user_identity_id=john)] == [
            event["event_id"]
        ]


async def test_one_event_is_got_by_those_alone_whose_it_is(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect(count=2)
        one, other = await customer(world, "one", 0), await customer(world, "other", 1)
        for event in await world.events():
            for mine in (one, other):
                is_of_person = bool(things([event]) & {mine.grant_id, mine.method_id})
                is_of_customer = bool(things([event]) & mine.things)
                for token, is_own in ((mine.token, is_of_customer), (mine.own_token, is_of_person)):
                    reply = await world.raw("/events/get", {"event_id": event["event_id"]}, key=token)
                    assert (reply.status == 200) == is_own, (event, reply)
        for event_type in ("space.created", "access_grant.created", "access_method.issued"):
            reply = await world.raw("/events/get", {"event_type": event_type}, key=one.token)
            assert things([reply.json["event"]]) <= one.things
        await world.call("/spaces/delete", space_id=one.space_id)
        reply = await world.raw("/events/get", {"event_type": "space.deleted"}, key=one.token)
        assert reply.json["event"]["space_id"] == one.space_id
        reply = await world.raw("/events/get", {"event_type": "space.deleted"}, key=other.token)
        assert (reply.status, reply.error["type"]) == (404, "event_not_found")


async def test_events_from_before_are_told_to_them_too(tmp_path: Path, database_url: str | None) -> None:
    """What the migration writes is what is written with each event."""
    whose = "SELECT event_id, customer_key, user_identity_id FROM events ORDER BY event_id"
    granted = "SELECT access_grant_id, granted_at FROM access_grants ORDER BY access_grant_id"
    async with serving(tmp_path, database_url) as world:
        await world.connect(count=2)
        await customer(world, "one", 0)
        await customer(world, "other", 1)
        read = world.core.db.read
        before = [list(await read.all(sql)) for sql in (whose, granted)]

        async def again(tx: Tx) -> None:
            await tx.run("UPDATE events SET customer_key = NULL, user_identity_id = NULL")
            await tx.run("UPDATE access_grants SET granted_at = NULL")
            [statements] = [made for _, name, made in migrations(tx.dialect.name) if name == "whose_events"]
            for statement in statements:
                if statement.startswith("UPDATE"):
                    await tx.run(statement)

        await world.core.db.write(again)
        assert [list(await read.all(sql)) for sql in (whose, granted)] == before
