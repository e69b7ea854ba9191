"""`Machine`: a computer just large enough for zswap: pages of a program, faults and page-out above the swap layer."""

from __future__ import annotations

from typing import Any

from .compressors import Compressor, page_bytes
from .errors import BadInput, DataLost, require
from .limits import check_parameter
from .pools import make_pool
from .stages import STAGES, existed, load_end_of, make_stage
from .steps import Hook, Kernel, kernel, run
from .swap import Frame, Swap
from .tree import Tree
from .zswap import Zswap


class Machine:
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
        self,
        stage: str = "v6.5",
        zpool: str = "zbud",
        exclusive_loads: str = "off",
        *,
        evictable: bool | None = None,
        load_end: str | None = None,
        device: str = "ordinary",
        compressor: str | Compressor = "deflate",
        ram_pages: int = 40,
        swap_pages: int = 1024,
        max_pool_percent: int = 20,
        accept_threshold_percent: int = 90,
    ) -> None:
        require("ram_pages", ram_pages, 1, 2**40, "pages")
        check_parameter("max_pool_percent", max_pool_percent)
        check_parameter("accept_threshold_percent", accept_threshold_percent)
        self.hook = Hook()
        self.stage = make_stage(stage, exclusive_loads, load_end)
        self.evictable = evictable
        self.zswap = Zswap(
            self.stage, self.hook, ram_pages=ram_pages, max_pool_percent=max_pool_percent,
            accept_threshold_percent=accept_threshold_percent,
        )  # fmt: skip
        self.zswap.pools.append(make_pool(self.stage, zpool, compressor, self.hook, evictable))
        self.swap = Swap(0, swap_pages, device, self.hook)
        self.swap.zswap = self.zswap
        self.zswap.swaps[0] = self.swap
        self.zswap.trees[0] = Tree(0, self.hook)
        self.frames: dict[int, Frame] = {}  # page -> its frame, where it is present
        self.slots: dict[int, int] = {}  # page -> its slot, where it has one
        self.written: dict[int, bytes] = {}  # page -> what the program wrote there
        self.next_slot = 0

    # -- what a reader types -------------------------------------------------------------------

    def write(self, page: int, content: bytes | int | None = None) -> None:
        """The program writes a whole page: 4,096 bytes, or a seed from which they are made (default: `page`)."""
        run(self.write_fault(page, content))
        self.settle()

    def read(self, page: int) -> bytes:
        """The program reads a page, faulting it in where needed; returns its 4,096 bytes.

        Raises DataLost if they are not what was written, BadInput if nothing was.
        """
        data: bytes = run(self.read_fault(page))
        self.settle()
        return data

    def page_out(self, page: int) -> None:
        """The kernel takes the page's frame away: into zswap, or to the device; nothing if it has none."""
        run(self.pageout(page))
        self.settle()

    def free(self, page: int) -> None:
        """The program gives the page up (MADV_DONTNEED): its bytes are forgotten."""
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
        if parameters.get("exclusive_loads") is True and not self.stage.exclusive_at_run_time:
            raise BadInput(f"exclusive_loads=True cannot be set at stage {self.stage.id}: build a Machine with 'v1'")
        now = self.zswap.pool
        zpool = parameters.pop("zpool", now.zpool.name)
        compressor = parameters.pop("compressor", now.compressor)
        pair = zpool, getattr(compressor, "name", compressor)
        pools = [pool for pool in self.zswap.pools if (pool.zpool.name, pool.compressor.name) == pair]
        pool = pools[0] if pools else make_pool(self.stage, zpool, compressor, self.hook, self.evictable)
        if pool is not now:
            self.zswap.make_current(pool)
        for name, value in parameters.items():
            setattr(self.zswap, name, value)

    def swapoff(self) -> None:
        """Turn the swap device off: every page is read in, every slot freed, the tree goes."""
        for page in list(self.slots):
            run(self.unuse(page))
        run(self.swap.flush_slots())
        run(self.zswap.invalidate_area(0))
        self.settle()

    def settle(self) -> None:
        """What the kernel does as soon as the CPU is free: IO completes, whatever is queued for a kworker runs."""
        while any(pool.work_pending or pool.zpool.pending for pool in self.zswap.pools):
            run(self.kworker())
        run(self.complete_io())

    # -- the same as kernel operations, for whoever drives them --------------------------------

    def operation(self, text: str) -> Kernel:
        """The operation that a workload's line names: "write 3", "write 3 17" (a seed), "read 3", "page_out 3",
        "free 3" or "worker". Raises BadInput for anything else.
        """
        verb, *numbers = text.split() or [""]
        verbs = {"write": self.write_fault, "read": self.read_fault, "page_out": self.pageout, "free": self.zap}
        if verb == "worker" and not numbers:
            return self.worker()
        allowed = 2 if verb == "write" else 1
        if verb not in verbs or not 1 <= len(numbers) <= allowed or not all(n.isdecimal() for n in numbers):
            raise BadInput(
                f"operation {text!r} is not known; write 'read 3', 'page_out 3', 'free 3', 'write 3', "
                "'write 3 SEED' or 'worker'"
            )
        return verbs[verb](*map(int, numbers))

    @kernel("handle_mm_fault")
    def write_fault(self, page: int, content: bytes | int | None = None) -> Kernel:
        require("page", page, 0, 2**40, "pages")
        data = page_bytes(page if content is None else content)
        present = page in self.frames  # then the slot is kept: the next page-out stores there again
        frame = yield from self.fault_in(page)
        if page in self.slots and not present:
            yield from self.drop_slot(page)
        frame.data, frame.dirty = data, True
        self.written[page] = data

    @kernel("handle_mm_fault")
    def read_fault(self, page: int) -> Kernel:
        require("page", page, 0, 2**40, "pages")
        if page not in self.written:
            raise BadInput(f"page {page!r} was never written, so there is nothing to read: write it first")
        frame = yield from self.fault_in(page)
        if frame.data != self.written[page]:
            raise DataLost(f"page {page} was read back with other bytes than were written to it")
        return frame.data

    def fault_in(self, page: int) -> Kernel:
        """The page's frame: as it is, from the swap cache, or read from swap (`do_swap_page`)."""
        if page in self.frames:
            return self.frames[page]
        frame = Frame()
        if page in self.slots:
            offset = self.slots[page]
            if offset in self.swap.cache:
                frame = self.swap.cache[offset]
            else:
                if not self.swap.synchronous:
                    self.swap.add_to_cache(offset, frame)
                frame.dirty = False
                yield from self.swap.readpage(offset, frame)
        if page in self.frames:  # another fault was faster: this copy is thrown away
            return self.frames[page]
        self.frames[page] = frame
        if self.swap.synchronous and page in self.slots:  # a private copy: the slot is given up at once
            yield from self.drop_slot(page)
        return frame

    @kernel("shrink_folio_list")
    def pageout(self, page: int) -> Kernel:
        require("page", page, 0, 2**40, "pages")
        if page not in self.frames:
            return
        if page not in self.slots:
            offset = self.new_slot()
            self.slots[page] = offset
            self.swap.in_use.add(offset)
            self.swap.add_to_cache(offset, self.frames[page])
            self.frames[page].dirty = True
        offset, frame = self.slots[page], self.frames.pop(page)
        if frame.dirty:
            yield from self.swap.writepage(offset, frame)
        self.swap.delete_from_cache(offset)

    @kernel("zap_pte_range")
    def zap(self, page: int) -> Kernel:
        require("page", page, 0, 2**40, "pages")
        if page not in self.written:
            raise BadInput(f"page {page!r} was never written, so there is nothing to free: write it first")
        self.frames.pop(page, None)
        del self.written[page]
        if page in self.slots:
            yield from self.drop_slot(page)

    def unuse(self, page: int) -> Kernel:
        """Bring one page back from swap for good (`try_to_unuse`)."""
        frame = yield from self.fault_in(page)
        if page in self.slots:
            yield from self.drop_slot(page)
        frame.dirty = True

    def worker(self) -> Kernel:
        """The queued shrink worker; of the oldest pool if none is queued."""
        waiting = [pool for pool in self.zswap.pools if pool.work_pending]
        pool = (waiting or self.zswap.pools)[-1]
        if not waiting:
            self.zswap.pool_get(pool)
        yield from self.zswap.shrink_worker(pool)

    def kworker(self) -> Kernel:
        """What a backend left to a kworker, one piece of it, else the shrink worker."""
        waiting = [pool.zpool for pool in self.zswap.pools if pool.zpool.pending]
        if waiting:
            return waiting[-1].work()
        return self.worker()

    def drop_slot(self, page: int) -> Kernel:
        """The page's owner needs its slot no more (`free_swap_and_cache`)."""
        offset = self.slots.pop(page)
        if offset in self.swap.cache:
            self.swap.delete_from_cache(offset)
        yield from self.swap.free_slot(offset)

    def complete_io(self) -> Kernel:
        """Written pages that nobody has mapped leave the swap cache; a slot freed meanwhile follows."""
        mapped = {id(frame) for frame in self.frames.values()}
        for offset in [slot for slot, frame in self.swap.cache.items() if id(frame) not in mapped]:
            self.swap.delete_from_cache(offset)
        return
        yield

    def new_slot(self) -> int:
        """The next free slot of the device, going round."""
        for _ in range(self.swap.slots):
            self.next_slot = self.next_slot % (self.swap.slots - 1) + 1
            if self.next_slot not in self.swap.in_use and self.next_slot not in self.swap.given:
                return self.next_slot
        raise BadInput(f"the swap device is full: swap_pages={self.swap.slots}; give the machine more")

    # -- looking at it -------------------------------------------------------------------------

    @property
    def label(self) -> str:
        """The combination in words; one that no kernel had says so."""
        pool = self.zswap.pool
        words = [self.stage.title, f"{pool.zpool.name} {'evictable' if pool.evictable else 'not evictable'}"]
        words.append(f"exclusive loads {self.stage.exclusive_loads}")
        if self.stage.load_end != load_end_of(STAGES[self.stage.id], self.stage.exclusive_loads):
            words.append(f"a load ends with {self.stage.load_end!r}")
        altered = pool.evictable != (pool.zpool.name in self.stage.evictable)
        if not existed(self.stage) or (altered and not self.stage.entry_lru):
            words.append("a combination that never existed")
        elif altered:
            words.append("as another patch of the series has it")
        return ", ".join(words)

    def check(self) -> None:
        """Check every invariant of tree, LRU, backend and counters; AssertionError names what is broken."""
        zswap, counters = self.zswap, self.zswap.counters
        entries = [entry for tree in zswap.trees.values() for entry in tree.entries.values()]
        for entry in entries:
            assert entry.linked and entry.refcount == 1, f"{entry} at rest: {entries}"
            assert zswap.trees[entry.type].entries[entry.offset] is entry, f"{entry}: {entries}"
        for pool in zswap.pools:
            own = [entry for entry in entries if entry.length and entry.pool is pool]
            kept = [entry for entry in own if self.stage.entry_lru and zswap.on_lru(entry)]
            assert sorted(map(id, pool.lru)) == sorted(map(id, kept)), f"LRU {pool.lru} against tree {entries}"
            held = sum(len(objects) for objects in pool.zpool.layout().values())
            assert held == len(own), f"{held} objects in {pool.zpool}, {entries}"
            least = len(own) + (pool is zswap.pool)
            assert pool.refcount >= least, f"{pool.refcount} references of {pool}, at least {least} are used"
            pool.zpool.check()
        assert counters.stored_pages == len(entries), f"stored_pages {counters} against {entries}"
        assert counters.same_filled_pages == sum(entry.length == 0 for entry in entries), f"{counters}, {entries}"
        assert self.swap.in_use == set(self.slots.values()), f"{self.swap} against {self.slots}"

    def __repr__(self) -> str:
        stored = self.zswap.counters.stored_pages
        return f"<Machine: {self.label}; {len(self.frames)} pages in RAM, {stored} in zswap>"
