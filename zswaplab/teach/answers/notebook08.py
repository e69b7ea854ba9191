"""Notebook 08, exercises: a load's end that fails nowhere, and those that were proposed."""


def load_end(self, tree, entry, frame):
    if self.exclusive_loads:
        yield from self.invalidate_entry(tree, entry)
        frame.exclusive = True
    else:
        yield from self.move_to_head(entry)
    yield from self.entry_put(tree, entry)


def invalidate_entry(self, tree, entry):
    erased = tree.erase(entry)
    if erased:
        yield from self.entry_put(tree, entry)


def invalidates_always(self, tree, entry):
    tree.erase(entry)
    yield from self.entry_put(tree, entry)


def remedy_a(self, tree, entry, frame):
    yield from self.move_to_head(entry)
    if self.exclusive_loads:
        yield from self.invalidate_entry(tree, entry)
        frame.exclusive = True
    yield from self.entry_put(tree, entry)


def snippet(self, tree, entry, frame):
    yield from self.entry_put(tree, entry)
    if self.exclusive_loads:
        yield from self.invalidate_entry(tree, entry)
        frame.exclusive = True
    else:
        yield from self.move_to_head(entry)


def put_left_out(self, tree, entry, frame):
    if self.exclusive_loads:
        yield from self.invalidate_entry(tree, entry)
        frame.exclusive = True
    else:
        yield from self.move_to_head(entry)


def as_posted(self, tree, entry, frame):
    if self.exclusive_loads:
        yield from self.invalidate_entry(tree, entry)
        frame.exclusive = True
    yield from self.entry_put(tree, entry)
    yield from self.move_to_head(entry)


def not_exclusive(self, tree, entry, frame):
    yield from self.move_to_head(entry)
    yield from self.entry_put(tree, entry)


RIGHT = (load_end, invalidate_entry)
WRONG = {
    "as-posted": (as_posted, invalidates_always), "remedy-a": (remedy_a, invalidates_always),
    "snippet": (snippet, invalidates_always),
    "put-left-out": (put_left_out, invalidate_entry), "not-idempotent": (load_end, invalidates_always),
    "not-exclusive": (not_exclusive, invalidate_entry),
}  # fmt: skip
