"""PINs that nobody should have."""

import random
import time

import pytest

from doorward.core.pins import is_guessable, satisfies


@pytest.mark.parametrize(
    "pin",
    [
        *("0000", "1234", "9876", "8901", "2468", "1212", "1221", "4747", "123123", "48154815"),  # runs and repeats
        *("1984", "2007", "3112", "1231", "0101"),  # years and days
        *("311299", "123199", "991231", "010203", "24121995", "12241995", "19951224"),
    ],
)
def test_what_is_tried_first_is_guessable(pin: str) -> None:
    assert is_guessable(pin)


@pytest.mark.parametrize("pin", ["4837", "9462", "739104", "480376", "73910486", "4837519"])
def test_others_are_not(pin: str) -> None:
    assert not is_guessable(pin)


def test_every_day_of_a_year_is_guessable() -> None:
    for day in range(366):
        at = time.gmtime(946_684_800 + day * 86_400)  # 2000 was a leap year
        for form in ("%d%m", "%m%d", "%d%m%y", "%m%d%y", "%y%m%d", "%d%m%Y", "%m%d%Y", "%Y%m%d"):
            assert is_guessable(time.strftime(form, at))


@pytest.mark.parametrize(("digits", "most"), [(4, 0.18), (5, 0.02), (6, 0.15), (7, 0.01), (8, 0.01)])
def test_enough_are_left(digits: int, most: float) -> None:
    draw = random.Random(7)
    pins = [f"{draw.randrange(10**digits):0{digits}d}" for _ in range(20_000)]
    assert sum(map(is_guessable, pins)) / len(pins) < most


@pytest.mark.parametrize(
    ("constraint", "good", "bad"),
    [
        ("no_zeros", "1212", "1210"),
        ("cannot_contain_089", "1237", "1238"),
        ("cannot_contain_0789", "1236", "1237"),
        ("cannot_start_with_12", "2112", "1288"),
        ("no_triple_consecutive_ints", "1245", "1239"),
        ("no_triple_consecutive_ints", "1357", "9873"),
        ("no_ascending_or_descending_sequence", "1235", "1234"),
        ("no_ascending_or_descending_sequence", "4323", "4321"),
        ("at_least_three_unique_digits", "1123", "1212"),
        ("no_all_same_digits", "1112", "1111"),
    ],
)
def test_rules_of_devices(constraint: str, good: str, bad: str) -> None:
    rule = {"constraint_type": constraint}
    assert satisfies(good, rule) and not satisfies(bad, rule)


def test_rules_that_are_not_about_digits_are_kept_by_any_pin() -> None:
    assert satisfies("1111", {"constraint_type": "name_length", "min_length": 1, "max_length": 9})
