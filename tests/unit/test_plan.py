"""What is tidied away in one pass, and what never waits."""

import pytest

from doorward.core import plan
from doorward.core.plan import Code, Content, Remove, Set
from doorward.providers.reports import FoundCode

NOW = 1_790_000_000_000


def code(number: int, *, wanted_until: int | None = NOW, held_until: int | None = NOW, is_wanted: bool = True) -> Code:
    return Code(
        code_id=str(number),
        ref=str(number),
        wanted=Content("n", "4711", NOW - 9, wanted_until) if is_wanted else None,
        held=Content("n", "4711", NOW - 9, held_until),
        is_current=True,
    )


@pytest.mark.parametrize(
    ("guard", "known", "most"),
    [("20%", 100, 20), ("20%", 3, 5), ("100%", 40, 40), ("50", 10_000, 50), ("0", 10, 0), ("off", 10**9, 2**62)],
)
def test_the_operators_word_is_a_share_or_a_number(guard: str, known: int, most: int) -> None:
    assert plan.most(guard, known) == most


def test_codes_that_the_device_refuses_already_are_removed_in_portions() -> None:
    steps: list[plan.Step] = [Remove(code(n)) for n in range(200)]
    now, left = plan.portion(steps, 40, keeps_schedules=True, now=NOW)
    assert (now, left) == (steps[:40], 160)


def test_what_still_opens_a_door_or_was_asked_for_never_waits() -> None:
    asked: list[plan.Step] = [Remove(code(n, is_wanted=False)) for n in range(100)]
    still_open: list[plan.Step] = [Remove(code(n, held_until=None)) for n in range(100, 200)]
    tidying: list[plan.Step] = [Remove(code(n)) for n in range(200, 300)]
    sets: list[plan.Step] = [Set(code(n, wanted_until=None)) for n in range(300, 310)]
    now, left = plan.portion([*tidying, *asked, *still_open, *sets], 10, keeps_schedules=True, now=NOW)
    assert (now, left) == ([*tidying[:10], *asked, *still_open, *sets], 90)


def test_a_device_that_keeps_no_schedules_is_cleared_at_once() -> None:
    steps: list[plan.Step] = [Remove(code(n)) for n in range(200)]
    assert plan.portion(steps, 10, keeps_schedules=False, now=NOW) == (steps, 0)


def test_a_code_that_was_changed_at_the_device_to_open_for_longer_does_not_wait() -> None:
    set_by_us = Content("n", "4711", None, NOW)
    longer = Code("1", "1", set_by_us, set_by_us, True, seen=Content("n", "4711", None, None))
    steps: list[plan.Step] = [Remove(longer)]
    assert plan.portion(steps, 0, keeps_schedules=True, now=NOW) == (steps, 0)


def test_a_difference_is_told_once() -> None:
    held, other = Content("n", "4711", None, None), Content("n", "9999", None, None)
    there = FoundCode("1", True, "n", "9999", None, None)
    first = plan.difference(Code("1", "1", held, held, True), there)
    assert first is not None and first.fields == ("code",)
    assert plan.difference(Code("1", "1", held, held, False, seen=other), there) is None
    back = plan.difference(Code("1", "1", held, held, False, seen=other), FoundCode("1", True, "n", "4711", None, None))
    assert back is not None and back.fields == ()
