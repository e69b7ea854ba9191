"""`Lru`: zswap's own list of entries, newest at the head, with the kernel's list operations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .entry import Entry, Link
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


POISON_NEXT: Any = Poison("LIST_POISON1", 0xDEAD000000000100)
POISON_PREV: Any = Poison("LIST_POISON2", 0xDEAD000000000122)


class Lru:
    """A circular list through the entries' `next` and `prev`; the Lru itself is the list head.

    Callers hold the pool's lru_lock. Models list_add, list_del, list_del_init and list_move, access by access,
    and what list debugging makes of a broken list: it says so, and leaves the links as they are.
    """

    __slots__ = ("next", "prev", "hook")

    def __init__(self, hook: Hook) -> None:
        self.next: Link = self
        self.prev: Link = self
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
        """Join an entry between the head and what was first (`__list_add`)."""
        first = self.next
        if self.hook.list_debug and (wrong := self.wrong_to_add(first)):
            self.hook.list_debug(wrong)
            return
        first.prev = entry
        entry.next = first
        entry.prev = self
        self.next = entry

    def unlink(self, entry: Entry) -> None:
        """Join an entry's neighbours (`__list_del_entry`)."""
        if self.hook.list_debug and (wrong := self.wrong_to_delete(entry)):
            self.hook.list_debug(wrong)
            return
        before, after = entry.prev, entry.next
        after.prev = before
        before.next = after

    def wrong_to_add(self, first: Link) -> str:
        """What list debugging says of the place where an entry is to go, or nothing (`__list_add_valid`)."""
        back = first.prev
        return "" if back is self else f"list_add corruption. next->prev should be the list's head, but is {back!r}"

    def wrong_to_delete(self, entry: Entry) -> str:
        """What list debugging says of an entry's links, or nothing (`__list_del_entry_valid`)."""
        before, after = entry.prev, entry.next
        for link, name, poison in ((after, "next", POISON_NEXT), (before, "prev", POISON_PREV)):
            if link is poison:
                return f"list_del corruption, {entry!r}->{name} is {poison!r}"
        if before.next is not entry:
            return f"list_del corruption. prev->next should be {entry!r}"
        return f"list_del corruption. next->prev should be {entry!r}" if after.prev is not entry else ""

    @property
    def tail(self) -> Entry | None:
        """The oldest entry, the next to be written back; None when the list is empty."""
        last: Any = self.prev
        return None if last is self else last

    def __iter__(self) -> Iterator[Entry]:
        entry: Any = self.next
        while entry is not self:
            yield entry
            entry = entry.next

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return f"<LRU head→tail: {' '.join(str(entry.offset) for entry in self) or 'empty'}>"
