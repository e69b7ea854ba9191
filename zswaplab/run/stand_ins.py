"""Functions that take the place of the model's, each with a name under which a `Setup` can hold it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from ..model.errors import BadInput, choose
from .rules import Function, altered

Maker = Callable[[], Function]
STAND_INS: dict[str, dict[str, Maker]] = {}  # name -> the model's function -> what makes the one that takes its place


def stand_in(name: str, function: str) -> Callable[[Maker], Maker]:
    """Give what makes a function that takes the place of the model's `function` a name, which a Setup can hold."""

    def note(make: Maker) -> Maker:
        STAND_INS.setdefault(name, {})[function] = make
        return make

    return note


@cache
def named(name: str, function: str) -> Function:
    """What takes the place of the model's `function` under that name. Raises BadInput where nothing does."""
    choose("function", name, STAND_INS)
    if function not in STAND_INS[name]:
        for_what = ", ".join(STAND_INS[name])
        raise BadInput(f"functions={{{function!r}: {name!r}}}: {name!r} takes the place of {for_what}, of no other")
    return STAND_INS[name][function]()


@stand_in("no recheck", "write_out")
def _no_recheck() -> Function:
    """write_out as before 04fc7816089c: it does not look whether its slot was recycled."""
    return altered("write_out", "base", (" is not entry:", " is not entry and False:"))


@stand_in("lru_lock first", "load")
def _lru_lock_first() -> Function:
    """load with lru_lock taken first and the tree lock inside it."""
    return altered(
        "load", "rfc2-2",
        ("    yield tree.lock.acquire\n    yield from self.load_end(tree, entry, frame)\n    yield tree.lock.release",
         "    yield entry.pool.lru_lock.acquire\n    yield tree.lock.acquire\n    entry.refcount -= 1\n"
         "    entry.pool.lru.move(entry)\n    yield tree.lock.release\n    yield entry.pool.lru_lock.release"),
    )  # fmt: skip


@stand_in("failures to the tail", "reclaim_entry")
def _failures_to_the_tail() -> Function:
    """reclaim_entry that puts what it could not write back where it took it from."""
    return altered(
        "reclaim_entry", "v6.5",
        ("pool.lru.move(entry)",
         "pool.lru.unlink(entry); last = pool.lru.prev; entry.prev, entry.next = last, pool.lru; "
         "last.next = pool.lru.prev = entry"),
    )  # fmt: skip
