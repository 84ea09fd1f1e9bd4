"""2N's words and what they become. No device, no time."""

from typing import Any

import pytest

from doorward.providers.events import (
    AccessDenied,
    Alarm,
    AlarmChanged,
    DeviceEvent,
    LetIn,
    LockMoved,
    Method,
    Noted,
)
from doorward.providers.my_2n.events import Translated, Translator, occurred_at
from doorward.providers.my_2n.intercom import Switch

MONOSTABLE = Switch(is_enabled=True, is_bistable=False, pulse_s=5)
BISTABLE = Switch(is_enabled=True, is_bistable=True, pulse_s=5)
NOW = 1_790_000_000_500
UUID = "5c7a3f10-90ab-4d5e-8f01-2233445566aa"


def line(number: int, event: str, up: int = 100, **params: Any) -> dict[str, Any]:
    return {
        "id": number,
        "utcTime": 1_790_000_000,
        "upTime": up,
        "tzShift": 0,
        "event": event,
        "params": params,
    }


def translate(translator: Translator, *batch: dict[str, Any], switch: Switch = MONOSTABLE) -> Translated:
    return translator.translate(list(batch), boot="b", switch=switch, skew_s=0, now=NOW)


def everything(*batch: dict[str, Any], switch: Switch = MONOSTABLE) -> list[DeviceEvent]:
    translator = Translator(1)
    first = translate(translator, *batch, switch=switch).events
    return first + translate(translator, switch=switch).events


def events(*batch: dict[str, Any], switch: Switch = MONOSTABLE) -> list[DeviceEvent]:
    return [event for event in everything(*batch, switch=switch) if not isinstance(event, Noted)]


def noted(*batch: dict[str, Any]) -> list[tuple[str, Any]]:
    return [(event.name, event.data) for event in everything(*batch) if isinstance(event, Noted)]


def switched(number: int, state: Any, originator: str, up: int = 100, **more: Any) -> dict[str, Any]:
    return line(number, "SwitchStateChanged", up, switch=1, state=state, originator=originator, **more)


@pytest.mark.parametrize(
    ("originator", "method"),
    [
        ("api", "remote"),
        ("rex", "manual"),
        ("uni", "keycode"),
        ("profile", "automatic"),
        ("automation", "automatic"),
        ("zone", "automatic"),
        ("idt", "unknown"),
        ("dtmf", "unknown"),
        ("something new", "unknown"),
    ],
)
@pytest.mark.parametrize("state", [True, 1])
def test_originators(originator: str, method: Method, state: Any) -> None:
    assert events(switched(7, state, originator)) == [LockMoved("b:7", NOW, locked=False, method=method)]


def test_pin_opens_and_says_whose_it_was() -> None:
    told = events(
        line(1, "CodeEntered", ap=0, session=3, code="040718", type="user", uuid=UUID, valid=True),
        line(2, "UserAuthenticated", ap=0, session=3, name="Guest", uuid=UUID),
        switched(3, True, "ap", ap=0, session=3),
    )
    assert told == [LockMoved("b:3", NOW, locked=False, method="keycode", code_ref=UUID, entry="b:2:entry")]
    assert "040718" not in repr(told)


def test_card_opens_and_says_whose_it_was() -> None:
    told = events(
        line(1, "CardEntered", ap=0, session=3, uid="a1b2c3", reader="ext7", uuid="", valid=True),
        line(2, "UserAuthenticated", ap=0, session=3, name="Guest", uuid=UUID),
        switched(3, True, "ap", ap=0, session=3),
    )
    assert told == [LockMoved("b:3", NOW, locked=False, method="card", code_ref=UUID, entry="b:2:entry")]


def test_account_that_does_not_see_the_entry_still_learns_of_the_door() -> None:
    assert events(switched(3, True, "ap", session=9)) == [LockMoved("b:3", NOW, locked=False, method="unknown")]


def entry(number: int, session: int, uuid: str = UUID) -> list[dict[str, Any]]:
    """A PIN that is accepted: two lines."""
    return [
        line(number, "CodeEntered", session=session, code="040718", uuid=uuid, valid=True),
        line(number + 1, "UserAuthenticated", session=session, name="Guest", uuid=uuid),
    ]


def let_in(number: int, uuid: str = UUID, method: Method = "keycode") -> LetIn:
    return LetIn(f"b:{number}:entry", NOW, method, uuid)


def test_whoever_comes_while_the_door_is_open_is_told_of_too() -> None:
    assert events(*entry(1, 3)) == [let_in(2)]
    assert events(*entry(1, 3), *entry(3, 4, "b" * 8), switched(5, False, "ap", 105, session=3)) == [
        let_in(2),
        let_in(4, "b" * 8),
        LockMoved("b:5", NOW, locked=True, method="automatic"),
    ]
    card = line(1, "CardEntered", session=3, uid="a1b2c3", uuid=UUID, valid=True)
    assert events(card, entry(1, 3)[1]) == [let_in(2, method="card")]


def test_a_pulse_that_ends_after_an_entry_does_not_speak_for_it() -> None:
    told = events(switched(1, True, "api"), *entry(2, 3), switched(4, False, "ap", 105, session=3))
    assert [type(e) for e in told] == [LockMoved, LetIn, LockMoved]


@pytest.mark.parametrize("switch", [MONOSTABLE, BISTABLE])
def test_a_switch_that_moves_a_moment_later_is_waited_for(switch: Switch) -> None:
    translator = Translator(1)
    assert translate(translator, *entry(1, 3), switch=switch).events == []
    assert translator.is_waiting
    assert translate(translator, switched(3, True, "ap", session=3), switch=switch).events == [
        LockMoved("b:3", NOW, locked=False, method="keycode", code_ref=UUID, entry="b:2:entry")
    ]
    assert not translator.is_waiting


def test_a_switch_that_moves_much_later_says_for_which_entry() -> None:
    translator = Translator(1)
    translate(translator, *entry(1, 3))
    assert translate(translator).events == [let_in(2)]
    (moved,) = translate(translator, switched(3, True, "ap", session=3)).events
    assert isinstance(moved, LockMoved) and moved.entry == "b:2:entry"


def test_entries_are_told_in_their_order() -> None:
    translator = Translator(1)
    assert translate(translator, *entry(1, 3)).events == []
    then = translate(translator, *entry(3, 4, "b" * 8), switched(5, False, "api")).events
    assert [e.key for e in then] == ["b:2:entry", "b:4:entry", "b:5"]


def test_a_code_that_locks_a_latch_or_opens_another_door_unlocks_nothing() -> None:
    locks = events(*entry(1, 3), switched(3, False, "ap", session=3), switch=BISTABLE)
    assert locks == [LockMoved("b:3", NOW, locked=True, method="keycode", code_ref=UUID)]
    other = line(3, "SwitchStateChanged", switch=2, state=True, originator="ap", session=3)
    assert events(*entry(1, 3), other) == []


def test_whoever_is_known_and_refused_after_all_was_not_let_in() -> None:
    locked = line(3, "UserRejected", session=3, uuid=UUID, reason="switchLocked")
    assert events(*entry(1, 3), locked) == [AccessDenied("b:3", NOW, "switchLocked", UUID)]


def test_an_entry_that_is_held_back_outlives_a_boot() -> None:
    translator = Translator(1)
    translate(translator, *entry(1, 3))
    translator.reset()
    assert translate(translator, line(1, "DeviceState", state="startup")).events[0] == let_in(2)


def test_an_acceptance_without_a_session_is_none_that_can_be_followed() -> None:
    assert events(line(1, "UserAuthenticated", name="Guest", uuid=UUID)) == []


def test_other_switches_are_not_the_door() -> None:
    assert events(line(1, "SwitchStateChanged", switch=2, state=True, originator="api")) == []


def test_pulse_that_ends_locks_by_itself_and_one_that_is_cut_short_does_not() -> None:
    assert [e.method for e in events(switched(1, True, "api", 100), switched(2, False, "api", 105))] == [  # type: ignore[attr-defined]
        "remote",
        "automatic",
    ]
    assert [e.method for e in events(switched(1, True, "api", 100), switched(2, False, "api", 101))] == [  # type: ignore[attr-defined]
        "remote",
        "remote",
    ]
    assert events(switched(2, False, "ap"))[0] == LockMoved("b:2", NOW, locked=True, method="automatic")


def test_bistable_switch_is_locked_by_whoever_did_it() -> None:
    assert events(switched(1, False, "api"), switch=BISTABLE) == [LockMoved("b:1", NOW, locked=True, method="remote")]


REFUSED = line(1, "CodeEntered", session=3, code="9999", uuid="", valid=False)
WHY = line(2, "UserRejected", session=3, name="", uuid=UUID, reason="invalidTime")


def test_refused_entry_is_told_once_with_its_reason() -> None:
    assert events(REFUSED, WHY) == [AccessDenied("b:1", NOW, "invalidTime", UUID)]
    assert events(WHY) == [AccessDenied("b:2", NOW, "invalidTime", UUID)]


def test_reason_that_comes_a_moment_later_is_waited_for() -> None:
    translator = Translator(1)
    assert translate(translator, REFUSED).events == []
    waiting = [translator.is_waiting]
    assert translate(translator, WHY).events == [AccessDenied("b:1", NOW, "invalidTime", UUID)]
    assert [*waiting, translator.is_waiting] == [True, False]
    assert translate(translator).events == []


def test_firmware_that_gives_no_reason_is_told_of_too_and_not_twice() -> None:
    translator = Translator(1)
    translate(translator, REFUSED)
    assert translate(translator).events == [AccessDenied("b:1", NOW, "invalidCredential", None)]
    assert translate(translator, WHY).events == []


def test_valid_entry_that_is_rejected_after_all() -> None:
    valid = line(1, "CodeEntered", session=3, code="1", uuid=UUID, valid=True)
    assert events(valid, WHY) == [AccessDenied("b:2", NOW, "invalidTime", UUID)]


@pytest.mark.parametrize("reason", ["PIN 9999 <x>", "9999", "", None, ["invalidTime"], "x" * 41])
def test_reason_is_a_word(reason: Any) -> None:
    strange = line(2, "UserRejected", session=3, reason=reason)
    assert events(strange) == [AccessDenied("b:2", NOW, "invalidCredential", None)]


def test_names_of_users_are_uuids_or_nothing() -> None:
    for uuid in ("", "\x00", "Robert'); --", 5, None, "a" * 65):
        assert events(line(2, "UserRejected", session=3, uuid=uuid, reason="apbBroken"))[0].code_ref is None  # type: ignore[attr-defined]


def test_doors_bells_and_tampering() -> None:
    told = events(
        line(1, "DoorStateChanged", state="opened"),
        line(2, "DoorStateChanged", state="closed"),
        line(3, "KeyPressed", key="%12"),
        line(4, "KeyPressed", key="5"),
        line(5, "KeyReleased", key="%12"),
        line(6, "TamperSwitchActivated", state="in"),
        line(7, "TamperSwitchActivated", state="out"),
    )
    assert [(type(e).__name__, e.key) for e in told] == [
        ("DoorMoved", "b:1"),
        ("DoorMoved", "b:2"),
        ("DoorbellRang", "b:3"),
        ("Tampered", "b:6"),
    ]
    assert told[2].button == "12"  # type: ignore[attr-defined]


def test_many_changes_of_the_directory_are_one() -> None:
    told = events(*(line(n, "DirectoryChanged", series="1", timestamp=n) for n in range(1, 9)))
    assert [(type(e).__name__, e.key) for e in told] == [("CodesChanged", "b:8")]


@pytest.mark.parametrize(
    ("event", "is_stale"),
    [
        (line(1, "ConfigurationChanged"), True),
        (line(1, "CapabilitiesChanged"), True),
        (line(1, "DeviceState", state="startup"), True),
        (line(1, "SwitchOperationChanged", switch=1, enabled=False), True),
        (line(1, "SwitchOperationChanged", switch=2, enabled=False), False),
        (line(1, "SwitchOperationChanged", switch=1, locked=True), False),
        (line(1, "MotionDetected", state="in"), False),
    ],
)
def test_what_makes_the_state_stale(event: dict[str, Any], is_stale: bool) -> None:
    assert translate(Translator(1), event).is_stale is is_stale


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"id": 1, "event": "SwitchStateChanged"},
        {"id": 1, "event": 5, "params": {}},
        {"id": 1, "event": "SwitchStateChanged", "params": []},
        {"id": 1, "event": "UserAuthenticated", "params": {"session": "x"}},
        {"id": 1, "event": "KeyPressed", "params": {"key": None}},
        {"id": 1, "event": "KeyPressed", "params": {"key": "%²"}},
        {"id": 1, "event": "SwitchStateChanged", "params": {"switch": 1, "state": "false"}},
        {"id": 1, "event": "SwitchStateChanged", "params": {"switch": 1}},
        {"id": [], "event": "CodeEntered", "params": {"session": {}, "valid": None}},
    ],
)
def test_strange_events_are_passed_over(event: dict[str, Any]) -> None:
    assert events(event) == []


def test_sessions_are_forgotten_in_the_end() -> None:
    translator = Translator(1)
    for number in range(1000):
        translate(translator, line(number, "CardEntered", session=number, uuid=UUID, valid=True))
    assert len(translator._sessions) <= 64


def test_moments_are_ours_and_within_the_devices_second() -> None:
    told = {"utcTime": 1_790_000_000}
    assert occurred_at(told, skew_s=0, now=1_790_000_000_300) == 1_790_000_000_300
    assert occurred_at(told, skew_s=0, now=1_790_000_060_000) == 1_790_000_000_999
    assert occurred_at(told, skew_s=0, now=1_789_999_999_000) == 1_789_999_999_000, "never later than now"
    assert occurred_at(told, skew_s=7200, now=1_789_992_800_100) == 1_789_992_800_100
    assert occurred_at({"utcTime": -(10**30)}, skew_s=0, now=5) == 0
    assert occurred_at({"utcTime": 10**30}, skew_s=0, now=5) == 5
    assert occurred_at({}, skew_s=0, now=5) == 5


# ---------------------------------------------------------------- alarms and notes


@pytest.mark.parametrize(
    ("name", "params", "alarm"),
    [
        ("UnauthorizedDoorOpen", {}, Alarm.DOOR_FORCED),
        ("DoorOpenTooLong", {}, Alarm.DOOR_HELD_OPEN),
        ("SwitchesBlocked", {}, Alarm.SWITCHES_BLOCKED),
        ("AccessBlocked", {"ap": 0}, Alarm.ACCESS_BLOCKED),
        ("ApLockStateChanged", {"ap": 0}, Alarm.ACCESS_BLOCKED),
    ],
)
@pytest.mark.parametrize(("state", "is_on"), [("in", True), ("out", False), (1, True), (False, False)])
def test_alarms_begin_and_end(name: str, params: dict[str, Any], alarm: Alarm, state: Any, is_on: bool) -> None:
    assert events(line(4, name, state=state, **params)) == [AlarmChanged("b:4", NOW, alarm, is_on)]
    assert noted(line(4, name, state=state, **params)) == [(name, {**params, "state": state})]


def test_an_alarm_in_words_of_another_kind_is_none() -> None:
    assert events(line(1, "DoorOpenTooLong"), line(2, "DoorOpenTooLong", state=["in"])) == []
    assert events(line(1, "AccessBlocked", ap=1, state="in")) == [], "the way out is not the door"


def test_what_has_no_other_word_is_noted_and_what_nobody_knows_is_not() -> None:
    assert noted(
        line(1, "RexActivated", ap=1, session=4),
        line(2, "LoginBlocked", address="10.0.0.9"),
        line(3, "SwitchStateChanged", switch=2, state=True, originator="api"),
        line(4, "SwitchStateChanged", switch=1, state=True, originator="api"),
        line(5, "CallStateChanged", direction="outgoing", state="ringing", peer="sip:4@pbx", session=1, call=2),
        line(6, "SomethingNew", state="in"),
    ) == [
        ("RexActivated", {"ap": 1}),
        ("LoginBlocked", {"address": "10.0.0.9"}),
        ("SwitchStateChanged", {"switch": 2, "state": True, "originator": "api"}),
        ("CallStateChanged", {"direction": "outgoing", "state": "ringing", "peer": "sip:4@pbx"}),
    ]


def test_no_note_holds_a_secret() -> None:
    secret = "40" + "718"
    told = everything(
        line(1, "DtmfEntered", code=secret, type="user", valid=True, call=1),
        line(2, "CodeEntered", ap=0, session=1, code=secret, valid=True, uuid=UUID),
        line(3, "CardEntered", ap=0, session=2, uid=secret, valid=True, uuid=UUID),
        line(4, "MobKeyEntered", ap=0, session=3, authid=secret, valid=True),
        line(5, "CallStateChanged", state="ringing", peer=f"sip:me:{secret}@pbx", code=secret),
        line(6, "AccessLimited", ap=0, type="code", state="in", code=secret, uid=secret, fpt=secret),
        *(line(7 + i, "KeyPressed", key=key) for i, key in enumerate(secret)),
        line(20, "DtmfPressed", digit=secret),
        line(21, "ErrorStateChanged", state={"code": secret}, reason="\n" + secret),
    )
    assert [type(event).__name__ for event in told] == ["Noted"] * 4
    assert secret not in repr(told)


def test_boots_that_have_no_name_are_told_apart_by_time() -> None:
    told = Translator(1).translate([switched(7, 1, "api")], boot="", switch=BISTABLE, skew_s=0, now=NOW)
    assert [event.key for event in told.events] == ["@1790000000:7"]
