"""The wire to a virtual intercom: a socket pair instead of a network.

The client's end is aiohttp's own protocol, the other end the emulator's. Both see ordinary bytes, so nothing that
holds for a real device is left out, but there is no port that somebody else could reach.
"""

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import BaseConnector


class PairConnector(BaseConnector):
    """Connects to whatever `server` makes protocols for."""

    def __init__(self, server: Callable[[], asyncio.Protocol], **options: Any) -> None:
        super().__init__(**options)
        self._server = server

    async def _create_connection(
        self, req: aiohttp.ClientRequest, traces: Any, timeout: aiohttp.ClientTimeout
    ) -> ResponseHandler:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        theirs.setblocking(False)
        loop = asyncio.get_running_loop()
        try:
            await loop.connect_accepted_socket(self._server, theirs)
            _, protocol = await loop.create_connection(self._factory, sock=ours)
        except BaseException:
            ours.close()
            theirs.close()
            raise
        assert isinstance(protocol, ResponseHandler)
        return protocol
