"""`Faults`: page faults, page-out and giving pages up, above the swap layer, for several CPUs of one program.

Models do_swap_page, shrink_folio_list and zap_pte_range of mm/ (Linux 6.4), as far as zswap can tell. What the
kernel does under the page-table lock is one atomic block here: to read a page-table entry again and map a
frame, to unmap one, to clear one.
"""

from __future__ import annotations

from .compressors import page_bytes
from .errors import EINVAL, ENOSPC, DataLost
from .stages import Stage
from .steps import FAULT, Hook, Kernel, Lock, kernel
from .swap import Frame, Swap
from .zswap import Zswap

ZEROS = bytes(4096)


class Faults:
    """The half of `Machine` that runs on its CPUs; the other half is in machine.py."""

    def __init__(self, stage: Stage, hook: Hook, swap: Swap, zswap: Zswap) -> None:
        self.stage = stage
        self.hook = hook
        self.swap = swap
        self.zswap = zswap
        self.work = Lock("workqueue", quiet=True)  # it runs one shrink worker at a time
        self.frames: dict[int, Frame] = {}  # page -> its frame, where it is present
        self.slots: dict[int, int] = {}  # page -> its slot, where it has one
        self.written: dict[int, bytes] = {}  # page -> what the program wrote there
        self.next_slot = 0

    @kernel("handle_mm_fault")
    def write_fault(self, page: int, content: bytes | int | None = None) -> Kernel:
        """The program writes a whole page."""
        data = page_bytes(page if content is None else content)
        while page in self.slots and page not in self.frames:
            yield from self.swap_in(page, True)
        frame = self.frames.get(page) or self.map_frame(page, Frame())
        frame.data, frame.dirty = data, True
        self.written[page] = data
        if self.hook.observer:
            self.hook.observer("write", page, data)

    @kernel("handle_mm_fault")
    def read_fault(self, page: int) -> Kernel:
        """The bytes of a page: zeros where it was given up meanwhile; DataLost if not what the program wrote there."""
        while page in self.slots and page not in self.frames:
            yield from self.swap_in(page, False)
        data: bytes = self.frames[page].data if page in self.frames else ZEROS
        if self.hook.observer:
            self.hook.observer("read", page, data)
        if data != self.written.get(page, ZEROS):
            raise DataLost(page, data)
        return data

    def swap_in(self, page: int, write: bool) -> Kernel:
        """One fault on a page that is in swap (`do_swap_page`): it maps a frame, or somebody was faster."""
        swap, offset = self.swap, self.slots[page]
        yield FAULT
        if offset not in swap.cache and offset not in swap.in_use:  # given up since
            return
        swap.get_device()
        if swap.synchronous and offset not in swap.cache:
            yield from self.swap_in_alone(page, offset)
        else:
            yield from self.swap_in_cached(page, offset, write)
        swap.put_device()

    def swap_in_alone(self, page: int, offset: int) -> Kernel:
        """From a synchronous device: into a frame that nobody else can find."""
        stage = self.stage
        swap = self.swap
        if stage.claims_slot:
            if offset in swap.claimed:
                yield from swap.wait_for_claim(offset)
                return
            swap.swapcache_prepare(offset)
        frame = Frame(dirty=False)
        yield from swap.readpage(offset, frame)
        yield FAULT
        if self.still_out(page, offset):
            self.map_frame(page, frame)
            yield from self.drop_slot(page)
        if stage.claims_slot:
            yield from swap.swapcache_clear(offset)

    def swap_in_cached(self, page: int, offset: int, write: bool) -> Kernel:
        """Through the swap cache: whoever comes second finds the frame there, and waits for its lock."""
        swap = self.swap
        frame = swap.cache.get(offset)
        if frame is None:
            frame = Frame(dirty=False)
            frame.lock.take(self.hook.task)
            swap.add_to_cache(offset, frame)
            frame.users += 1
            yield from swap.readpage(offset, frame)
            frame.lock.drop()
        else:
            frame.users += 1
        yield frame.lock.acquire
        if swap.cache.get(offset) is frame and self.still_out(page, offset):
            self.map_frame(page, frame)
            if write and frame.users == 1:  # nobody else needs the copy in swap
                swap.delete_from_cache(offset)
                yield from self.drop_slot(page)
        frame.users -= 1
        frame.lock.drop()

    def map_frame(self, page: int, frame: Frame) -> Frame:
        """The page is in RAM from now on, in that frame."""
        self.frames[page] = frame
        if self.hook.observer:
            self.hook.observer("frame", page, "present")
        return frame

    def still_out(self, page: int, offset: int) -> bool:
        """Whether the page-table entry is what the fault began with (`pte_same`)."""
        return page not in self.frames and self.slots.get(page) == offset

    @kernel("shrink_folio_list")
    def pageout(self, page: int) -> Kernel:
        """0, or -ENOSPC where the device gives no slot and the page stays. A frame that somebody uses is left alone."""
        frame = self.frames.get(page)
        if frame is None or frame.lock.holder is not None:
            return 0
        if page not in self.slots:
            yield from self.swap.check_cache_active()
            slot = self.new_slot()
            if slot is None:
                return -ENOSPC
            self.slots[page] = slot
            self.swap.in_use.add(slot)
            self.swap.free_slots -= 1
            self.swap.add_to_cache(slot, frame)
            frame.dirty = True
        frame.lock.take(self.hook.task)
        offset = self.slots[page]
        del self.frames[page]
        if self.hook.observer:
            self.hook.observer("frame", page, "swapped")
        if frame.dirty:
            yield from self.swap.writepage(offset, frame)
        frame.lock.drop()
        if self.idle(offset):
            yield from self.swap.uncache(offset)
        return 0

    @kernel("zap_pte_range")
    def zap(self, page: int) -> Kernel:
        """The program gives a page up: its frame, its bytes and its slot go."""
        self.frames.pop(page, None)
        self.written.pop(page, None)
        if self.hook.observer:
            self.hook.observer("frame", page, "freed")
        if page in self.slots:
            yield from self.drop_slot(page)

    def drop_slot(self, page: int) -> Kernel:
        """The page's owner needs its slot no more (`free_swap_and_cache`). A locked frame keeps it until unlocked,
        a fault that has claimed it until it is done.
        """
        offset = self.slots.pop(page)
        self.swap.in_use.discard(offset)
        if offset in self.swap.claimed:
            return
        frame = self.swap.cache.get(offset)
        if frame is None:
            yield from self.swap.free_slot(offset)
        elif frame.lock.holder is None:
            yield from self.swap.uncache(offset)

    @kernel("swapoff")
    def swap_off(self) -> Kernel:
        """Nobody gets a slot any more, and each is freed; then zswap's tree goes. -EINVAL if it is off already."""
        swap = self.swap
        if swap.off:
            return -EINVAL
        swap.off = True  # SWP_WRITEOK is cleared
        swap.slot_cache_active = False
        while swap.inuse_pages:
            yield from self.try_to_unuse()
        yield from swap.wait_until_unused()
        yield from self.zswap.invalidate_area(swap.type)
        return 0

    def try_to_unuse(self) -> Kernel:
        """Free one slot, or the slots that wait to be freed, or wait for whoever has the last ones."""
        swap = self.swap
        if swap.given:
            yield from swap.flush_slots()
        elif swap.claimed:
            yield from swap.wait_for_claim(min(swap.claimed))
        elif self.slots:
            yield from self.unuse(min(self.slots))
        else:
            yield from self.unuse_cached(min(swap.cache))

    def unuse(self, page: int) -> Kernel:
        """Bring one page back from swap for good (`unuse_pte`), on any device through the swap cache."""
        if page not in self.frames:
            yield from self.swap_in_cached(page, self.slots[page], False)
        if page in self.frames and page in self.slots:
            self.frames[page].dirty = True
            yield from self.drop_slot(page)

    def unuse_cached(self, offset: int) -> Kernel:
        """A slot that only the swap cache still holds: it goes once nobody has its frame locked."""
        frame = self.swap.cache[offset]
        yield frame.lock.acquire
        if self.swap.cache.get(offset) is frame:
            yield from self.swap.uncache(offset)
        frame.lock.drop()

    def worker(self) -> Kernel:
        """The queued shrink worker; of the oldest pool if none is queued."""
        yield self.work.acquire
        waiting = [pool for pool in self.zswap.pools if pool.work_pending]
        pool = (waiting or self.zswap.pools)[-1]
        if not waiting:
            self.zswap.pool_get(pool)
        yield from self.zswap.shrink_worker(pool)
        yield self.work.release

    def queued(self) -> str:
        """What waits for a kworker: "compaction" of a backend, "the shrink worker", or nothing."""
        if any(pool.zpool.pending for pool in self.zswap.pools):
            return "compaction"
        return "the shrink worker" if any(pool.work_pending for pool in self.zswap.pools) else ""

    def kworker(self) -> Kernel:
        """What a backend left to a kworker, one piece of it, else the shrink worker."""
        waiting = [pool.zpool for pool in self.zswap.pools if pool.zpool.pending]
        if waiting:
            return waiting[-1].work()
        return self.worker()

    def complete_io(self) -> Kernel:
        """Frames that only the swap cache holds leave it once they are on swap; a slot without an owner follows."""
        while (offset := self.first_idle()) is not None:
            yield from self.swap.uncache(offset)

    def first_idle(self) -> int | None:
        return next((offset for offset in sorted(self.swap.cache) if self.idle(offset)), None)

    def idle(self, offset: int) -> bool:
        """Whether a frame is held by the swap cache alone and could be read again, or will never be."""
        frame = self.swap.cache.get(offset)
        if frame is None or frame.users or frame.lock.holder is not None:
            return False
        return frame not in self.frames.values() and not (frame.dirty and offset in self.swap.in_use)

    def new_slot(self) -> int | None:
        """The next free slot of the device, going round; None if there is none, or the device is off."""
        swap = self.swap
        if swap.off:
            return None
        for _ in range(swap.slots):
            self.next_slot = self.next_slot % (swap.slots - 1) + 1
            if self.next_slot not in swap.in_use and not swap.is_leaving(self.next_slot):
                return self.next_slot
        return None
