"""`Zswap`: what happens to a page: store, load, invalidate.

Models mm/zswap.c at each stage of *mm: zswap: move writeback LRU from zpool to zswap*; which code a
stage has is decided by its switches (`stages.Stage`). Read a kernel function's `yield` as: here
another CPU may run.

Left out are memory cgroups, CPU hotplug and the mutex that each CPU's compressor has in the kernel: there two tasks of
one CPU never compress at once, here nobody waits for that.
"""

from __future__ import annotations

from .compressors import RecordedPage, fill, same_filled
from .entry import Entry
from .errors import EINVAL, ENODEV, ENOMEM, ENOSPC
from .freed import poison
from .shrink import Shrinker
from .steps import ALLOC, COMPRESS, MALLOC, MAP, UNLOCKED, UNMAP, Kernel, kernel
from .swap import Frame
from .tree import Tree


class Zswap(Shrinker):
    """One zswap: what happens to a page.

    Parameters and counters are in limits.py, the life of an entry in life.py, the worker in shrink.py.
    """

    @kernel("zswap_frontswap_store")
    def store(self, type: int, offset: int, page: bytes | RecordedPage) -> Kernel:
        """Compress `page` and keep it as the entry of that swap slot: 0, or -errno and it goes to disk."""
        stage = self.stage
        if not self.enabled or type not in self.trees:
            return -ENODEV
        tree = self.trees[type]
        yield UNLOCKED
        if self.is_full():
            yield UNLOCKED
            self.counters.pool_limit_hit += 1
            self.reached_full = True
            return (yield from self.kick_worker())
        if self.reached_full:
            yield UNLOCKED
            if not self.can_accept():
                if stage.until_accept:
                    return (yield from self.kick_worker())
                else:
                    return -ENOMEM
            yield UNLOCKED
            self.reached_full = False
        entry = Entry(type, offset)
        if self.hook.observer:
            self.hook.observer("alloc", entry, None)
        failed = yield from self.fill_entry(entry, page)
        if failed:
            poison(entry, self.hook)
            return failed
        yield tree.lock.acquire
        while duplicate := tree.insert(entry):
            self.counters.duplicate_entry += 1
            tree.erase(duplicate)
            yield from self.entry_put(tree, duplicate)
        if stage.entry_lru:
            if self.on_lru(entry):
                yield entry.pool.lru_lock.acquire
                entry.pool.lru.add(entry)
                yield entry.pool.lru_lock.release
        yield tree.lock.release
        self.counters.stored_pages += 1
        self.update_total_size()
        return 0

    def fill_entry(self, entry: Entry, page: bytes | RecordedPage) -> Kernel:
        """The middle of a store: same-filled, or compressed and copied into the backend."""
        if self.same_filled_pages_enabled:
            value = same_filled(page)
            if value is not None:
                yield ALLOC
                entry.length, entry.value = 0, value
                self.counters.same_filled_pages += 1
                return 0
        if not self.non_same_filled_pages_enabled:
            return -EINVAL
        pool = self.pool_get(self.pools[0])
        yield COMPRESS
        data = pool.compressor.compress(page)
        if data is None:
            self.pool_put(pool)
            return -EINVAL
        yield MALLOC
        handle = pool.zpool.malloc(pool.header_bytes + len(data))
        if self.hook.observer:
            self.hook.observer("malloced", entry, handle)
        if isinstance(handle, int):
            yield UNLOCKED
            if handle == -ENOSPC:
                self.counters.reject_compress_poor += 1
            else:
                self.counters.reject_alloc_fail += 1
            self.pool_put(pool)
            return handle
        yield MAP
        if pool.header_bytes:
            handle.header = (entry.type, entry.offset)
        handle.data = data
        pool.zpool.map_handle(handle)  # for what else lay where it is mapped
        yield UNMAP
        pool.zpool.unmap_handle(handle)
        entry.length, entry.pool, entry.handle = len(data), pool, handle
        return 0

    @kernel("zswap_frontswap_load")
    def load(self, type: int, offset: int, frame: Frame) -> Kernel:
        """Fill `frame` from the slot's entry: 0, or -1 if zswap has none (then the disk has the page)."""
        tree = self.trees[type]
        yield tree.lock.acquire
        entry = tree.find_get(offset)
        yield tree.lock.release
        if entry is None:
            return -1
        if entry.length == 0:
            frame.data = fill(entry.value)
        else:
            page = yield from self.decompress_object(entry.pool, entry.handle)
            frame.data = page
        yield tree.lock.acquire
        yield from self.load_end(tree, entry, frame)
        yield tree.lock.release
        return 0

    def load_end(self, tree: Tree, entry: Entry, frame: Frame) -> Kernel:
        """The end of a load, under the tree lock, in the order that the stage has."""
        stage = self.stage
        if stage.load_end == "invalidate, put":
            if self.exclusive_loads:
                yield from self.invalidate_entry(tree, entry)
                frame.exclusive = True
            yield from self.entry_put(tree, entry)
        if stage.load_end == "put, invalidate":
            yield from self.entry_put(tree, entry)
            if self.exclusive_loads:
                yield from self.invalidate_entry(tree, entry)
                frame.exclusive = True
        if stage.load_end == "invalidate, put, move":
            if self.exclusive_loads:
                yield from self.invalidate_entry(tree, entry)
                frame.exclusive = True
            yield from self.entry_put(tree, entry)
            yield from self.move_to_head(entry)
        if stage.load_end == "move, invalidate, put":
            yield from self.move_to_head(entry)
            if self.exclusive_loads:
                yield from self.invalidate_entry(tree, entry)
                frame.exclusive = True
            yield from self.entry_put(tree, entry)
        if stage.load_end == "put, invalidate or move":
            yield from self.entry_put(tree, entry)
            if self.exclusive_loads:
                yield from self.invalidate_entry(tree, entry)
                frame.exclusive = True
            else:
                yield from self.move_to_head(entry)
        if stage.load_end == "invalidate or move, put":
            if self.exclusive_loads:
                yield from self.invalidate_entry(tree, entry)
                frame.exclusive = True
            else:
                yield from self.move_to_head(entry)
            yield from self.entry_put(tree, entry)

    @kernel("zswap_frontswap_invalidate_page")
    def invalidate_page(self, type: int, offset: int) -> Kernel:
        """The swap slot was given up: forget its entry, if there is one."""
        tree = self.trees[type]
        yield tree.lock.acquire
        entry = tree.search(offset)
        if entry is not None:
            yield from self.invalidate_entry(tree, entry)
        yield tree.lock.release

    @kernel("zswap_frontswap_invalidate_area")
    def invalidate_area(self, type: int) -> Kernel:
        """The end of swapoff: free every entry of that swap type, whatever its refcount, and the tree."""
        tree = self.trees[type]
        yield tree.lock.acquire
        while tree.entries:
            offset = min(tree.entries)
            entry = tree.entries.pop(offset)
            entry.linked = False
            yield from self.free_entry(entry)
        yield tree.lock.release
        del self.trees[type]
        poison(tree, self.hook)

    def kick_worker(self) -> Kernel:
        """Queue the shrink worker for the oldest pool; whoever asked is refused with -ENOMEM.

        When the work is queued already the reference just taken is never dropped: the kernel's leak too.
        """
        yield UNLOCKED
        pool = self.pool_get(self.pools[-1])
        pool.work_pending = True
        if self.hook.observer:
            self.hook.observer("kick", pool, None)
        return -ENOMEM
