"""Functions that take the place of the model's, each with a name under which a `Setup` can hold it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from ..model.errors import choose
from .rules import Function, altered

STAND_INS: dict[str, Callable[[], Function]] = {}  # name -> what makes the function


def stand_in(name: str) -> Callable[[Callable[[], Function]], Callable[[], Function]]:
    """Give what makes a function its name."""

    def note(make: Callable[[], Function]) -> Callable[[], Function]:
        STAND_INS[name] = make
        return make

    return note


@cache
def named(name: str) -> Function:
    """The function of that name, each time the same. Raises BadInput where nothing has that name."""
    choose("function", name, STAND_INS)
    return STAND_INS[name]()


@stand_in("no recheck")
def _no_recheck() -> Function:
    """write_out as before 04fc7816089c: it does not look whether its slot was recycled."""
    return altered("write_out", "base", (" is not entry:", " is not entry and False:"))


@stand_in("lru_lock first")
def _lru_lock_first() -> Function:
    """load with lru_lock taken first and the tree lock inside it."""
    return altered(
        "load", "rfc2-2",
        ("    yield tree.lock.acquire\n    yield from self.load_end(tree, entry, frame)\n    yield tree.lock.release",
         "    yield entry.pool.lru_lock.acquire\n    yield tree.lock.acquire\n    entry.refcount -= 1\n"
         "    entry.pool.lru.move(entry)\n    yield tree.lock.release\n    yield entry.pool.lru_lock.release"),
    )  # fmt: skip


@stand_in("failures to the tail")
def _failures_to_the_tail() -> Function:
    """reclaim_entry that puts what it could not write back where it took it from."""
    return altered(
        "reclaim_entry", "v6.5",
        ("pool.lru.move(entry)",
         "pool.lru.unlink(entry); last = pool.lru.prev; entry.prev, entry.next = last, pool.lru; "
         "last.next = pool.lru.prev = entry"),
    )  # fmt: skip
