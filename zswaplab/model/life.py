"""`Life`: what becomes of an entry, whoever has it: on the LRU, off the tree, its references, its end.

Store and load (zswap.py) and reclaim (shrink.py) both stand on it. The tree lock is held throughout.
"""

from __future__ import annotations

from .entry import Entry
from .errors import Bug
from .freed import poison
from .limits import Limits
from .pools import Pool
from .steps import DECOMPRESS, MAP, UNMAP, Kernel
from .tree import Tree
from .zpool import Handle


class Life(Limits):
    """The life of an entry, and its bytes."""

    def on_lru(self, entry: Entry) -> bool:
        """Whether zswap itself lists the entry: not if it is same-filled, nor if its backend evicts."""
        stage = self.stage
        if stage.asks_evictable:
            return entry.length > 0 and not entry.pool.evictable
        else:
            return entry.length > 0

    def move_to_head(self, entry: Entry) -> Kernel:
        """A loaded entry becomes the newest of its pool's LRU, if it is on one."""
        stage = self.stage
        if stage.entry_lru:
            if self.on_lru(entry):
                yield entry.pool.lru_lock.acquire
                entry.pool.lru.move(entry)
                yield entry.pool.lru_lock.release

    def invalidate_entry(self, tree: Tree, entry: Entry) -> Kernel:
        """Take an entry off the tree and drop the tree's reference (`zswap_invalidate_entry`)."""
        stage = self.stage
        erased = tree.erase(entry)
        if stage.invalidate_once:
            if erased:
                yield from self.entry_put(tree, entry)
        else:
            yield from self.entry_put(tree, entry)

    def entry_put(self, tree: Tree, entry: Entry) -> Kernel:
        """Drop a reference, under the tree lock; the last one frees the entry (`zswap_entry_put`)."""
        refcount = entry.refcount - 1
        if self.hook.observer:
            self.hook.observer("put", entry, refcount + 1)
        entry.refcount = refcount
        if refcount < 0:
            raise Bug(f"kernel BUG: refcount {refcount} of {entry!r}: its last reference was dropped twice")
        if refcount == 0:
            tree.erase(entry)
            yield from self.free_entry(entry)

    def free_entry(self, entry: Entry) -> Kernel:
        """Give back an entry and what it holds in the backend (`zswap_free_entry`)."""
        stage = self.stage
        if self.hook.observer:
            self.hook.observer("free", entry, (entry.length, entry.handle or entry.value))
        if entry.length == 0:
            self.counters.same_filled_pages -= 1
        else:
            pool = entry.pool
            if stage.entry_lru:
                if self.on_lru(entry):
                    yield pool.lru_lock.acquire
                    pool.lru.delete(entry)
                    yield pool.lru_lock.release
            if self.hook.observer:
                self.hook.observer("zfree", entry, pool.zpool.pages)
            self.free_object(pool, entry.handle)
            if self.hook.observer:
                self.hook.observer("zfreed", entry, pool.zpool.pages)
            self.pool_put(pool)
        poison(entry, self.hook)
        self.counters.stored_pages -= 1
        self.update_total_size()

    def free_object(self, pool: Pool, handle: Handle) -> None:
        """Give an entry's object back to its backend (`zpool_free`)."""
        pool.zpool.free(handle)

    def decompress_object(self, pool: Pool, handle: Handle) -> Kernel:
        """The page of an object. While zsmalloc has it mapped nobody may sleep: then its bytes are copied first."""
        yield MAP
        data = pool.zpool.map_handle(handle).data
        if not pool.zpool.sleep_mapped:
            yield UNMAP
            pool.zpool.unmap_handle(handle)
        yield DECOMPRESS
        page = pool.compressor.decompress(data)
        if pool.zpool.sleep_mapped:
            yield UNMAP
            pool.zpool.unmap_handle(handle)
        return page
