"""Follows one intercom's log: subscribe, read what was missed, then how it stands, then one long poll after the other.

How far the log was read is in the `Bookmark` its reader hands in and keeps, so a watcher that is started again, by the
same server or the next one, goes on where the last one stopped: the device's history is asked for from the last event
on, and repeats are dropped by its number. Numbers start anew when the device boots; then all that it remembers is new.
If it dies half way, or is closed, its channel at the device is closed too or runs out by itself, and the bookmark
stands at the last batch that was taken whole.
Source: HTTP API manual, api/log; driver notes on gaps and reboots.
"""

import math
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import suppress
from typing import Any, Final

import msgspec

from doorward.providers.errors import Offline
from doorward.providers.events import (
    AlarmsForgotten,
    Bookmark,
    DeviceEvent,
    DoorMoved,
    LockMoved,
    StateRead,
)

from .events import NAMES, Translator
from .intercom import Intercom
from .troubles import (
    DeviceTrouble,
    LoginRefused,
    NoAnswer,
    NotSupported,
    NotTheApi,
    ParameterInvalid,
    Refusal,
    ServiceDisabled,
    UnknownPath,
)

PULL_S: Final = 20
"""How long a pull waits at the device: short enough for proxies and NAT."""
DURATION_S: Final = 120
"""A channel that nobody pulls lives so long: several times a pull."""
BATCH: Final = 128
BACKFILL_MARGIN_S: Final = 15
"""The device counts in whole seconds, and its clock may be a little wrong."""
BACKFILL_MAX_S: Final = 7 * 86_400
"""What is older is not asked for. The device remembers 10,000 events at most, of which only the unread ones come."""
BACKFILL_SHORT_S: Final = 3600
"""Asked for when a device takes no longer time."""
WITHOUT_LOG_S: Final = 60.0
"""How often a device without a log is asked how it stands."""
LOSSES: Final = 2
"""Channels lost in a row, without one good pull between, after which the device counts as gone."""
ROUNDS: Final = 3
"""How often the state is read again because the door moved meanwhile."""


class _Place(msgspec.Struct, frozen=True, omit_defaults=True):
    """How far the log was read; its JSON is the bookmark's text."""

    boot: str
    id: int
    """Of the last event that was read."""
    at: int
    """Our clock when it was read, in milliseconds."""
    up: int | None = None
    """How long the device was up at that event, in seconds."""
    utc: int | None = None
    """The device's clock at that event, in seconds."""
    door: bool | None = None
    """Whether the door stood open then: there is no function to ask."""


_decode = msgspec.json.Decoder(_Place).decode


async def watch(intercom: Intercom, bookmark: Bookmark) -> AsyncGenerator[DeviceEvent, None]:
    """Events of one device, as `Watches.watch`. Raises: DeviceTrouble, ProviderError."""
    follower = _Follower(intercom, bookmark)
    intercom.watchers += 1
    intercom.forget()
    try:
        async for event in follower.events():
            yield event
    except LoginRefused:
        follower.drop()
        raise
    finally:
        intercom.watchers -= 1
        await follower.let_go()


class _Follower:
    def __init__(self, intercom: Intercom, bookmark: Bookmark) -> None:
        self._intercom = intercom
        self._bookmark = bookmark
        self._translator = Translator(intercom.number)
        self._channel: int | None = None
        self._place = _parse(bookmark.value)
        self._is_gapless = True
        self._reads = 0

    async def events(self) -> AsyncIterator[DeviceEvent]:
        intercom = self._intercom
        is_first = self._place is None
        while not await self._is_subscribed():
            # A device without a log still has a state, and may be given a log.
            intercom.forget()  # nobody tells of changed settings
            yield await self._state()
            await intercom.clock.sleep(WITHOUT_LOG_S)
        # What is told follows in this order: what was missed, then a report that includes it.
        report = await self._state() if is_first else None
        is_stale, losses, rounds, wait = True, 0, 0, 0
        while True:
            if not self._is_gapless:
                self._is_gapless = True
                yield AlarmsForgotten(self._key("alarms"), intercom.clock.now())
            assert self._channel is not None
            try:
                batch = await intercom.client.log_pull(self._channel, wait)
            except (NoAnswer, NotTheApi, ParameterInvalid) as trouble:
                # The reply is lost, or the channel is gone (the device booted, or forgot it): what it held may come
                # again from the device's history.
                losses += 1
                if losses > LOSSES:
                    if isinstance(trouble, ParameterInvalid):
                        raise Offline("The device does not keep its event log open.") from trouble
                    raise
                await self.let_go()
                await self._subscribe()
                intercom.forget()
                report, is_stale, wait = None, True, 0
                continue
            losses = 0
            switch = await intercom.switch()
            new, place = self._unseen(batch)
            told = self._translator.translate(
                new, boot=intercom.boot, switch=switch, skew_s=intercom.skew_s, now=intercom.clock.now()
            )
            has_moved = False
            for event in told.events:
                if isinstance(event, DoorMoved):
                    intercom.door_open = event.is_open
                has_moved |= isinstance(event, DoorMoved | LockMoved)
                yield event
            # Only now: a batch that its reader could not finish comes again, and repeats are known by their keys.
            self._move_on(place)
            if told.is_stale:
                is_stale, report = True, None
                intercom.forget()
            if len(batch) >= BATCH:
                report, wait = None, 0
            elif not is_stale:
                wait = 1 if self._translator.is_waiting else PULL_S
            else:
                # A report is told once no event came after it: else it would be told of twice, or be older than
                # what was told already.
                is_last_word = report is not None and not has_moved
                if report is None or not is_last_word:
                    report = await self._state()
                    rounds += 1
                if is_last_word or rounds > ROUNDS:
                    yield report
                    report, is_stale, rounds = None, False, 0
                    wait = 1 if self._translator.is_waiting else PULL_S
                else:
                    wait = 0

    async def _is_subscribed(self) -> bool:
        """Subscribe; False: the device has no log, or its service is off. Raises DeviceTrouble."""
        try:
            await self._subscribe()
        except (NotSupported, UnknownPath, ServiceDisabled):
            return False
        return True

    async def _subscribe(self) -> None:
        intercom, place = self._intercom, self._place
        if place is not None:
            intercom.resume(place.boot, place.up, place.at)
            await intercom.note_boot()
        names: list[str] = []
        with suppress(Refusal):
            # Some devices may refuse a filter with a name they do not know.
            known = await intercom.client.log_caps()
            names = [name for name in NAMES if name in known]
        include = self._include(place)
        for longest in dict.fromkeys((include, f"-{BACKFILL_SHORT_S}", "new") if place is not None else (include,)):
            try:
                self._channel = await intercom.client.log_subscribe(include=longest, names=names, duration=DURATION_S)
                break
            except ParameterInvalid:
                if longest == "new":
                    raise
                self._is_gapless = False
        if place is None:
            await intercom.note_boot()
            self._is_gapless = self._bookmark.value is None  # else it could not be read
        elif place.boot != intercom.boot:
            self._is_gapless = False
            self._translator.reset()
            intercom.door_open = None
        elif self._is_gapless and intercom.door_open is None:
            intercom.door_open = place.door
        if place is None or place.boot != intercom.boot:
            now = intercom.clock.now()
            self._move_on(
                _Place(intercom.boot, 0, now, intercom.up_s if place is None else 0, None, intercom.door_open)
            )

    def _include(self, place: _Place | None) -> str:
        """Which history is asked for. The device's own counting decides where it can: its clock may be wrong."""
        intercom = self._intercom
        if place is None:
            return "new"
        up_s, now = intercom.up_s, intercom.clock.now()
        if place.boot != intercom.boot:
            return "all" if up_s is None or up_s <= BACKFILL_MAX_S else f"-{BACKFILL_MAX_S}"
        gaps = [(now - place.at) / 1000] if up_s is None or place.up is None else [up_s - place.up]
        if place.utc is not None:
            gaps.append(now // 1000 + intercom.skew_s - place.utc)
        gap = math.ceil(max(0, *gaps)) + BACKFILL_MARGIN_S
        if gap > BACKFILL_MAX_S:
            self._is_gapless = False
        return f"-{min(gap, BACKFILL_MAX_S)}"

    async def _state(self) -> StateRead:
        """Ask how it stands. Everything that happens from the subscription on comes as an event besides."""
        report = await self._intercom.report()
        return StateRead(self._key("state"), self._intercom.clock.now(), report)

    def _key(self, what: str) -> str:
        self._reads += 1
        return f"{self._intercom.boot}:{what}:{self._intercom.clock.now()}:{self._reads}"

    def _unseen(self, batch: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], _Place]:
        """The events that were not handed on before, and how far the log is read with them."""
        place = self._place
        assert place is not None
        last, up_s, utc_s = place.id, place.up, place.utc
        new = []
        for event in batch:
            number, up, utc = event.get("id"), event.get("upTime"), event.get("utcTime")
            if not isinstance(number, int):
                continue
            if number <= last:
                # On a device that does not name its boots, numbers may have started anew: only time goes on.
                is_later = isinstance(utc, int) and utc_s is not None and utc > utc_s
                if place.boot or not is_later:
                    continue
            new.append(event)
            last = number
            up_s = up if isinstance(up, int) else None
            utc_s = utc if isinstance(utc, int) else None
        if not new:
            return new, place
        return new, _Place(place.boot, last, self._intercom.clock.now(), up_s, utc_s, place.door)

    def _move_on(self, place: _Place) -> None:
        """Everything up to there was taken."""
        if place is not self._place:
            place = self._place = msgspec.structs.replace(place, door=self._intercom.door_open)
        # Not yet, while a refusal is held back: it would be lost with this watcher.
        if not self._translator.is_waiting:
            text = msgspec.json.encode(place).decode()
            if text != self._bookmark.value:
                self._bookmark.move(text)

    def drop(self) -> None:
        """Leave the channel to run out: a device counts every call with a wrong login."""
        self._channel = None

    async def let_go(self) -> None:
        """Close the channel, if the device still answers; it runs out by itself otherwise."""
        channel, self._channel = self._channel, None
        if channel is not None:
            with suppress(DeviceTrouble):
                await self._intercom.client.log_unsubscribe(channel)


def _parse(text: str | None) -> _Place | None:
    """The place of a bookmark; None for one that cannot be read: then the watch begins anew."""
    if text is None:
        return None
    try:
        return _decode(text)
    except msgspec.MsgspecError:
        return None
