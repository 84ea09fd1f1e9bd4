"""Limits per device and minute: calls that name a device count, and nothing else does."""

from pathlib import Path
from typing import Any

from tests.support.server import World, new_workspace, serving
from tests.work.test_codes import create, hours

MOST = 10
"""New codes a minute, and changes."""
LIMITED = (429, "rate_limit_exceeded")


async def space(world: World, index: int = 0) -> None:
    await world.call(
        "/spaces/create", name="Room", space_key="room", customer_key="hotel", device_ids=[world.devices[index]]
    )


async def codes(world: World, index: int = 0) -> list[Any]:
    found: list[Any] = (await world.call("/access_codes/list", device_id=world.devices[index]))["access_codes"]
    return found


async def test_what_is_told_of_a_customer_is_not_counted(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url, rate_limits="documented") as world:
        await world.connect()
        await space(world)
        stays = [
            {"reservation_key": f"r{n}", "guest_key": f"g{n}", "space_keys": ["room"], **hours(world, n + 1, n + 2)}
            for n in range(MOST + 2)
        ]
        guests = [{"guest_key": f"g{n}", "name": f"Guest {n}"} for n in range(MOST + 2)]
        await world.call("/customers/push_data", customer_key="hotel", guests=guests, reservations=stays)
        assert len(await codes(world)) == MOST + 2
        await world.call(
            "/access_grants/create",
            user_identity={"full_name": "Jane"},
            device_ids=world.devices,
            requested_access_methods=[{"mode": "code"}],
        )
        # Nor has it used up what callers may ask for.
        made = [await create(world) for _ in range(MOST)]
        await world.fail("/access_codes/create", *LIMITED, device_id=world.devices[0])
        for code in made:
            await world.call("/access_codes/update", access_code_id=code, name="Guest")
        await world.fail("/access_codes/update", *LIMITED, access_code_id=made[0], name="Jane")


async def test_a_call_that_is_refused_counts_for_nobody(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url, rate_limits="documented") as world:
        await world.connect(count=2)
        busy, idle = world.devices
        for _ in range(MOST):
            await world.call("/access_codes/create", device_id=busy)
        for _ in range(MOST):
            await world.fail("/access_codes/create_multiple", *LIMITED, device_ids=[idle, busy])
        for _ in range(MOST):
            await world.fail("/access_codes/create_multiple", 404, "device_not_found", device_ids=[idle, "nobody"])
            await world.fail("/access_codes/create", 400, "invalid_input", device_id=idle, starts_at="2090-01-01")
        # Another workspace has no part in them.
        other = await new_workspace(world, "Other")
        for _ in range(MOST):
            await other.fail("/access_codes/create", 404, "device_not_found", device_id=idle)
        for _ in range(MOST):
            await world.call("/access_codes/create", device_id=idle)
        await world.fail("/access_codes/create", *LIMITED, device_id=idle)


async def test_one_call_counts_once_for_a_device(tmp_path: Path, database_url: str | None) -> None:
    async with serving(tmp_path, database_url, rate_limits="documented") as world:
        await world.connect()
        for n in range(MOST + 2):
            body = {"device_id": world.devices[0], "code": "482937", "common_code_key": "club"}
            await world.call("/access_codes/create", **body, **hours(world, 2 * n + 1, 2 * n + 2))
            await world.pass_time(7, step=7)
        for n in range(MOST):
            await world.call("/access_codes/update_multiple", common_code_key="club", name=f"Club {n}")
        assert {code["name"] for code in await codes(world)} == {f"Club {MOST - 1}"}
        await world.fail("/access_codes/update_multiple", *LIMITED, common_code_key="club", name="Club")
