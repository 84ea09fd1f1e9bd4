"""A 2N intercom as a lock and a directory: what the contract leaves to the brand."""

import asyncio
import traceback
from functools import partial
from typing import Any

import msgspec
import pytest

from doorward.providers.errors import (
    CodeRejected,
    DuplicateCode,
    NotAuthorized,
    NotOurs,
    Offline,
    OutcomeUnknown,
    ProviderError,
    Refused,
    Unsupported,
)
from doorward.providers.my_2n.client import TwoNClient
from doorward.providers.my_2n.codes import clean_name, owner_tag
from doorward.providers.my_2n.driver import TwoNLink
from doorward.providers.my_2n.emulator import UNI, Account, Privilege, Quirks, SwitchConfig
from doorward.providers.my_2n.intercom import _zone
from doorward.providers.reports import Issue, Written

from .world import BISTABLE, DEVICE, GUEST, MONOSTABLE, OTHER, OWNER, WORKSPACE, code, until, world

# ---------------------------------------------------------------- locks


async def test_monostable_switch_gets_a_pulse_and_falls_back() -> None:
    async with world(switch=MONOSTABLE) as w:
        moved = await w.link.unlock(w.device, 5.0)
        assert (moved.locked, moved.confirmed) == (False, True)
        assert w.requests("switch/ctrl")[-1][2] == "switch=1&action=on"
        assert (await w.link.read_device(w.device)).locked is False
        await w.clock.advance(5)
        assert (await w.link.read_device(w.device)).locked is True


async def test_bistable_switch_is_set_on_and_never_toggled() -> None:
    async with world() as w:
        for _ in range(2):
            await w.link.unlock(w.device, 5.0)
        assert {query for _, _, query in w.requests("switch/ctrl")} == {"switch=1&action=on"}
        assert w.unit.switches[1].active


async def test_locking_never_uses_the_switchs_own_lock() -> None:
    async with world(switch=MONOSTABLE) as w:
        await w.link.unlock(w.device, 5.0)
        await w.link.lock(w.device, 5.0)
        assert w.requests("switch/ctrl")[-1][2] == "switch=1&action=off"
        assert not w.unit.switches[1].active and not w.unit.switches[1].locked
        await w.link.lock(w.device, 5.0)


async def test_unlock_on_a_warm_link_is_one_request() -> None:
    async with world() as w:
        await w.link.unlock(w.device, 5.0)
        w.unit.requests.clear()
        await w.link.unlock(w.device, 5.0)
        assert w.requests() == [("POST", "/api/switch/ctrl", "switch=1&action=on")]


async def test_switch_settings_are_asked_for_again_after_a_minute_without_a_watcher() -> None:
    async with world() as w:
        await w.link.unlock(w.device, 5.0)
        w.unit.configure_switch(1, SwitchConfig(enabled=False))
        await w.clock.advance(61)
        with pytest.raises(Refused, match="is disabled on the device"):
            await w.link.unlock(w.device, 5.0)
        assert len(w.requests("switch/ctrl")) == 1, "what is known to be disabled is not sent to"


@pytest.mark.parametrize(("before", "after"), [(MONOSTABLE, BISTABLE), (BISTABLE, MONOSTABLE)])
async def test_unlocking_opens_though_the_switchs_mode_has_just_changed(
    before: SwitchConfig, after: SwitchConfig
) -> None:
    async with world(switch=before) as w:
        await w.link.unlock(w.device, 5.0)
        w.unit.configure_switch(1, after)
        w.unit.switches[1].act("on", w.unit.steady())
        w.unit.requests.clear()
        moved = await w.link.unlock(w.device, 5.0)
        assert moved.locked is False
        assert w.unit.switches[1].active, "an open door stays open"
        assert [path for _, path, _ in w.requests()] == ["/api/switch/ctrl"], "its settings were not asked for again"


@pytest.mark.parametrize(("silent", "error"), [("switch/caps", Offline), ("switch/ctrl", OutcomeUnknown)])
async def test_command_on_a_silent_device_ends_in_time_and_knows_whether_it_was_sent(
    silent: str, error: type[ProviderError]
) -> None:
    async with world() as w:
        w.unit.faults.arm("half-open", path=silent)
        with pytest.raises(error):
            await asyncio.wait_for(w.link.unlock(w.device, 0.2), 2.0)


async def test_locking_releases_a_hold() -> None:
    async with world() as w:
        w.unit.switches[1].act("hold", w.unit.steady())
        assert (await w.link.read_device(w.device)).locked is False
        moved = await w.link.lock(w.device, 5.0)
        assert moved.locked is True
        assert not w.unit.switches[1].active


@pytest.mark.parametrize(
    ("config", "action", "words"),
    [(SwitchConfig(mode="bistable"), "lock", "locked on the device"), (SwitchConfig(enabled=False), None, "disabled")],
)
async def test_switch_that_refuses_is_explained(config: SwitchConfig, action: str | None, words: str) -> None:
    async with world(switch=config) as w:
        if action:
            w.unit.switches[1].act(action, w.unit.steady())
        with pytest.raises(Refused, match=words):
            await w.link.unlock(w.device, 5.0)


async def test_disabled_switch_has_no_state() -> None:
    async with world(switch=SwitchConfig(enabled=False)) as w:
        assert (await w.link.read_device(w.device)).locked is None


async def test_another_access_switch_may_be_chosen() -> None:
    async with world() as w:
        w.secret["switch"] = 2
        w.unit.configure_switch(2, SwitchConfig(mode="bistable"))
        await w.link.unlock(w.device, 5.0)
        assert w.unit.switches[2].active and not w.unit.switches[1].active
    async with world() as w:
        w.secret["switch"] = 9
        with pytest.raises(Refused, match="no switch 9"):
            await w.link.unlock(w.device, 5.0)


# ---------------------------------------------------------------- reports


async def test_report_of_a_verso() -> None:
    async with world(zone="Europe/Prague") as w:
        report = await w.link.read_device(w.device)
    assert (report.device_type, report.manufacturer, report.model) == ("two_n_intercom", "two_n", "2N IP Verso")
    assert (report.serial_number, report.time_zone, report.issues) == (DEVICE, "Europe/Prague", ())
    assert report.code_lengths == (4, 5, 6, 7, 8)
    assert report.keeps_schedules and report.has_entry_events
    assert report.metadata == {
        "device_id": 7,
        "firmware_version": "2.50.0.76.2",
        "mac_address": "7c:1e:b3:3a:e7:ba",
        "door_switch": 1,
        "door_switch_mode": "bistable",
        "clock_skew_seconds": 0,
    }


@pytest.mark.parametrize(
    ("zone", "name", "issues"),
    [
        ("", None, (Issue.TWO_N_MISSING_TIME_ZONE,)),
        ("UTC+02:00", "Etc/GMT-2", ()),
        ("UTC-08:00", "Etc/GMT+8", ()),
        ("UTC+05:30", None, ()),
        ("UTC+14:00", "Etc/GMT-14", ()),
        ("UTC-12:00", "Etc/GMT+12", ()),
        ("Europe/Prague", "Europe/Prague", ()),
    ],
)
async def test_time_zones(zone: str, name: str | None, issues: tuple[Issue, ...]) -> None:
    async with world(zone=zone) as w:
        report = await w.link.read_device(w.device)
    assert (report.time_zone, report.issues) == (name, issues)


async def test_model_without_pins_takes_none() -> None:
    async with world(model=UNI) as w:
        report = await w.link.read_device(w.device)
        assert report.code_lengths == () and not report.keeps_schedules
        with pytest.raises(Unsupported):
            await w.link.set_code(w.device, code())
        assert w.pins() == {}


async def test_account_that_may_only_switch_still_locks_and_unlocks() -> None:
    async with world(privileges=frozenset({Privilege.SWITCH_CONTROL})) as w:
        report = await w.link.read_device(w.device)
        assert (report.locked, report.code_lengths, report.time_zone) == (True, (), None)
        await w.link.unlock(w.device, 5.0)
        with pytest.raises(NotAuthorized):
            await w.link.set_code(w.device, code())


# ---------------------------------------------------------------- codes


async def test_entry_is_written_as_the_manual_wants_it() -> None:
    async with world() as w:
        await w.link.set_code(w.device, code(starts_at=1_800_000_000_999, ends_at=1_800_000_060_001))
        entry = w.unit.directory.find(GUEST)
        assert entry is not None
        assert entry.values == {
            "name": "Guest",
            "owner": OWNER,
            "access.pin": "040718",
            "access.validFrom": "1800000000",
            "access.validTo": "1800000061",
        }


async def test_code_that_is_long_over_is_not_taken_for_one_that_never_ends() -> None:
    async with world() as w:
        await w.link.set_code(w.device, code(ends_at=0))
        entry = w.unit.directory.find(GUEST)
        assert entry is not None and entry.get("access.validTo") == "1"


@pytest.mark.parametrize(
    ("name", "cleaned"),
    [
        ("Guest", "Guest"),
        ("<b>Anna</b> / Tom", "b Anna b Tom"),
        ("  \n\t ", "Access code"),
        ("", "Access code"),
        ("x" * 80, "x" * 63),
        ("Žofie Ñandú 🚪", "Žofie Ñandú 🚪"),
    ],
)
async def test_names_are_cleaned_for_the_device_and_stay_unchanged_after(name: str, cleaned: str) -> None:
    assert clean_name(name) == cleaned
    async with world() as w:
        assert await w.link.set_code(w.device, code(name=name)) is Written.CONFIRMED
        assert await w.link.set_code(w.device, code(name=name)) is Written.UNCHANGED


def test_owner_tag_names_the_workspace() -> None:
    assert owner_tag(WORKSPACE) == OWNER


async def test_codes_of_another_workspace_are_not_ours() -> None:
    async with world() as w:
        w.put_user(GUEST, name="Guest", owner=owner_tag("ffffffff-0000"), access={"pin": "1111"})
        (found,) = (await w.link.read_codes(w.device)).codes
        assert not found.is_ours
        with pytest.raises(Refused, match="somebody else"):
            await w.link.set_code(w.device, code())


async def test_people_without_a_pin_are_no_codes_but_ours_that_lost_it_are() -> None:
    async with world() as w:
        w.put_user(OTHER, name="Card only", access={"card": ["a1b2c3d4"]})
        await w.link.set_code(w.device, code())
        w.unit.directory.update([{"uuid": GUEST, "access": {"pin": ""}}])
        (found,) = (await w.link.read_codes(w.device)).codes
        assert (found.ref, found.pin) == (GUEST, "")
        assert await w.link.set_code(w.device, code()) is Written.CONFIRMED


async def test_tombstones_are_no_codes() -> None:
    async with world() as w:
        await w.link.set_code(w.device, code())
        w.unit.directory.delete([{"uuid": GUEST}])
        assert (await w.link.read_codes(w.device)).codes == ()
        assert await w.link.set_code(w.device, code()) is Written.CONFIRMED


async def test_upper_case_uuids_are_the_same_entry() -> None:
    async with world() as w:
        w.put_user(GUEST.upper(), name="Guest", owner=OWNER, access={"pin": "1111"})
        await w.link.set_code(w.device, code("2222"))
        assert list(w.pins().values()) == ["2222"]
        await w.link.remove_code(w.device, GUEST)
        assert w.pins() == {}


async def test_large_directory_is_read_whole() -> None:
    async with world() as w:
        w.unit.directory.create(
            [{"name": f"U{n}", "access": {"pin": f"{n:06d}"}} for n in range(2000)],
            force=False,
        )
        found = (await w.link.read_codes(w.device)).codes
        assert len({one.ref for one in found}) == 2000
        assert len(w.requests("dir/query")) <= 2


async def test_directory_that_comes_in_pages_is_read_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    async with world() as w:
        w.unit.directory.create([{"access": {"pin": f"{n:04d}"}} for n in range(25)], force=False)
        whole = w.unit.directory.query

        def paged(series: str | None, since: int, fields: list[str] | None) -> dict[str, Any]:
            reply = whole(series, since, fields)
            return {**reply, "users": reply["users"][:10]}

        monkeypatch.setattr(w.unit.directory, "query", paged)
        assert len((await w.link.read_codes(w.device)).codes) == 25
        with pytest.raises(DuplicateCode):
            await w.link.set_code(w.device, code("0024"))


async def test_partial_read_raises_and_never_looks_empty() -> None:
    async with world() as w:
        await w.link.set_code(w.device, code())
        for kind in ("truncate", "http-500", "reply-lost"):
            w.unit.faults.arm(kind, path="dir/query")
            with pytest.raises(ProviderError):
                await w.link.read_codes(w.device)
            w.unit.faults.clear()
        assert len((await w.link.read_codes(w.device)).codes) == 1


async def test_duplicates_are_found_again_after_a_factory_reset() -> None:
    async with world() as w:
        await w.link.set_code(w.device, code("1111"))
        w.unit.directory.reset()
        assert await w.link.set_code(w.device, code("1111", ref=OTHER)) is Written.CONFIRMED
        with pytest.raises(DuplicateCode):
            await w.link.set_code(w.device, code("1111"))


async def test_search_for_duplicates_reads_only_what_is_new(monkeypatch: pytest.MonkeyPatch) -> None:
    async with world() as w:
        w.unit.directory.create([{"access": {"pin": f"{n:04d}"}} for n in range(50)], force=False)
        await w.link.set_code(w.device, code("776655"))
        shown: list[int] = []
        whole = w.unit.directory.query

        def spy(*asked: Any) -> dict[str, Any]:
            reply = whole(*asked)
            shown.append(len(reply["users"]))
            return reply

        monkeypatch.setattr(w.unit.directory, "query", spy)
        await w.link.set_code(w.device, code("887766", ref=OTHER))
        assert shown == [1]


async def test_two_writers_cannot_both_take_a_pin() -> None:
    async with world() as w:
        results = await asyncio.gather(
            w.link.set_code(w.device, code("1111")),
            w.link.set_code(w.device, code("1111", ref=OTHER)),
            return_exceptions=True,
        )
        assert sorted(type(r).__name__ for r in results) == ["DuplicateCode", "Written"]


@pytest.mark.parametrize("strict", [True, False])
async def test_device_that_refuses_a_pin_itself(strict: bool) -> None:
    async with world(quirks=Quirks(refuse_duplicate_pins=strict)) as w:
        if strict:
            await w.link.set_code(w.device, code("1111"))
        else:
            w.unit.faults.arm("duplicate-pin", times=1)
        with pytest.raises(DuplicateCode if strict else CodeRejected) as caught:
            await w.link.set_code(w.device, code("1111", ref=OTHER))
        assert "1111" not in caught.value.message


async def test_time_frame_that_the_device_cannot_hold() -> None:
    async with world() as w:
        with pytest.raises(CodeRejected, match="time frame"):
            await w.link.set_code(w.device, code(ends_at=9_000_000_000_000))


async def test_entry_that_appears_in_between_is_updated_when_ours_and_left_alone_when_not() -> None:
    for owner in (OWNER, "ACOM"):
        async with world() as w:
            await w.link.read_codes(w.device)
            w.unit.faults.arm("slow", path="dir/create", seconds=1)
            setting = asyncio.ensure_future(w.link.set_code(w.device, code()))
            await until(partial(w.requests, "dir/create"))
            w.put_user(GUEST, name="Other", owner=owner, access={"pin": "9999"})
            await w.clock.advance(1)
            if owner == OWNER:
                assert await setting is Written.CONFIRMED
                assert w.pins() == {GUEST: "040718"}
            else:
                with pytest.raises(Refused):
                    await setting
                assert w.pins() == {GUEST: "9999"}


async def test_lost_reply_to_a_write_is_looked_up() -> None:
    async with world() as w:
        for write in ("create", "update"):
            w.unit.faults.arm("reply-lost", path=f"dir/{write}", times=1)
            wanted = code("1111" if write == "create" else "2222")
            assert await w.link.set_code(w.device, wanted) is Written.CONFIRMED
        w.unit.faults.arm("reply-lost", path="dir/delete", times=1)
        await w.link.remove_code(w.device, GUEST)
        assert w.pins() == {}


async def test_lost_reply_that_cannot_be_looked_up_leaves_the_outcome_unknown() -> None:
    async with world() as w:
        await w.link.read_codes(w.device)
        w.unit.faults.arm("reply-lost", path="dir/create")
        setting = asyncio.ensure_future(w.link.set_code(w.device, code()))
        await until(partial(w.requests, "dir/create"))
        w.unit.faults.arm("refuse")
        with pytest.raises(OutcomeUnknown):
            await setting
        w.unit.faults.clear()
        assert await w.link.set_code(w.device, code()) is Written.UNCHANGED


async def test_write_that_cannot_be_read_back_is_accepted() -> None:
    async with world() as w:
        await w.link.set_code(w.device, code("1111", ref=OTHER))
        setting = asyncio.ensure_future(w.link.set_code(w.device, code()))
        await until(lambda: len(w.requests("dir/create")) == 2)
        w.unit.faults.arm("refuse", path="dir/get")
        assert await setting is Written.ACCEPTED


async def test_no_pin_and_no_password_is_in_any_trouble(caplog: pytest.LogCaptureFixture) -> None:
    pin = "".join(["73", "91", "55"])
    async with world() as w:
        for kind in ("http-500", "truncate", "reply-lost", "refuse", "duplicate-pin"):
            w.unit.faults.arm(kind, path="dir/", times=1 if kind == "duplicate-pin" else None)
            with pytest.raises(ProviderError) as caught:
                await w.link.set_code(w.device, code(pin))
            shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
            assert pin not in shown
            w.unit.faults.clear()
            w.unit.directory.reset()
    assert pin not in caplog.text


@pytest.mark.parametrize("zone", ["custom", "UTC+99:00", "", "../etc/passwd", None, 5, ["UTC"]])
@pytest.mark.parametrize("custom", ["UTC+99:00", "UTC-13:00", "UTC+15:00", "UTC+00:00", "UTC", "", "+2", None, 5])
def test_time_zone_that_has_no_name_is_unknown(zone: Any, custom: Any) -> None:
    assert _zone({"zone": zone, "custom": custom}).name is None


@pytest.mark.parametrize("result", ["{}", "null", "[]", '"UTC"'])
async def test_time_zone_in_an_unknown_shape_keeps_no_report_back(result: str) -> None:
    async with world() as w:
        client = w.client()

        async def send(*_: Any, **__: Any) -> Any:
            return msgspec.json.decode(result)

        client._read = send  # type: ignore[method-assign]
        assert isinstance(await client.system_timezone(), dict)
        await client.close()


# ---------------------------------------------------------------- many codes at once

MANY = [f"5c7a3f10-90ab-4d5e-8f01-0000000001{n:02x}" for n in range(50)]


async def test_many_codes_are_set_in_few_writes() -> None:
    async with world() as w:
        wanted = [code(f"77{n:04d}", ref=ref) for n, ref in enumerate(MANY)]
        assert set(await w.link.set_codes(w.device, wanted)) == {Written.CONFIRMED}
        assert len(w.requests("dir/create")) == 2
        assert w.pins() == {ref: f"77{n:04d}" for n, ref in enumerate(MANY)}
        assert set(await w.link.set_codes(w.device, wanted)) == {Written.UNCHANGED}


async def test_each_of_many_codes_has_an_outcome_of_its_own() -> None:
    async with world() as w:
        w.put_user(OTHER, name="By hand", owner="My2N", access={"pin": "8888"})
        await w.link.set_code(w.device, code("1111"))
        outcomes = await w.link.set_codes(
            w.device,
            [
                code("1111"),
                code("2222", ref=MANY[0]),
                code("3333", ref=OTHER),
                code("44x4", ref=MANY[1]),
                code("8888", ref=MANY[2]),
                code("5555", ref=MANY[3], ends_at=9_000_000_000_000),
            ],
        )
        kinds = [one if isinstance(one, Written) else type(one) for one in outcomes]
        assert kinds[0] is Written.UNCHANGED
        assert kinds[1] in (Written.CONFIRMED, Written.UNCHANGED)
        assert kinds[2:] == [NotOurs, CodeRejected, DuplicateCode, CodeRejected]
        assert w.pins() == {GUEST: "1111", MANY[0]: "2222", OTHER: "8888"}


async def test_device_that_takes_few_entries_at_once_gets_them_one_by_one() -> None:
    async with world(quirks=Quirks(max_entries_per_call=1)) as w:
        wanted = [code(f"77{n:04d}", ref=ref) for n, ref in enumerate(MANY[:3])]
        assert await w.link.set_codes(w.device, wanted) == [Written.CONFIRMED] * 3


@pytest.mark.parametrize("kind", ["reply-lost", "truncate"])
async def test_many_codes_whose_reply_is_lost_are_looked_up(kind: str) -> None:
    async with world() as w:
        w.unit.faults.arm(kind, path="dir/create", times=1)
        wanted = [code(f"77{n:04d}", ref=ref) for n, ref in enumerate(MANY[:3])]
        assert await w.link.set_codes(w.device, wanted) == [Written.UNCHANGED] * 3
        assert len(w.requests("dir/create")) == 1


async def test_one_of_many_codes_may_stay_unknown() -> None:
    async with world() as w:
        w.unit.faults.arm("http-500", path="dir/create", times=2)
        wanted = [code(f"77{n:04d}", ref=ref) for n, ref in enumerate(MANY[:3])]
        first, *rest = await w.link.set_codes(w.device, wanted)
        assert isinstance(first, OutcomeUnknown)
        assert rest == [Written.CONFIRMED] * 2


async def test_two_of_many_codes_that_share_a_pin_are_told_apart() -> None:
    async with world() as w:
        outcomes = await w.link.set_codes(w.device, [code("1111"), code("1111", ref=OTHER)])
        assert outcomes[0] is Written.CONFIRMED
        assert isinstance(outcomes[1], DuplicateCode) and outcomes[1].ref == GUEST


async def test_what_stops_all_codes_is_raised() -> None:
    async with world() as w:
        await w.link.read_device(w.device)
        wanted = [code(f"77{n:04d}", ref=ref) for n, ref in enumerate(MANY[:3])]
        w.unit.put_account(Account("jane", "1234", frozenset({Privilege.SWITCH_CONTROL})))
        with pytest.raises(NotAuthorized) as caught:
            await w.link.set_codes(w.device, wanted)
        assert caught.value.missing == "System – Control"
        await w.stop()
        with pytest.raises(Offline):
            await w.link.set_codes(w.device, wanted)


async def test_full_directory_is_each_codes_own_trouble() -> None:
    async with world(quirks=Quirks(directory_capacity=2)) as w:
        wanted = [code(f"77{n:04d}", ref=ref) for n, ref in enumerate(MANY[:3])]
        outcomes = await w.link.set_codes(w.device, wanted)
        assert len(w.pins()) == 2
        assert sorted(type(one).__name__ for one in outcomes) == ["NoRoom", "Written", "Written"]


@pytest.mark.parametrize("owner", ["", "ACOM", "My2N", OWNER.upper(), OWNER + "0"])
async def test_entries_of_others_are_left_alone_even_under_our_own_uuid(owner: str) -> None:
    async with world() as w:
        w.put_user(GUEST, name="Guest", owner=owner, access={"pin": "9999", "card": ["0A1B2C3D"]})
        before = w.unit.directory.timestamp
        for act in (
            w.link.set_code(w.device, code("9999")),
            w.link.set_code(w.device, code("1111")),
            w.link.remove_code(w.device, GUEST),
        ):
            with pytest.raises(Refused, match="somebody else"):
                await act
        (outcome,) = await w.link.set_codes(w.device, [code("1111")])
        assert isinstance(outcome, Refused)
        assert w.unit.directory.timestamp == before
        (found,) = (await w.link.read_codes(w.device)).codes
        assert (found.is_ours, found.is_claimed, found.is_kept_elsewhere) == (
            False,
            owner != "",
            owner in ("ACOM", "My2N"),
        )


async def test_other_fields_of_our_entry_survive_our_changes() -> None:
    async with world() as w:
        await w.link.set_code(w.device, code())
        w.unit.directory.update([{"uuid": GUEST, "email": "guest@example.com", "access": {"card": ["0A1B2C3D"]}}])
        entry = w.unit.directory.find(GUEST)
        assert entry is not None
        before = dict(entry.values)
        assert len(before) > 4
        await w.link.set_code(w.device, code("1111"))
        assert w.unit.directory.find(GUEST).values == {**before, "access.pin": "1111"}  # type: ignore[union-attr]


async def test_directory_that_is_replaced_while_it_is_read_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async with world() as w:
        w.unit.directory.create([{"access": {"pin": f"{n:04d}"}} for n in range(25)], force=False)
        whole = w.unit.directory.query
        asked = 0

        def paged(series: str | None, since: int, fields: list[str] | None) -> dict[str, Any]:
            nonlocal asked
            asked += 1
            reply = whole(series, since, fields)
            if asked % 2 == 0 and asked <= changes:
                reply = {**reply, "series": f"other {asked}"}
            return {**reply, "users": reply["users"][:10]}

        monkeypatch.setattr(w.unit.directory, "query", paged)
        changes = 2
        assert len((await w.link.read_codes(w.device)).codes) == 25
        asked, changes = 0, 1000
        with pytest.raises(Refused, match="changes faster"):
            await w.link.read_codes(w.device)


async def test_link_that_is_closed_while_it_connects_keeps_no_client() -> None:
    made: list[TwoNClient] = []
    ready, go = asyncio.Event(), asyncio.Event()
    async with world() as w:

        async def connect(_ref: str, _login: Any) -> TwoNClient:
            ready.set()
            await go.wait()
            made.append(w.client())
            return made[0]

        link = TwoNLink(WORKSPACE, {w.device: w.secret}, connect, w.clock)
        going = asyncio.ensure_future(link.unlock(w.device, 5.0))
        await ready.wait()
        await link.close()
        go.set()
        with pytest.raises(Offline):
            await going
        assert made[0]._is_closed and not w.unit.requests
