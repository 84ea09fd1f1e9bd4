"""Receivers of webhooks, in a process of their own: python bench/receiver.py COUNT; one line of JSON with their ports.

Each takes events on a port of its own and remembers when; `GET /` on any of them answers what was received since the
last time it was asked, as JSON: port → list of [event id, seconds since 1970]. A few lines of HTTP, so that what is
measured is the server that sends.
"""

import asyncio
import json
import re
import sys
import time
from typing import cast

import uvloop

LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
EVENT_ID = re.compile(rb"svix-id: *([^\r]+)", re.IGNORECASE)
OK = b"HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n"


class Receiver(asyncio.Protocol):
    """One connection."""

    def __init__(self, taken: dict[int, list[tuple[str, float]]]) -> None:
        self._taken = taken
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._port: int = transport.get_extra_info("sockname")[1]

    def data_received(self, data: bytes) -> None:
        self._rest += data
        while (end := self._rest.find(b"\r\n\r\n")) >= 0:
            head = self._rest[:end]
            if head.startswith(b"GET"):
                body = json.dumps(self._taken).encode()
                self._taken.update({one: [] for one in self._taken})
                self._transport.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
                self._rest = b""
                return
            length = LENGTH.search(head)
            whole = end + 4 + int(length[1] if length else 0)
            if len(self._rest) < whole:
                return
            self._rest = self._rest[whole:]
            event_id = EVENT_ID.search(head)
            self._taken[self._port].append((event_id[1].decode() if event_id else "", time.time()))
            self._transport.write(OK)


async def main(count: int) -> None:
    taken: dict[int, list[tuple[str, float]]] = {}
    loop = asyncio.get_running_loop()
    servers = [await loop.create_server(lambda: Receiver(taken), "127.0.0.1", 0) for _ in range(count)]
    ports = [server.sockets[0].getsockname()[1] for server in servers]
    taken.update({port: [] for port in ports})
    print(json.dumps(ports), flush=True)
    await loop.run_in_executor(None, sys.stdin.read)  # until whoever started it has ended


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
