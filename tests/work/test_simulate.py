"""What others do at a virtual device, simulated."""

from pathlib import Path

from tests.support import directory
from tests.support.server import new_workspace, serving
from tests.work.test_codes import create, reaches

PATH = "/access_codes/simulate/create_unmanaged_access_code"


async def test_somebody_adds_a_code_at_the_device(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        unit = await world.watched()
        await world.pass_time(5)
        about = {"device_id": world.devices[0]}
        made = (await world.call(PATH, code="4837", name="Neighbour", **about))["access_code"]
        assert (made["is_managed"], made["code"], made["name"], made["status"]) == (False, "4837", "Neighbour", "set")
        (entry,) = directory.codes(unit).values()
        assert (entry["name"], entry["pin"], entry["owner"]) == ("Neighbour", "4837", "")
        await world.pass_time(120, step=5)
        listed = (await world.call("/access_codes/unmanaged/list", **about))["access_codes"]
        assert [one["access_code_id"] for one in listed] == [made["access_code_id"]]
        assert (await world.types()).count("access_code.unmanaged.created") == 1
        await world.fail("/access_codes/create", 409, "duplicate_access_code", code="4837", **about)
        await world.fail(PATH, 409, "duplicate_access_code", code="4837", name="Again", **about)


async def test_a_pin_of_ours_is_not_given_away_twice(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        code_id = await create(world, code="4837")
        await reaches(world, code_id, "set")
        about = {"device_id": world.devices[0], "name": "Neighbour"}
        await world.fail(PATH, 409, "duplicate_access_code", code="4837", **about)
        await world.fail(PATH, 400, "invalid_input", code="483", **about)
        await world.fail(PATH, 400, "invalid_input", code="123456789", **about)
        assert directory.pins(await world.unit()) == ["4837"]


async def test_a_production_workspace_simulates_nothing(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url) as world:
        await world.connect()
        real = await new_workspace(world, "Real", is_sandbox=False)
        await real.fail(PATH, 400, "invalid_input", device_id=world.devices[0], code="4837", name="Neighbour")
