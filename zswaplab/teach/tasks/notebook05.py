"""The exercises of notebook 05: before the series."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import Any, ClassVar

from ...run.setup import SWAP_PAGES
from ..misconceptions import out
from ..variant import Variant
from .rows import Own, Reply, Row, Rows

MOVE = "self.lru.pop(page, None)\n        self.lru[page] = None"
LOADED = """frame.data = page
        if entry.handle.page in entry.pool.zpool.lru:
            entry.pool.zpool.lru.pop(entry.handle.page)
            entry.pool.zpool.lru[entry.handle.page] = None"""


class Victims(Rows):
    """05.1: which entries leave when zbud empties a page of its own."""

    machine: ClassVar[Mapping[str, Any]] = {"stage": "base", "swap_pages": SWAP_PAGES}
    words: Sequence[str] = ()
    turns = ("first-in-first-out", "loads-move-pages", "frees-move", "failures-to-the-tail")
    criterion = "runs of the worker, up to the first that is not right"
    own: ClassVar[Mapping[str, Own]] = {
        "first-in-first-out": Own([*out(5, 6, 1), "worker"], {
            "Zbud.malloc": (
                ("self.lru.pop(page, None)", "pass"), ("self.lru[page] = None", "self.lru.setdefault(page, None)"),
            ),
        }),
        "loads-move-pages": Own([*out(5, 6), "read 5", "page_out 5", "worker"], {
            "load": (("frame.data = page", LOADED),),
        }),
        "frees-move": Own([*out(5, 1, 6), "free 1", "worker"], {
            "Zbud.free": (("    self.relist(page)", f"    self.relist(page)\n        {MOVE}"),),
        }),
        "failures-to-the-tail": Own([*out(5), "read 5", *out(6), "worker"], {
            "Zbud.put_back": (("self.lru[page] = None", "self.lru = {page: None, **self.lru}"),),
        }),
    }  # fmt: skip

    def drawn(self, dice: Random) -> Iterator[Row]:
        pages = dice.sample(range(20), 10)
        stored: list[int] = []
        for number in range(15):
            what = dice.choice(["new", "new", "read", "use", "free", "worker"]) if number > 4 else "new"
            if what == "new" and pages:
                stored.append(pages.pop())
                yield f"write {stored[-1]}", f"page_out {stored[-1]}"
            elif what == "worker":
                yield ("worker",)
            elif what != "new" and stored:
                page = dice.choice(stored)
                if what == "use":
                    yield f"read {page}", f"page_out {page}"
                else:
                    yield (f"{what} {page}",)
                    stored.remove(page)

    def is_asked(self, row: Row) -> bool:
        return row == ("worker",)

    def is_good(self, kernel: list[Reply]) -> bool:
        """Three runs or more, most of which find something."""
        return 3 <= len(kernel) <= 5 and sum(len(reply) > 0 for reply in kernel) >= 3


VARIANTS: dict[str, type[Variant]] = {"05.1": Victims}
