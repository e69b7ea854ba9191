"""`Tree`: which entry stands for which swap slot, for one swap type."""

from __future__ import annotations

from .entry import Entry
from .errors import Bug
from .freed import can_be_freed
from .steps import Hook, Lock


class Tree:
    """Offset -> entry (`struct zswap_tree`). Its lock guards the map and every entry's refcount.

    The kernel's is a red-black tree; only what it answers matters here, so this is a dict.
    """

    __slots__ = ("type", "entries", "lock", "hook")

    def __init__(self, type: int, hook: Hook) -> None:
        self.type = type
        self.entries: dict[int, Entry] = {}
        self.lock = Lock("tree lock")
        self.hook = hook

    def search(self, offset: int) -> Entry | None:
        """The entry at `offset`, if any (`zswap_rb_search`)."""
        entry = self.entries.get(offset)
        if self.hook.observer:
            self.hook.observer("search", entry, int(entry is not None))
        return entry

    def find_get(self, offset: int) -> Entry | None:
        """The entry at `offset` with a reference taken (`zswap_entry_find_get`)."""
        entry = self.entries.get(offset)
        if entry is not None:
            entry.refcount += 1
        if self.hook.observer:
            self.hook.observer("find", entry, int(entry is not None))
        return entry

    def insert(self, entry: Entry) -> Entry | None:
        """Link `entry`; where its slot is taken, change nothing and return who is there (`zswap_rb_insert`)."""
        present = self.entries.setdefault(entry.offset, entry)
        duplicate = None if present is entry else present
        entry.linked = duplicate is None
        if self.hook.observer:
            self.hook.observer("insert", entry, -17 if duplicate else 0)
        return duplicate

    def erase(self, entry: Entry) -> bool:
        """Unlink `entry` if it is linked; say whether it was (`zswap_rb_erase`)."""
        if self.hook.observer:
            self.hook.observer("erase", entry, None)
        if not entry.linked:
            return False
        del self.entries[entry.offset]
        entry.linked = False
        return True

    def __len__(self) -> int:
        return len(self.entries)

    def __repr__(self) -> str:
        return f"<tree of swap type {self.type}: {len(self)} entries>"


class Trees(dict[int, Tree]):
    """Swap type -> its tree (`zswap_trees`); swapoff leaves a NULL there, which a late user follows."""

    def __missing__(self, type: int) -> Tree:
        raise Bug(f"kernel NULL pointer dereference: the tree of swap type {type} is gone")


can_be_freed(Tree, "zswap_tree", ("type", "entries", "lock"))
