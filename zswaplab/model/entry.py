"""`Entry`: what zswap keeps of one compressed page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from .freed import FREED, can_be_freed

if TYPE_CHECKING:
    from .pools import Pool
    from .zpool import Handle

NOTHING: Any = None  # in a field that means nothing


class Link(Protocol):
    """A place in a circular list (`struct list_head`): an entry, the list's head, or what a deletion leaves there."""

    next: Link
    prev: Link


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
        self.pool: Pool = NOTHING
        self.handle: Handle = NOTHING
        self.next: Link = NOTHING
        self.prev: Link = NOTHING

    def __repr__(self) -> str:
        kind = f"{self.length} bytes" if self.length else "same-filled"
        return f"<entry at {self.offset}: {kind}, refcount {self.refcount}>"


can_be_freed(Entry, "zswap_entry", Entry.__slots__)
FreedEntry = FREED[Entry]
