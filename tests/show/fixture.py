"""Made-up payloads for the player: a toy zswap over zbud that notes each step. Nothing here is the model."""

from __future__ import annotations

import json
from itertools import count
from typing import Any

Payload = dict[str, Any]
UNIT, UNITS, HEADER = 64, 64, 1
URL = "https://github.com/torvalds/linux/blob/v6.5/mm/zswap.c"
SOURCES = {
    "store": (
        "zswap_frontswap_store",
        """def store(self, type, offset, page):
    \"\"\"Compress `page` and keep it as the entry of that swap slot, or refuse it.\"\"\"
    if self.is_full():
        yield UNLOCKED
        self.reached_full = True
        return self.kick_worker()
    entry = Entry(type, offset)
    yield COMPRESS
    data = pool.compressor.compress(page)
    yield MALLOC
    entry.handle = pool.zpool.malloc(len(data))
    yield tree.lock.acquire
    tree.insert(entry)
    yield pool.lru_lock.acquire
    pool.lru.add(entry)
    yield pool.lru_lock.release
    yield tree.lock.release
    return 0""",
    ),
    "load": (
        "zswap_frontswap_load",
        """def load(self, type, offset, frame):
    \"\"\"Fill `frame` from the slot's entry.\"\"\"
    yield tree.lock.acquire
    entry = tree.find_get(offset)
    yield tree.lock.release
    yield DECOMPRESS
    frame.data = entry.pool.compressor.decompress(data)
    yield tree.lock.acquire
    if self.exclusive_loads:
        yield from self.invalidate_entry(tree, entry)
    yield from self.entry_put(tree, entry)
    yield from self.move_to_head(entry)
    yield tree.lock.release
    return 0""",
    ),
    "entry_put": (
        "zswap_entry_put",
        """def entry_put(self, tree, entry):
    \"\"\"Drop a reference, under the tree lock; the last one frees the entry.\"\"\"
    entry.refcount -= 1
    if entry.refcount == 0:
        tree.erase(entry)
        yield from self.free_entry(entry)""",
    ),
    "reclaim_entry": (
        "zswap_reclaim_entry",
        """def reclaim_entry(self, pool):
    \"\"\"Write back the oldest entry of the pool's LRU.\"\"\"
    yield pool.lru_lock.acquire
    entry = pool.lru.tail
    pool.lru.isolate(entry)
    type, offset = entry.type, entry.offset
    yield pool.lru_lock.release  # from here others may free the entry
    yield tree.lock.acquire
    if tree.search(offset) is not entry:
        yield tree.lock.release
        return -EAGAIN
    entry.refcount += 1
    yield tree.lock.release
    failed = yield from self.writeback_entry(pool, entry)
    yield tree.lock.acquire
    yield from self.invalidate_entry(tree, entry)
    yield from self.entry_put(tree, entry)
    yield tree.lock.release
    return 0""",
    ),
    "move_to_head": (
        "",
        """def move_to_head(self, entry):
    \"\"\"A loaded entry becomes the newest of its pool's LRU, if it is on one.\"\"\"
    if entry.length:
        yield entry.pool.lru_lock.acquire
        entry.pool.lru.move_to_head(entry)
        yield entry.pool.lru_lock.release""",
    ),
}
NAMES = list(SOURCES)
IDLE = {"task": "what is read", "state": "not started", "stack": [], "holds": [], "waits": None, "holder": None,
        "refs": [], "steps": 0}  # fmt: skip


def at(function: str, text: str) -> list[int]:
    """[source index, line index] of the first line of `function` in which `text` stands."""
    lines = SOURCES[function][1].splitlines()
    return [NAMES.index(function), next(i for i, line in enumerate(lines) if text in line)]


class Toy:
    """Keeps entries, an LRU and zbud pages, and writes each step down."""

    def __init__(self, limit: int, accept: int, lru_of: str = "entries", cpus: int = 1) -> None:
        self.payload: Payload = {
            "version": 2, "title": "A pool fills up",
            "tags": ["patch 1", f"zbud, {'not ' * (lru_of == 'entries')}evictable", "exclusive loads off"],
            "limit": limit, "accept": accept, "cpus": cpus, "tasks": ["everything", "what is read"] if cpus > 1 else [],
            "pools": [{
                "backend": "zbud", "compressor": "deflate", "evictable": lru_of == "pages", "lru_of": lru_of,
                "page_units": UNITS, "header_units": HEADER, "unit_bytes": UNIT,
            }],
            "sources": [
                {"function": name, "kernel": kernel, "url": kernel and f"{URL}#{i}", "lines": text.splitlines()}
                for i, (name, (kernel, text)) in enumerate(SOURCES.items())
            ],
            "counters": {
                "pool_total_size": 0, "stored_pages": 0, "same_filled_pages": 0,
                "pool_limit_hit": 0, "written_back_pages": 0, "duplicate_entry": 0,
            },
            "begin": [], "operations": [], "steps": [], "reports": [],
        }  # fmt: skip
        self.of_entries = lru_of == "entries"
        self.counters = dict(self.payload["counters"])
        self.ids, self.numbers = count(1), count(0)
        self.entries: dict[int, dict[str, Any]] = {}
        self.by_page: dict[int, int] = {}
        self.lru: list[int] = []  # head first
        self.pages: dict[int, list[list[int]]] = {}
        self.full = False
        self.text = ""

    def begin(self, text: str) -> None:
        """An operation begins: its kind is its first words, its pages are the numbers in it."""
        kind, *rest = text.replace("page out", "page_out").split()
        pages = [int(word) for word in rest if word.isdecimal()]
        self.text = text
        self.payload["operations"].append({"text": text, "kind": kind, "pages": pages, "cpu": 0})

    def step(
        self, say: str, where: list[list[int]], *changes: list[Any], event: str | None = None, story: bool = False,
        subject: int | None = None, holds: tuple[str, ...] = (), other: dict[str, Any] | None = None,
    ) -> None:  # fmt: skip
        refs = [[NAMES[where[-1][0]], "entry", subject]] if where and subject is not None else []
        cpus = None
        if self.payload["cpus"] == 2:
            first = {"task": self.text, "state": "running", "stack": where, "holds": list(holds), "waits": None,
                     "holder": None, "refs": refs, "steps": len(self.payload["steps"]) + 1}  # fmt: skip
            cpus = [first, other or IDLE]
        self.payload["steps"].append({
            "say": say, "event": event, "story": story or event is not None, "subject": subject,
            "operation": len(self.payload["operations"]) - 1, "cpu": 0, "stack": where, "holds": list(holds),
            "refs": refs, "changes": list(changes), "cpus": cpus,
        })  # fmt: skip

    def entry(self, id: int, **fields: Any) -> list[Any]:
        self.entries.setdefault(id, {"pool": 0, "value": None}).update(fields)
        return ["entry", id, dict(self.entries[id])]

    def count(self, **more: int) -> list[Any]:
        for name, by in more.items():
            self.counters[name] += by
        self.counters["pool_total_size"] = 4096 * len(self.pages)
        return ["counters", {name: self.counters[name] for name in (*more, "pool_total_size")}]

    def size(self) -> list[Any]:
        return ["size", len(self.pages)]

    def touch(self, which: int) -> list[Any]:
        if which in self.lru:
            self.lru.remove(which)
        self.lru.insert(0, which)
        return ["lru+", 0, which]

    def page(self, number: int) -> list[Any]:
        """A backend's page as it is; its key is its number."""
        objects = self.pages.get(number)
        if objects is None:
            return ["page", number, None]
        return ["page", number, {"pool": 0, "number": number, "units": UNITS, "objects": [*objects]}]

    def place(self, id: int, length: int) -> int:
        """First fit: the first slot lies after the header, the last one at the page's end."""
        units = -(-length // UNIT)
        for number, objects in self.pages.items():
            if len(objects) == 1 and sum(o[2] for o in objects) + units <= UNITS - HEADER:
                first = UNITS - units if objects[0][1] == HEADER else HEADER
                objects.append([id, first, units])
                return number
        number = next(self.numbers)
        self.pages[number] = [[id, HEADER, units]]
        return number

    def remove(self, id: int) -> list[list[Any]]:
        """The object leaves its page; an empty page goes back."""
        for number, objects in list(self.pages.items()):
            if any(o[0] == id for o in objects):
                self.pages[number] = [o for o in objects if o[0] != id]
                if self.pages[number]:
                    return [self.page(number)]
                del self.pages[number]
                gone = [self.page(number)]
                if not self.of_entries and number in self.lru:
                    self.lru.remove(number)
                    gone.insert(0, ["lru-", 0, number])
                return gone
        return []

    def drop(self, page: int) -> list[list[Any]]:
        id = self.by_page.pop(page)
        del self.entries[id]
        changes = [["entry", id, None]]
        if self.of_entries and id in self.lru:
            self.lru.remove(id)
            changes.insert(0, ["lru-", 0, id])
        return [*changes, *self.remove(id), self.size()]

    def page_out(self, page: int, length: int) -> None:
        self.begin(f"page out {page}")
        if self.full or len(self.pages) > self.payload["limit"]:
            turned = [] if self.full else [["full", True]]
            self.full = True
            self.step(
                f"The pool is **full**: zswap refuses page {page}, and it goes straight to the swap device.",
                [at("store", "self.reached_full = True")],
                *turned, self.count(pool_limit_hit=1), ["ram", page, "swapped"], ["disk", page],
                event="refuse",
            )  # fmt: skip
            return
        id = next(self.ids)
        self.step(
            f"Memory is short: page {page} must leave RAM. zswap makes a new **entry** for it.",
            [at("store", "entry = Entry")],
            self.entry(id, page=page, offset=page + 4, length=0, refcount=1, linked=False), subject=id,
        )
        if length:
            number = self.place(id, length)
            changes = [self.entry(id, length=length), self.page(number)]
            if not self.of_entries:
                changes.append(self.touch(number))
            self.step(
                f"Its 4096 bytes compress to **{length}**; zbud finds room for them in its page {number}.",
                [at("store", "zpool.malloc")], *changes, subject=id,
            )  # fmt: skip
        old = [] if page not in self.by_page else self.drop(page)
        self.by_page[page] = id
        changes = [*old, self.entry(id, linked=True), ["ram", page, "swapped"]]
        if self.of_entries and length:
            changes.append(self.touch(id))
        self.step(
            f"Page {page} is in the tree, where a fault finds it, and at the **head** of the LRU: the newest."
            if length else f"Page {page} is all one value: zswap keeps **no bytes** of it, only the value.",
            [at("store", "pool.lru.add")],
            *changes, self.size(), self.count(stored_pages=1, **({} if length else {"same_filled_pages": 1})),
            event="store", subject=id, holds=("tree lock", "lru_lock"),
        )  # fmt: skip

    def read(self, page: int, fault: bool = False) -> None:
        self.begin(f"read {page}")
        id = self.by_page[page]
        self.step(
            f"Page {page} is needed. Its entry is **found** in the tree and held by one reference more.",
            [at("load", "find_get")], self.entry(id, refcount=2), subject=id, holds=("tree lock",),
        )  # fmt: skip
        if fault:
            changes = [c for c in self.drop(page) if c[0] != "lru-"]
            self.step(
                "The load was exclusive: the last reference is dropped, and the entry is **freed**.",
                [at("load", "entry_put"), at("entry_put", "free_entry")],
                *changes, self.count(stored_pages=-1), ["ram", page, "present"], event="free", subject=id,
                holds=("tree lock",),
            )  # fmt: skip
            self.step(
                "**Use after free**: load reads the length of an entry that no longer exists.",
                [at("load", "move_to_head"), at("move_to_head", "if entry.length")],
                event="fault", subject=id, holds=("tree lock",),
            )  # fmt: skip
            self.report(id)
            return
        moved = [self.touch(id)] if self.of_entries else []
        self.step(
            f"Page {page} was just read, so its entry moves to the **head**: it will be the last to go.",
            [at("load", "move_to_head"), at("move_to_head", "lru.move_to_head")],
            *moved, self.entry(id, refcount=1), ["ram", page, "present"],
            event="load", subject=id, holds=("tree lock", "lru_lock"),
        )  # fmt: skip

    def worker(self) -> None:
        self.begin("worker")
        tail = self.lru[-1]
        victims = [tail] if self.of_entries else [o[0] for o in self.pages[tail]]
        page = self.entries[victims[0]]["page"]
        self.lru.pop()
        other = {
            "task": f"read {page}", "state": "blocked", "stack": [at("load", "yield tree.lock.acquire")], "holds": [],
            "waits": "tree lock", "holder": 0, "refs": [], "steps": 1,
        }  # fmt: skip
        self.step(
            f"The worker takes the **tail** of the LRU, page {page}. Until found again, anyone may free it."
            if self.of_entries else f"zbud takes the **tail** of its LRU, its page {tail}, to empty it.",
            [at("reclaim_entry", "lru.isolate")], ["lru-", 0, tail], ["out", tail],
            story=True, subject=tail if self.of_entries else None, holds=("lru_lock",), other=other,
        )  # fmt: skip
        for id in victims:
            page = self.entries[id]["page"]
            self.step(
                f"Page {page} is still in the tree: the worker takes **one reference more** and writes it out.",
                [at("reclaim_entry", "refcount += 1")], self.entry(id, refcount=2),
                subject=id, holds=("tree lock",), other=other,
            )  # fmt: skip
            self.step(
                f"Page {page} is **written back**: the swap device has it, and its entry is freed.",
                [at("reclaim_entry", "entry_put"), at("entry_put", "free_entry")],
                *self.drop(page), ["disk", page], *([["out", None]] if id == victims[-1] else []),
                self.count(stored_pages=-1, written_back_pages=1),
                event="writeback", subject=id, holds=("tree lock",), other=other,
            )  # fmt: skip
        if self.full and len(self.pages) < self.payload["accept"]:
            self.full = False
            self.payload["steps"][-1]["changes"].append(["full", False])

    def report(self, id: int) -> None:
        """KASAN's report of the last step: the load reads the length of what the step before has freed."""
        now = len(self.payload["steps"]) - 1
        steps = enumerate(self.payload["steps"])
        made = next(i for i, step in steps if ["entry", id] in [change[:2] for change in step["changes"]])
        load = ("load", "move_to_head")
        self.payload["reports"].append({
            "kind": "KASAN", "text": "BUG: KASAN: slab-use-after-free in zswap_frontswap_load\nRead of size 4",
            "say": "**Use after free.** Page 12’s entry is freed, yet 4 bytes of it, `length`, are read.",
            "step": now, "cpu": 0, "access": "read", "size": 4, "offset": 36, "field": "length",
            "function": "zswap_frontswap_load", "thing": "zswap_entry", "entry": id, "bytes": 80,
            "used": trace(now, ("move_to_head", "if entry.length"), load),
            "freed": trace(now - 1, ("entry_put", "free_entry"), ("load", "entry_put")),
            "allocated": trace(made, ("store", "entry = Entry")),
            "page": None, "whose": "", "trail": [], "waits": [], "chains": [],
        })  # fmt: skip

    def free(self, page: int) -> None:
        self.begin(f"free {page}")
        changes = self.drop(page) if page in self.by_page else []
        self.step(
            f"Nobody needs page {page} any more: its slot is given up, and its entry is **freed**.",
            [at("entry_put", "free_entry")], *changes, ["ram", page, "freed"],
            self.count(stored_pages=-1 if changes else 0), event="free", holds=("tree lock",),
        )  # fmt: skip


def trace(step: int, *rows: tuple[str, str]) -> dict[str, Any]:
    """Where something happened: (function of the toy, text of its line), innermost first."""
    found = [[name, SOURCES[name][0] or name, *at(name, text)] for name, text in rows]
    return {"task": "CPU a (read 12)", "step": step, "rows": found}


def payload(lru_of: str = "entries", cpus: int = 1) -> Payload:
    """About 60 steps: stores, a same-filled page, a load, refusals, writebacks, a free, a fault."""
    toy = Toy(limit=6, accept=5, lru_of=lru_of, cpus=cpus)
    lengths = [1984, 1320, 2700, 740, 1900, 420, 3000, 610, 0, 1700, 2200, 900, 1450, 1100]
    toy.begin("write 0 to 16")
    toy.step(
        "Seventeen pages are **written** in RAM; zswap is empty.",
        [],
        *[["ram", page, "present"] for page in range(17)],
    )
    for page, length in enumerate(lengths):
        toy.page_out(page, length)
        if page == 7:
            toy.read(2)
    toy.page_out(14, 1500)
    toy.page_out(15, 1500)
    toy.worker()
    toy.worker()
    toy.worker()
    toy.page_out(15, 1500)
    toy.free(9)
    toy.read(12, fault=True)
    return toy.payload


def long_payload(steps: int = 5000, pages: int = 160) -> Payload:
    """At least `steps` steps over a pool of `pages` backend pages."""
    toy = Toy(limit=pages, accept=pages * 9 // 10)
    state = 1
    while len(toy.payload["steps"]) < steps:
        state = state * 16807 % 2147483647
        page = state % (pages * 3)
        if page in toy.by_page and state % 3:
            toy.read(page)
        else:
            toy.page_out(page, state % 3600 + 60)
        if toy.full:
            for _ in range(20):
                toy.worker()
    return toy.payload


if __name__ == "__main__":
    print(json.dumps(payload()))
