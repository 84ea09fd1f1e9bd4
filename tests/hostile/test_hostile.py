"""Random stories against the whole stack: API, database, loops, driver, bytes, intercom.

A run is the same every time, and ends within CI's patience. `DOORWARD_SOAK_EXAMPLES` and `DOORWARD_SOAK_STEPS` make it
longer and random (`make soak`).
"""

import asyncio
import os
from collections import Counter
from typing import ClassVar

import hypothesis
import pytest
from hypothesis import HealthCheck, Phase
from hypothesis.stateful import run_state_machine_as_test
from tests.support.postgres import Cluster

from doorward.providers.my_2n.emulator.faults import KINDS

from .arming import NOT_HERE, TABLE
from .machine import Hostile, HostileStreet

EXAMPLES = int(os.environ.get("DOORWARD_SOAK_EXAMPLES", "0"))
STEPS = int(os.environ.get("DOORWARD_SOAK_STEPS", "30"))


def settings(examples: int) -> hypothesis.settings:
    """For CI the same stories every time; for a soak new ones, which are made shorter when one fails."""
    phases = (Phase.generate, Phase.shrink) if EXAMPLES else (Phase.generate,)
    return hypothesis.settings(
        max_examples=EXAMPLES or examples,
        stateful_step_count=STEPS,
        derandomize=not EXAMPLES,
        database=None,
        deadline=None,
        print_blob=True,
        phases=phases,
        suppress_health_check=list(HealthCheck),
    )


def tell(machine: type[Hostile], capsys: pytest.CaptureFixture[str]) -> None:
    """Of a soak: how much it was."""
    if EXAMPLES:
        deeds = machine.tally - Counter(stories=machine.tally["stories"])
        listed = ", ".join(f"{name} {times:,}" for name, times in deeds.most_common())
        with capsys.disabled():
            print(f"\n{machine.tally['stories']:,} stories of {deeds.total():,} steps, all well: {listed}")


def test_after_quiet_all_is_as_wanted_or_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    class OnSqlite(Hostile):
        tally: ClassVar[Counter[str]] = Counter()

    run_state_machine_as_test(OnSqlite, settings=settings(30))
    tell(OnSqlite, capsys)


def test_intercoms_at_addresses_are_as_wanted_or_say_why(capsys: pytest.CaptureFixture[str]) -> None:
    class OnStreet(HostileStreet):
        tally: ClassVar[Counter[str]] = Counter()

    run_state_machine_as_test(OnStreet, settings=settings(10))
    tell(OnStreet, capsys)


def test_after_quiet_all_is_as_wanted_or_says_why_on_postgresql(
    postgres: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    class OnPostgres(Hostile):
        tally: ClassVar[Counter[str]] = Counter()
        make_url = staticmethod(lambda: asyncio.run(postgres.migrated()))

    run_state_machine_as_test(OnPostgres, settings=settings(4))
    tell(OnPostgres, capsys)


def test_the_table_names_faults_that_exist() -> None:
    assert set(TABLE) | NOT_HERE <= KINDS.keys()
