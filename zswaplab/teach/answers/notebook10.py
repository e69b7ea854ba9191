"""Notebook 10, exercises: a reclaim that verifies its entry, and some that verify too little."""

from zswaplab.model.errors import EAGAIN, EINVAL


def reclaim_entry(self, pool):
    yield pool.lru_lock.acquire
    entry = pool.lru.tail
    if entry is None:
        yield pool.lru_lock.release
        return -EINVAL
    pool.lru.isolate(entry)
    type, offset = entry.type, entry.offset
    tree = self.trees[type]
    yield pool.lru_lock.release
    yield tree.lock.acquire
    if tree.search(offset) is not entry:
        yield tree.lock.release
        return -EAGAIN
    entry.refcount += 1
    yield tree.lock.release
    failed = yield from self.writeback_entry(pool, entry.handle, entry, (type, offset))
    yield tree.lock.acquire
    if failed:
        yield pool.lru_lock.acquire
        pool.lru.move(entry)
        yield pool.lru_lock.release
    else:
        yield from self.invalidate_entry(tree, entry)
    yield from self.entry_put(tree, entry)
    yield tree.lock.release
    return -EAGAIN if failed else 0


def some_entry_is_there(self, pool):
    yield pool.lru_lock.acquire
    entry = pool.lru.tail
    if entry is None:
        yield pool.lru_lock.release
        return -EINVAL
    pool.lru.isolate(entry)
    type, offset = entry.type, entry.offset
    tree = self.trees[type]
    yield pool.lru_lock.release
    yield tree.lock.acquire
    if tree.search(offset) is None:
        yield tree.lock.release
        return -EAGAIN
    entry.refcount += 1
    yield tree.lock.release
    failed = yield from self.writeback_entry(pool, entry.handle, entry, (type, offset))
    yield tree.lock.acquire
    if failed:
        yield pool.lru_lock.acquire
        pool.lru.move(entry)
        yield pool.lru_lock.release
    else:
        yield from self.invalidate_entry(tree, entry)
    yield from self.entry_put(tree, entry)
    yield tree.lock.release
    return -EAGAIN if failed else 0


def refcount_above_0(self, pool):
    yield pool.lru_lock.acquire
    entry = pool.lru.tail
    if entry is None:
        yield pool.lru_lock.release
        return -EINVAL
    pool.lru.isolate(entry)
    type, offset = entry.type, entry.offset
    tree = self.trees[type]
    yield pool.lru_lock.release
    yield tree.lock.acquire
    if entry.refcount <= 0:
        yield tree.lock.release
        return -EAGAIN
    entry.refcount += 1
    yield tree.lock.release
    failed = yield from self.writeback_entry(pool, entry.handle, entry, (type, offset))
    yield tree.lock.acquire
    if failed:
        yield pool.lru_lock.acquire
        pool.lru.move(entry)
        yield pool.lru_lock.release
    else:
        yield from self.invalidate_entry(tree, entry)
    yield from self.entry_put(tree, entry)
    yield tree.lock.release
    return -EAGAIN if failed else 0


def reference_under_lru_lock(self, pool):
    yield pool.lru_lock.acquire
    entry = pool.lru.tail
    if entry is None:
        yield pool.lru_lock.release
        return -EINVAL
    pool.lru.isolate(entry)
    type, offset = entry.type, entry.offset
    tree = self.trees[type]
    entry.refcount += 1
    yield pool.lru_lock.release
    failed = yield from self.writeback_entry(pool, entry.handle, entry, (type, offset))
    yield tree.lock.acquire
    if failed:
        yield pool.lru_lock.acquire
        pool.lru.move(entry)
        yield pool.lru_lock.release
    else:
        yield from self.invalidate_entry(tree, entry)
    yield from self.entry_put(tree, entry)
    yield tree.lock.release
    return -EAGAIN if failed else 0


def whatever_is_found(self, pool):
    yield pool.lru_lock.acquire
    entry = pool.lru.tail
    if entry is None:
        yield pool.lru_lock.release
        return -EINVAL
    pool.lru.isolate(entry)
    type, offset, handle = entry.type, entry.offset, entry.handle
    tree = self.trees[type]
    yield pool.lru_lock.release
    yield tree.lock.acquire
    entry = tree.find_get(offset)
    if entry is None:
        yield tree.lock.release
        return -EAGAIN
    yield tree.lock.release
    failed = yield from self.writeback_entry(pool, handle, entry, (type, offset))
    yield tree.lock.acquire
    if failed:
        yield pool.lru_lock.acquire
        pool.lru.move(entry)
        yield pool.lru_lock.release
    else:
        yield from self.invalidate_entry(tree, entry)
    yield from self.entry_put(tree, entry)
    yield tree.lock.release
    return -EAGAIN if failed else 0


def no_reference(self, pool):
    yield pool.lru_lock.acquire
    entry = pool.lru.tail
    if entry is None:
        yield pool.lru_lock.release
        return -EINVAL
    pool.lru.isolate(entry)
    type, offset = entry.type, entry.offset
    tree = self.trees[type]
    yield pool.lru_lock.release
    yield tree.lock.acquire
    if tree.search(offset) is not entry:
        yield tree.lock.release
        return -EAGAIN
    yield tree.lock.release
    failed = yield from self.writeback_entry(pool, entry.handle, entry, (type, offset))
    yield tree.lock.acquire
    if failed:
        yield pool.lru_lock.acquire
        pool.lru.move(entry)
        yield pool.lru_lock.release
    else:
        yield from self.invalidate_entry(tree, entry)
    yield tree.lock.release
    return -EAGAIN if failed else 0


RIGHT = (reclaim_entry,)
WRONG = {
    "some-entry-is-there": (some_entry_is_there,), "refcount-above-0": (refcount_above_0,),
    "reference-under-lru-lock": (reference_under_lru_lock,), "whatever-is-found": (whatever_is_found,),
    "no-reference": (no_reference,),
}  # fmt: skip
