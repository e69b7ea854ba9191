"""Notebook 11, exercises: a load's end that loses nothing, and some that do."""


def load_end(self, tree, entry, frame):
    cached = self.swaps[tree.type].cache.get(entry.offset) is frame
    if self.exclusive_loads and cached:
        yield from self.invalidate_entry(tree, entry)
        frame.exclusive = True
    else:
        yield from self.move_to_head(entry)
    yield from self.entry_put(tree, entry)


def only_dirty(self, tree, entry, frame):
    if self.exclusive_loads:
        yield from self.invalidate_entry(tree, entry)
        frame.exclusive = True
        frame.dirty = True
    else:
        yield from self.move_to_head(entry)
    yield from self.entry_put(tree, entry)


def if_refcount_is_2(self, tree, entry, frame):
    if self.exclusive_loads and entry.refcount == 2:
        yield from self.invalidate_entry(tree, entry)
        frame.exclusive = True
    else:
        yield from self.move_to_head(entry)
    yield from self.entry_put(tree, entry)


def never_invalidates(self, tree, entry, frame):
    yield from self.move_to_head(entry)
    yield from self.entry_put(tree, entry)


def says_so_all_the_same(self, tree, entry, frame):
    cached = self.swaps[tree.type].cache.get(entry.offset) is frame
    if self.exclusive_loads and cached:
        yield from self.invalidate_entry(tree, entry)
    else:
        yield from self.move_to_head(entry)
    if self.exclusive_loads:
        frame.exclusive = True
    yield from self.entry_put(tree, entry)


RIGHT = (load_end,)
WRONG = {
    "only-dirty": (only_dirty,), "if-refcount-is-2": (if_refcount_is_2,), "never-invalidates": (never_invalidates,),
    "says-so-all-the-same": (says_so_all_the_same,),
}  # fmt: skip
