"""A process that posts letters for the server, while there are very many: see `work.posting`.

Not started by people. Letters come in by standard input, what came of them goes out by standard output, in frames: four
bytes of length, and as many of MessagePack. It ends when its input does, so that it never outlives the server, and
leaves signals to the server. If it dies, the server posts again what had not been answered.
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from typing import Any, TypeVar

import msgspec

from doorward.networks import Networks, Receivers
from doorward.work.post import Landing, Letter, Poster

T = TypeVar("T")

Letters = list[tuple[int, Letter]]
"""Each with a number of its own."""
Landed = list[tuple[int, int | None, str | None]]
"""Number, status, and why it counts as failed."""


class Setup(msgspec.Struct, frozen=True, array_like=True):
    """The first frame that comes in. It is answered by an empty one."""

    allow: str
    """`DOORWARD_WEBHOOK_ALLOW`."""
    timeout_s: float


def frame(value: Any) -> bytes:
    """As it is sent."""
    data = msgspec.msgpack.encode(value)
    return len(data).to_bytes(4) + data


async def frames(reader: asyncio.StreamReader, kind: type[T]) -> AsyncIterator[T]:
    """What comes, to the end."""
    decoder = msgspec.msgpack.Decoder(kind)
    while True:
        try:
            length = int.from_bytes(await reader.readexactly(4))
            data = await reader.readexactly(length)
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        yield decoder.decode(data)


async def main() -> None:
    """Until the input ends."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    output, _ = await loop.connect_write_pipe(asyncio.Protocol, sys.stdout)
    async for setup in frames(reader, Setup):
        poster = Poster(Receivers(Networks.parse(setup.allow)), setup.timeout_s)
        break
    else:
        return
    landed: Landed = []

    def tell() -> None:
        output.write(frame(landed))
        landed.clear()

    def landing(number: int) -> Landing:
        def land(status: int | None, error: str | None) -> None:
            if not landed:
                loop.call_soon(tell)  # with what else lands in this round
            landed.append((number, status, error))

        return land

    tell()
    async for letters in frames(reader, Letters):
        for number, letter in letters:
            poster.post(letter, landing(number))
    await poster.close()
    output.abort()


if __name__ == "__main__":
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))  # uvloop hands down the server's own socket, which would stay taken
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    try:
        import uvloop
    except ImportError:
        asyncio.run(main())
    else:
        uvloop.run(main())
