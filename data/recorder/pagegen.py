"""The page contents of pagegen.h, in Python: the same 4,096 bytes for the same seed, page and version."""

from __future__ import annotations

import struct
from collections.abc import Callable

PAGE_BYTES = 4096
WORD = (1 << 64) - 1
GOLDEN = 0x9E3779B97F4A7C15
Rng = Callable[[], int]


def mix(z: int) -> int:
    z = (z + GOLDEN) & WORD
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & WORD
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & WORD
    return z ^ (z >> 31)


def splitmix64(state: int) -> Rng:
    """A function that gives the next 64-bit number at each call."""

    def following() -> int:
        nonlocal state
        z = mix(state)
        state = (state + GOLDEN) & WORD
        return z

    return following


def page_bytes(seed: int, page: int, version: int) -> bytes:
    """The contents of a page, all three numbers as a recording has them (`seed` in config, plus `mm`)."""
    rng = splitmix64(mix(((seed << 40) ^ (version << 24) ^ page) & WORD))
    content = bytearray(PAGE_BYTES)
    kind_of(seed, page)(content, rng, version)
    return bytes(content)


def zero(content: bytearray, rng: Rng, version: int) -> None:
    pass


def same(content: bytearray, rng: Rng, version: int) -> None:
    content[:] = struct.pack("<Q", rng() | 1) * (PAGE_BYTES // 8)


def text(content: bytearray, rng: Rng, version: int) -> None:
    mask = (1 << (3 + rng() % 7)) - 1
    written = bytearray()
    while len(written) < PAGE_BYTES:
        a = rng()
        letters = mix(0x7E47 + (a & mask) * ((a >> 9) & mask) // (mask + 1))
        written += bytes(ord("a") + (letters >> (6 + 5 * n)) % 26 for n in range(2 + letters % 9))
        written += b" " if (a >> 20) % 11 else b"\n"
    content[:] = written[:PAGE_BYTES]


def records(content: bytearray, rng: Rng, version: int) -> None:
    r = rng()
    for at in range(0, 32 + r % 125 * 32, 32):
        a = rng()
        pointer = 0x00007F0000000000 + (r & 0xFFF000) + (a & 0xFFFF) * 16
        last = a if (a >> 24 & 7) == 0 else 0
        struct.pack_into("<QQQQ", content, at, pointer, at // 32 + version, a >> 16 & 0xFF, last)


def partial(content: bytearray, rng: Rng, version: int) -> None:
    for at in range(0, 256 + rng() % 15 * 256, 8):
        struct.pack_into("<Q", content, at, rng())


def sparse(content: bytearray, rng: Rng, version: int) -> None:
    for _ in range(8 + rng() % 127):
        word = rng()
        struct.pack_into("<Q", content, (word & 511) * 8, word)


def period(content: bytearray, rng: Rng, version: int) -> None:
    unit = bytes(rng() & 255 for _ in range(9 + rng() % 200))
    content[:] = (unit * (PAGE_BYTES // len(unit) + 1))[:PAGE_BYTES]


def random(content: bytearray, rng: Rng, version: int) -> None:
    content[:] = struct.pack("<512Q", *(rng() for _ in range(PAGE_BYTES // 8)))


# how many of 100 pages are of each kind
SHARES = ((zero, 5), (same, 5), (text, 35), (records, 20), (partial, 15), (sparse, 8), (period, 7), (random, 5))
KINDS = [kind for kind, share in SHARES for _ in range(share)]


def kind_of(seed: int, page: int) -> Callable[[bytearray, Rng, int], None]:
    return KINDS[mix((seed << 32) ^ page) % 100]
