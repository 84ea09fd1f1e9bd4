"""The breaker of an access code: when it opens, for how long, and what closes it."""

from doorward.core import breaker
from doorward.core.breaker import LONGEST_MS, PAUSE_MS, WINDOW_MS, Breaker, strike

START = 1_790_000_000_000
MINUTE = 60_000


def struck(*times: int, state: Breaker | None = None) -> Breaker:
    state = state or Breaker()
    for at in times:
        state = strike(state, at)
    return state


def test_three_strikes_within_five_minutes_open_it() -> None:
    two = struck(START, START + MINUTE)
    assert not two.is_open(START + MINUTE)
    three = strike(two, START + 4 * MINUTE)
    assert three.is_open(START + 4 * MINUTE)
    assert three.open_until == START + 4 * MINUTE + PAUSE_MS
    assert not three.is_open(three.open_until)


def test_strikes_far_apart_never_open_it() -> None:
    state = Breaker()
    for number in range(50):
        now = START + number * (WINDOW_MS // 2)
        state = strike(state, now)
        assert not state.is_open(now)


def test_a_strike_soon_after_the_pause_opens_it_for_twice_as_long_up_to_a_bound() -> None:
    state = struck(START, START, START)
    pauses = []
    for _ in range(7):
        now = state.open_until + MINUTE
        state = strike(state, now)
        pauses.append((state.open_until - now) // PAUSE_MS)
    assert pauses == [2, 4, 8, 16, 16, 16, 16]
    assert LONGEST_MS == 4 * 3_600_000


def test_what_holds_after_the_pause_starts_anew() -> None:
    state = struck(START, START, START)
    later = state.open_until + WINDOW_MS
    state = strike(state, later)
    assert not state.is_open(later)
    state = struck(later + 1, later + 2, state=state)
    assert state.open_until == later + 2 + PAUSE_MS


def test_strikes_while_it_is_open_do_not_prolong_it() -> None:
    state = struck(START, START, START)
    assert strike(state, START + MINUTE) == state


def test_it_is_stored_as_text() -> None:
    state = struck(START, START + 1)
    assert breaker.read(breaker.write(state)) == state
    assert breaker.read(breaker.CLOSED) == Breaker() and breaker.write(Breaker()) == breaker.CLOSED
