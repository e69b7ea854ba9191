"""`MISCONCEPTIONS`: what readers wrongly take for a rule of zswap, each as a model that can run.

A misconceived model is the kernel's with one rule changed: one or two functions take the place of its own, or it is
the rule of another kernel. What it gives is computed like everything else, and so is the step at which it parts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from ..model.steps import Kernel
from ..run.rules import Function, altered
from ..run.setup import SWAP_PAGES, Setup
from ..run.stand_ins import Maker, stand_in

Changed = tuple[tuple[str, str], ...]  # (text of a function of the model, what stands there instead)


@dataclass(frozen=True)
class Misconception:
    """A wrong rule, and the model in which it holds.

    `rule` says it in one sentence, `right` where that rule does hold. `situation` is the smallest in which it parts
    from the kernel, `asks` the question (see `outcome.ASKS`) to which the two then give different answers.
    `functions` are those of the model that are other than the kernel's: a function, or texts that are changed.
    `changes` are fields of a Setup, where the rule is that of another kernel.

    >>> wrong = MISCONCEPTIONS["loads-move-nothing"]
    >>> wrong.rule
    'A load moves nothing on the LRU.'
    >>> from zswaplab.teach.outcome import Outcome
    >>> [Outcome(setup).answer(wrong.asks) for setup in (wrong.situation, wrong.applied(wrong.situation))]
    [(0, 1), (1, 0)]
    """

    id: str
    rule: str
    right: str
    asks: str
    situation: Setup
    functions: Mapping[str, Function | Changed] = field(default_factory=dict)
    changes: Mapping[str, Any] = field(default_factory=dict)

    def applied(self, setup: Setup) -> Setup:
        """The same run as somebody expects it who believes in this rule."""
        own = {name: self.id for name in self.functions if name.rpartition(".")[0].lower() in ("", setup.zpool)}
        return setup.but(functions={**dict(setup.functions), **own}, **self.changes)

    def __repr__(self) -> str:
        return f"<misconception {self.id}: {self.rule}>"


def maker(name: str, function: Function | Changed) -> Maker:
    """What makes the function that takes the place of the model's of that name, at whatever stage."""
    return partial(altered, name, None, *function) if isinstance(function, tuple) else lambda: function


def out(*pages: int) -> list[str]:
    """Write each page and page it out."""
    return [line for page in pages for line in (f"write {page}", f"page_out {page}")]


def at(stage: str, *workload: str, **fields: Any) -> Setup:
    """A setup that comes out the same on every system."""
    return Setup(stage, compressor="lengths", workload=workload, **fields)


# -- functions that are shorter whole than as changes ------------------------------------------------------


def read_fault(self: Any, page: int) -> Kernel:
    """handle_mm_fault, as if a read of a page that is in RAM were a use that zswap hears of."""
    resident = page in self.frames
    while page in self.slots and page not in self.frames:
        yield from self.swap_in(page, False)
    tree = self.zswap.trees[0]
    entry = tree.entries.get(self.slots.get(page))
    if resident and entry is not None:
        yield tree.lock.acquire
        yield from self.zswap.move_to_head(entry)
        yield tree.lock.release
    return self.frames[page].data if page in self.frames else bytes(4096)


def load_end(self: Any, tree: Any, entry: Any, frame: Any) -> Kernel:
    """The end of a load, as if every load were exclusive."""
    yield from self.invalidate_entry(tree, entry)
    frame.exclusive = True
    yield from self.entry_put(tree, entry)


def update_total_size(self: Any) -> None:
    """zswap_update_total_size, as if the compressed bytes were what counts."""
    entries = [entry for tree in self.trees.values() for entry in tree.entries.values()]
    self.counters.pool_total_size = sum(entry.length for entry in entries)
    if self.hook.observer:
        self.hook.observer("update", self, self.size)


def reclaim_end(self: Any, tree: Any, entry: Any, offset: int, written: bool) -> Kernel:
    """The end of a reclaim, as if the entry stayed once it is written."""
    yield from self.entry_put(tree, entry)


def free_slot(self: Any, offset: int) -> Kernel:
    """free_swap_slot, as if there were no slot cache."""
    self.in_use.discard(offset)
    yield from self.leave(offset)


def lowest_page(self: Any, chunks: int) -> Any:
    """zbud's page for an object, as if it were the lowest in which it fits."""
    lone = [page for page in self.numbered.values() if not (page.under_reclaim or (page.first and page.last))]
    fitting = [page for page in lone if chunks <= page.free_chunks]
    if not fitting:
        return None
    self.unlist(fitting[0])
    return fitting[0]


# -- the table ---------------------------------------------------------------------------------------------

TABLE = (
    Misconception(
        "loads-move-nothing", "A load moves nothing on the LRU.",
        "Up to Linux 6.4: the backends' lists of pages hear of stores, and of no load.",
        "lru", at("2", *out(0, 1), "read 0"),
        {"move_to_head": (("entry.pool.lru.move(entry)", "pass  # a load moves nothing"),)},
    ),
    Misconception(
        "resident-reads-count", "Every read of a page makes its entry the newest.",
        "Above zswap: the kernel's lists of page frames do hear of reads of pages that are in RAM.",
        "lru", at("2", *out(0), "read 0", *out(1), "read 0"), {"read_fault": read_fault},
    ),
    Misconception(
        "page-out-stores", "Each time a page is paged out, zswap stores it.",
        "For a page that was written since it was last on swap, and with exclusive loads for every page that was read.",
        "stores", at("2", *out(0), "read 0", "page_out 0"),
        {"pageout": (("if frame.dirty:", "if True:  # a page-out always stores"),)},
    ),
    Misconception(
        "loads-take", "A load takes the page out of zswap.",
        "With exclusive loads on, and in every kernel since Linux 6.9.",
        "stored pages", at("v6.5", *out(0), "read 0"), {"load_end": load_end},
    ),
    Misconception(
        "stores-make-room", "A store that finds the pool full makes room first, and then succeeds.",
        "For a cgroup's own limit, since Linux 6.8.",
        "first to disk", at("v6.5", *out(5, 6, 10, 9), ram_pages=10),
        {"store": (
            ("    if self.is_full():\n",
             "    failed = 0\n    while not failed and self.limit < self.size:  # a store makes room\n"
             "        failed = yield from self.shrink(self.pools[-1])\n    if self.is_full():\n"),
        )},
    ),
    Misconception(
        "not-full-is-open", "As soon as the pool is not above its limit, zswap takes pages again.",
        "With accept_threshold_percent well above 100: then nothing is waited for.",
        "where 22", at("v6.1", *out(5, 6, 10, 9, 21, 22), ram_pages=10),
        {"can_accept": (("self.accept_threshold > self.size", "self.limit >= self.size"),)},
    ),
    Misconception(
        "limit-counts-bytes", "The limit counts the compressed bytes.",
        "For a cgroup: memory.zswap.max counts compressed bytes.",
        "where 11", at("v6.5", *out(9, 10, 5, 11), ram_pages=10), {"update_total_size": update_total_size},
    ),
    Misconception(
        "zbud-evicts-one", "zbud evicts one entry at a time.",
        "Since patch 2 of the series: then zswap reclaims, entry by entry.",
        "written back", at("1", *out(0, 1), "worker"),
        {"Zbud.shrink": (
            ("if last and not failed:", "if last and not first and not failed:  # one entry"),
            ("if self.put_back(page):", "if self.put_back(page) or not failed:"),
        )},
    ),
    Misconception(
        "clean-copy-stays", "A page that is written back stays in zswap as a clean copy.",
        "In the page cache: a page of a file that is written back stays, and is clean.",
        "disk reads", at("2", *out(0), "worker", "read 0"),
        {"find_and_write": (("if not failed and tree.search(offset) is entry:", "if False:  # a clean copy stays"),),
         "reclaim_end": reclaim_end},
    ),
    Misconception(
        "freed-at-once", "When a page is given up, its entry goes at once.",
        "On a device with few free slots: then the slot cache rests, and each slot is freed by itself.",
        "stored pages", at("2", *out(0), "free 0"), {"free_slot": free_slot},
    ),
    Misconception(
        "lru-holds-reference", "An entry's link in the LRU counts as a reference.",
        "In a cache whose list owns what is on it.",
        "refcount 0", at("v6.5", *out(0)),
        {"store": (("entry.pool.lru.add(entry)", "entry.pool.lru.add(entry); entry.refcount += 1  # the link counts"),),
         "reclaim_end": (("    stage = self.stage\n", "    stage = self.stage\n    if written:  # its link is gone\n"
                          "        yield from self.entry_put(tree, entry)\n"),)},
    ),
    Misconception(
        "lock-spans-load", "A load holds the tree lock from the search to the put.",
        "For the search and the reference that it takes: they are one stretch under the lock.",
        "failure", at("4", *out(3), device="synchronous", cpus=["read 3", "free 3"], swap_pages=SWAP_PAGES),
        {"load": (
            ("    yield tree.lock.release\n    if entry is None:\n        return -1",
             "    if entry is None:  # the lock is kept\n        yield tree.lock.release\n        return -1"),
            ("    yield tree.lock.acquire\n    yield from self.load_end", "    yield from self.load_end"),
        )},
    ),
    Misconception(
        "full-at-the-limit", "A pool that has reached its limit is full.",
        "Since Linux 6.10.",
        "where 6", at("v6.5", *out(5, 6), ram_pages=5),
        {"is_full": (("self.limit < self.size", "self.limit <= self.size"),)},
    ),
    Misconception(
        "zeros-always-fit", "A page of zeros needs no room, so zswap always takes it.",
        "Since Linux 6.10; and from 6.12 on the swap layer itself keeps a note of pages of zeros.",
        "where 7", at("v6.5", *out(5, 6, 10), "write 7 zeros", "page_out 7", ram_pages=10),
        {"store": (("if self.is_full():", "if same_filled(page) is None and self.is_full():"),
                   ("if self.reached_full:", "if same_filled(page) is None and self.reached_full:"))},
    ),
    Misconception(
        "failure-to-the-tail", "An entry that cannot be written back returns to the tail, to be tried again.",
        "In a queue of requests, whose order must be kept.",
        "lru", at("2", *out(0), "read 0", *out(1), "worker"),
        {"reclaim_entry": (
            ("pool.lru.move(entry)",
             "for other in [entry, *list(pool.lru)[::-1]]:  # to the tail: all others are newer\n"
             "            pool.lru.move(other)"),
        )},
    ),
    Misconception(
        "exclusive-leaves-clean", "After an exclusive load the page is as clean as after any load.",
        "With exclusive loads off: the entry still has the bytes.",
        "stores", at("v6.5", *out(0), "read 0", "page_out 0", exclusive_loads="fixed"),
        {"frontswap_load": (("frame.dirty = True", "pass  # the page stays clean"),)},
    ),
)  # fmt: skip
ALSO = (  # what else is believed
    Misconception(
        "newest-first", "The entry at the head of the LRU is the next to leave.",
        "On a loop over more pages than there is room for: there the newest is the one that is needed last.",
        "written back", at("2", *out(0, 1), "worker"),
        {"reclaim_entry": (("entry = pool.lru.tail", "entry = pool.lru.next if len(pool.lru) else None"),),
         "Zbud.isolate_page": (("page = next(iter(self.lru))", "page = list(self.lru)[-1]  # the newest"),)},
    ),
    Misconception(
        "largest-first", "The largest entry is the first to leave: that gains most room.",
        "In a cache that is to hold as many objects as it can, whoever uses them.",
        "written back", at("2", *out(1, 0), "worker"),
        {"reclaim_entry": (
            ("entry = pool.lru.tail", "entry = max(pool.lru, key=lambda one: one.length, default=None)"),
        )},
    ),
    Misconception(
        "backend-decides", "The backend chooses which page leaves.",
        "Up to Linux 6.4, and with patch 1 for every backend that can evict.",
        "written back", at("2", *out(0, 1), "worker"), changes={"stage": "base"},
    ),
    Misconception(
        "zswap-decides", "zswap chooses which page leaves, by its own LRU.",
        "Since patch 2 for zbud, patch 3 for z3fold, patch 4 for zsmalloc: they no longer evict.",
        "written back", at("base", *out(0, 1), "worker"), changes={"stage": "4"},
    ),
    Misconception(
        "put-frees", "A put gives the entry back.",
        "If the reference that it drops is the last one.",
        "stored pages", at("v6.5", *out(0), "read 0"),
        {"entry_put": (("if refcount == 0:", "if refcount >= 0:  # a put gives it back"),)},
    ),
    Misconception(
        "patch-1-dormant", "As long as the backends evict, patch 1 changes nothing.",
        "For which page leaves: the backends still choose.",
        "failure", at("1", *out(3), device="synchronous", cpus=["read 3", "free 3"], swap_pages=SWAP_PAGES),
        changes={"stage": "base"},
    ),
    Misconception(
        "slots-wait", "A slot that is given up always waits until 64 have gathered.",
        "On a device with many free slots: there the slot cache is used.",
        "stored pages", at("2", *out(0), "free 0", swap_pages=64),
        {"free_slot": (("if self.slot_cache_active:", "if True:  # the slot cache is always used"),)},
    ),
    Misconception(
        "one-object-a-page", "Each compressed page has a page of the backend to itself.",
        "For z3fold with an object that is nearly a page long.",
        "pool pages", at("v6.5", *out(0, 1)), {"Zbud.take_unbuddied": (("if not fitting:", "if True:  # a new page"),)},
    ),
    Misconception(
        "lowest-page", "zbud puts an object into the first page in which it fits.",
        "For an allocator that goes through its pages in their order.",
        "beside 1", at("v6.5", *out(0, 5, 1)), {"Zbud.take_unbuddied": lowest_page},
    ),
    Misconception(
        "oldest-of-list", "Of several pages with the same room, zbud takes the one that has waited longest.",
        "In a queue, where whoever has waited longest is next.",
        "beside 1", at("v6.5", *out(6, 10, 1)),
        {"Zbud.take_unbuddied": (("page, _ = pages.popitem()", "page = list(pages)[0]; del pages[page]"),)},
    ),
    Misconception(
        "any-lock-order", "Two locks can be taken in either order, as long as both are dropped again.",
        "Where nobody takes them in the other order.",
        "failure", at("rfc2-2", *out(3), cpus=["read 3"], functions={"load": "lru_lock first"}), {"load": ()},
    ),
    Misconception(
        "taken-is-owned", "What the shrink worker has taken off the LRU is its own: it need not look again.",
        "Since Linux 6.9 for whoever takes an entry off the tree: there is no refcount any more.",
        "failure", at("v6.5", *out(3), cpus=["worker", "free 3"], swap_pages=SWAP_PAGES),
        {"reclaim_entry": (("if tree.search(offset) is not entry:", "if False:  # it does not look again"),)},
    ),
    Misconception(
        "free-takes-all", "When a slot is freed its entry's memory is given back at once, whoever holds on to it.",
        "At swapoff: there every entry goes, whatever its refcount.",
        "line load fault", at("4", *out(3), device="synchronous", cpus=["read 3", "free 3"], swap_pages=SWAP_PAGES),
        {"invalidate_page": (
            ("yield from self.invalidate_entry(tree, entry)",
             "tree.erase(entry); yield from self.free_entry(entry)  # whoever holds on to it"),
        )},
    ),
    Misconception(
        "met-in-the-swap-cache", "Who wants the same page meets in the swap cache, so two never have its entry.",
        "On every device that is not synchronous.",
        "failure", at("1", *out(3), device="synchronous", cpus=["read 3", "free 3"], swap_pages=SWAP_PAGES),
        changes={"device": "ordinary"},
    ),
    Misconception(
        "never-met", "On any device two CPUs can read the same entry at once.",
        "On a synchronous device, which is read without the swap cache.",
        "failure", at("1", *out(3), cpus=["read 3", "free 3"], swap_pages=SWAP_PAGES),
        changes={"device": "synchronous"},
    ),
    Misconception(
        "loads-leave", "A load leaves the entry in zswap.",
        "With exclusive loads off: then there are two copies.",
        "stored pages", at("v6.5", *out(0), "read 0", exclusive_loads="fixed"), changes={"exclusive_loads": "off"},
    ),
    Misconception(
        "writeback-tidied", "Patch 6 tidies writeback up, and what could go wrong before can still go wrong.",
        "For a frame whose slot was used again meanwhile: nobody unlocks it, before patch 6 and after.",
        "failure", at("6", *out(3), cpus=["worker", "free 3"], swap_pages=SWAP_PAGES), changes={"stage": "5"},
    ),
    Misconception(
        "held-is-safe", "An entry cannot be freed as long as reclaim has a reference to it.",
        "If each reference is dropped once: with patch 6 reclaim drops its own and the tree's in one stretch.",
        "failure", at("5", *out(3), cpus=["worker", "free 3"], swap_pages=SWAP_PAGES), changes={"stage": "6"},
    ),
    Misconception(
        "header-stays", "Each object in the pool begins with the 8 bytes of its swap slot.",
        "Up to patch 6; in a kernel before the series only where the backend evicts.",
        "pool pages", at("7", *out(3), "write 5 56", "page_out 5"), changes={"stage": "6"},
    ),
    Misconception(
        "swapoff-waits-for-all", "Swapoff waits for everybody who still works on its pages.",
        "Since Linux 6.9: writeback has a frame locked before it touches the tree, and swapoff waits for that.",
        "failure", at("v6.5", *out(3), cpus=["worker", "swapoff"], swap_pages=SWAP_PAGES),
        {"shrink_worker": (
            ("    pool.work_pending = False\n",
             "    pool.work_pending = False\n    self.swaps[0].get_device()  # swapoff waits for it\n"),
            ("    self.pool_put(pool)", "    self.swaps[0].put_device()\n    self.pool_put(pool)"),
        )},
    ),
    Misconception(
        "swapoff-waits-for-nobody", "Swapoff frees everything at once, whoever is still using it.",
        "For the shrink worker, up to Linux 6.8: it has not said that it uses the device.",
        "failure", at("v6.5", *out(3), cpus=["free 3", "swapoff"], swap_pages=SWAP_PAGES),
        {"wait_until_unused": (("yield self.unused.acquire", "yield LOOKUP  # it waits for nobody"),)},
    ),
    Misconception(
        "zeros-are-not-read", "At a load nothing is read of an entry of a page of zeros, which is on no list.",
        "For the list itself: it is not touched.",
        "bad accesses",
        at("rfc2-1", "write 0 zeros", "page_out 0", "read 0", exclusive_loads="v1", multi_shot=True),
        {"load_end": (
            ("    stage = self.stage\n", "    stage = self.stage\n    zeros = entry.length == 0  # while it is held\n"),
            ("yield from self.entry_put(tree, entry)\n        yield from self.move_to_head(entry)",
             "yield from self.entry_put(tree, entry)\n        if not zeros:\n"
             "            yield from self.move_to_head(entry)"),
        )},
    ),
)  # fmt: skip
MISCONCEPTIONS: dict[str, Misconception] = {wrong.id: wrong for wrong in (*TABLE, *ALSO)}
for wrong in MISCONCEPTIONS.values():
    for name, function in wrong.functions.items():
        stand_in(wrong.id, name)(maker(name, function))
