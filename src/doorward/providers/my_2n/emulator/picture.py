"""The camera's picture: a plain grey JPEG of the asked size, computed."""

from functools import lru_cache
from typing import Final

RESOLUTIONS: Final = (
    (160, 120),
    (176, 144),
    (320, 240),
    (352, 272),
    (352, 288),
    (640, 480),
    (480, 272),
    (640, 360),
    (800, 600),
    (1024, 600),
    (1280, 720),
    (1280, 960),
)
"""Seen on a Verso with firmware 2.50."""


def _segment(marker: int, payload: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(payload) + 2).to_bytes(2, "big") + payload


@lru_cache(maxsize=len(RESOLUTIONS))
def grey_jpeg(width: int, height: int) -> bytes:
    """A valid baseline JPEG. With one-code Huffman tables every 8×8 block is two zero bits: no difference, end of
    block. So a picture of any size is its header and a run of zeros."""
    one_code = bytes((1, *[0] * 15, 0))
    blocks = -(-width // 8) * -(-height // 8)
    whole, rest = divmod(2 * blocks, 8)
    scan = bytes(whole) + (bytes((0xFF >> rest,)) if rest else b"")
    size = height.to_bytes(2, "big") + width.to_bytes(2, "big")
    return b"".join(
        (
            b"\xff\xd8",
            _segment(0xE0, b"JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"),
            _segment(0xDB, b"\x00" + bytes([1] * 64)),
            _segment(0xC0, b"\x08" + size + b"\x01\x01\x11\x00"),
            _segment(0xC4, b"\x00" + one_code),
            _segment(0xC4, b"\x10" + one_code),
            _segment(0xDA, b"\x01\x01\x00\x00\x3f\x00"),
            scan,
            b"\xff\xd9",
        )
    )
