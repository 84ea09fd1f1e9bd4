"""Stories that are told every time, because chance tells them too rarely. Each ends as every story does."""

from pathlib import Path

import pytest

from . import checks
from .arming import Arm
from .deeds_calls import Create, Delete, Move, Update
from .deeds_devices import Clear, FactoryReset, Fault, Pass, PowerOff, Restart, Sleep, Wait
from .deeds_people import OwnerAdds, OwnerMeddles, TypePin
from .house import House
from .listening import listening
from .machine import Deed

A, B = "73910486", "50912837"
ADOPTED: list[Deed] = [Create(0, A), Wait(4), OwnerMeddles(0, "adopt", B)]

STORIES: dict[str, list[Deed]] = {
    "a code is deleted when its entry is the owner's": [*ADOPTED, Delete(0), Wait(20)],
    "a code is changed when its entry is the owner's": [*ADOPTED, Update(0, B), Wait(20)],
    "a code ends when its entry is the owner's": [Create(0, A, (0, 5)), *ADOPTED[1:], Pass(10)],
    "the server restarts when an entry is the owner's": [*ADOPTED, Restart(True), Delete(0), Pass(3)],
    "the owner was first with a PIN": [OwnerAdds(0, A, "ACOM"), Create(0, A), Wait(20)],
    "a factory reset frees the owner's PIN": [OwnerAdds(0, A, ""), Wait(20), FactoryReset(0), Create(0, A), Pass(10)],
    "the answer to every write is lost": [
        Fault(0, Arm("reply-lost", "dir/")), Create(0, A), Create(0, B, (5, 40)), Pass(3), Clear(0), Delete(0), Pass(3),
    ],
    "the answer to an unlock is lost": [
        Wait(1), Fault(0, Arm("reply-lost", "switch/ctrl", 1)), Move(0), Move(0), Move(0, dies=30), Wait(20),
    ],
    "a machine sleeps through a code's whole time": [Create(0, A, (1, 40)), Wait(4), Sleep(3), TypePin(0, A)],
    "no power when a code ends": [Create(0, A, (0, 1)), Wait(20), PowerOff(0, 300, True), Pass(10), TypePin(0, A)],
}  # fmt: skip


@pytest.mark.parametrize("name", STORIES)
def test_a_story_ends_well(name: str, tmp_path: Path) -> None:
    with listening() as said:
        house = House(tmp_path, None, said)

        async def tell() -> None:
            for deed in STORIES[name]:
                house.deeds.append(deed)
                await deed.do(house)
                await checks.always(house)
            await checks.after_quiet(house)
            await checks.always(house)
            checks.nothing_secret(said.lines, (A, B, checks.FRESH))

        try:
            house.run(tell())
        finally:
            house.close()
