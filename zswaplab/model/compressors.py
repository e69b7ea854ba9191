"""Compressors: a page in, compressed bytes out, whose length decides everything that follows."""

from __future__ import annotations

import random
import zlib
from typing import Any, Protocol

from .errors import BadInput

PAGE_SIZE = 4096  # bytes


class RecordedPage:
    """A page of a recording: known only by the length in bytes to which a real kernel compressed it.

    `length` is 0 for a same-filled page, None when the compressor refused it.
    """

    __slots__ = ("length",)

    def __init__(self, length: int | None) -> None:
        self.length = length

    def __len__(self) -> int:
        return self.length or 0


class Compressor(Protocol):
    name: str

    def compress(self, page: Any) -> Any:
        """The compressed page, whose len() is its length in bytes; None if the compressor refuses it.

        zswap gives a compressor room for one page, so it refuses what would become longer.
        """

    def decompress(self, data: Any) -> Any:
        """The page that `compress` was given."""


class Deflate:
    """The kernel's `deflate`: raw, window 2^11, memLevel 8 (crypto/deflate.c), with classic zlib."""

    name = "deflate"

    def compress(self, page: bytes) -> bytes | None:
        stream = zlib.compressobj(6, zlib.DEFLATED, -11, 8)
        data = stream.compress(page) + stream.flush()
        return data if len(data) <= PAGE_SIZE else None

    def decompress(self, data: bytes) -> bytes:
        return zlib.decompress(data, -11)


class Recorded:
    """Whatever compressor a recorded kernel used: its lengths are facts, its bytes are not known."""

    name = "recorded"

    def compress(self, page: RecordedPage) -> RecordedPage | None:
        try:
            return None if page.length is None else page
        except AttributeError:
            raise BadInput("compressor='recorded' knows no bytes, only a RecordedPage; choose 'deflate'") from None

    def decompress(self, data: RecordedPage) -> RecordedPage:
        return data


COMPRESSORS: dict[str, type[Compressor]] = {"deflate": Deflate, "recorded": Recorded}


def same_filled(page: bytes | RecordedPage) -> int | None:
    """The 8-byte word that fills the whole page, or None (`zswap_is_page_same_filled`)."""
    if isinstance(page, RecordedPage):
        return 0 if page.length == 0 else None
    word = page[:8]
    if page[-8:] != word or page != word * (PAGE_SIZE // 8):
        return None
    return int.from_bytes(word, "little")


def fill(value: int) -> bytes:
    """The page that consists of one 8-byte word, repeated (`zswap_fill_page`)."""
    return value.to_bytes(8, "little") * (PAGE_SIZE // 8)


def page_bytes(content: bytes | int) -> bytes:
    """A page of 4,096 bytes: `content` itself, or made from a seed, compressible by more or less."""
    if isinstance(content, bool) or not isinstance(content, (bytes, int)):
        raise BadInput(f"a page cannot be {content!r}: give 4,096 bytes or a seed (a whole number)")
    if isinstance(content, bytes):
        if len(content) != PAGE_SIZE:
            raise BadInput(f"a page of {len(content):,} bytes cannot be: give exactly 4,096, or a seed")
        return content
    noise = random.Random(content)
    length = noise.randrange(300, 3400)
    return noise.randbytes(length) + bytes(PAGE_SIZE - length)
