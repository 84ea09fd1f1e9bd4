"""Random stories against the whole stack: API, database, loops, driver, bytes, intercom.

A run is the same every time, and ends within CI's patience. `DOORWARD_SOAK_EXAMPLES` and `DOORWARD_SOAK_STEPS` make it
longer and random (`make soak`).
"""

import asyncio
import os

import hypothesis
from hypothesis import HealthCheck, Phase
from hypothesis.stateful import run_state_machine_as_test
from tests.support.postgres import Cluster

from doorward.providers.my_2n.emulator.faults import KINDS

from .arming import NOT_HERE, TABLE
from .machine import Hostile, HostileStreet

EXAMPLES = int(os.environ.get("DOORWARD_SOAK_EXAMPLES", "0"))
STEPS = int(os.environ.get("DOORWARD_SOAK_STEPS", "30"))


def settings(examples: int, most: int | None = None) -> hypothesis.settings:
    """For CI the same stories every time; for a soak new ones, which are made shorter when one fails."""
    phases = (Phase.generate, Phase.shrink) if EXAMPLES else (Phase.generate,)
    return hypothesis.settings(
        max_examples=min(EXAMPLES, most or EXAMPLES) or examples,
        stateful_step_count=STEPS,
        derandomize=not EXAMPLES,
        database=None,
        deadline=None,
        print_blob=True,
        phases=phases,
        suppress_health_check=list(HealthCheck),
    )


def test_after_quiet_all_is_as_wanted_or_says_why() -> None:
    run_state_machine_as_test(Hostile, settings=settings(30))


def test_intercoms_at_addresses_are_as_wanted_or_say_why() -> None:
    run_state_machine_as_test(HostileStreet, settings=settings(10))


def test_after_quiet_all_is_as_wanted_or_says_why_on_postgresql(postgres: Cluster) -> None:
    class OnPostgres(Hostile):
        make_url = staticmethod(lambda: asyncio.run(postgres.migrated()))

    run_state_machine_as_test(OnPostgres, settings=settings(4, most=50))


def test_the_table_names_faults_that_exist() -> None:
    assert set(TABLE) | NOT_HERE <= KINDS.keys()
