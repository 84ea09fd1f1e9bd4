"""What every brand's link must do, run for each brand over each of its wires.

A brand joins by a `Rig`: how a person at the device would see and change it.
"""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from doorward.providers.base import (
    Link,
    Locks,
    ProgramsCodes,
    Watches,
)
from doorward.providers.errors import (
    CodeRejected,
    DuplicateCode,
    NoRoom,
    NotAuthorized,
    Offline,
    OutcomeUnknown,
    ProviderError,
    Refused,
)
from doorward.providers.events import AccessDenied, LockMoved, StateRead
from doorward.providers.reports import Written

from .world import GUEST, OTHER, code, within, world

STRANGER = "11111111-2222-4333-8444-555555555555"


@dataclass
class Rig:
    """A link and the world behind it."""

    link: Any
    device: str
    is_locked: Callable[[], bool]
    pins: Callable[[], dict[str, str]]
    """Handle → PIN, of everybody's codes."""
    add_foreign: Callable[[str, str, str], None]
    """Somebody else puts a code on the device: handle, PIN, whose it is."""
    change_password: Callable[[], None]
    go_offline: Callable[[], Awaitable[None]]
    fill_up: Callable[[], object]
    spoil: Callable[[], object]
    """From now on its answers break off in the middle."""
    lose_answer: Callable[[], object]
    """It carries out the next command, and the line breaks."""
    moves: Callable[[], int]
    """How often the door was locked or unlocked."""
    enter: Callable[[str], object]
    """Somebody enters a PIN."""


@contextlib.asynccontextmanager
async def two_n(wire: str) -> AsyncIterator[Rig]:
    from doorward.providers.my_2n.emulator import Account

    async with world(wire) as w:
        yield Rig(
            w.link,
            w.device,
            lambda: not w.unit.switches[1].active,
            w.pins,
            lambda ref, pin, owner: w.put_user(ref, name="By hand", owner=owner, access={"pin": pin}),
            lambda: w.unit.put_account(Account("jane", "changed")),
            w.stop,
            lambda: w.unit.faults.arm("directory-full"),
            lambda: w.unit.faults.arm("truncate"),
            lambda: w.unit.faults.arm("reply-lost", path="switch/ctrl", times=1),
            lambda: sum(event.name == "SwitchStateChanged" for event in w.unit.log.events),
            lambda pin: w.unit.press_keys(f"{pin}*"),
        )


RIGS: dict[str, Callable[[], contextlib.AbstractAsyncContextManager[Rig]]] = {
    "my_2n in process": lambda: two_n("in-process"),
    "my_2n on a socket": lambda: two_n("socket"),
    "my_2n over TLS": lambda: two_n("tls"),
}


@pytest.fixture(params=RIGS)
async def rig(request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    async with RIGS[request.param]() as ready:
        yield ready


async def test_link_is_what_the_contract_names(rig: Rig) -> None:
    link: Link = rig.link
    assert isinstance(link, Locks) and isinstance(link, ProgramsCodes) and isinstance(link, Watches)


async def test_report_tells_who_and_how_the_device_is(rig: Rig) -> None:
    report = await rig.link.read_device(rig.device)
    assert report.ref == rig.device
    assert report.name and report.model and report.manufacturer and report.device_type
    assert report.locked is rig.is_locked() is True
    assert report.code_lengths


async def test_unlock_and_lock_move_the_door_and_say_so(rig: Rig) -> None:
    for _ in range(2):  # asking for what is so already succeeds
        moved = await rig.link.unlock(rig.device, 5.0)
        assert (moved.locked, moved.confirmed, rig.is_locked()) == (False, True, False)
    assert (await rig.link.read_device(rig.device)).locked is False
    for _ in range(2):
        moved = await rig.link.lock(rig.device, 5.0)
        assert (moved.locked, moved.confirmed, rig.is_locked()) == (True, True, True)


async def test_new_device_has_no_codes(rig: Rig) -> None:
    assert (await rig.link.read_codes(rig.device)).codes == ()


async def test_code_is_set_once_and_setting_it_again_changes_nothing(rig: Rig) -> None:
    wanted = code("040718", starts_at=1_800_000_000_000, ends_at=1_800_003_600_000)
    assert await rig.link.set_code(rig.device, wanted) is Written.CONFIRMED
    assert await rig.link.set_code(rig.device, wanted) is Written.UNCHANGED
    (found,) = (await rig.link.read_codes(rig.device)).codes
    assert (found.ref, found.is_ours, found.name, found.pin) == (GUEST, True, "Guest", "040718")
    assert (found.starts_at, found.ends_at) == (1_800_000_000_000, 1_800_003_600_000)
    assert "040718" not in repr(found) + repr(wanted)


async def test_code_without_times_is_for_good(rig: Rig) -> None:
    await rig.link.set_code(rig.device, code())
    (found,) = (await rig.link.read_codes(rig.device)).codes
    assert (found.starts_at, found.ends_at) == (None, None)


async def test_code_changes_its_pin_its_name_and_its_times(rig: Rig) -> None:
    await rig.link.set_code(rig.device, code("1111", ends_at=1_800_000_000_000))
    changed = code("2222", name="Cleaner")
    assert await rig.link.set_code(rig.device, changed) is Written.CONFIRMED
    (found,) = (await rig.link.read_codes(rig.device)).codes
    assert (found.ref, found.pin, found.name, found.ends_at) == (GUEST, "2222", "Cleaner", None)


async def test_removed_code_is_gone_and_removing_it_again_succeeds(rig: Rig) -> None:
    await rig.link.set_code(rig.device, code())
    for _ in range(2):
        await rig.link.remove_code(rig.device, GUEST)
        assert rig.pins() == {}
    assert await rig.link.set_code(rig.device, code()) is Written.CONFIRMED


@pytest.mark.parametrize("owner", ["", "ACOM", "My2N"])
async def test_entries_of_others_are_shown_and_left_alone(rig: Rig, owner: str) -> None:
    rig.add_foreign(STRANGER, "8888", owner)
    await rig.link.set_code(rig.device, code())
    found = {one.ref: one.is_ours for one in (await rig.link.read_codes(rig.device)).codes}
    assert found == {GUEST: True, STRANGER: False}
    with pytest.raises(Refused):
        await rig.link.remove_code(rig.device, STRANGER)
    with pytest.raises(Refused):
        await rig.link.set_code(rig.device, code("7777", ref=STRANGER))
    assert rig.pins() == {GUEST: "040718", STRANGER: "8888"}


async def test_handle_of_ours_that_somebody_else_took_is_left_alone(rig: Rig) -> None:
    rig.add_foreign(GUEST, "8888", "ACOM")
    for pin in ("8888", "1111"):
        with pytest.raises(Refused):
            await rig.link.set_code(rig.device, code(pin))
    with pytest.raises(Refused):
        await rig.link.remove_code(rig.device, GUEST)
    assert rig.pins() == {GUEST: "8888"}


async def test_codes_that_cannot_be_read_whole_are_not_read_at_all(rig: Rig) -> None:
    await rig.link.set_code(rig.device, code())
    rig.spoil()
    with pytest.raises(ProviderError):
        await rig.link.read_codes(rig.device)


async def test_command_whose_answer_is_lost_was_carried_out_once_and_is_unknown(rig: Rig) -> None:
    await rig.link.unlock(rig.device, 5.0)
    await rig.link.lock(rig.device, 5.0)
    before = rig.moves()
    rig.lose_answer()
    with pytest.raises(OutcomeUnknown):
        await rig.link.unlock(rig.device, 5.0)
    assert rig.moves() == before + 1
    assert not rig.is_locked()


async def test_pin_that_somebody_else_has_is_a_duplicate(rig: Rig) -> None:
    rig.add_foreign(STRANGER, "8888", "")
    with pytest.raises(DuplicateCode) as caught:
        await rig.link.set_code(rig.device, code("8888"))
    assert caught.value.ref == STRANGER
    assert "8888" not in caught.value.message
    await rig.link.set_code(rig.device, code("1111"))
    with pytest.raises(DuplicateCode):
        await rig.link.set_code(rig.device, code("1111", ref=OTHER))
    assert rig.pins() == {STRANGER: "8888", GUEST: "1111"}


async def test_full_device_says_so(rig: Rig) -> None:
    rig.fill_up()
    with pytest.raises(NoRoom):
        await rig.link.set_code(rig.device, code())
    assert rig.pins() == {}


async def test_pin_that_the_device_cannot_take_is_rejected_without_being_shown(rig: Rig) -> None:
    with pytest.raises(CodeRejected) as caught:
        await rig.link.set_code(rig.device, code("98x76"))
    assert "98x76" not in caught.value.message
    assert rig.pins() == {}


async def test_changed_password_is_not_authorized(rig: Rig) -> None:
    await rig.link.unlock(rig.device, 5.0)
    rig.change_password()
    with pytest.raises(NotAuthorized):
        await rig.link.lock(rig.device, 5.0)
    with pytest.raises(NotAuthorized):
        await rig.link.read_codes(rig.device)
    assert not rig.is_locked()


async def test_device_without_a_login_is_not_authorized(rig: Rig) -> None:
    with pytest.raises(NotAuthorized):
        await rig.link.read_device("a device nobody logged in to")


async def test_device_that_is_away_is_offline(rig: Rig) -> None:
    await rig.link.read_device(rig.device)
    await rig.go_offline()
    with pytest.raises(Offline):
        await rig.link.unlock(rig.device, 5.0)
    with pytest.raises(Offline):
        await rig.link.read_codes(rig.device)
    with pytest.raises(Offline):
        await rig.link.set_code(rig.device, code())
    assert rig.is_locked()


async def test_watching_begins_with_a_report(rig: Rig) -> None:
    async with contextlib.aclosing(rig.link.watch(rig.device)) as events:
        first = await within(anext(events))
    assert isinstance(first, StateRead)
    assert first.report.locked is True


async def test_whoever_enters_a_pin_is_told(rig: Rig) -> None:
    await rig.link.set_code(rig.device, code("040718"))
    async with contextlib.aclosing(rig.link.watch(rig.device)) as events:
        await within(anext(events))
        rig.enter("040718")
        moved = await within(anext(events))
        assert isinstance(moved, LockMoved)
        assert (moved.locked, moved.method, moved.code_ref) == (False, "keycode", GUEST)
        rig.enter("515151")
        rig.enter("626262")
        for _ in range(2):
            denied = await within(anext(events))
            assert isinstance(denied, AccessDenied)
            assert denied.code_ref is None


async def test_nobody_sees_a_pin_in_what_is_told(rig: Rig) -> None:
    async with contextlib.aclosing(rig.link.watch(rig.device)) as events:
        told = [await within(anext(events))]
        rig.enter("515151")
        told.append(await within(anext(events)))
    assert "515151" not in repr(told)


async def test_watching_a_device_that_is_away_is_offline(rig: Rig) -> None:
    await rig.go_offline()
    async with contextlib.aclosing(rig.link.watch(rig.device)) as events:
        with pytest.raises(Offline):
            await within(anext(events))


async def test_closed_link_does_nothing_more(rig: Rig) -> None:
    await rig.link.read_device(rig.device)
    await rig.link.close()
    await rig.link.close()
    with pytest.raises(Offline):
        await rig.link.unlock(rig.device, 5.0)
    assert rig.is_locked()
