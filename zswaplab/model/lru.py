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


class Lru:
    """A circular list through the entries' `next` and `prev`; the Lru itself is the list head.

    Callers hold the pool's lru_lock. Models list_add, list_del, list_del_init and list_move, access by access,
    and what list debugging makes of a broken list: it says so, and leaves the links as they are.
    """

    __slots__ = ("next", "prev", "hook")

    def __init__(self, hook: Hook) -> None:
        self.next: Any = self
        self.prev: Any = self
        self.hook = hook

    def add(self, entry: Entry) -> None:
        """Put `entry` at the head, the place of the newest."""
        self.link(entry)
        if self.hook.observer:
            self.hook.observer("lru add", entry, None)

    def delete(self, entry: Entry) -> None:
        """Take `entry` off and poison its links: a second deletion is a fault."""
        self.unlink(entry)
        entry.next, entry.prev = POISON_NEXT, POISON_PREV
        if self.hook.observer:
            self.hook.observer("lru delete", entry, None)

    def isolate(self, entry: Entry) -> None:
        """Take `entry` off but leave it linked to itself: a later delete or move is then harmless."""
        self.unlink(entry)
        entry.next = entry.prev = entry
        if self.hook.observer:
            self.hook.observer("lru isolate", entry, None)

    def move(self, entry: Entry) -> None:
        """Make `entry` the newest, from wherever it is (also from isolation)."""
        self.unlink(entry)
        self.link(entry)
        if self.hook.observer:
            self.hook.observer("lru move", entry, None)

    def link(self, entry: Entry) -> None:
        """`__list_add` at the head."""
        first = self.next
        if self.hook.list_debug and first.prev is not self:
            self.hook.list_debug(f"list_add corruption. next->prev should be the list's head, but is {first.prev!r}")
            return
        first.prev = entry
        entry.next, entry.prev = first, self
        self.next = entry

    def unlink(self, entry: Entry) -> None:
        """Join an entry's neighbours (`__list_del_entry`), which reads prev first, then next."""
        before, after = entry.prev, entry.next
        if self.hook.list_debug and (wrong := self.broken(entry, before, after)):
            self.hook.list_debug(f"list_del corruption, {wrong}")
            return
        after.prev = before
        before.next = after

    def broken(self, entry: Entry, before: Any, after: Any) -> str:
        """What list debugging finds wrong with an entry's links, or nothing (`__list_del_entry_valid`)."""
        if after is POISON_NEXT:
            return f"{entry!r}->next is {POISON_NEXT!r}"
        if before is POISON_PREV:
            return f"{entry!r}->prev is {POISON_PREV!r}"
        if before.next is not entry:
            return f"prev->next should be {entry!r}"
        return f"next->prev should be {entry!r}" if after.prev is not entry else ""

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
