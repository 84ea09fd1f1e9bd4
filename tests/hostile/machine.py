"""The random story: what callers, owners, devices, time and this server's own restarts do to each other.

A step is a deed, drawn with weights, so that codes are made often enough for something to happen to them. When a
story fails, its deeds are printed in their order, with what came of each.
"""

import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Protocol

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from doorward.providers.my_2n.emulator.auth import Privilege

from . import checks
from .arming import arms
from .deeds_calls import Create, Delete, Move, Update
from .deeds_devices import (
    Clear,
    FactoryReset,
    Fault,
    Login,
    Pass,
    PowerOff,
    Privileges,
    Restart,
    SetService,
    Skew,
    Sleep,
    Wait,
)
from .deeds_found import RemoveFound, TakeOver
from .deeds_people import OwnerAdds, OwnerEdits, OwnerMeddles, TypePin
from .deeds_pool import Pull, SwitchPool
from .deeds_street import MoveAway, RequireTls, SwapCertificate
from .house import House
from .listening import listening
from .street import Street

PINS = ("73910486", "64820395", "50912837")
"""Few, so that they meet. Long enough to be found in a log."""

NOT_YET: tuple[str, ...] = ()
"""Privileges and services that stories leave alone until the server can do without: see `test_found`."""


class Deed(Protocol):
    """One step of a story."""

    async def do(self, house: House) -> None:
        """Let it happen."""


doors = st.sampled_from([0, 0, 0, 1])
pins = st.sampled_from(PINS)
which = st.integers(0, 5)
minutes = st.none() | st.tuples(st.sampled_from([-30, -1, 0, 1, 5, 45, 180]), st.sampled_from([1, 5, 40, 240]))
dies = st.none() | st.none() | st.integers(0, 60)

CALLS: list[st.SearchStrategy[Deed]] = [
    st.builds(Create, doors, pins, minutes, dies),
    st.builds(Create, doors, pins, minutes),
    st.builds(Update, which, st.none() | pins, st.just(False) | minutes, st.booleans(), dies),
    st.builds(Delete, which, dies),
    st.builds(Move, doors, st.booleans(), dies),
    st.builds(TakeOver, doors, which, st.booleans(), dies),
    st.builds(RemoveFound, doors, which, dies),
    st.builds(SwitchPool, doors, st.booleans(), dies),
    st.builds(Pull, which, dies),
]
DEVICES: list[st.SearchStrategy[Deed]] = [
    st.builds(Fault, doors, arms()),
    st.builds(Fault, doors, arms()),
    st.builds(Clear, doors),
    st.builds(PowerOff, doors, st.sampled_from([0, 3, 40, 300]), st.booleans()),
    st.builds(Login, doors, st.sampled_from(["password", "disabled", "gone", "well", "well"])),
    st.builds(
        Privileges,
        doors,
        st.lists(st.sampled_from([p.value for p in Privilege if p.value not in NOT_YET]), min_size=1, max_size=4),
    ),
    st.builds(
        SetService,
        doors,
        st.sampled_from([name for name in ("system", "switch", "log", "io") if name not in NOT_YET]),
        st.booleans(),
        st.sampled_from(["none", "basic", "digest"]),
    ),
    st.builds(Skew, doors, st.sampled_from([0, 3, -90, 7200, -1_790_000_000])),
    st.builds(FactoryReset, doors),
]
STREET: list[st.SearchStrategy[Deed]] = [
    st.builds(SwapCertificate, doors),
    st.builds(MoveAway, doors),
    st.builds(RequireTls, doors, st.sampled_from(["system", "switch", "log"])),
]
TIME: list[st.SearchStrategy[Deed]] = [
    st.builds(Wait, st.sampled_from([0.1, 1, 4, 20])),
    st.builds(Wait, st.sampled_from([0.02, 0.5, 2])),
    st.builds(Pass, st.sampled_from([1, 3, 10, 35])),
    st.builds(Sleep, st.sampled_from([0.2, 1, 3, 24])),
    st.builds(Restart, st.booleans()),
]
PEOPLE: list[st.SearchStrategy[Deed]] = [
    st.builds(OwnerAdds, doors, pins | st.just(""), st.sampled_from(["", "", "ACOM", "My2N", "other-bridge"])),
    st.builds(OwnerEdits, doors, which, st.none() | pins),
    st.builds(OwnerMeddles, which, st.sampled_from(["pin", "frame", "name", "remove", "adopt", "adopt"]), pins),
    st.builds(TypePin, doors, pins),
]


class Hostile(RuleBasedStateMachine):
    """One world. `make_url` gives each a database of its own; None: SQLite."""

    make_url: Callable[[], str | None] = staticmethod(lambda: None)

    make_house: Callable[..., House] = House

    tally: ClassVar[Counter[str]] = Counter()
    """Stories that ended well, and the deeds in them by their names."""

    def __init__(self) -> None:
        super().__init__()
        self._listening = listening()
        self.said = self._listening.__enter__()
        self.folder = Path(tempfile.mkdtemp(prefix="hostile-"))
        self.house = self.make_house(self.folder, self.make_url(), self.said)
        self._is_well = True

    def teardown(self) -> None:
        """The end of the story: peace, and what must be true then."""
        try:
            if self._is_well:
                self.do(checks.after_quiet(self.house))
                self.do(checks.always(self.house))
                checks.nothing_secret(self.said.lines, (*PINS, checks.FRESH))
                self.tally.update(["stories", *(type(deed).__name__ for deed in self.house.deeds)])
        finally:
            self.house.close()
            self._listening.__exit__(None, None, None)
            shutil.rmtree(self.folder, ignore_errors=True)

    def do(self, work: Any) -> Any:
        """Run a coroutine in the world. After a failure nothing more is judged."""
        try:
            return self.house.run(work)
        except BaseException:
            self._is_well = False
            raise

    @invariant()
    def always_well(self) -> None:
        """What holds at any moment."""
        self.do(checks.always(self.house))

    @rule(deed=st.one_of(CALLS + CALLS + DEVICES + TIME + PEOPLE))
    def step(self, deed: Deed) -> None:
        """One thing after the other."""
        self.house.deeds.append(deed)
        self.do(deed.do(self.house))


class HostileStreet(Hostile):
    """One world whose intercoms are at addresses, in a production workspace."""

    make_house = Street

    @rule(deed=st.one_of(STREET))
    def outside(self, deed: Deed) -> None:
        """What happens only there."""
        self.step(deed)
