"""The link to one connected 2N account: all of its intercoms behind the contract of `providers.base`.

Each device has a client of its own, made at first use. Troubles of the device become `base` errors here and nowhere
else. If the process dies half way, see `intercom` (commands), `codes` (directory) and `watch` (events).
"""

import asyncio
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

from doorward.clock import Clock
from doorward.providers.base import SwitchChosen
from doorward.providers.errors import (
    NotAuthorized,
    Offline,
    ProviderError,
    Unsupported,
)
from doorward.providers.events import Bookmark, DeviceEvent
from doorward.providers.reports import (
    CodesRead,
    DeviceReport,
    FoundCode,
    Moved,
    PictureSettings,
    TakeOver,
    WantedCode,
    Written,
)

from .camera import Camera
from .client import TwoNClient
from .codes import Codes, owner_tag
from .intercom import Intercom
from .standing import Standing, Standings
from .troubles import DeviceTrouble, LoginRefused, outward
from .watch import watch

Connect = Callable[[str, Mapping[str, Any]], Awaitable[TwoNClient]]
"""Makes the client of a device from its ref and its secret; opens no connection."""


@dataclass
class _Device:
    intercom: Intercom
    codes: Codes
    camera: Camera
    standing: Standing

    @contextmanager
    def border(self) -> Iterator[None]:
        """Let no trouble of the device cross but in the words of the contract."""
        clock = self.intercom.clock
        if self.standing.is_quiet(clock):
            raise outward(LoginRefused(""))
        try:
            yield
        except LoginRefused as trouble:
            self.standing.refused(clock)
            raise outward(trouble) from trouble
        except DeviceTrouble as trouble:
            raise outward(trouble) from trouble
        self.standing.accepted()

    @asynccontextmanager
    async def known(self) -> AsyncIterator[None]:
        """As `border`, once it is sure that this very device answers."""
        with self.border():
            await self.intercom.identify()
            yield


class TwoNLink:
    """`Link`, `Locks`, `ActsAsOwner`, `ChoosesSwitch`, `ProgramsCodes`, `TakesPictures` and `Watches` for the devices
    whose secrets are given.

    A device's secret: `username`, `password`; `switch` (the access switch, 1 when missing), `device_id` (a number for
    people, made from the serial when missing), and for a device on the network `url` and `pin`, or behind the
    gateway of My2N `my2n` (its id there). `standings`: what other links know of the same logins.
    """

    def __init__(
        self,
        workspace_id: str,
        devices: Mapping[str, Mapping[str, Any]],
        connect: Connect,
        clock: Clock,
        standings: Standings | None = None,
    ) -> None:
        self._owner = owner_tag(workspace_id)
        self._secrets = devices
        self._connect = connect
        self._clock = clock
        known = standings or Standings()
        # At once: the link before this one still holds them.
        self._standings = {ref: known.of(workspace_id, ref, secret) for ref, secret in devices.items()}
        self._open: dict[str, _Device] = {}
        self._opening = asyncio.Lock()
        self._is_closed = False

    async def read_device(self, device: str) -> DeviceReport:
        """As `base.Link.read_device`."""
        one = await self._of(device)
        with one.border():
            return await one.intercom.report()

    async def lock(self, device: str, timeout: float) -> Moved:
        """As `base.Locks.lock`: the switch off."""
        one = await self._of(device)
        with one.border():
            return await one.intercom.lock(timeout)

    async def unlock(self, device: str, timeout: float) -> Moved:
        """As `base.Locks.unlock`: a pulse, or the switch on where it is bistable."""
        one = await self._of(device)
        with one.border():
            return await one.intercom.unlock(timeout)

    async def read_codes(self, device: str, place: str | None = None, *, whole: bool = False) -> CodesRead:
        """As `base.ProgramsCodes.read_codes`."""
        one = await self._of(device)
        async with one.known():
            return await one.codes.read(place, whole=whole)

    async def set_code(self, device: str, code: WantedCode) -> Written:
        """As `base.ProgramsCodes.set_code`. Times are kept in whole seconds: from the second `starts_at` is in, to
        the end of the one `ends_at` is in."""
        one = await self._of(device)
        async with one.known():
            return await one.codes.set(code)

    async def set_codes(self, device: str, codes: Sequence[WantedCode]) -> list[Written | ProviderError]:
        """As `base.ProgramsManyCodes.set_codes`."""
        one = await self._of(device)
        async with one.known():
            return await one.codes.set_all(codes)

    async def remove_code(
        self, device: str, ref: str, *, takes_over: TakeOver = TakeOver.NOTHING, is_found: bool = False
    ) -> None:
        """As `base.ProgramsCodes.remove_code`."""
        one = await self._of(device)
        async with one.known():
            await one.codes.remove(ref, takes_over=takes_over, is_found=is_found)

    async def add_foreign_code(self, device: str, name: str, pin: str) -> FoundCode:
        """As `base.ActsAsOwner.add_foreign_code`."""
        if is_real(self._secrets.get(device, {})):
            raise Unsupported("This is a real device: what others do at it cannot be simulated.")
        one = await self._of(device)
        async with one.known():
            entry = await one.codes.add_foreign(name, pin)
            return FoundCode(entry.uuid, False, entry.name, entry.pin, None, None)

    async def choose_switch(self, device: str, number: int) -> SwitchChosen:
        """As `base.ChoosesSwitch.choose_switch`."""
        one = await self._of(device)
        with one.border():
            return SwitchChosen({"switch": number}, await one.intercom.report_with(number))

    async def picture_settings(self, device: str) -> PictureSettings:
        """As `base.TakesPictures.picture_settings`."""
        one = await self._of(device)
        async with one.known():
            return await one.camera.settings()

    async def take_picture(self, device: str, width: int, height: int, source: str) -> bytes:
        """As `base.TakesPictures.take_picture`."""
        one = await self._of(device)
        async with one.known():
            return await one.camera.take(width, height, source)

    async def watch(self, device: str, bookmark: Bookmark | None = None) -> AsyncGenerator[DeviceEvent, None]:
        """As `base.Watches.watch`. Close it with `aclose`, so that its channel at the device is closed too."""
        one = await self._of(device)
        with one.border():
            async with aclosing(watch(one.intercom, bookmark or Bookmark())) as events:
                async for event in events:
                    one.standing.accepted()
                    yield event

    async def close(self) -> None:
        """Let go of every connection. Never raises."""
        self._is_closed = True
        opened = tuple(self._open.values())
        self._open.clear()
        closing = asyncio.gather(*(one.intercom.client.close() for one in opened), return_exceptions=True)
        await asyncio.shield(closing)  # a caller that is cancelled leaves no connection open

    def abandon(self) -> None:
        """As `base.Watches.abandon`."""
        self._is_closed = True
        for one in self._open.values():
            one.intercom.client.abandon()

    def _must_be_open(self) -> None:
        if self._is_closed:
            raise Offline("The connection to this account was closed.")

    async def _of(self, ref: str) -> _Device:
        one = self._open.get(ref)
        if one is not None:
            return one
        async with self._opening:
            one = self._open.get(ref)
            if one is not None:
                return one
            self._must_be_open()
            secret = self._secrets.get(ref)
            if secret is None:
                raise NotAuthorized("There is no login for this device yet. Log in to it again.")
            client = await self._connect(ref, secret)
            try:
                self._must_be_open()
            except Offline:  # closed meanwhile
                await client.close()
                raise
            intercom = Intercom(
                client,
                self._clock,
                ref=ref,
                device_id=int(secret.get("device_id") or number_of(ref)),
                number=int(secret.get("switch") or 1),
                serial=ref if is_real(secret) else None,
            )
            one = self._open[ref] = _Device(
                intercom, Codes(intercom, self._owner), Camera(intercom), self._standings[ref]
            )
            return one


def is_real(secret: Mapping[str, Any]) -> bool:
    """The device is on a network, not a twin in this process."""
    return "url" in secret or "my2n" in secret


def number_of(serial: str) -> int:
    """A device's number for people: the digits of its serial, or a checksum of a ref that has none."""
    digits = "".join(c for c in serial if c in "0123456789")
    return int(digits[-9:]) if digits else zlib.crc32(serial.encode())
