"""Follows one intercom's log: subscribe first, then read how it stands, then one long poll after the other.

What it remembers of the log's position lives in the `Intercom`, so a watcher that is started again on the same link
goes on where the last one stopped (`include=-<gap>`, repeats dropped by event id). If it dies half way, or is closed,
its channel at the device is closed too or runs out by itself. After a restart of this server the position is unknown:
what happened meanwhile shows in the fresh state alone.
Source: HTTP API manual, api/log; driver notes on gaps and reboots.
"""

import math
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import suppress
from typing import Any, Final

from doorward.providers.base import DeviceEvent, DoorMoved, Offline, StateRead

from .events import NAMES, Translator
from .intercom import Intercom, Seen
from .troubles import (
    DeviceTrouble,
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
BACKFILL_MARGIN_S: Final = 5
BACKFILL_MAX_S: Final = 3600
WITHOUT_LOG_S: Final = 60.0
"""How often a device without a log is asked how it stands."""
LOSSES: Final = 2
"""Channels lost in a row, without one good pull between, after which the device counts as gone."""


async def watch(intercom: Intercom) -> AsyncGenerator[DeviceEvent, None]:
    """Events of one device, the first a `StateRead`; as `Watches.watch`. Raises: DeviceTrouble, ProviderError."""
    follower = _Follower(intercom)
    intercom.watchers += 1
    intercom.forget()
    try:
        async for event in follower.events():
            yield event
    finally:
        intercom.watchers -= 1
        await follower.let_go()


class _Follower:
    def __init__(self, intercom: Intercom) -> None:
        self._intercom = intercom
        self._translator = Translator(intercom.number)
        self._channel: int | None = None
        self._seen = intercom.seen
        self._reads = 0

    async def events(self) -> AsyncIterator[DeviceEvent]:
        intercom = self._intercom
        try:
            await self._subscribe()
        except (NotSupported, UnknownPath, ServiceDisabled):
            # A device without a log still has a state.
            while True:
                intercom.forget()  # nobody tells of changed settings
                yield await self._state()
                await intercom.clock.sleep(WITHOUT_LOG_S)
        yield await self._state()
        losses, wait, is_stale = 0, 0, False
        while True:
            assert self._channel is not None
            began_at = intercom.clock.monotonic()
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
                await self._subscribe(again=True)
                intercom.forget()
                wait, is_stale = 0, True
                continue
            losses = 0
            switch = await intercom.switch()
            new, seen = self._unseen(batch, began_at)
            told = self._translator.translate(
                new, boot=intercom.boot, switch=switch, skew_s=intercom.skew_s, now=intercom.clock.now()
            )
            for event in told.events:
                if isinstance(event, DoorMoved):
                    intercom.door_open = event.is_open
                yield event
            # Only now: a batch that its reader could not finish comes again, and repeats are known by their keys. So
            # does, for the next watcher, one with a refusal that is held back: it would be lost with this one.
            self._seen = seen
            if not self._translator.is_waiting:
                intercom.seen = seen
            if told.is_stale:
                is_stale = True
                intercom.forget()
            if len(batch) >= BATCH:
                wait = 0
            elif is_stale:
                is_stale, wait = False, int(self._translator.is_waiting)
                yield await self._state()
            else:
                wait = 1 if self._translator.is_waiting else PULL_S

    async def _subscribe(self, *, again: bool = False) -> None:
        intercom = self._intercom
        if again:
            await self.let_go()
        include = "new"
        if self._seen is not None:
            gap = math.ceil(intercom.clock.monotonic() - self._seen.at) + BACKFILL_MARGIN_S
            include = f"-{min(gap, BACKFILL_MAX_S)}"
        names: list[str] = []
        with suppress(Refusal):
            # Some devices may refuse a filter with a name they do not know.
            known = await intercom.client.log_caps()
            names = [name for name in NAMES if name in known]
        began_at = intercom.clock.monotonic()
        self._channel = await intercom.client.log_subscribe(include=include, names=names, duration=DURATION_S)
        before = intercom.boot
        await intercom.note_boot()
        if intercom.boot != before:
            self._translator.reset()
        if self._seen is None:
            self._seen = intercom.seen = Seen(intercom.boot, 0, began_at)

    async def _state(self) -> StateRead:
        """Ask how it stands. Everything that happens from the subscription on comes as an event besides."""
        intercom = self._intercom
        report = await intercom.report()
        now = intercom.clock.now()
        self._reads += 1
        return StateRead(f"{intercom.boot}:state:{now}:{self._reads}", now, report)

    def _unseen(self, batch: list[dict[str, Any]], began_at: float) -> tuple[list[dict[str, Any]], Seen]:
        """The events that were not handed on before, and how far the log is read with them."""
        intercom = self._intercom
        seen = self._seen
        last = seen.event_id if seen is not None and seen.boot == intercom.boot else 0
        new = []
        for event in batch:
            number = event.get("id")
            if isinstance(number, int) and number > last:
                new.append(event)
                last = number
        return new, Seen(intercom.boot, last, began_at)

    async def let_go(self) -> None:
        """Close the channel, if the device still answers; it runs out by itself otherwise."""
        channel, self._channel = self._channel, None
        if channel is not None:
            with suppress(DeviceTrouble):
                await self._intercom.client.log_unsubscribe(channel)
