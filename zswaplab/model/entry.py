"""`Entry`: what zswap keeps of one compressed page, and what is left of it once freed."""

from __future__ import annotations

from typing import Any, NoReturn

from .errors import UseAfterFree

# Where each field lies in struct zswap_entry (Linux 6.4 + patch 1, x86-64): offset and size in bytes.
LAYOUT = {
    "linked": (0, 8), "offset": (24, 8), "type": (24, 8), "refcount": (32, 4), "length": (36, 4),
    "pool": (40, 8), "handle": (48, 8), "value": (48, 8), "next": (64, 8), "prev": (72, 8),
}  # fmt: skip


class Entry:
    """One page in zswap (`struct zswap_entry`).

    `length` is the compressed size in bytes, 0 for a same-filled page: then only `value` (the repeated
    8-byte word) counts, and `pool`, `handle` and the LRU links mean nothing. `refcount` is guarded by
    the tree lock. `linked` says whether the tree holds it. `next` and `prev` are its LRU links.
    """

    __slots__ = ("linked", "offset", "type", "refcount", "length", "pool", "handle", "value", "next", "prev")

    def __init__(self, type: int, offset: int) -> None:
        self.type = type
        self.offset = offset
        self.refcount = 1
        self.linked = False
        self.length = 0
        self.value = 0
        self.pool: Any = None
        self.handle: Any = None
        self.next: Any = None
        self.prev: Any = None

    def free(self) -> None:
        """Give the entry's memory back (`zswap_entry_cache_free`): from here every touch is a fault."""
        self.__class__ = FreedEntry  # type: ignore[assignment]

    def __repr__(self) -> str:
        kind = f"{self.length} bytes" if self.length else "same-filled"
        return f"<entry at {self.offset}: {kind}, refcount {self.refcount}>"


class FreedEntry:
    """A freed `Entry`: the same memory, and any access of its fields raises `UseAfterFree`."""

    __slots__ = Entry.__slots__

    def __getattribute__(self, field: str) -> Any:
        if field in LAYOUT:
            touch("read", field)
        return object.__getattribute__(self, field)

    def __setattr__(self, field: str, value: Any) -> None:
        touch("write", field)

    def __repr__(self) -> str:
        return f"<freed entry, was at {object.__getattribute__(self, 'offset')}>"


def touch(access: str, field: str) -> NoReturn:
    raise UseAfterFree(access, field, *LAYOUT[field])
