"""What an intercom says of itself: its clock, its firmware, its access switch, and what old ones leave out."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from doorward.providers.errors import Refused
from doorward.providers.my_2n import facts
from doorward.providers.my_2n.emulator import UNI, VERSO, Account, Privilege, Quirks, SwitchConfig
from doorward.providers.my_2n.emulator.switches import Switch
from doorward.providers.my_2n.emulator.table import FUNCTIONS
from doorward.providers.reports import DeviceReport, Issue

from .world import MONOSTABLE, World, until, watching, world

OLD = replace(VERSO, sw_version="2.16.0.25.3")
OLD_QUIRKS = Quirks(status_shows_locks=False, numbers_in_switch_events=True, history=500)
NOT_YET_THEN = ("/api/dir/", "/api/system/timezone", "/api/accesspoint/")


@pytest.fixture
def old_firmware(monkeypatch: pytest.MonkeyPatch) -> None:
    """Functions that came later do not exist, and states are numbers."""
    for path in [path for path in FUNCTIONS if path.startswith(NOT_YET_THEN)]:
        monkeypatch.delitem(FUNCTIONS, path)
    of_today = Switch.status

    def with_numbers(self: Switch, now: int) -> dict[str, Any]:
        return {name: int(value) for name, value in of_today(self, now).items()}

    monkeypatch.setattr(Switch, "status", with_numbers)


async def report_of(w: World) -> DeviceReport:
    return await w.link.read_device(w.device)


# ---------------------------------------------------------------- the clock


@pytest.mark.parametrize(
    ("offset_s", "told", "is_wrong"),
    [(0, 0, False), (4, 0, False), (-4, 0, False), (12, 10, False), (58, 60, False), (-64, -65, True),
     (10_800, 10_800, True), (-3599, -3600, True)],
)  # fmt: skip
async def test_a_clock_that_is_wrong_is_told_coarsely(offset_s: int, told: int, is_wrong: bool) -> None:
    async with world() as w:
        w.unit.time.offset_s = offset_s
        report = await report_of(w)
    assert report.clock_skew_s == report.metadata["clock_skew_seconds"] == told
    assert (Issue.CLOCK_WRONG in report.issues) is is_wrong


async def test_a_skew_that_jitters_is_no_news_and_one_that_grows_is() -> None:
    async with world() as w:
        w.unit.time.offset_s = 61
        first = await report_of(w)
        for offset_s in (60, 59, 62, 64, 57):
            w.unit.time.offset_s = offset_s
            assert await report_of(w) == first
        w.unit.time.offset_s = 90
        assert (await report_of(w)).clock_skew_s == 90
        w.unit.time.offset_s = 0
        assert (await report_of(w)).clock_skew_s == 0


async def test_a_slow_answer_does_not_make_a_right_clock_wrong() -> None:
    async with world() as w:
        w.unit.faults.arm("slow", path="system/status", times=1, seconds=8)
        asked = asyncio.ensure_future(report_of(w))
        await until(lambda: w.requests("system/status"))
        for _ in range(8):
            await w.clock.advance(1)
        report = await asyncio.wait_for(asked, 5)
    assert report.clock_skew_s == 0


@pytest.mark.parametrize(
    ("system_s", "before_ms", "after_ms", "skew_s"),
    [
        (1000, 1_000_000, 1_000_000, 0),
        (1000, 1_000_999, 1_000_999, 0),
        (1000, 1_001_500, 1_001_500, -1),
        (1000, 990_000, 1_010_000, 0),
        (1030, 990_000, 1_010_000, 30),
        (None, 0, 0, None),
        ("1000", 0, 0, None),
        (True, 0, 0, None),
    ],
)
def test_skew_is_measured_between_bounds(system_s: Any, before_ms: int, after_ms: int, skew_s: int | None) -> None:
    assert facts.clock_skew(system_s, before_ms, after_ms) == skew_s


async def test_a_clock_that_is_not_told_is_left_out() -> None:
    async with world(privileges=frozenset({Privilege.SWITCH_CONTROL})) as w:
        w.unit.time.offset_s = 10_000
        report = await report_of(w)
    assert report.clock_skew_s is None
    assert "clock_skew_seconds" not in report.metadata
    assert report.issues == (Issue.TWO_N_DIRECTORY_UNAVAILABLE,)


# ---------------------------------------------------------------- the access switch


async def test_the_access_switch_is_described() -> None:
    async with world(switch=MONOSTABLE) as w:
        report = await report_of(w)
        shown = {name: value for name, value in report.metadata.items() if name.startswith("door_switch")}
        assert shown == {"door_switch": 1, "door_switch_mode": "monostable", "door_switch_pulse_seconds": 5}


@pytest.mark.parametrize("number", [2, 9])
async def test_a_switch_that_cannot_open_the_door_is_an_issue_and_not_the_end_of_the_report(number: int) -> None:
    async with world(model=UNI if number == 9 else VERSO) as w:
        w.secret["switch"] = number
        if number == 2:
            w.unit.configure_switch(2, SwitchConfig(enabled=False))
        report = await report_of(w)
        assert report.locked is None
        assert Issue.TWO_N_SWITCH_UNAVAILABLE in report.issues
        assert report.metadata["door_switch"] == number and "door_switch_mode" not in report.metadata


async def test_door_is_not_known_to_be_open_or_closed_before_it_first_moves() -> None:
    async with world() as w, watching(w) as watch:
        assert (await watch.state()).report.door_open is None
        w.unit.set_input(w.unit.door.config.contact or "", True)
        await watch.next()
        assert (await report_of(w)).door_open is True


# ---------------------------------------------------------------- firmware


@pytest.mark.usefixtures("old_firmware")
async def test_old_firmware_is_read_as_far_as_it_goes() -> None:
    async with world(model=OLD, quirks=OLD_QUIRKS) as w:
        report = await report_of(w)
        assert report.locked is True
        assert (report.code_lengths, report.keeps_schedules, report.time_zone) == ((), False, None)
        assert report.issues == (Issue.TWO_N_FIRMWARE_OUTDATED,)
        assert report.metadata["firmware_version"] == "2.16.0.25.3"
        assert (await w.link.unlock(w.device, 5.0)).locked is False
        assert (await report_of(w)).locked is False
        async with watching(w) as watch:
            assert (await watch.state()).report.issues == report.issues


@pytest.mark.parametrize(
    ("version", "is_outdated"),
    [("2.34.9.1", True), ("2.35.0.0", False), ("2.50.0.76.2", False), ("3.3", False), ("1.15.7", True),
     (None, False), ("", False), ("two", False), ("9" * 5000 + ".1", False)],
)  # fmt: skip
def test_firmware_before_2_35_is_outdated(version: str | None, is_outdated: bool) -> None:
    assert facts.is_outdated(version) is is_outdated


async def test_model_without_pins_is_not_taken_for_an_old_one() -> None:
    async with world(model=UNI) as w:
        report = await report_of(w)
    assert report.issues == ()
    assert (report.code_lengths, report.keeps_schedules) == ((), False)


async def test_directory_that_the_account_may_not_read_is_told_until_it_may_again() -> None:
    async with world() as w:
        assert (await report_of(w)).code_lengths
        w.unit.put_account(Account("jane", "1234", frozenset({Privilege.SWITCH_CONTROL, Privilege.SYSTEM_MONITORING})))
        await w.clock.advance(61)  # what was read is kept for a minute
        report = await report_of(w)
        assert (report.code_lengths, report.issues) == ((), (Issue.TWO_N_DIRECTORY_UNAVAILABLE,))
        w.unit.put_account(Account("jane", "1234"))
        report = await report_of(w)
        assert report.code_lengths and report.issues == ()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("7C-1E-B3-09-00-2A", "7c:1e:b3:09:00:2a"),
        ("7c:1e:b3:09:00:2a", "7c:1e:b3:09:00:2a"),
        ("7C1EB309002A", "7c:1e:b3:09:00:2a"),
        ("7C-1E-B3", None),
        ("<script>", None),
        (None, None),
        (42, None),
    ],
)
def test_mac_addresses_are_written_one_way(text: Any, shown: str | None) -> None:
    assert facts.mac_address(text) == shown


async def test_answers_of_the_wrong_kind_do_not_end_the_report(monkeypatch: pytest.MonkeyPatch) -> None:
    odd = {"swVersion": 7, "macAddr": ["x"], "deviceName": None, "variant": {}, "serialNumber": 3}
    monkeypatch.setitem(FUNCTIONS["/api/system/info"].run, "GET", lambda _call: dict(odd))
    monkeypatch.setitem(FUNCTIONS["/api/system/status"].run, "GET", lambda _call: {"systemTime": "noon"})
    async with world() as w:
        report = await report_of(w)
    assert (report.name, report.serial_number, report.clock_skew_s) == ("2N IP intercom", None, None)
    assert "mac_address" not in report.metadata and "firmware_version" not in report.metadata


async def test_switch_that_is_gone_cannot_be_moved() -> None:
    async with world(model=UNI) as w:
        w.secret["switch"] = 2
        with pytest.raises(Refused, match="no switch 2"):
            await w.link.unlock(w.device, 5.0)
