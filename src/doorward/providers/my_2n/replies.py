"""What a device's reply says: its envelope, a picture, or that it is no device's. Source: HTTP API manual, chapter 3.

Raises what `troubles` has, which carries no text of the device but a word that is safe to repeat.
"""

import re
from collections.abc import Sequence
from typing import Any, Protocol

import aiohttp
import msgspec

from .digest import parse_challenges
from .troubles import NotTheApi, NotThroughTunnel, TunnelRefused, refusal


async def body(response: aiohttp.ClientResponse, limit: int) -> bytes | None:
    """The whole body; None when it is larger than `limit`."""
    length = response.content_length
    if length is not None:
        return await response.read() if length <= limit else None
    chunks: list[bytes] = []
    size = 0
    async for chunk in response.content.iter_chunked(65_536):
        size += len(chunk)
        if size > limit:
            return None
        chunks.append(chunk)
    return b"".join(chunks)


_decode = msgspec.json.Decoder().decode


def result(raw: bytes, status: int, function: str, *, is_write: bool) -> Any:
    """The `result` of an envelope. `success` counts first, the HTTP status second, the content type not at all."""
    try:
        envelope = _decode(raw)
    except (msgspec.DecodeError, ValueError, RecursionError):
        envelope = None
    if isinstance(envelope, dict) and isinstance(envelope.get("success"), bool):
        if envelope["success"]:
            return envelope.get("result")
        error = envelope.get("error")
        code = error.get("code") if isinstance(error, dict) else None
        if isinstance(error, dict) and type(code) is int:
            param = error.get("param")
            raise refusal(code, function, _word(param) if isinstance(param, str) else None)
    elif status == 403:
        raise refusal(10, function)
    elif status == 404:
        raise refusal(2, function)
    raise NotTheApi(function, is_write=is_write)


class Reader(Protocol):
    """Makes the reply of a call of its bytes and HTTP status. Raises: Refusal, NotTheApi."""

    def __call__(self, raw: bytes, status: int, function: str, *, is_write: bool) -> Any: ...


def picture(raw: bytes, status: int, function: str, *, is_write: bool) -> bytes:
    """A JPEG, by its first bytes: an error comes with HTTP status 200 too."""
    if status == 200 and raw.startswith(b"\xff\xd8\xff"):
        return raw
    result(raw, status, function, is_write=is_write)
    raise NotTheApi(function)


def check_gateway(status: int, asked: Sequence[str], raw: bytes, function: str, *, is_write: bool) -> None:
    """Tell a tunnel's own answers from the device's, which are JSON envelopes or ask for Digest.

    Raises: NotThroughTunnel, TunnelRefused.
    """
    if status in (401, 403, 407):
        asks_digest = any(challenge.scheme == "digest" for challenge in parse_challenges(asked))
        if not asks_digest and not _is_envelope(raw):
            raise TunnelRefused(function)
    elif status in (502, 503, 504) and not _is_envelope(raw):
        raise NotThroughTunnel(function, is_write=is_write)


def _is_envelope(raw: bytes) -> bool:
    try:
        envelope = _decode(raw)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return False
    return isinstance(envelope, dict) and isinstance(envelope.get("success"), bool)


def _word(text: str) -> str | None:
    """A device's word that is safe to repeat."""
    return text if re.fullmatch(r"[A-Za-z][\w.\[\]-]{0,40}", text) else None


def object_of(result: Any, function: str, *, is_write: bool = False) -> dict[str, Any]:
    if not isinstance(result, dict):
        raise NotTheApi(function, is_write=is_write)
    return result


def objects_of(result: Any, key: str, function: str, *, is_write: bool = False) -> list[dict[str, Any]]:
    members = object_of(result, function, is_write=is_write).get(key)
    if not isinstance(members, list) or not all(isinstance(member, dict) for member in members):
        raise NotTheApi(function, is_write=is_write)
    return members


def each_of(result: Any, count: int, function: str) -> list[dict[str, Any]]:
    users = objects_of(result, "users", function)
    if len(users) != count:
        raise NotTheApi(function)
    return users


def first_of(result: Any, function: str, *, is_write: bool = False) -> dict[str, Any]:
    users = objects_of(result, "users", function, is_write=is_write)
    if len(users) != 1:
        raise NotTheApi(function, is_write=is_write)
    return users[0]
