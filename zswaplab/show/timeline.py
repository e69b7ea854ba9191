"""`Timeline`: a run over time as plain lists, from what `record` or `replay` returns: what plots are drawn from.

Time is counted in steps of a history, or in operations of a replayed recording.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..model.compressors import PAGE_SIZE
from ..model.errors import ENOMEM, BadInput
from ..run.history import History
from ..trace.tables import Life, Replayed

_KIND_OF = {"store": "stored", "load": "read from zswap", "writeback": "written back"}  # of what a moment comes to
KINDS = ("stored", "read from zswap", "read from the disk", "refused: full", "refused: content", "written back")
Change = tuple[int, bool, int]  # (moment, put at the head or taken off, what)


class Eviction(NamedTuple):
    """An entry that was written back: when, for how long it had not been stored or moved, and how many others that was
    true of for longer.
    """

    moment: int
    age: int
    passed_over: int


@dataclass
class Timeline:
    """What a run came to, moment by moment.

    `sizes` is the pool's size in pages as zswap knows it, `held` as the backend does (of a recording: the same), `kept`
    the compressed bytes in it, `stored` the pages they stand for. `backend` is its name, where the run tells it.
    `events` has the moments of each of KINDS. `changes` is what happened to the LRU, which lists "entries" or the
    backend's "pages"; `names` calls them what a reader calls them. `ends` says when one left for good, and whether it
    was written back. `lengths` are those of stored pages in bytes, `too_long` those of pages refused for their content,
    where they are known (`refused_unknown` counts the others).
    """

    name: str
    unit: str
    limit: int
    accept: int
    listed: str
    length: int = 0
    backend: str = ""
    sizes: list[int] = field(default_factory=list)
    held: list[int] = field(default_factory=list)
    kept: list[int] = field(default_factory=list)
    stored: list[int] = field(default_factory=list)
    events: dict[str, list[int]] = field(default_factory=lambda: {kind: [] for kind in KINDS})
    changes: list[Change] = field(default_factory=list)
    names: dict[int, int] = field(default_factory=dict)
    ends: dict[int, tuple[int, bool]] = field(default_factory=dict)
    evictions: list[Eviction] = field(default_factory=list)
    lives: list[Life] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    too_long: list[int] = field(default_factory=list)
    same_filled: int = 0
    refused_unknown: int = 0

    @property
    def whose(self) -> str:
        """Whose LRU it is, in words."""
        return "zswap's LRU" if self.listed == "entries" else "the backend's LRU of pages"

    @property
    def end(self) -> int:
        """Where its time ends; later than it begins, even where nothing happened."""
        return max(1, self.length)

    @property
    def waste(self) -> list[int]:
        """Bytes of the pool, at each moment, in which no compressed page lies."""
        return [max(0, size * PAGE_SIZE - kept) for size, kept in zip(self.held, self.kept, strict=True)]


def timeline(run: History | Replayed, asked_by: str) -> Timeline:
    """The timeline of a run. Raises BadInput for what neither `record` nor `replay` returned."""
    if isinstance(run, History):
        return _of_history(run)
    if isinstance(run, Replayed):
        return _of_replayed(run)
    remedy = "give what replay(run) returns, or what record(machine, workload) does"
    raise BadInput(f"a {type(run).__name__} cannot be plotted by {asked_by}: {remedy}")


# -- of a replayed recording --------------------------------------------------------------------------------


def _of_replayed(run: Replayed) -> Timeline:
    found = Timeline(run.run, "operations", run.limit, run.accept_threshold, run.listed, len(run.rows))
    found.sizes = found.held = [row["pool_pages"] for row in run.rows]
    found.changes, found.lives = run.changes, run.lives()
    bytes_of: dict[int, int] = {}  # slot's offset -> compressed bytes of its entry
    kept = 0
    for number, row in enumerate(run.rows):
        kind = row["operation"]
        if kind == "store" and row["ok"]:
            kept += row["length"] - bytes_of.get(row["offset"], 0)
            bytes_of[row["offset"]] = row["length"]
        elif kind == "free":
            kept -= bytes_of.pop(row["offset"], 0)
        found.kept.append(kept)
        found.stored.append(len(bytes_of))
        _note(found, number, row)
    return found


def _note(found: Timeline, number: int, row: Any) -> None:
    """What one row comes to, among KINDS."""
    kind, result, length = row["operation"], row["result"], row["length"]
    if kind == "load":
        found.events["read from the disk" if result else "read from zswap"].append(number)
    elif kind == "writeback" and row["ok"]:
        found.events["written back"].append(number)
        if row["age"] is not None:
            found.evictions.append(Eviction(number, row["age"], row["from_tail"]))
    elif kind == "store" and result == 0:
        found.events["stored"].append(number)
        found.lengths += [length] if length else []
        found.same_filled += length == 0
    elif kind == "store":
        found.events["refused: full" if result == -ENOMEM else "refused: content"].append(number)
        if result != -ENOMEM:
            found.too_long += [length] if length else []
            found.refused_unknown += length is None


# -- of a history -------------------------------------------------------------------------------------------


def _of_history(history: History) -> Timeline:
    found = Timeline(history.title or history.tags[0], "steps", history.limit, history.accept, "entries", len(history))
    follow = _Follow(found, history)
    for number, moment in enumerate(history.moments):
        follow.alter(number, history.begin + moment.changes if number == 0 else moment.changes)
        follow.note(number, moment)
        found.sizes.append(follow.size)
        found.held.append(-(-follow.bytes // PAGE_SIZE))
        found.kept.append(follow.kept)
        found.stored.append(len(follow.stored))
    found.lives = follow.ended if found.listed == "entries" else []
    return found


class _Follow:
    """Follows a history's changes: what is stored, and what the LRU lists."""

    def __init__(self, found: Timeline, history: History) -> None:
        self.found = found
        self.size = self.kept = self.bytes = 0
        self.units = [pool["unit_bytes"] for pool in history.pools]
        self.pages: dict[int, int] = {}  # the backends' pages -> their bytes
        self.pool = history.at(-1).current if len(history) else 0  # whose LRU is followed
        self.of_pages = history.pools[self.pool]["lru_of"] == "pages"
        found.listed = "pages" if self.of_pages else "entries"
        found.backend = history.pools[self.pool]["backend"]
        self.length: dict[int, int] = {}  # number of an entry -> its compressed bytes
        self.stored: set[int] = set()  # numbers of entries
        self.homes: dict[int, int] = {}  # number of an entry -> the backend's page in which it lies
        self.used: dict[int, int] = {}  # number of an entry -> when it was stored or moved, the oldest first
        self.taken: dict[int, tuple[int, int]] = {}  # the same -> its age and place when reclaim took it
        self.put: dict[int, list[int]] = {}  # the same -> when it was put at the head
        self.ended: list[Life] = []

    def alter(self, moment: int, changes: list[list[Any]]) -> None:
        for what, first, *rest in changes:
            if what == "size":
                self.size = first
            elif what == "entry":
                self._entry(first, rest[0])
            elif what == "page":
                self._page(first, rest[0])
            elif what in ("lru+", "lru-") and first == self.pool:
                self._listed(moment, what == "lru+", rest[0])

    def _page(self, key: int, page: dict[str, Any] | None) -> None:
        self.bytes -= self.pages.pop(key, 0)
        if page is None:
            return
        self.pages[key] = page["units"] * self.units[page["pool"]]
        self.bytes += self.pages[key]
        if self.of_pages:
            self.found.names[key] = page["number"]
            self.homes.update((number, key) for number, _, _ in page["objects"])

    def _entry(self, number: int, entry: dict[str, Any] | None) -> None:
        if entry is None or entry["linked"] or number in self.stored:
            self.kept -= self.length.get(number, 0) if number in self.stored else 0
            self.stored.discard(number)
        if entry is None:
            self._gone(number)
            return
        self.length[number] = entry["length"] or 0
        if entry["linked"]:
            self.kept += self.length[number]
            self.stored.add(number)
        if entry["page"] is not None and not self.of_pages:
            self.found.names[number] = entry["page"]

    def _gone(self, number: int) -> None:
        if number in self.put and number in self.found.ends:
            moment, written = self.found.ends[number]
            self.ended.append(Life(number, self.put.pop(number), moment, written))

    def _listed(self, moment: int, put: bool, what: int) -> None:
        """Something has gone to the head of the LRU, or has been taken off."""
        found = self.found
        found.changes.append((moment, put, what))
        if put:
            found.ends.pop(what, None)
            self.put.setdefault(what, []).append(moment)
        else:
            found.ends.setdefault(what, (moment, False))
        if not self.of_pages:
            self._use(moment, what, put)

    def _use(self, moment: int, number: int, put: bool) -> None:
        """An entry is the newest from now on, or has been taken away."""
        if number in self.used and not put:
            older = next(place for place, other in enumerate(self.used) if other == number)
            self.taken[number] = moment - self.used[number], older
        self.used.pop(number, None)
        if put:
            self.used[number] = moment

    def note(self, number: int, moment: Any) -> None:
        """What one moment comes to, among KINDS."""
        for event in moment.events:
            if event in _KIND_OF:
                self.found.events[_KIND_OF[event]].append(number)
        if moment.step == "read":
            self.found.events["read from the disk"].append(number)
        if moment.event == "refuse":
            self._refused(number, moment)
        elif moment.event == "store":
            self._stored(number, moment.subject)
        elif moment.event == "writeback":
            self._written(number, moment.subject)
        elif moment.event == "free" and self.of_pages:
            self.used.pop(moment.subject, None)

    def _refused(self, number: int, moment: Any) -> None:
        full = moment.reason in ("limit", "threshold")
        self.found.events["refused: full" if full else "refused: content"].append(number)
        self.found.refused_unknown += not full

    def _stored(self, moment: int, number: int) -> None:
        length = self.length.get(number, 0)
        self.found.lengths += [length] if length else []
        self.found.same_filled += not length
        if length and self.of_pages:
            self._use(moment, number, put=True)

    def _written(self, moment: int, number: int) -> None:
        if self.of_pages:
            self._use(moment, number, put=False)
        if number in self.taken:
            self.found.evictions.append(Eviction(moment, *self.taken.pop(number)))
        what = self.homes.get(number) if self.of_pages else number
        if what in self.found.ends:
            self.found.ends[what] = self.found.ends[what][0], True
