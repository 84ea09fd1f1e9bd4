"""Access codes: what is wanted becomes what the device holds, whatever comes between."""

import asyncio
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tests.support import directory
from tests.support.server import World, serving, until

from doorward.app import running
from doorward.core import devices
from doorward.providers.errors import NotAuthorized, Offline, Refused
from doorward.providers.my_2n.emulator import Account
from doorward.store.db import StoreBusy
from doorward.wire.time import iso
from doorward.work import follow
from doorward.work.reconcile import pause_s

HOUR_MS = 3_600_000


async def create(world: World, **fields: Any) -> str:
    """A new code; its id."""
    made = await world.call("/access_codes/create", device_id=world.devices[0], **fields)
    return str(made["access_code"]["access_code_id"])


async def status(world: World, access_code_id: str) -> str | None:
    """How it stands; None: it is gone."""
    reply = await world.raw("/access_codes/get", {"access_code_id": access_code_id})
    return str(reply.json["access_code"]["status"]) if reply.status == 200 else None


async def reaches(world: World, access_code_id: str, wanted: str | None) -> Any:
    """Wait until it stands so, while time passes."""

    async def look() -> bool:
        return await status(world, access_code_id) == wanted

    await world.eventually(look)
    return await world.code(access_code_id) if wanted is not None else None


async def chain(world: World, access_code_id: str) -> list[str]:
    """What was said about a code."""
    return [t.removeprefix("access_code.") for t in await world.types(access_code_id=access_code_id)]


def errors(code: Any) -> list[str]:
    return [one["error_code"] for one in code["errors"]]


def hours(world: World, begins: float, ends: float) -> dict[str, str]:
    """Times from now, on whole minutes."""
    now = -(-world.clock.now() // 60_000) * 60_000
    return {"starts_at": iso(now + round(begins * HOUR_MS)), "ends_at": iso(now + round(ends * HOUR_MS))}


async def test_a_code_is_on_the_device_within_a_second(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        unit = await world.watched()
        made = await world.call("/access_codes/create", device_id=world.devices[0], code="471147", name="Max Muster")
        code, attempt = made["access_code"], made["action_attempt"]
        assert (code["status"], code["type"], code["code"], code["name"]) == (
            "setting", "ongoing", "471147", "Max Muster",
        )  # fmt: skip
        assert [m["mutation_code"] for m in code["pending_mutations"]] == ["creating"]
        assert (attempt["action_type"], attempt["status"]) == ("CREATE_ACCESS_CODE", "pending")
        await until(lambda: directory.pins(unit) == ["471147"], patience=1)
        (entry,) = directory.codes(unit).values()
        assert (entry["name"], entry["from"], entry["to"]) == ("Max Muster", 0, 0)
        assert entry["owner"].startswith("doorward-")
        code = await reaches(world, code["access_code_id"], "set")
        assert (code["errors"], code["warnings"], code["pending_mutations"]) == ([], [], [])
        assert code["appearance"] == {"name": "Max Muster", "first_name": None, "last_name": None}
        attempt = await world.attempt(attempt["action_attempt_id"])
        assert attempt["status"] == "success"
        assert attempt["result"]["access_code"]["code"] == "471147"
        assert await chain(world, code["access_code_id"]) == ["created", "set_on_device"]
        found = await world.call("/access_codes/get", device_id=world.devices[0], code="471147")
        assert found["access_code"]["access_code_id"] == code["access_code_id"]


async def test_sync_waits_until_the_device_holds_it(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        await world.watched()
        made = await world.call("/access_codes/create", device_id=world.devices[0], code="471147", sync=True)
        assert (made["access_code"]["status"], made["action_attempt"]["status"]) == ("set", "success")
        gone = await world.call("/access_codes/delete", access_code_id=made["access_code"]["access_code_id"], sync=True)
        assert (gone["action_attempt"]["action_type"], gone["action_attempt"]["status"]) == (
            "DELETE_ACCESS_CODE", "success",
        )  # fmt: skip
        assert world.core.wake._endings == {}


async def test_every_property_can_be_changed_and_each_change_is_told(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        unit = await world.watched()
        code_id = await create(world, code="4711", name="Max")
        await reaches(world, code_id, "set")
        done = await world.call("/access_codes/update", access_code_id=code_id, name="Moritz", sync=True)
        assert done["action_attempt"]["result"]["access_code"]["name"] == "Moritz"
        await world.call("/access_codes/update", access_code_id=code_id, code="4812", sync=True)
        frame = hours(world, -1, 5)
        await world.call("/access_codes/update", access_code_id=code_id, sync=True, **frame)
        (entry,) = directory.codes(unit).values()
        assert (entry["name"], entry["pin"]) == ("Moritz", "4812")
        assert entry["to"] - entry["from"] == 6 * 3600
        code = await world.code(code_id)
        assert (code["type"], code["status"], code["starts_at"]) == ("time_bound", "set", frame["starts_at"])
        await world.call("/access_codes/update", access_code_id=code_id, type="ongoing", sync=True)
        code = await world.code(code_id)
        assert code["type"] == "ongoing" and "ends_at" not in code
        (entry,) = directory.codes(unit).values()
        assert (entry["from"], entry["to"]) == (0, 0)
        told = await chain(world, code_id)
        steps = [("name_changed", 1), ("code_changed", 1), ("time_frame_changed", 2), ("mutations_requested", 4)]
        assert [(name, told.count(name)) for name, _ in steps] == steps
        assert told.count("changed") == 4 and told.count("set_on_device") == 1
        (renumbered,) = [
            e for e in await world.events(access_code_id=code_id) if e["event_type"].endswith(".code_changed")
        ]
        assert (renumbered["from"], renumbered["to"]) == ({"code": "4711"}, {"code": "4812"})
        # A change that changes nothing ends at once.
        again = await world.call("/access_codes/update", access_code_id=code_id, name="Moritz")
        assert again["action_attempt"]["status"] == "success"


async def test_a_code_for_later_lives_its_whole_life(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        unit = await world.watched()
        frame = hours(world, 1, 2)
        code_id = await create(world, code="4711", **frame)
        assert await status(world, code_id) == "unset"

        async def scheduled() -> bool:
            return bool((await world.code(code_id))["is_scheduled_on_device"])

        await world.eventually(scheduled)
        (entry,) = directory.codes(unit).values()
        assert entry["to"] - entry["from"] == 3600
        assert await status(world, code_id) == "unset"
        assert await chain(world, code_id) == ["created", "scheduled_on_device"]
        await world.pass_time(3600 + 60, step=600)
        await reaches(world, code_id, "set")
        assert await chain(world, code_id) == ["created", "scheduled_on_device", "set_on_device"]
        await world.pass_time(3600, step=600)
        await reaches(world, code_id, None)
        assert directory.codes(unit) == {}
        assert await chain(world, code_id) == [
            "created", "scheduled_on_device", "set_on_device", "removed_from_device", "deleted",
        ]  # fmt: skip
        await world.fail("/access_codes/get", 404, "access_code_not_found", access_code_id=code_id)


async def test_a_code_changed_while_it_is_being_set_ends_as_it_was_last_wanted(
    tmp_path: Path, database_url: str | None
) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        unit = await world.watched()
        unit.faults.arm("slow", path="dir/create", times=1, seconds=2)
        made = await world.call("/access_codes/create", device_id=world.devices[0], code="4711")
        code_id = made["access_code"]["access_code_id"]
        await world.settle()
        await world.call("/access_codes/update", access_code_id=code_id, code="4812")
        await world.eventually(lambda: directory.pins(unit) == ["4812"])
        await reaches(world, code_id, "set")
        attempt = await world.attempt(made["action_attempt"]["action_attempt_id"])
        assert attempt["status"] == "success"
        assert (await chain(world, code_id)).count("set_on_device") == 1


async def test_a_code_deleted_while_it_is_being_set_is_gone(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        unit = await world.watched()
        unit.faults.arm("slow", path="dir/create", times=1, seconds=2)
        code_id = await create(world, code="4711")
        await world.settle()
        await world.call("/access_codes/delete", access_code_id=code_id)
        await reaches(world, code_id, None)
        assert directory.codes(unit) == {}
        assert (await chain(world, code_id))[-1] == "deleted"


async def test_a_code_deleted_while_the_device_is_off_is_removed_on_its_return(
    tmp_path: Path, database_url: str | None
) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        unit = await world.watched()
        code_id = await create(world, code="4711")
        await reaches(world, code_id, "set")
        off = asyncio.ensure_future(unit.power_cut(outage=120))
        await world.settle()
        attempt = (await world.call("/access_codes/delete", access_code_id=code_id))["action_attempt"]
        await world.pass_time(75, step=5)
        assert await status(world, code_id) == "removing"
        code = await world.code(code_id)
        assert [m["mutation_code"] for m in code["pending_mutations"]] == ["deleting"]
        assert errors(code) == ["device_disconnected"]
        attempt = await world.attempt(attempt["action_attempt_id"])
        assert (attempt["status"], attempt["error"]["type"]) == ("error", "device_disconnected")
        await world.fail("/access_codes/update", 400, "access_code_being_removed", access_code_id=code_id, name="x")
        await world.pass_time(60, step=5)
        await off
        await reaches(world, code_id, None)
        assert directory.codes(unit) == {}
        assert await chain(world, code_id) == ["created", "set_on_device", "removed_from_device", "deleted"]


async def test_a_device_without_login_takes_no_codes_yet(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect(count=1, skip=1)
        await world.fail("/access_codes/create", 400, "device_type_not_supported", device_id=world.devices[1])


async def test_a_pin_changed_at_the_device_is_told_and_set_back(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        unit = await world.watched()
        code_id = await create(world, code="4711")
        await reaches(world, code_id, "set")
        await world.pass_time(5)
        (uuid,) = directory.codes(unit)
        await directory.edit(unit, uuid, access={"pin": "9999"})
        await world.eventually(lambda: directory.pins(unit) == ["4711"])

        async def well() -> bool:
            code = await world.code(code_id)
            return bool(code["status"] == "set" and code["errors"] == [])

        await world.eventually(well)
        assert await chain(world, code_id) == ["created", "set_on_device", "modified_external_to_seam"]


async def test_a_code_removed_at_the_device_is_told_and_set_again(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        unit = await world.watched()
        code_id = await create(world, code="4711")
        await reaches(world, code_id, "set")
        await world.pass_time(5)
        (uuid,) = directory.codes(unit)
        await directory.remove(unit, uuid)
        await world.eventually(lambda: directory.pins(unit) == ["4711"])
        await reaches(world, code_id, "set")
        told = await chain(world, code_id)
        assert told[:3] == ["created", "set_on_device", "deleted_external_to_seam"]
        assert told.count("deleted_external_to_seam") == 1


async def test_an_allowed_change_at_the_device_is_left_alone(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        unit = await world.watched()
        code_id = await create(world, code="4711", allow_external_modification=True)
        await reaches(world, code_id, "set")
        await world.pass_time(5)
        (uuid,) = directory.codes(unit)
        await directory.edit(unit, uuid, access={"pin": "9999"})

        async def warned() -> bool:
            return bool((await world.code(code_id))["warnings"])

        await world.eventually(warned)
        await world.pass_time(130, step=10)
        code = await world.code(code_id)
        assert [w["warning_code"] for w in code["warnings"]] == ["external_modification_in_effect"]
        assert directory.pins(unit) == ["9999"]
        assert await chain(world, code_id) == ["created", "set_on_device", "modified_external_to_seam"]


async def test_entries_of_others_are_never_touched(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        unit = await world.watched()
        theirs = [await directory.add(unit, "Owner", "1593"), await directory.add(unit, "Other", "2604", "someone")]
        before = {uuid: directory.codes(unit)[uuid.lower()] for uuid in theirs}
        code_id = await create(world, code="4711")
        await reaches(world, code_id, "set")
        await world.pass_time(70, step=10)
        await world.call("/access_codes/delete", access_code_id=code_id)
        await reaches(world, code_id, None)
        assert directory.codes(unit) == {uuid.lower(): entry for uuid, entry in before.items()}


async def test_a_pin_that_somebody_else_has_is_an_error_said_once_that_clears(
    tmp_path: Path, database_url: str | None
) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        unit = await world.watched()
        theirs = await directory.add(unit, "Owner", "4711")
        made = await world.call("/access_codes/create", device_id=world.devices[0], code="4711")
        code_id = made["access_code"]["access_code_id"]

        async def failed() -> bool:
            return errors(await world.code(code_id)) == ["duplicate_code_on_device"]

        await world.eventually(failed)
        attempt = await world.attempt(made["action_attempt"]["action_attempt_id"])
        assert (attempt["status"], attempt["error"]["type"]) == ("error", "device_refused")
        await world.pass_time(30, step=3)
        assert await chain(world, code_id) == ["created", "failed_to_set_on_device"]
        await directory.remove(unit, theirs)
        await world.pass_time(120, step=10)
        code = await reaches(world, code_id, "set")
        assert code["errors"] == []
        assert await chain(world, code_id) == ["created", "failed_to_set_on_device", "set_on_device"]


async def test_a_full_directory_is_an_error_that_clears(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        unit = await world.watched()
        unit.faults.arm("directory-full")
        code_id = await create(world, code="4711")

        async def failed() -> bool:
            return errors(await world.code(code_id)) == ["no_space_for_access_code_on_device"]

        await world.eventually(failed)
        await world.pass_time(20, step=2)
        unit.faults.clear()
        await world.pass_time(900, step=30)  # it failed three times: the pause is a quarter of an hour
        await reaches(world, code_id, "set")
        assert await chain(world, code_id) == ["created", "failed_to_set_on_device", "set_on_device"]


async def test_a_code_that_the_device_rejects_still_ends_on_time(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        unit = await world.watched()
        code_id = await create(world, code="4711", **hours(world, -1, 1))
        await reaches(world, code_id, "set")
        unit.faults.arm("duplicate-pin", times=1)
        await world.call("/access_codes/update", access_code_id=code_id, code="4812")

        async def rejected() -> bool:
            return errors(await world.code(code_id)) == ["code_constraints_violated"]

        await world.eventually(rejected)
        assert directory.pins(unit) == ["4711"]
        await world.pass_time(3600 + 120, step=300)
        await reaches(world, code_id, None)
        assert directory.codes(unit) == {}


async def test_a_login_without_the_privilege_is_an_error_of_the_device_and_recovers(
    tmp_path: Path, database_url: str | None
) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        unit = await world.watched()
        code_id = await create(world, code="4711", name="Max")
        await reaches(world, code_id, "set")
        account = unit.gate.accounts[0]
        full = account.privileges
        lesser = frozenset(p for p in full if "system" not in p.value.lower())
        unit.put_account(type(account)(account.name, "1234", privileges=lesser))
        await world.call("/access_codes/update", access_code_id=code_id, name="Moritz")

        async def refused() -> bool:
            return "missing_device_credentials" in errors(await world.device())

        await world.eventually(refused)
        assert "missing_device_credentials" in errors(await world.code(code_id))
        unit.put_account(type(account)(account.name, "1234", privileges=full))
        await world.pass_time(300, step=10)
        await world.eventually(lambda: [one["name"] for one in directory.codes(unit).values()] == ["Moritz"])
        assert (await world.device())["errors"] == []


async def test_a_refused_login_is_tried_rarely_and_a_new_one_at_once(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        unit = await world.watched()
        code_id = await create(world, code="4711", name="Max")
        await reaches(world, code_id, "set")
        unit.put_account(Account("jane", "changed"))
        await world.call("/access_codes/update", access_code_id=code_id, name="Moritz")
        await world.pass_time(30)
        unit.requests.clear()
        hours = 4
        await world.pass_time(hours * 3600, step=20)
        refused = [r for r in unit.requests if r["status"] == 401]
        assert {r["path"] for r in unit.requests if r["status"] == 200} == {"/api/system/info"}, "it asks for no login"
        # From whoever asks, watcher and reconciler together: a challenge and two answers each ten minutes at most.
        assert 3 <= len(refused) <= 3 * (hours * 6 + 1)
        due = await world.core.db.read.all("SELECT due_at FROM due WHERE subject_id = $1", world.devices[0])
        assert due[0][0] - world.clock.now() <= 2 * follow.SHUT_OUT_S * 1000

        unit.put_account(Account("jane", "1234"))
        began = world.clock.now()
        await world.connect()
        await world.eventually(lambda: [one["name"] for one in directory.codes(unit).values()] == ["Moritz"], step=0.1)
        assert world.clock.now() - began <= 5_000
        assert (await world.device())["errors"] == []


def test_looks_that_failed_together_are_repeated_apart() -> None:
    jitter = random.Random(7).uniform
    for tries, widest in ((0, 2), (3, 60), (5, 900), (60, 900)):
        for error in (Offline(), NotAuthorized(missing="System"), Refused()):
            pauses = [pause_s(error, tries, jitter) for _ in range(1000)]
            tenths = Counter(int((one - follow.SHORTEST_S) / widest * 10) for one in pauses)
            assert min(tenths) == 0 and max(tenths) == 9 and max(tenths.values()) < 150, "spread over the whole time"
    wrong = [pause_s(NotAuthorized(), tries, jitter) for tries in range(follow.REFUSALS - 1, 40)]
    assert follow.SHUT_OUT_S <= min(wrong) < max(wrong) <= 2 * follow.SHUT_OUT_S
    assert pause_s(NotAuthorized(), 0, jitter) < 5


@pytest.mark.parametrize("cut", range(0, 24, 3))
async def test_a_kill_between_any_two_steps_converges_and_repeats_nothing(
    tmp_path: Path, database_url: str | None, cut: int
) -> None:
    """The server stops without a word after so many turns of its loop; the next one finishes the work."""
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        await world.watched()
        keep = await create(world, code="4711")
        await reaches(world, keep, "set")
        await world.call("/access_codes/update", access_code_id=keep, code="4812", name="New")
        gone = await create(world, code="7788")
        await world.call("/access_codes/delete", access_code_id=gone)
        for _ in range(cut * 4):
            await asyncio.sleep(0)
        kept, clock = world.devices, world.clock
        for task in asyncio.all_tasks():
            if "Reconciler._look" in repr(task):
                task.cancel()
    async with serving(tmp_path, database_url, clock) as world:
        world.devices = kept
        await world.pass_time(130, step=5)
        unit = await world.watched()
        await reaches(world, keep, "set")
        await reaches(world, gone, None)
        assert directory.pins(unit) == ["4812"]
        told = await chain(world, keep)
        assert {name: told.count(name) for name in ("created", "set_on_device", "code_changed", "changed")} == {
            "created": 1, "set_on_device": 1, "code_changed": 1, "changed": 1,
        }  # fmt: skip
        told = await chain(world, gone)
        assert told.count("deleted") == 1 and told.count("set_on_device") <= 1


async def test_two_looks_at_once_announce_everything_once(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        unit = await world.watched()
        from doorward.work.links import Links
        from doorward.work.reconcile import Reconciler

        links = Links(world.core)
        others = [Reconciler(world.core, links) for _ in range(3)]
        code_id = await create(world, code="4711")
        about = (world.workspace.workspace_id, world.devices[0])
        await asyncio.gather(*(one.device(*about) for one in others))
        await reaches(world, code_id, "set")
        await world.call("/access_codes/delete", access_code_id=code_id)
        await asyncio.gather(*(one.device(*about) for one in others))
        await reaches(world, code_id, None)
        assert await chain(world, code_id) == ["created", "set_on_device", "removed_from_device", "deleted"]
        assert directory.codes(unit) == {}
        await links.close()


async def test_a_second_server_on_the_same_database_is_refused(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        with pytest.raises(StoreBusy, match="Another Doorward is already"):
            async with running(world.core.config):
                pass
        await world.connect()


async def test_no_pin_or_password_is_stored_or_logged_in_clear(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """The state of the emulated devices is set aside: it stands for the hardware, which knows its own PINs."""
    pin, other = "73910486", "64820395"
    async with serving(tmp_path, None) as world:
        await world.connect()
        unit = await world.watched()
        code_id = await create(world, code=pin)
        await reaches(world, code_id, "set")
        await world.call("/access_codes/update", access_code_id=code_id, code=other, sync=True)
        await world.fail("/access_codes/create", 409, "duplicate_access_code", device_id=world.devices[0], code=other)
        await world.call("/access_codes/delete", access_code_id=code_id, sync=True)
        unit.press_keys(f"{other}*")
        await world.pass_time(3)
        assert other in str(await world.events())  # whoever may read it is told

        async def forget(tx: Any) -> None:
            await tx.run("DELETE FROM twins")

        await world.core.db.write(forget)
        rows = {
            name: await world.core.db.read.all(f"SELECT * FROM {name}")
            for (name,) in await world.core.db.read.all(
                "SELECT name FROM sqlite_master WHERE rootpage > 0 AND type = 'table'"
            )
        }
        assert len(rows["events"]) > 10
        out = capfd.readouterr()
        for text in (repr(rows), out.out, out.err, caplog.text):
            assert pin not in text and other not in text
            assert '"password":"1234"' not in text


async def test_many_codes_at_once_are_all_set(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        unit = await world.watched()
        made = await asyncio.gather(*(create(world, name=f"Guest {n}") for n in range(60)))
        assert len(set(made)) == 60
        await world.eventually(lambda: len(unit.directory) == 60)
        for one in made:
            await reaches(world, one, "set")
        assert (await world.types()).count("access_code.set_on_device") == 60
        pins = directory.pins(unit)
        assert len(set(pins)) == 60 and all(len(pin) == 4 for pin in pins)


async def test_a_report_and_a_command_at_once_keep_the_row_whole(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        await world.watched()
        core, about = world.core, (world.workspace.workspace_id, world.devices[0])
        from doorward.providers.errors import Offline

        await asyncio.gather(
            *(
                core.db.write(devices.moved_by_command, core, *about, locked, f"attempt-{n}")
                for n, locked in enumerate([True, False] * 4)
            ),
            *(core.db.write(devices.trouble, core, *about, Offline()) for _ in range(4)),
        )
        assert (await world.types()).count("device.disconnected") == 1


async def test_a_no_that_is_not_for_good_is_asked_about_again(tmp_path: Path, database_url: str | None) -> None:
    """A device that has no licence for a moment says that trying again cannot help."""
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        unit = await world.watched()
        unit.faults.arm("unlicensed", path="dir/get", times=1)
        code_id = await create(world)

        async def is_refused() -> bool:
            return errors(await world.code(code_id)) == ["code_constraints_violated"]

        await world.eventually(is_refused)
        await world.pass_time(600, step=30)
        assert not directory.codes(unit), "it is not asked on and on"
        await world.pass_time(4_000, step=30)
        assert (await world.code(code_id))["status"] == "set"
        assert directory.codes(unit)
