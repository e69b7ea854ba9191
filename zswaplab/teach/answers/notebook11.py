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


# -- tests -------------------------------------------------------------------------------------------------


def out(*pages):
    return [line for page in pages for line in (f"write {page}", f"page_out {page}")]


def test(run):
    small = {"ram_pages": 10}
    assert run([*out(0, 1), "read 0"]).lru() == [0, 1]
    again = run([*out(0), "read 0", "page_out 0"])
    assert again.count("store") == 1
    loaded = run([*out(0), "read 0"])
    assert loaded.at(-1).counters["stored_pages"] == 1
    assert all(entry["refcount"] == 1 for entry in loaded.at(-1).entries.values())
    failed = run([*out(0), "read 0", *out(1), "worker"])
    assert failed.lru() == [0, 1]
    assert run([*out(0, 1), "worker"]).written_back() == [0]
    assert run([*out(1, 0), "worker"]).written_back() == [1]
    given_up = run([*out(0), "free 0"])
    assert given_up.at(-1).counters["stored_pages"] == 1
    full = run(out(5, 6, 10, 9), **small)
    assert full.count("refuse") == 1 and full.count("store") == 3
    zeros = run([*out(5, 6, 10), "write 7 zeros", "page_out 7"], **small)
    assert zeros.count("refuse") == 1
    limit = run(out(5, 6), ram_pages=5)
    assert limit.count("refuse") == 0
    sizes = run(out(9, 10, 5, 11), **small)
    assert sizes.count("refuse") == 1


def refuses_the_kernel(run):
    full = run(out(5, 6), ram_pages=5)
    assert full.count("refuse") == 1


def catches_none(run):
    history = run([*out(0), "read 0"])
    assert history.fault is None


def never_full(run):
    assert run([*out(0, 1), "read 0"]).lru() == [0, 1]
    assert run([*out(0), "read 0", "page_out 0"]).count("store") == 1
    loaded = run([*out(0), "read 0"])
    assert loaded.at(-1).counters["stored_pages"] == 1
    assert all(entry["refcount"] == 1 for entry in loaded.at(-1).entries.values())
    assert run([*out(0), "read 0", *out(1), "worker"]).lru() == [0, 1]
    assert run([*out(0, 1), "worker"]).written_back() == [0]
    assert run([*out(1, 0), "worker"]).written_back() == [1]
    assert run([*out(0), "free 0"]).at(-1).counters["stored_pages"] == 1


def never_reclaims(run):
    small = {"ram_pages": 10}
    assert run([*out(0), "read 0", "page_out 0"]).count("store") == 1
    loaded = run([*out(0), "read 0"])
    assert loaded.at(-1).counters["stored_pages"] == 1
    assert all(entry["refcount"] == 1 for entry in loaded.at(-1).entries.values())
    assert run([*out(0), "free 0"]).at(-1).counters["stored_pages"] == 1
    full = run(out(5, 6, 10, 9), **small)
    assert full.count("refuse") == 1 and full.count("store") == 3
    zeros = run([*out(5, 6, 10), "write 7 zeros", "page_out 7"], **small)
    assert zeros.count("refuse") == 1
    assert run(out(5, 6), ram_pages=5).count("refuse") == 0
    sizes = run(out(9, 10, 5, 11), **small)
    assert sizes.count("refuse") == 1


def only_what_is_stored(run):
    assert run([*out(0), "read 0", "page_out 0"]).count("store") == 1
    loaded = run([*out(0), "read 0"])
    assert loaded.at(-1).counters["stored_pages"] == 1
    assert all(entry["refcount"] == 1 for entry in loaded.at(-1).entries.values())
    assert run([*out(0), "free 0"]).at(-1).counters["stored_pages"] == 1


TESTS = {
    "refuses-the-kernel": refuses_the_kernel, "catches-none": catches_none, "never-full": never_full,
    "never-reclaims": never_reclaims, "some-survive": only_what_is_stored,
}  # fmt: skip
