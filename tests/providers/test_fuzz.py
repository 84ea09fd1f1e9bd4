"""Whatever a device says, the driver neither crashes nor says more than it should."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from doorward.providers.events import (
    AccessDenied,
    DeviceEvent,
    LetIn,
    LockMoved,
)
from doorward.providers.my_2n.client import TwoNClient
from doorward.providers.my_2n.codes import clean_name
from doorward.providers.my_2n.digest import Login, choose, parse_challenges
from doorward.providers.my_2n.events import NAMES, Translator
from doorward.providers.my_2n.intercom import Switch
from doorward.providers.reports import FoundCode, WantedCode, Written

from .world import GUEST, MONOSTABLE, OTHER, code, world

NOW = 1_790_000_000_500

junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
params = st.fixed_dictionaries(
    {},
    optional={
        "session": junk | st.integers(0, 3),
        "switch": junk | st.just(1),
        "state": junk | st.sampled_from(["in", "opened", "closed", "startup", True, False, 0, 1]),
        "originator": junk | st.sampled_from(["api", "ap", "auth", "rex"]),
        "uuid": junk | st.just(GUEST),
        "code": st.just("40718293"),
        "valid": junk | st.booleans(),
        "reason": junk | st.sampled_from(["invalidTime", "invalidCredential"]),
        "key": junk | st.just("%1"),
        "enabled": junk,
    },
)
lines = st.fixed_dictionaries(
    {"event": st.sampled_from(NAMES) | junk},
    optional={
        "id": junk | st.integers(1, 9),
        "params": params | junk,
        "utcTime": junk | st.integers(0, 2**40),
        "upTime": junk,
        "tzShift": junk,
    },
)
batches = st.lists(st.lists(lines, max_size=6), max_size=4)


@given(batches, st.booleans(), st.integers(-(10**6), 10**6))
def test_any_events_are_told_in_the_contracts_words_or_passed_over(
    told: list[list[dict[str, Any]]], is_bistable: bool, skew_s: int
) -> None:
    translator = Translator(1)
    events: list[DeviceEvent] = []
    for batch in [*told, [], []]:
        switch = Switch(is_enabled=True, is_bistable=is_bistable, pulse_s=5)
        events += translator.translate(batch, boot="b", switch=switch, skew_s=skew_s, now=NOW).events
    assert not translator.is_waiting, "what is held back is so for one batch at most"
    for event in events:
        assert event.key.startswith("b:") and 0 <= event.occurred_at <= NOW
        assert "40718293" not in repr(event)
        if isinstance(event, (LockMoved, LetIn, AccessDenied)):
            assert event.code_ref in (None, GUEST) or set(event.code_ref or "") <= set("0123456789abcdefABCDEF-")
        if isinstance(event, AccessDenied):
            assert event.reason.isalpha()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(lines, max_size=8))
async def test_any_events_leave_the_watcher_alive(told: list[dict[str, Any]]) -> None:
    async with world(switch=MONOSTABLE) as w:
        events = w.link.watch(w.device)
        await anext(events)
        for event in told:
            if isinstance(event["event"], str) and isinstance(event.get("params"), dict):
                w.unit.report(event["event"], event["params"])
        w.unit.ring(7)
        while getattr(await anext(events), "button", None) != "7":
            pass
        await events.aclose()


@given(st.lists(st.text(max_size=60) | st.from_regex(r'(Digest|Basic) (\w+=("[^"]*"|\w+),? ?){1,5}', fullmatch=True)))
def test_any_challenge_is_answered_or_not(headers: list[str]) -> None:
    login = Login("jané", "1234")
    login.adopt(choose(parse_challenges(headers)))
    header = login.header("GET", "/api/x?y=ž")
    assert header is None or (header.isprintable())


@given(st.text())
def test_names_fit_and_are_cleaned_for_good(name: str) -> None:
    cleaned = clean_name(name)
    assert 1 <= len(cleaned) <= 63 and cleaned.isprintable() and not set("<>/") & set(cleaned)
    assert clean_name(cleaned) == cleaned


moments = st.none() | st.integers(0, 4_102_444_800_000)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.tuples(st.from_regex(r"[0-9]{2,15}", fullmatch=True), st.text(max_size=70), moments, moments),
        min_size=1,
        max_size=4,
        unique_by=lambda one: one[0],
    )
)
async def test_what_is_set_is_what_is_read(codes: list[tuple[str, str, int | None, int | None]]) -> None:
    wanted = [
        WantedCode("c", f"5c7a3f10-90ab-4d5e-8f01-{n:012x}", name, pin, start, end)
        for n, (pin, name, start, end) in enumerate(codes)
    ]
    async with world() as w:
        for one in wanted:
            assert await w.link.set_code(w.device, one) is Written.CONFIRMED
            assert await w.link.set_code(w.device, one) is Written.UNCHANGED
        found = {one.ref: one for one in (await w.link.read_codes(w.device)).codes}
        for one in wanted:
            there = found[one.ref]
            assert (there.is_ours, there.pin, there.name) == (True, one.pin, clean_name(one.name))
            assert (there.starts_at or 0) <= (one.starts_at or 0) < (there.starts_at or 0) + 1000
            assert (there.ends_at is None) == (one.ends_at is None)
            if there.ends_at is not None and one.ends_at is not None:
                assert one.ends_at <= there.ends_at <= max(1000, one.ends_at + 999)


rows = st.fixed_dictionaries(
    {},
    optional={
        "uuid": junk | st.just(OTHER),
        "name": junk,
        "owner": junk,
        "deleted": junk,
        "timestamp": junk,
        "errors": junk,
        "access": junk
        | st.fixed_dictionaries({}, optional={"pin": junk | st.just("1"), "validFrom": junk, "validTo": junk}),
    },
)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(rows, max_size=3) | junk,
    st.fixed_dictionaries({}, optional={"series": junk, "timestamp": junk, "invalid": junk}),
)
async def test_any_directory_is_read_whole_or_refused(users: Any, rest: dict[str, Any]) -> None:
    from doorward.providers.errors import ProviderError

    async def query(self: TwoNClient, *_: Any, **__: Any) -> dict[str, Any]:
        return {**rest, "users": users}

    async with world() as w:
        whole = TwoNClient.dir_query
        TwoNClient.dir_query = query  # type: ignore[method-assign]
        try:
            found = (await w.link.read_codes(w.device)).codes
            assert all(isinstance(one, FoundCode) and isinstance(one.pin, str) for one in found)
            assert all((one.ends_at or 0) < 2**43 and (one.starts_at or 0) < 2**43 for one in found)
            await w.link.set_code(w.device, code())
        except ProviderError:
            pass
        finally:
            TwoNClient.dir_query = whole  # type: ignore[method-assign]
