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
    """A computer with one program, one swap device and zswap. Sizes are in pages of 4,096 bytes.

    - `stage`: the state of Linux's zswap, one of STAGES: "v6.1" (Linux 6.1.192), "v6.4", "base" (just before the patch
      series), "rfc2-1" to "rfc2-7" (the series as reviewed), "1" to "7" (as merged), "v6.5".
    - `zpool`: the backend that packs compressed pages: "zbud", "z3fold" or "zsmalloc".
    - `exclusive_loads`: whether a load gives zswap's copy up: "off", or "on" in the form that the stage had. "v1", "v2"
      and "fixed" name a form; one that the stage never had is allowed, and `label` says so.
    - `evictable`: whether the backend writes its pages back by itself (True) or zswap does by its LRU (False).
    - `load_end`: the order in which a load ends, one of the texts in `stages.LOAD_ENDS`. For both of these the default
      is what the stage has.
    - `device`: "ordinary", or "synchronous" like a RAM disk, which is read without the swap cache.
    - `compressor`: "deflate", or an object with `name`, `compress` and `decompress`.
    - `ram_pages`: the size of the memory. zswap may use `max_pool_percent` of it; once that is reached it refuses pages
      until it is below `accept_threshold_percent` of this limit.
    - `swap_pages`: the size of the swap device, its header page included.

    To look at: `zswap.pool.lru`, `zswap.counters`, `swap`, `frames` (pages that are in memory). Raises BadInput for an
    unknown name, a wrong type, or a number out of range.

    >>> m = Machine(stage="rfc2-2", zpool="zbud", exclusive_loads="off")
    >>> m.write(3); m.page_out(3); m.zswap.pool.lru
    <LRU head→tail: 1>
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
        """The program writes the whole page number `page`. If the page is in swap, it is brought back first.

        `content` is 4,096 bytes, or a whole number from which they are made (by default the page's). Models a write
        fault (`handle_mm_fault`). Raises BadInput for other content, and for a page that is no whole number.

        >>> m = Machine(); m.write(3, bytes(4096)); m.read(3) == bytes(4096)
        True
        """
        require("page", page, 0, 2**40, "pages")
        run(self.write_fault(page, content))
        self.settle()

    def read(self, page: int) -> bytes:
        """The program reads a page: its 4,096 bytes. If the page is in swap, it is brought back first.

        Models a read fault (`handle_mm_fault`). Raises BadInput for a page that holds nothing, DataLost if the bytes
        are not those that were written, and UseAfterFree where a kernel with the review's bug would crash.

        >>> m = Machine(); m.write(3); m.page_out(3); len(m.read(3))
        4096
        """
        self.need(page, "read")
        data: bytes = run(self.read_fault(page))
        self.settle()
        return data

    def page_out(self, page: int) -> None:
        """The kernel takes the page out of memory: into zswap, or to the swap device if zswap refuses it.

        Nothing happens to a page that is in swap already. Models `shrink_folio_list`. Raises BadInput for a page that
        holds nothing, and if the swap device is full, or has been turned off.

        >>> m = Machine(); m.write(3); m.page_out(3); 3 in m.frames
        False
        """
        self.need(page, "page out")
        if run(self.pageout(page)) == -ENOSPC:
            raise BadInput(self.device_full)
        self.settle()

    def free(self, page: int) -> None:
        """The program gives the page up (like MADV_DONTNEED): its bytes are forgotten, in memory and in swap.

        Its swap slot is freed at once on a small device; on one of over 320 pages, together with 63 others. Models
        `zap_pte_range`. Raises BadInput for a page that holds nothing.

        >>> m = Machine(swap_pages=64); m.write(3); m.page_out(3); m.free(3); m.zswap.counters.stored_pages
        0
        """
        self.need(page, "free")
        run(self.zap(page))
        self.settle()

    def set(self, **parameters: Any) -> None:
        """Change zswap's parameters while it runs, as one does in /sys/module/zswap/parameters.

        `zpool` and `compressor` (a pair that is new gets a new pool; what is stored stays in the old one),
        `max_pool_percent`, `accept_threshold_percent`, `enabled`, `same_filled_pages_enabled`,
        `non_same_filled_pages_enabled`, `exclusive_loads` ("on" or "off"). Raises BadInput, and then changes nothing.

        >>> m = Machine("4"); m.set(max_pool_percent=50, exclusive_loads="on"); m.zswap.limit
        20
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
        """Turn the swap device off, for good: every page is brought back, and zswap forgets the device.

        From then on no page can be paged out. Models `swapoff`. Raises BadInput if the device is off already.

        >>> m = Machine(); m.write(3); m.page_out(3); m.swapoff(); 3 in m.frames
        True
        """
        run(self.operation("swapoff"))
        self.settle()

    def settle(self) -> None:
        """What the kernel does as soon as the CPU is free: what is queued for a kworker runs, and writing ends.

        The operations above do it by themselves; who drives kernel functions step by step calls it.

        >>> m = Machine(); m.settle(); m.queued()
        ''
        """
        while self.queued():
            run(self.kworker())
        run(self.complete_io())

    # -- the same as kernel operations, for whoever drives them --------------------------------

    def operation(self, text: str) -> Kernel:
        """The operation that a line names, about to begin: a generator of the steps at which another CPU may run.

        The lines are those of `parse`. Raises BadInput for any other, and for a page that holds nothing.

        >>> m = Machine(); m.write(3); next(m.operation("page_out 3"))
        unlocked
        """
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
        """What a workload's line names: the kernel function that it begins with, and the numbers in the line.

        "write 3", "write 3 17" (the seed of its bytes), "write 3 zeros", "read 3", "page_out 3", "free 3", "worker"
        (the shrink worker runs), "swapoff", "drop_cache" (frames that only the swap cache holds go); or a call of
        zswap alone: "store 1 17" (slot, seed), "load 1", "invalidate 1". Raises BadInput for anything else.

        >>> Machine().parse("read 3")[1]
        (3,)
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
        """The kernel in words: its stage, backend and exclusive loads. One that never existed says so.

        >>> Machine("1", exclusive_loads="v1").label
        'patch 1 as merged: zswap gets an LRU, zbud evictable, exclusive loads v1, a combination that never existed'
        """
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
        """Check every rule that tree, LRU, backend and counters must keep while nothing runs.

        Raises Broken, an AssertionError whose message shows the whole structure, if one is broken.

        >>> Machine().check()
        """
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
