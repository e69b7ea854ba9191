"""What makes room: the shrink worker, reclaim of one entry, writeback to the swap device."""

from __future__ import annotations

from .entry import NOTHING, Entry
from .errors import EAGAIN, EINVAL, ENOMEM, Uninitialised
from .life import Life
from .pools import Pool
from .steps import DECOMPRESS, MAP, SUBMIT, UNLOCKED, UNMAP, Kernel, kernel
from .tree import Tree
from .zpool import Handle, Mapped

MAX_RECLAIM_RETRIES = 16  # failures after which one run of the worker gives up


def read_header(mapped: Mapped) -> tuple[int, int]:
    """The swap slot at the start of an object: a backend may offer one for eviction before its store wrote there."""
    if mapped.header is None:
        raise Uninitialised("the header of an object is read before its store has written it")
    slot: tuple[int, int] = mapped.header
    return slot


class Shrinker(Life):
    """The half of `Zswap` that makes room; store and load are in zswap.py."""

    max_reclaim_retries = MAX_RECLAIM_RETRIES

    @kernel("shrink_worker")
    def shrink_worker(self, pool: Pool) -> Kernel:
        """Shrink once, or until zswap can accept pages again, as the stage has it."""
        stage = self.stage
        pool.work_pending = False
        failures = 0
        while True:
            failed = yield from self.shrink(pool)
            if failed:
                yield UNLOCKED
                self.counters.reject_reclaim_fail += 1
                failures += 1
                if failed != -EAGAIN or failures == self.max_reclaim_retries:
                    break
            if stage.until_accept:
                yield UNLOCKED
                if self.can_accept():
                    break
            else:
                break
        self.pool_put(pool)

    def shrink(self, pool: Pool) -> Kernel:
        """One try to make room: by the backend if it can evict, else by zswap itself."""
        stage = self.stage
        if stage.entry_lru:
            if stage.asks_evictable:
                if pool.evictable:
                    return (yield from self.zpool_shrink(pool))
            return (yield from self.reclaim_entry(pool))
        else:
            return (yield from self.zpool_shrink(pool))

    @kernel("zpool_shrink")
    def zpool_shrink(self, pool: Pool) -> Kernel:
        """Let the backend empty one of its pages, calling back into zswap for each object."""
        if not pool.evictable:
            return -EINVAL
        return (yield from pool.zpool.shrink(lambda handle: self.writeback_entry(pool, handle)))

    # With patch 6 the header is read when it is no longer mapped: something else may lie there by then.
    @kernel("zswap_reclaim_entry")
    def reclaim_entry(self, pool: Pool) -> Kernel:
        """Write back the oldest entry of the pool's LRU: 0, -EINVAL if there is none, else -EAGAIN."""
        stage = self.stage
        yield pool.lru_lock.acquire
        entry = pool.lru.tail
        if entry is None:
            yield pool.lru_lock.release
            return -EINVAL
        pool.lru.isolate(entry)
        handle = entry.handle
        if stage.header:
            yield MAP
            mapped = pool.zpool.map_handle(handle)
            type, offset = read_header(mapped)
            yield UNMAP
            pool.zpool.unmap_handle(handle)
        else:
            type, offset = entry.type, entry.offset
        tree = self.trees[type]
        yield pool.lru_lock.release  # from here others may free the entry
        yield tree.lock.acquire
        if stage.reclaim_finds:
            found = tree.find_get(offset)
            if found is not entry:
                if found is not None:
                    yield from self.entry_put(tree, found)
                yield tree.lock.release
                return -EAGAIN
        else:
            if tree.search(offset) is not entry:
                yield tree.lock.release
                return -EAGAIN
            entry.refcount += 1
        yield tree.lock.release
        if stage.writeback_finds:
            failed = yield from self.writeback_entry(pool, handle)
        else:
            if stage.header:
                failed = yield from self.writeback_entry(pool, handle, entry, mapped.header)
            else:
                failed = yield from self.writeback_entry(pool, handle, entry, (entry.type, entry.offset))
        yield tree.lock.acquire
        if failed:
            yield pool.lru_lock.acquire
            pool.lru.move(entry)
            yield pool.lru_lock.release
        yield from self.reclaim_end(tree, entry, offset, written=not failed)
        yield tree.lock.release
        return -EAGAIN if failed else 0

    def reclaim_end(self, tree: Tree, entry: Entry, offset: int, written: bool) -> Kernel:
        """The end of a reclaim, under the tree lock: who drops the tree's reference to a written entry."""
        stage = self.stage
        if stage.reclaim_end == "put":  # writeback has dropped it
            yield from self.entry_put(tree, entry)
        if stage.reclaim_end == "put, put base":
            yield from self.entry_put(tree, entry)
            if written and tree.search(offset) is entry:
                yield from self.entry_put(tree, entry)
        if stage.reclaim_end == "put base, put":
            if written and tree.search(offset) is entry:
                yield from self.entry_put(tree, entry)
            yield from self.entry_put(tree, entry)
        if stage.reclaim_end == "invalidate, put":
            if written:
                yield from self.invalidate_entry(tree, entry)
            yield from self.entry_put(tree, entry)

    @kernel("zswap_writeback_entry")
    def writeback_entry(
        self, pool: Pool, handle: Handle, entry: Entry = NOTHING, slot: tuple[int, int] = NOTHING
    ) -> Kernel:
        """Write one entry to its slot of the swap device: 0, -EEXIST, -ENOMEM.

        Up to patch 5 it is given the handle alone, finds the entry by the header, and drops the tree's
        reference when done; 0 also if the entry was invalidated meanwhile. From patch 6 on the caller
        holds the entry and does all that; `slot` is what the caller's header says.
        """
        stage = self.stage
        if stage.writeback_finds:
            yield MAP
            type, offset = read_header(pool.zpool.map_handle(handle))
            if not stage.maps_once:
                yield UNMAP
                pool.zpool.unmap_handle(handle)
            failed = yield from self.find_and_write(self.trees[type], offset, handle)
            if stage.maps_once:
                yield UNMAP
                pool.zpool.unmap_handle(handle)
        else:
            tree = self.trees[entry.type]
            failed = yield from self.write_out(tree, entry, slot, handle)
        return failed

    def find_and_write(self, tree: Tree, offset: int, handle: Handle) -> Kernel:
        """Writeback up to patch 5: find the entry, write it, drop the reference taken and the tree's."""
        yield tree.lock.acquire
        entry = tree.find_get(offset)
        yield tree.lock.release
        if entry is None:
            return 0
        failed = yield from self.write_out(tree, entry, (tree.type, offset), handle)
        yield tree.lock.acquire
        yield from self.entry_put(tree, entry)
        if not failed and tree.search(offset) is entry:
            yield from self.entry_put(tree, entry)
        yield tree.lock.release
        return failed

    def write_out(self, tree: Tree, entry: Entry, slot: tuple[int, int], handle: Handle) -> Kernel:
        """The middle of a writeback: secure the slot's swap-cache page, check, decompress, submit."""
        stage = self.stage
        type, offset = slot
        swap = self.swaps[type]
        frame = yield from swap.get_swap_cache_page(offset)
        if isinstance(frame, int):
            return frame
        yield tree.lock.acquire
        if tree.search(entry.offset) is not entry:  # the slot was recycled before we had its page
            yield tree.lock.release
            if stage.unlocks_recycled:
                frame.lock.drop()
            else:
                swap.stranded += 1  # nobody will unlock the frame, nor give it back
            yield from swap.uncache(offset)
            return -ENOMEM
        yield tree.lock.release
        if stage.maps_once:
            yield DECOMPRESS
            frame.data = entry.pool.compressor.decompress(handle.data)
        else:
            page = yield from self.decompress_object(entry.pool, handle)
            frame.data = page
        yield SUBMIT
        swap.write(offset, frame)
        frame.lock.drop()
        if self.hook.observer:
            self.hook.observer("submitted", entry, self.counters.written_back_pages)
        yield UNLOCKED
        self.counters.written_back_pages += 1
        return 0
