"""`Lru`: zswap's own list of entries, newest at the head, with the kernel's list operations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .entry import Entry
from .errors import ListCorruption
from .steps import Hook


class Poison:
    """What a deletion leaves in the link words: an address at which nothing may be."""

    def __init__(self, name: str, address: int) -> None:
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "address", address)

    def __getattr__(self, field: str) -> Any:
        raise ListCorruption(f"read through {self!r}: the entry had been deleted from the list before")

    def __setattr__(self, field: str, value: Any) -> None:
        raise ListCorruption(f"write through {self!r}: the entry had been deleted from the list before")

    def __repr__(self) -> str:
        return f"{self.__dict__['name']} ({self.__dict__['address']:#x})"


POISON_NEXT = Poison("LIST_POISON1", 0xDEAD000000000100)
POISON_PREV = Poison("LIST_POISON2", 0xDEAD000000000122)


def unlink(entry: Entry) -> None:
    """Join an entry's neighbours (`__list_del_entry`), which reads prev first, then next."""
    before, after = entry.prev, entry.next
    before.next, after.prev = after, before


class Lru:
    """A circular list through the entries' `next` and `prev`; the Lru itself is the list head.

    Callers hold the pool's lru_lock. Models list_add, list_del, list_del_init and list_move.
    """

    __slots__ = ("next", "prev", "hook")

    def __init__(self, hook: Hook) -> None:
        self.next: Any = self
        self.prev: Any = self
        self.hook = hook

    def add(self, entry: Entry) -> None:
        """Put `entry` at the head, the place of the newest."""
        first = self.next
        entry.next, entry.prev = first, self
        first.prev = self.next = entry
        if self.hook.observer:
            self.hook.observer("lru add", entry, None)

    def delete(self, entry: Entry) -> None:
        """Take `entry` off and poison its links: a second deletion is a fault."""
        unlink(entry)
        entry.next, entry.prev = POISON_NEXT, POISON_PREV
        if self.hook.observer:
            self.hook.observer("lru delete", entry, None)

    def isolate(self, entry: Entry) -> None:
        """Take `entry` off but leave it linked to itself: a later delete or move is then harmless."""
        unlink(entry)
        entry.next = entry.prev = entry
        if self.hook.observer:
            self.hook.observer("lru isolate", entry, None)

    def move(self, entry: Entry) -> None:
        """Make `entry` the newest, from wherever it is (also from isolation)."""
        unlink(entry)
        first = self.next
        entry.next, entry.prev = first, self
        first.prev = self.next = entry
        if self.hook.observer:
            self.hook.observer("lru move", entry, None)

    @property
    def tail(self) -> Entry | None:
        """The oldest entry, the next to be written back; None when the list is empty."""
        return None if self.prev is self else self.prev

    def __iter__(self) -> Iterator[Entry]:
        entry = self.next
        while entry is not self:
            yield entry
            entry = entry.next

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return f"<LRU head→tail: {' '.join(str(entry.offset) for entry in self) or 'empty'}>"
