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

LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
EVENT_ID = re.compile(rb"svix-id: *([^\r]+)", re.IGNORECASE)
OK = b"HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n"


async def main(count: int) -> None:
    taken: dict[int, list[tuple[str, float]]] = {}

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        port = writer.get_extra_info("sockname")[1]
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                if head.startswith(b"GET"):
                    body = json.dumps(taken).encode()
                    taken.update({one: [] for one in taken})
                    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
                    continue
                length = LENGTH.search(head)
                await reader.readexactly(int(length[1]) if length else 0)
                event_id = EVENT_ID.search(head)
                taken[port].append((event_id[1].decode() if event_id else "", time.time()))
                writer.write(OK)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    servers = [await asyncio.start_server(serve, "127.0.0.1", 0) for _ in range(count)]
    ports = [server.sockets[0].getsockname()[1] for server in servers]
    taken.update({port: [] for port in ports})
    print(json.dumps(ports), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)  # until whoever started it has ended


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
