"""`Machine`: a computer just large enough for zswap: pages of a program, faults and page-out above the swap layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .compressors import Compressor, page_bytes
from .errors import ENOSPC, BadInput, hold, require
from .faults import ZEROS, Faults
from .limits import check_parameter
from .pools import make_pool
from .stages import STAGES, existed, load_end_of, make_stage
from .steps import Hook, Kernel, run
from .swap import Frame, Swap
from .tree import Tree
from .zswap import Zswap


class Machine(Faults):
    """RAM, a page table, a swap device and zswap.

    `stage` and `exclusive_loads` choose the kernel (see STAGES), `zpool` the backend, `evictable`
    overrides whether that backend can evict by itself, `load_end` the order at the end of a load,
    `device` is "ordinary" or "synchronous", `compressor` "deflate" or an object (see zswaplab.trace.codecs).
    `ram_pages` is what zswap takes for the machine's memory:
    its limit is `max_pool_percent` of it, and once full it accepts again below
    `accept_threshold_percent` of that. `swap_pages` is the device's size. Sizes in pages of 4,096 bytes.

    Raises BadInput for an unknown name or a number out of range.
    """

    def __init__(
        self, stage: str = "v6.5", zpool: str = "zbud", exclusive_loads: str = "off", *, evictable: bool | None = None,
        load_end: str | None = None, device: str = "ordinary", compressor: str | Compressor = "deflate",
        ram_pages: int = 40, swap_pages: int = 1024, max_pool_percent: int = 20, accept_threshold_percent: int = 90,
    ) -> None:  # fmt: skip
        self.made_with = {name: value for name, value in locals().items() if name not in ("self", "__class__")}
        made = make_stage(stage, exclusive_loads, load_end)
        self.made_with["exclusive_loads"] = made.exclusive_loads
        require("ram_pages", ram_pages, 1, 2**40, "pages")
        for name in ("zpool", "compressor", "max_pool_percent", "accept_threshold_percent"):
            check_parameter(name, self.made_with[name])
        hook = Hook()
        zswap = Zswap(made, hook, ram_pages, max_pool_percent, accept_threshold_percent)
        zswap.pools.append(make_pool(made, zpool, compressor, hook, evictable))
        zswap.swaps[0] = Swap(0, swap_pages, device, hook, zswap)
        zswap.trees[0] = Tree(0, hook)
        super().__init__(made, hook, zswap.swaps[0], zswap)
        self.evictable = evictable
        self.was_set = False

    # -- what a reader types -------------------------------------------------------------------

    def write(self, page: int, content: bytes | int | None = None) -> None:
        """The program writes a whole page: 4,096 bytes, or a seed from which they are made (default: `page`)."""
        require("page", page, 0, 2**40, "pages")
        run(self.write_fault(page, content))
        self.settle()

    def read(self, page: int) -> bytes:
        """The program reads a page, faulting it in where needed; returns its 4,096 bytes.

        Raises DataLost if they are not what was written, BadInput if nothing was.
        """
        self.need(page, "read")
        data: bytes = run(self.read_fault(page))
        self.settle()
        return data

    def page_out(self, page: int) -> None:
        """The kernel takes the page's frame away: into zswap, or to the device; nothing if it has none.

        Raises BadInput if the page holds nothing, and if the swap device is full, or off.
        """
        self.need(page, "page out")
        if run(self.pageout(page)) == -ENOSPC:
            raise BadInput(self.device_full)
        self.settle()

    def free(self, page: int) -> None:
        """The program gives the page up (MADV_DONTNEED): its bytes are forgotten."""
        self.need(page, "free")
        run(self.zap(page))
        self.settle()

    def set(self, **parameters: Any) -> None:
        """Change zswap's parameters while it runs, as through /sys/module/zswap/parameters.

        `zpool`, `compressor` (a pair not used before gets a new pool; entries stay in the old one until they
        go), `max_pool_percent`, `accept_threshold_percent`, `enabled`, `same_filled_pages_enabled`,
        `non_same_filled_pages_enabled`, `exclusive_loads`. Raises BadInput, and then changes nothing.
        """
        for name, value in parameters.items():
            check_parameter(name, value)
        if "exclusive_loads" in parameters:
            on = parameters["exclusive_loads"] = parameters["exclusive_loads"] in (True, "on")
            if on and not self.stage.exclusive_at_run_time:
                raise BadInput(f"exclusive_loads=True cannot be set at stage {self.stage.id}, where it was chosen when "
                               "the kernel was built: build a Machine with exclusive_loads='on'")
        now = self.zswap.pool
        zpool = parameters.pop("zpool", now.zpool.name)
        compressor = parameters.pop("compressor", now.compressor)
        pair = zpool, getattr(compressor, "name", compressor)
        pools = [pool for pool in self.zswap.pools if (pool.zpool.name, pool.compressor.name) == pair]
        pool = pools[0] if pools else make_pool(self.stage, zpool, compressor, self.hook, self.evictable)
        self.zswap.make_current(pool)
        for name, value in parameters.items():
            setattr(self.zswap, name, value)
        self.was_set = True

    def swapoff(self) -> None:
        """Turn the swap device off, for good: every page is read in, every slot freed, the tree goes.

        Raises BadInput if it is off already.
        """
        run(self.operation("swapoff"))
        self.settle()

    def settle(self) -> None:
        """What the kernel does as soon as the CPU is free: IO completes, whatever is queued for a kworker runs."""
        while self.queued():
            run(self.kworker())
        run(self.complete_io())

    # -- the same as kernel operations, for whoever drives them --------------------------------

    def operation(self, text: str) -> Kernel:
        """The operation that a line names (see `parse`), about to begin. BadInput also where its page holds nothing."""
        start, numbers = self.parse(text)
        if start in (self.read_fault, self.pageout, self.zap):
            self.need(numbers[0], text.split()[0].replace("_", " "))
        if start == self.swap_off and self.swap.off:
            raise BadInput("swapoff cannot be: the swap device is off already, for good; build a new Machine")
        return start(*numbers)

    def need(self, page: int, verb: str) -> None:
        """Raise BadInput unless the page holds what the program has written."""
        require("page", page, 0, 2**40, "pages")
        if page not in self.written:
            raise BadInput(f"page {page} was never written, or has been given up since, so there is nothing to {verb}: "
                           f"write it first, with 'write {page}'")

    def parse(self, text: str) -> tuple[Callable[..., Kernel], tuple[int, ...]]:
        """The operation that a workload's line names: "write 3", "write 3 17" (a seed), "write 3 zeros", "read 3",
        "page_out 3", "free 3", "worker", "swapoff", "drop_cache" (frames that only the swap cache holds go), or a call
        of zswap alone: "store 1 17" (slot, seed), "load 1", "invalidate 1". Raises BadInput for anything else.
        """
        verb, *rest = (text.split() if isinstance(text, str) else []) or [""]
        if verb == "write" and rest[1:] == ["zeros"] and rest[0].isdecimal():
            return self.write_zeros, (int(rest[0]),)
        verbs: dict[str, tuple[Callable[..., Kernel], int, int]] = {  # what it starts; how many numbers follow
            "write": (self.write_fault, 1, 2), "read": (self.read_fault, 1, 1), "page_out": (self.pageout, 1, 1),
            "free": (self.zap, 1, 1), "worker": (self.worker, 0, 0), "swapoff": (self.swap_off, 0, 0),
            "drop_cache": (self.complete_io, 0, 0), "store": (self.raw_store, 1, 2), "load": (self.raw_load, 1, 1),
            "invalidate": (self.raw_invalidate, 1, 1),
        }  # fmt: skip
        start, least, most = verbs.get(verb, (None, 0, 0))
        if start is None or not least <= len(rest) <= most or not all(n.isdecimal() and len(n) < 20 for n in rest):
            raise BadInput(
                f"operation {text!r} is not known; write 'read 3', 'page_out 3', 'free 3', 'write 3', 'write 3 SEED', "
                "'write 3 zeros', 'worker', 'swapoff', 'drop_cache', 'store 1', 'load 1' or 'invalidate 1'"
            )
        return start, tuple(map(int, rest))

    def write_zeros(self, page: int) -> Kernel:
        return self.write_fault(page, ZEROS)

    def raw_store(self, offset: int, seed: int | None = None) -> Kernel:
        return self.zswap.store(0, offset, page_bytes(offset if seed is None else seed))

    def raw_load(self, offset: int) -> Kernel:
        return self.zswap.load(0, offset, Frame())

    def raw_invalidate(self, offset: int) -> Kernel:
        return self.zswap.invalidate_page(0, offset)

    # -- looking at it -------------------------------------------------------------------------

    @property
    def is_new(self) -> bool:
        """Whether nothing has been done to it yet, so that `made_with` makes another like it."""
        return not (self.was_set or self.written or self.next_slot or self.zswap.counters.stored_pages)

    @property
    def device_full(self) -> str:
        """Why the swap device gives no slot, and what to do."""
        if self.swap.off:
            return "the swap device is off, so no page can go there: leave swapoff out, or build a new Machine"
        return f"the swap device is full: swap_pages={self.swap.slots}; give the machine more"

    @property
    def label(self) -> str:
        """The combination in words; one that no kernel had says so."""
        pool = self.zswap.pool
        evicts = "evictable" if pool.evictable else "not evictable"
        words = [self.stage.title, f"{pool.zpool.name} {evicts}", f"exclusive loads {self.stage.exclusive_loads}"]
        if self.stage.load_end != load_end_of(STAGES[self.stage.id], self.stage.exclusive_loads):
            words.append(f"a load ends with {self.stage.load_end!r}")
        altered = pool.evictable != (pool.zpool.name in self.stage.evictable)
        if not existed(self.stage) or (altered and not self.stage.entry_lru):
            words.append("a combination that never existed")
        elif altered:
            words.append("as another patch of the series has it")
        return ", ".join(words)

    def check(self) -> None:
        """Check every invariant of tree, LRU, backend and counters; Broken names what is wrong."""
        zswap, counters = self.zswap, self.zswap.counters
        entries = [entry for tree in zswap.trees.values() for entry in tree.entries.values()]
        for entry in entries:
            hold(entry.linked and entry.refcount == 1, "{} at rest: {}", entry, entries)
            hold(zswap.trees[entry.type].entries[entry.offset] is entry, "{} elsewhere: {}", entry, entries)
        for pool in zswap.pools:
            own = [entry for entry in entries if entry.length and entry.pool is pool]
            kept = [entry for entry in own if self.stage.entry_lru and zswap.on_lru(entry)]
            hold(sorted(map(id, pool.lru)) == sorted(map(id, kept)), "LRU {} against tree {}", pool.lru, entries)
            held = sum(len(objects) for objects in pool.zpool.layout().values())
            hold(held == len(own), "{} objects in {}, {}", held, pool.zpool, entries)
            least = len(own) + (pool is zswap.pool)
            hold(pool.refcount >= least, "{} references of {}, at least {} are used", pool.refcount, pool, least)
            pool.zpool.check()
        hold(counters.stored_pages == len(entries), "stored_pages {} against {}", counters, entries)
        same_filled = sum(entry.length == 0 for entry in entries)
        hold(counters.same_filled_pages == same_filled, "same_filled_pages {} against {}", counters, entries)
        hold(self.swap.in_use == set(self.slots.values()), "{} against {}", self.swap, self.slots)
        free = self.swap.slots - 1 - self.swap.inuse_pages
        hold(self.swap.free_slots == free, "{} free, {} counted: {}", free, self.swap.free_slots, self.swap)

    def __repr__(self) -> str:
        stored = self.zswap.counters.stored_pages
        return f"<Machine: {self.label}; {len(self.frames)} pages in RAM, {stored} in zswap>"
