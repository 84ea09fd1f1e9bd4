"""Codes that were found on a device: taken over, or removed, and otherwise left alone."""

from pathlib import Path
from typing import Any

import pytest
from tests.support import directory
from tests.support.server import World, new_workspace, serving
from tests.work.test_codes import create, reaches

from doorward.providers.my_2n.codes import owner_tag

CONVERT, DELETE = "/access_codes/unmanaged/convert_to_managed", "/access_codes/unmanaged/delete"


async def found(world: World, uuid: str, index: int = 0) -> str:
    """The id of the unmanaged code of this entry, once the server has seen it."""
    await world.pass_time(5)
    listed = (await world.call("/access_codes/unmanaged/list", device_id=world.devices[index]))["access_codes"]
    unit = await world.unit(index)
    pin = directory.codes(unit)[uuid.lower()]["pin"]
    return next(str(one["access_code_id"]) for one in listed if one["code"] == pin)


async def ended(world: World, reply: Any) -> Any:
    """The attempt of a reply, once it has ended."""
    attempt_id = reply["action_attempt"]["action_attempt_id"]

    async def is_over() -> Any:
        attempt = await world.attempt(attempt_id)
        return attempt if attempt["status"] != "pending" else None

    return await world.eventually(is_over)


async def told(world: World, code_id: str) -> list[str]:
    return [one.removeprefix("access_code.") for one in await world.types(access_code_id=code_id)]


async def test_a_code_that_was_found_is_managed_from_then_on(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        unit = await world.watched()
        uuid = await directory.add(unit, "Neighbour", "4837")
        code_id = await found(world, uuid)
        attempt = await ended(world, await world.call(CONVERT, access_code_id=code_id))
        assert (attempt["status"], attempt["action_type"]) == ("success", "CONVERT_ACCESS_CODE_TO_MANAGED")
        assert attempt["result"]["access_code"]["access_code_id"] == code_id
        (entry,) = directory.codes(unit).items()
        assert entry[0] == uuid.lower()
        tag = owner_tag(world.workspace.workspace_id)
        assert entry[1] == {"name": "Neighbour", "pin": "4837", "from": 0, "to": 0, "owner": tag}
        code = await world.code(code_id)
        assert (code["status"], code["is_managed"], code["pending_mutations"], code["errors"]) == ("set", True, [], [])
        await world.fail("/access_codes/unmanaged/get", 404, "access_code_not_found", access_code_id=code_id)
        assert await told(world, code_id) == ["unmanaged.created", "unmanaged.converted_to_managed"]
        # It is like any other of ours.
        await world.call("/access_codes/update", access_code_id=code_id, code="5948", name="Guest")
        await world.eventually(lambda: directory.pins(unit) == ["5948"])
        await world.call("/access_codes/delete", access_code_id=code_id)
        await world.eventually(lambda: not directory.codes(unit))


async def test_unmanaged_update_does_the_same_and_says_who_may_change_it(
    tmp_path: Path, database_url: str | None
) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        unit = await world.watched()
        uuid = await directory.add(unit, "Neighbour", "4837")
        about = {"access_code_id": await found(world, uuid)}
        path = "/access_codes/unmanaged/update"
        await world.fail(path, 400, "invalid_input", is_managed=False, **about)
        await world.fail(path, 400, "invalid_input", **about)
        assert await world.call(path, is_managed=True, allow_external_modification=True, **about) == {"ok": True}
        await world.eventually(lambda: directory.codes(unit)[uuid.lower()]["owner"].startswith("doorward-"))
        assert (await world.code(about["access_code_id"]))["is_external_modification_allowed"] is True
        await world.fail(path, 404, "access_code_not_found", is_managed=True, **about)


async def test_what_another_integration_claims_is_taken_over_only_with_force(
    tmp_path: Path, database_url: str | None
) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        unit = await world.watched()
        uuid = await directory.add(unit, "Theirs", "4837", owner="other-bridge")
        about = {"access_code_id": await found(world, uuid)}
        shown = (await world.call("/access_codes/unmanaged/get", **about))["access_code"]
        assert shown["cannot_delete_unmanaged_access_code"] is True and "cannot_be_managed" not in shown
        for path in (CONVERT, DELETE):
            error = await world.fail(path, 400, "access_code_cannot_be_managed", **about)
            assert "force: true" in error["message"]
        assert directory.codes(unit)[uuid.lower()]["owner"] == "other-bridge"
        assert (await ended(world, await world.call(CONVERT, force=True, **about)))["status"] == "success"
        assert directory.codes(unit)[uuid.lower()]["owner"] == owner_tag(world.workspace.workspace_id)


@pytest.mark.parametrize("owner", ["ACOM", "My2N"])
async def test_what_a_system_of_the_vendor_keeps_is_never_ours(
    tmp_path: Path, database_url: str | None, owner: str
) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        unit = await world.watched()
        uuid = await directory.add(unit, "Kept", "4837", owner=owner)
        about = {"access_code_id": await found(world, uuid)}
        before = unit.directory.timestamp
        await world.fail(CONVERT, 400, "access_code_cannot_be_managed", force=True, **about)
        await world.fail(DELETE, 400, "access_code_cannot_be_managed", **about)
        await world.pass_time(120, step=5)
        assert unit.directory.timestamp == before


async def test_a_code_of_others_is_removed_when_that_is_asked(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        unit = await world.watched()
        uuid = await directory.add(unit, "Neighbour", "4837")
        kept = await directory.add(unit, "Kept", "5948")
        code_id = await found(world, uuid)
        assert (await ended(world, await world.call(DELETE, access_code_id=code_id)))["status"] == "success"
        assert list(directory.codes(unit)) == [kept.lower()]
        await world.fail("/access_codes/unmanaged/get", 404, "access_code_not_found", access_code_id=code_id)
        await world.pass_time(120, step=5)
        assert await told(world, code_id) == ["unmanaged.created", "unmanaged.removed"]


@pytest.mark.parametrize("way", ["unmanaged", "converted"])
async def test_a_user_who_has_a_card_too_loses_only_the_pin(tmp_path: Path, database_url: str | None, way: str) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        unit = await world.watched()
        uuid = await directory.add(unit, "Resident", "4837")
        await directory.edit(unit, uuid, email="r@example.com", access={"card": ["0A1B2C3D"], "validTo": "2000000000"})
        code_id = await found(world, uuid)
        if way == "converted":
            await ended(world, await world.call(CONVERT, access_code_id=code_id))
            await ended(world, await world.call("/access_codes/delete", access_code_id=code_id))
        else:
            await ended(world, await world.call(DELETE, access_code_id=code_id))
        entry = unit.directory.find(uuid)
        assert entry is not None
        assert (entry.get("access.pin"), entry.get("owner"), entry.get("email")) == ("", "", "r@example.com")
        assert entry.get("access.validTo") == "2000000000"
        assert entry.get("access.card[0]") == "0A1B2C3D"
        await world.pass_time(120, step=5)
        about = {"device_id": world.devices[0]}
        assert (await world.call("/access_codes/unmanaged/list", **about))["access_codes"] == []
        assert (await world.call("/access_codes/list", **about))["access_codes"] == []


async def test_a_code_that_goes_before_it_is_taken_over_stays_gone(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        unit = await world.watched()
        uuid = await directory.add(unit, "Neighbour", "4837")
        code_id = await found(world, uuid)
        unit.directory.delete([{"uuid": uuid}])  # nobody was told yet
        attempt = await ended(world, await world.call(CONVERT, access_code_id=code_id))
        assert attempt["status"] == "error"
        await world.pass_time(3_900, step=30)
        assert not directory.codes(unit)
        await world.fail("/access_codes/get", 404, "access_code_not_found", access_code_id=code_id)
        await world.fail("/access_codes/unmanaged/get", 404, "access_code_not_found", access_code_id=code_id)
        assert (await told(world, code_id))[1:] == ["unmanaged.failed_to_convert_to_managed", "unmanaged.removed"]


async def test_a_code_that_another_claims_before_we_do_stays_theirs(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        unit = await world.watched()
        uuid = await directory.add(unit, "Neighbour", "4837")
        code_id = await found(world, uuid)
        unit.directory.update([{"uuid": uuid, "owner": "other-bridge"}])
        attempt = await ended(world, await world.call(CONVERT, access_code_id=code_id))
        assert attempt["status"] == "error" and "somebody else" in attempt["error"]["message"]
        shown = (await world.call("/access_codes/unmanaged/get", access_code_id=code_id))["access_code"]
        assert (shown["code"], shown["name"], shown["is_managed"]) == ("4837", "Neighbour", False)
        assert directory.codes(unit)[uuid.lower()]["owner"] == "other-bridge"


async def test_an_offline_device_is_taken_over_when_it_is_back(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        unit = await world.watched()
        uuid = await directory.add(unit, "Neighbour", "4837")
        code_id = await found(world, uuid)
        unit.faults.arm("refuse")
        await world.call(CONVERT, access_code_id=code_id)
        await world.pass_time(30)
        assert (await world.code(code_id))["is_managed"] is True
        assert directory.codes(unit)[uuid.lower()]["owner"] == ""
        # What its owner changes meanwhile is what is taken over.
        unit.faults.clear()
        await directory.edit(unit, uuid, access={"pin": "5948"})
        await world.eventually(lambda: directory.codes(unit)[uuid.lower()]["owner"].startswith("doorward-"))
        await world.eventually(lambda: reaches_set(world, code_id))
        assert directory.codes(unit)[uuid.lower()]["pin"] == "5948"
        assert (await world.code(code_id))["code"] == "5948"


async def reaches_set(world: World, code_id: str) -> bool:
    code = await world.code(code_id)
    return code["status"] == "set" and not code["errors"]


async def test_another_workspace_takes_a_code_over_and_the_first_one_says_so(
    tmp_path: Path, database_url: str | None
) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        unit = await world.watched()
        code_id = await create(world, code="4837")
        await reaches(world, code_id, "set")
        await world.pass_time(5)
        ref = next(iter(directory.codes(unit)))
        await directory.edit(unit, ref, owner="doorward-ffffffffffff")
        await world.pass_time(5)
        code = await world.code(code_id)
        assert [one["warning_code"] for one in code["warnings"]] == ["management_transferred"]
        # Deleting it here lets go of it, and leaves what is theirs.
        await world.call("/access_codes/delete", access_code_id=code_id)
        await world.pass_time(5)
        await world.fail("/access_codes/get", 404, "access_code_not_found", access_code_id=code_id)
        assert directory.pins(unit) == ["4837"]
        assert "removed_from_device" not in await told(world, code_id)


async def test_a_code_that_was_unmanaged_here_is_managed_again(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        unit = await world.watched()
        code_id = await create(world, code="4837")
        await reaches(world, code_id, "set")
        await world.call("/access_codes/update", access_code_id=code_id, is_managed=False)
        other = await new_workspace(world, "Other")
        await other.fail(CONVERT, 404, "access_code_not_found", access_code_id=code_id)
        assert (await ended(world, await world.call(CONVERT, access_code_id=code_id)))["status"] == "success"
        await world.call("/access_codes/delete", access_code_id=code_id)
        await world.eventually(lambda: not directory.codes(unit))


async def test_a_code_whose_time_is_over_or_whose_pin_is_hidden_is_not_taken_over(
    tmp_path: Path, database_url: str | None
) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        unit = await world.watched()
        uuid = await directory.add(unit, "Neighbour", "4837")
        await directory.edit(unit, uuid, access={"validTo": "1000000000"})
        code_id = await found(world, uuid)
        error = await world.fail(CONVERT, 400, "access_code_cannot_be_managed", access_code_id=code_id)
        assert "over" in error["message"]
