"""What is shown of a machine at one step: the `Scene`, how changes alter it, and who works the changes out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Any

from ..model.entry import Entry
from ..model.errors import EINVAL
from ..model.freed import is_freed
from ..model.limits import Counters
from ..model.machine import Machine
from ..model.pools import Pool
from ..model.zpool import Handle, Zpool
from .events import WEIGHTS, Fact

Change = list[Any]
_COUNTERS = tuple(name for name, _ in Counters())
_counts_of = attrgetter(*_COUNTERS)


class Scene:
    """What is there at one step.

    `entries` by their number and `pages` of the backends by theirs, each a dict of what is shown; `lru` has for each
    pool what its LRU lists, the next to go first; `out` is what steps out of a list just now. `size` is the pool's in
    pages and `full` whether zswap waits for the threshold; `counters`; `ram` says of each page of the program where
    it is; `current` is the pool into which stores go. `names` has the page of every entry, also of those that are gone.
    """

    def __init__(self, counters: dict[str, int]) -> None:
        self.entries: dict[int, Any] = {}
        self.pages: dict[int, Any] = {}
        self.names: dict[int, int | None] = {}
        self.lru: dict[int, dict[int, None]] = {}
        self.ram: dict[int, str] = {}
        self.counters = dict(counters)
        self.out: int | None = None
        self.size, self.full, self.current = 0, False, 0

    def copy(self) -> Scene:
        other = Scene(self.counters)
        for name, value in vars(self).items():
            setattr(other, name, dict(value) if isinstance(value, dict) else value)
        other.lru = {pool: dict(listed) for pool, listed in self.lru.items()}
        return other

    def __len__(self) -> int:
        """How much there is to copy."""
        return len(self.entries) + len(self.pages) + len(self.names) + len(self.ram)

    def add(self, changes: Iterable[Change]) -> None:
        """Alter it as one step's changes say."""
        for what, first, *rest in changes:
            if what in ("entry", "page"):
                kept = self.entries if what == "entry" else self.pages
                if rest[0] is None:
                    kept.pop(first, None)
                else:
                    kept[first] = rest[0]
                    if what == "entry":
                        self.names[first] = rest[0]["page"]
            elif what in ("lru+", "lru-"):
                listed = self.lru.setdefault(first, {})
                listed.pop(rest[0], None)
                if what == "lru+":
                    listed[rest[0]] = None
            elif what == "counters":
                self.counters.update(first)
            elif what == "ram":
                self.ram[first] = rest[0]
            elif what != "disk":
                setattr(self, what, first)  # out, size, full, current


class Watch:
    """Follows a machine: turns what the model tells into changes of the scene, and into facts.

    It follows what changed and never looks at all there is, so that a step costs the same with a hundred pages and
    with a hundred thousand. `begin` are the changes that lead from nothing to what the machine holds already.
    """

    def __init__(self, machine: Machine) -> None:
        self.machine, self.zswap = machine, machine.zswap
        self.entries: list[Entry] = []  # keeps every entry alive, so that id() stays its own
        self.names: list[int | None] = []  # number of an entry -> the program's page
        self.numbers: dict[int, int] = {}  # id() of an entry -> its number
        self.pages: list[Any] = []  # the backends' pages, by their number here, which no other pool has
        self.keys: dict[int, int] = {}  # id() of one -> its number here
        self.homes: list[int] = []  # its number here -> its pool
        self.pools: list[Pool] = []  # by their number; one that is gone is freed memory, which nobody may touch
        self.zpools: list[Zpool] = []
        self.described_pools: list[dict[str, Any]] = []
        self.objects: dict[Handle, int] = {}  # handle -> number of its entry
        self.owners = {slot: page for page, slot in machine.slots.items()}
        self.operation, self.cpu, self.stood = "", 0, ""  # who runs, and the kind of step at which it stood
        self.refused: set[int] = set()  # CPUs whose store has been told to be refused
        self.changes: list[Change] = []
        self.dirty: dict[int, None] = {}
        self.dirty_pages: dict[int, None] = {}
        self.described: dict[int, Any] = {}
        self.fact: Fact | None = None
        self.weight = 0
        self.events: list[str] = []
        self.out: int | None = None
        self.counts: tuple[int, ...] = _counts_of(self.zswap.counters)
        self.counters = dict(self.zswap.counters)
        self.pool_total_size, self.full, self.current = 0, False, 0
        self.begin = self.all_there_is()

    def all_there_is(self) -> list[Change]:
        machine, zswap = self.machine, self.zswap
        for pool in zswap.pools:
            self.pool_number(pool)
        for tree in zswap.trees.values():
            for entry in tree.entries.values():
                self.dirty[self.number(entry)] = None
                if entry.length:
                    self.objects[entry.handle] = self.number(entry)
        for pool in zswap.pools:
            for page in pool.zpool.numbered.values():
                self.dirty_pages[self.key(page)] = None
        for pool in zswap.pools:
            number = self.pool_number(pool)
            listed = [self.key(page) for page in pool.zpool.lru] if pool.evictable else [
                self.number(entry) for entry in pool.lru][::-1]  # fmt: skip
            self.changes += [["lru+", number, id] for id in listed]
        self.changes += [
            ["ram", page, "present" if page in machine.frames else "swapped"] for page in machine.written
        ]  # fmt: skip
        on_device = machine.swap.disk.keys() - {slot for tree in zswap.trees.values() for slot in tree.entries}
        self.changes += [["disk", page] for page, slot in machine.slots.items() if slot in on_device]
        self.after_setting()
        return self.take()[0]

    # -- what the model tells ----------------------------------------------------------------------

    def observe(self, event: str, subject: Any, value: Any) -> None:
        handler = HANDLERS.get(event)
        if handler is not None:
            handler(self, subject, value)

    def tell(self, kind: str, event: str | None = None, reason: str | None = None, *, subject: int | None = None,
             **values: Any) -> None:  # fmt: skip
        """Something has happened: it is the step's fact if nothing weightier has."""
        if event:
            self.events.append(event)
        weight = WEIGHTS[kind]
        if weight > self.weight:
            page = None if subject is None else self.names[subject]
            self.weight, self.fact = weight, Fact(kind, event, reason, subject, page, values)

    def begins(self, function: str, arguments: Any) -> None:
        if function == "store":
            self.refused.discard(self.cpu)
        self.tell("begin", function=function)

    def ends(self, function: str, result: Any) -> None:
        if function == "load" and result == 0:
            self.tell("loaded", "load")
        elif function == "store" and result and self.cpu not in self.refused:
            compressor = result == -EINVAL and self.stood == "compress"
            self.tell("refused", "refuse", "compressor" if compressor else "switched off", result=result)

    def is_full(self, zswap: Any, full: int) -> None:
        values = {"size": zswap.size, "limit": zswap.limit}
        if full:
            self.refused.add(self.cpu)
            self.tell("full", "refuse", "limit", **values)
        else:
            self.tell("not full", **values)

    def can_accept(self, zswap: Any, accept: int) -> None:
        values = {"size": zswap.size, "below": zswap.accept_threshold}
        if self.operation == "worker":
            self.tell("worker stops" if accept else "worker goes on", **values)
        elif accept:
            self.tell("accepts", **values)
        else:
            self.refused.add(self.cpu)
            self.tell("still full", "refuse", "threshold", **values)

    def kicked(self, pool: Pool, _: Any) -> None:
        self.tell("kick", pool=self.pool_number(pool))

    def cached(self, _: Any, why: int) -> None:
        if why:
            self.tell("not written", None, "in the swap cache" if why == 1 else "slot given up")

    def in_cache(self, _: Any, slot: int) -> None:
        if self.operation == "worker":
            self.tell("frame", slot=slot)

    def on_disk(self, _: Any, slot: int) -> None:
        self.changes.append(["disk", self.owners.get(slot)])

    def frame(self, page: int, where: str) -> None:
        self.changes.append(["ram", page, where])
        if where == "swapped":
            self.owners[self.machine.slots[page]] = page

    def written(self, page: int, _: Any) -> None:
        if page not in self.machine.written:  # cannot be: the model notes it before it tells
            self.changes.append(["ram", page, "present"])

    # -- an entry ------------------------------------------------------------------------------------

    def touched(self, entry: Any, _: Any) -> None:
        if entry is not None:
            self.dirty[self.number(entry)] = None

    def malloced(self, entry: Entry, handle: Handle | int) -> None:
        number = self.number(entry)
        self.dirty[number] = None
        pool = self.zswap.pools[0]
        backend = pool.zpool.name
        if isinstance(handle, int):
            self.refused.add(self.cpu)
            self.tell("too large", "refuse", "size", subject=number, backend=backend, result=handle)
            return
        self.objects[handle] = number
        key = self.key(handle.page)
        self.dirty_pages[key] = None
        self.tell("malloced", subject=number, backend=backend, length=handle.size - pool.header_bytes,
                  where=handle.page.number, key=key)  # fmt: skip

    def inserted(self, entry: Entry, _: Any) -> None:
        number = self.number(entry)
        self.dirty[number] = None
        self.tell("insert", "store", subject=number)

    def found(self, entry: Entry | None, _: Any) -> None:
        if entry is None:
            self.tell("no entry")
        else:
            self.touched(entry, _)
            self.tell("find", subject=self.number(entry))

    def put(self, entry: Entry, refcount: int) -> None:
        self.touched(entry, refcount)
        number, told = self.number(entry), self.fact
        if told and (told.kind, told.subject) == ("put", number):  # the same entry once more, within one step
            self.fact = told._replace(values={**told.values, "left": refcount - 1})
        self.tell("put", subject=number, refcount=refcount, left=refcount - 1)

    def erased(self, entry: Entry, _: Any) -> None:
        self.touched(entry, _)
        self.tell("erase", subject=self.number(entry))

    def freed(self, entry: Entry, _: Any) -> None:
        self.touched(entry, _)
        self.tell("free", "free", subject=self.number(entry))

    def submitted(self, entry: Entry, _: Any) -> None:
        self.touched(entry, _)
        self.tell("submitted", "writeback", subject=self.number(entry))

    def lru_add(self, entry: Entry, _: Any) -> None:
        self.lists(entry, "lru+")
        self.tell("lru add", subject=self.number(entry))

    def lru_move(self, entry: Entry, _: Any) -> None:
        self.lists(entry, "lru+")
        self.tell("lru move", subject=self.number(entry))

    def lru_isolate(self, entry: Entry, _: Any) -> None:
        number = self.lists(entry, "lru-")
        self.step_out(number)
        self.tell("lru isolate", subject=number)

    def lru_delete(self, entry: Entry, _: Any) -> None:
        self.lists(entry, "lru-")

    def lists(self, entry: Entry, change: str) -> int:
        """An entry goes to the head of its pool's LRU, or off it."""
        number = self.number(entry)
        self.dirty[number] = None
        pool = 0 if len(self.pools) == 1 else self.pool_of(entry)
        self.changes.append([change, pool, number])
        self.step_out(None)
        return number

    def step_out(self, what: int | None) -> None:
        if what != self.out:
            self.out = what
            self.changes.append(["out", what])

    def _evicts(self, pool: int) -> bool:
        return bool(self.described_pools[pool]["evictable"])

    # -- a page of a backend -----------------------------------------------------------------------------

    def page_changed(self, page: Any, where: str | None) -> None:
        key = self.key(page)
        self.dirty_pages[key] = None
        pool = self.homes[key]
        if where == "lru" and self._evicts(pool):
            self.changes.append(["lru+", pool, key])
            self.step_out(None)

    def page_isolated(self, page: Any, _: Any) -> None:
        key = self.key(page)
        pool = self.homes[key]
        if self._evicts(pool):
            self.changes.append(["lru-", pool, key])
            self.step_out(key)
        self.tell("page isolate", backend=self.zpools[pool].name, where=page.number, key=key)

    def page_freed(self, page: Any, _: Any) -> None:
        key = self.key(page)
        pool = self.homes[key]
        self.dirty_pages[key] = None
        if self._evicts(pool):
            self.changes.append(["lru-", pool, key])
            self.step_out(None)
        self.tell("pagefree", backend=self.zpools[pool].name, where=page.number, key=key)

    def moved(self, handle: Handle, page: Any) -> None:
        if page:
            key = self.key(page)
            backend = self.zpools[self.homes[key]].name
            self.tell("move", backend=backend, where=page.number, key=key)

    def slid(self, page: Any, _: Any) -> None:
        self.tell("slide", where=page.number, key=self.key(page))

    # -- numbers -------------------------------------------------------------------------------------------

    def number(self, entry: Any) -> int:
        """An entry's number: they are counted as they are first seen."""
        key = id(entry)
        if key not in self.numbers:
            self.numbers[key] = len(self.entries)
            self.entries.append(entry)
            self.names.append(self.owners.get(entry.offset))
        return self.numbers[key]

    def key(self, page: Any) -> int:
        """The number of a backend's page, which no other page has, also not after it is gone."""
        found = self.keys.get(id(page))
        if found is None:
            found = self.keys[id(page)] = len(self.pages)
            self.pages.append(page)
            homes = [pool for pool in self.zswap.pools if pool.zpool.numbered.get(page.number) is page]
            self.homes.append(self.pool_number((homes or self.zswap.pools)[0]))
        return found

    def pool_number(self, pool: Pool) -> int:
        for number, known in enumerate(self.pools):
            if known is pool:
                return number
        self.pools.append(pool)
        self.zpools.append(pool.zpool)
        lru_of = "pages" if pool.evictable else "entries" if self.machine.stage.entry_lru else None
        self.described_pools.append({
            "backend": pool.zpool.name, "compressor": pool.compressor.name, "evictable": pool.evictable,
            "lru_of": lru_of, "unit_bytes": pool.zpool.unit, "page_units": pool.zpool.page_units,
            "header_units": pool.zpool.header_units,
        })  # fmt: skip
        return len(self.pools) - 1

    def pool_of(self, entry: Entry) -> int:
        """The pool of an entry; of a freed one too, whose fields nobody may read any more."""
        pool = object.__getattribute__(entry, "pool")
        return 0 if pool is None else self.pool_number(pool)

    def after_setting(self) -> None:
        """Parameters may have changed: look at what no event tells."""
        current = self.pool_number(self.zswap.pool)
        if current != self.current:
            self.current = current
            self.changes.append(["current", current])

    def forget(self) -> None:
        """What was told so far belongs to no step: its changes go to the next one, its facts to none."""
        self.after_setting()
        self.fact, self.weight, self.events = None, 0, []

    # -- closing a step ------------------------------------------------------------------------------------

    def take(self, seen: Iterable[int] = ()) -> tuple[list[Change], Fact | None, list[str]]:
        """The changes, the fact and the events since the last time; `seen` are entries that may have changed too."""
        self.dirty.update(dict.fromkeys(seen))
        first: list[Change] = []
        for number in self.dirty:
            now = self.describe(number)
            if now != self.described.get(number, ()):
                self.described[number] = now
                first.append(["entry", number, now])
        for key in self.dirty_pages:
            first.append(["page", key, self.describe_page(key)])
        changes, fact, events = first + self.changes, self.fact, self.events
        counts = _counts_of(self.zswap.counters)
        if counts != self.counts:
            changed = {name: now for name, now, then in zip(_COUNTERS, counts, self.counts, strict=True) if now != then}
            changes.append(["counters", changed])
            self.counts = counts
        if self.pool_total_size != counts[0]:
            self.pool_total_size = counts[0]
            changes.append(["size", self.zswap.size])
        if self.zswap.reached_full is not self.full:
            self.full = self.zswap.reached_full
            changes.append(["full", self.full])
        self.changes, self.fact, self.weight, self.events = [], None, 0, []
        self.dirty.clear()
        self.dirty_pages.clear()
        return changes, fact, events

    def describe(self, number: int) -> dict[str, Any] | None:
        """An entry as it is shown; None once it is freed."""
        entry: Any = self.entries[number]
        if is_freed(entry):
            return None
        return {
            "page": self.names[number], "offset": entry.offset, "length": entry.length, "refcount": entry.refcount,
            "linked": entry.linked, "pool": None if entry.pool is None else self.pool_number(entry.pool),
            "value": entry.value,
        }  # fmt: skip

    def describe_page(self, key: int) -> dict[str, Any] | None:
        """A backend's page as it is shown; None once it is given back."""
        pool = self.homes[key]
        page = self.pages[key]
        zpool = self.zpools[pool]
        if page.number not in zpool.numbered:
            return None
        objects = [[self.objects[handle], begin, units] for handle, begin, units in zpool.objects(page)]
        return {"pool": pool, "number": page.number, "units": zpool.units_of(page), "objects": objects}


HANDLERS: dict[str, Callable[[Watch, Any, Any], None]] = {
    "begin": Watch.begins, "end": Watch.ends, "full": Watch.is_full, "accept": Watch.can_accept,
    "kick": Watch.kicked, "cached": Watch.cached, "swapcache add": Watch.in_cache, "disk": Watch.on_disk,
    "frame": Watch.frame, "write": Watch.written, "alloc": Watch.touched, "search": Watch.touched,
    "malloced": Watch.malloced, "insert": Watch.inserted, "find": Watch.found, "put": Watch.put, "erase": Watch.erased,
    "free": Watch.freed, "submitted": Watch.submitted, "lru add": Watch.lru_add, "lru move": Watch.lru_move,
    "lru isolate": Watch.lru_isolate, "lru delete": Watch.lru_delete, "page": Watch.page_changed,
    "page isolate": Watch.page_isolated, "pagefree": Watch.page_freed, "move": Watch.moved, "slide": Watch.slid,
}  # fmt: skip
