"""What stories found, as small plain tests."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from . import checks
from .arming import Arm
from .deeds_calls import Create
from .deeds_devices import Fault, Pass, Privileges, Restart, SetService, Wait
from .house import House
from .listening import listening


@contextmanager
def one_door(folder: Path) -> Iterator[House]:
    """A server with one door."""
    with listening() as said:
        house = House(folder, None, said, doors=1)
        try:
            yield house
        finally:
            house.close()


def test_a_login_that_may_not_read_the_directory_is_tried_with_pauses(tmp_path: Path) -> None:
    with one_door(tmp_path) as house:

        async def story() -> None:
            await Create(0, "73910486").do(house)
            await house.loop.advance(5)
            await Privileges(0, ["system-control"]).do(house)
            before = house.doors[0].requests
            await Create(0, "50912837").do(house)
            await house.loop.advance(60)
            events = await house.get("/events/list", "events", since="2000-01-01T00:00:00Z", limit=1000)
            told = Counter(one["event_type"] for one in events)
            assert told["device.disconnected"] <= 3, told
            assert house.doors[0].requests - before < 200

        house.run(story())


def test_a_device_that_loses_every_pull_is_asked_less_and_less(tmp_path: Path) -> None:
    with one_door(tmp_path) as house:

        async def story() -> None:
            await Fault(0, Arm("reply-lost", path="log/pull")).do(house)
            await Pass(10).do(house)
            before = house.doors[0].requests
            await Wait(600).do(house)
            assert house.doors[0].requests - before < 2 * 600

        house.run(story())


def test_a_log_that_was_switched_off_is_followed_when_it_is_on_again(tmp_path: Path) -> None:
    with one_door(tmp_path) as house:

        async def story() -> None:
            await SetService(0, "log", False, "digest").do(house)
            await Restart(False).do(house)
            await Pass(3).do(house)
            await SetService(0, "log", True, "digest").do(house)
            await checks.after_quiet(house)

        house.run(story())


def test_a_change_of_our_own_is_not_blamed_on_others_after_a_kill(tmp_path: Path) -> None:
    blamed = []
    for turns in range(0, 400, 25):
        with one_door(tmp_path / str(turns)) as house:

            async def story(house: House = house, turns: int = turns) -> None:
                await Create(0, "73910486").do(house)
                await house.loop.advance(65)
                (code,) = house.codes
                body = {"access_code_id": code.code_id, "code": "50912837"}
                house.keep(house.world.raw("/access_codes/update", body))
                await house.loop.idle()
                house.loop.now_ms += 21  # the look begins
                for _ in range(turns):
                    await asyncio.sleep(0)
                await house.stop(abrupt=True)
                await house.start()
                await house.loop.advance(200)
                told = await house.get("/events/list", "events", since=checks.START, access_code_id=code.code_id)
                if "access_code.modified_external_to_seam" in [one["event_type"] for one in told]:
                    blamed.append(turns)

            house.run(story())
    assert not blamed, f"killed after so many turns: {blamed}"
