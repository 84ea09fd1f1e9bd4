"""Stories of intercoms at addresses, told plainly."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from . import checks
from .deeds_calls import Create
from .deeds_devices import Restart
from .deeds_street import MoveAway, RequireTls, SwapCertificate
from .listening import listening
from .street import Street


@contextmanager
def street(folder: Path, *, tls: bool) -> Iterator[Street]:
    """A server with one door at an address."""
    with listening() as said:
        house = Street(folder, None, said, firmwares=("current",), tls=(tls,))
        try:
            yield house
        finally:
            house.close()


@pytest.mark.parametrize("tls", [True, False])
@pytest.mark.parametrize("abrupt", [True, False])
def test_a_device_that_moves_is_well_again_once_it_was_connected_again(tmp_path: Path, tls: bool, abrupt: bool) -> None:
    with street(tmp_path, tls=tls) as house:

        async def story() -> None:
            await Create(0, "73910486").do(house)
            await house.loop.advance(65)
            await MoveAway(0).do(house)
            await Create(0, "50912837").do(house)
            await house.loop.advance(300)
            await Restart(abrupt).do(house)
            await house.loop.advance(60)
            device = await house.get("/devices/get", "device", device_id=house.device_id(0))
            assert not device["properties"]["online"]
            ((unit, _, _),) = house.strangers
            assert {one["path"] for one in unit.requests} <= {"/api/system/info"}
            await checks.always(house)
            await checks.after_quiet(house)

        house.run(story())


def test_a_stranger_at_the_address_is_asked_who_it_is_and_nothing_else(tmp_path: Path) -> None:
    with street(tmp_path, tls=False) as house:

        async def story() -> None:
            await RequireTls(0, "log").do(house)  # so that no broken poll gives the change away
            await MoveAway(0).do(house)
            await Create(0, "73910486").do(house)
            await house.call("/locks/unlock_door", device_id=house.device_id(0))
            await house.loop.advance(120)
            ((unit, _, _),) = house.strangers
            assert {one["path"] for one in unit.requests} == {"/api/system/info"}
            await checks.always(house)

        house.run(story())


def test_nothing_is_said_to_a_device_with_another_certificate(tmp_path: Path) -> None:
    with street(tmp_path, tls=True) as house:

        async def story() -> None:
            await Create(0, "73910486").do(house)
            await house.loop.advance(65)
            await SwapCertificate(0).do(house)
            before = house.doors[0].requests
            await Create(0, "50912837").do(house)
            await Restart(False).do(house)
            await house.loop.advance(300)
            assert house.doors[0].requests == before, "nothing is sent before somebody trusts it"
            device = await house.get("/devices/get", "device", device_id=house.device_id(0))
            assert not device["properties"]["online"]
            await checks.after_quiet(house)

        house.run(story())


def test_a_service_that_wants_tls_is_told_and_comes_back(tmp_path: Path) -> None:
    with street(tmp_path, tls=False) as house:

        async def story() -> None:
            await RequireTls(0, "log").do(house)
            await house.loop.advance(120)
            device = await house.get("/devices/get", "device", device_id=house.device_id(0))
            (warning,) = device["warnings"]
            assert warning["warning_code"] == "doorward_events_not_followed" and "HTTPS" in warning["message"]
            await checks.after_quiet(house)
            assert not (await house.get("/devices/get", "device", device_id=house.device_id(0)))["warnings"]

        house.run(story())
