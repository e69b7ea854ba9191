"""One clock for several runs of the same work, and where two of them part.

The clock is aligned by operation: each is as wide as its longest run, so that the same operation stands at the same
place in every run, however many steps it took in each. A tick is a place on it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..run.history import History
from ..run.scene import Scene
from ..run.session import Moment
from .payload import STORY

SEEN = STORY | {"lru move"}  # beside events: what a reader sees on the sheet
SAID = {
    "lru isolate": "who leaves", "page isolate": "who leaves", "writeback": "who is written back",
    "submitted": "who is written back", "not written": "who is written back", "store": "what is stored",
    "load": "where a read finds its page", "refuse": "what is refused", "free": "what is freed",
    "fault": "a fault", "report": "a fault", "lru move": "what moves to the LRU’s head", "kick": "when the worker runs",
    "worker stops": "when the worker stops", "worker goes on": "when the worker stops",
}  # fmt: skip
Happened = tuple[str, str | None, str | None, int | None]  # kind, event, reason, page


class Slot(NamedTuple):
    """One operation on the clock: from which tick, how many wide; the steps [first, end) that each run took for it."""

    text: str
    kind: str
    pages: tuple[int, ...]
    tick: int
    width: int
    steps: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Difference:
    """Where two runs part: the step of each at which it shows (counted from 0), and in what they differ."""

    steps: tuple[int, int]
    what: str


class Clock:
    """The clock of `runs`; what a kworker does is aligned behind the operation that has queued it, what several CPUs do
    at once is one slot.
    """

    def __init__(self, runs: Sequence[History]) -> None:
        self.runs = list(runs)
        found = [_stretches(run) for run in self.runs]
        self.slots: list[Slot] = []
        tick = 0
        at = [0] * len(found)  # the step that each run has come to
        for key in sorted(set().union(*found)):
            steps = []
            for run, mine in enumerate(found):
                first, end = mine.get(key, (at[run], at[run]))
                at[run] = end
                steps.append((first, end))
            width = max(end - first for first, end in steps)
            run, step = next((run, first) for run, (first, end) in enumerate(steps) if first < end)
            done = self.runs[run].operations[self.runs[run][step].operation]
            together = key[0] == _TOGETHER
            text = "several CPUs at once" if together else str(done)
            self.slots.append(Slot(text, "together" if together else done.kind, done.pages, tick, width, tuple(steps)))
            tick += width
        self.ticks = tick

    def tick(self, run: int, step: int) -> int:
        """Where on the clock a run takes a step."""
        for slot in self.slots:
            first, end = slot.steps[run]
            if first <= step < end:
                return slot.tick + step - first
        return max(0, self.ticks - 1)

    def first_difference(self, one: int, other: int) -> Difference | None:
        """The first place at which two of the runs differ in what happens, or in what is there once an operation has
        ended; None if a reader sees the same in both. How it is worded, and by which steps, does not count.
        """
        pair = self.runs[one], self.runs[other]
        seen = SEEN if all(_lists_entries(run) for run in pair) else STORY  # no other list moves when a page is read
        scenes = _Scenes(pair[0]), _Scenes(pair[1])
        for slot in self.slots:
            spans = slot.steps[one], slot.steps[other]
            happened = [list(_happened(run, *span, seen)) for run, span in zip(pair, spans, strict=True)]
            if found := _parted(happened[0], happened[1], spans):
                return found
            states = [scene.after(end) for scene, (_, end) in zip(scenes, spans, strict=True)]
            for name, what in _SHOWN.items():
                if None not in (mine := [state[name] for state in states]) and mine[0] != mine[1]:
                    return Difference((_last(spans[0]), _last(spans[1])), what)
        return None

    def data(self) -> list[list[Any]]:
        """The slots, as the browser takes them."""
        return [[slot.text, slot.kind, list(slot.pages), slot.width, [list(span) for span in slot.steps]]
                for slot in self.slots]  # fmt: skip


_TOGETHER = 2**40  # of a key: the CPUs run at once, after all of the workload


def _stretches(run: History) -> dict[tuple[int, int], tuple[int, int]]:
    """(operation of the workload, what a kworker did after it) -> the steps [first, end) that it took."""
    found: dict[tuple[int, int], tuple[int, int]] = {}
    asked, queued, before = -1, 0, -1
    for step, moment in enumerate(run.moments):
        if moment.cpus is not None:
            asked, queued = _TOGETHER, 0
        elif moment.operation != before and moment.operation >= 0:
            asked, queued = (asked, queued + 1) if run.operations[moment.operation].queued else (asked + 1, 0)
        before = moment.operation
        first, _ = found.get((asked, queued), (step, step))
        found[asked, queued] = first, step + 1
    return found


def _happened(run: History, first: int, end: int, seen: frozenset[str]) -> Iterator[tuple[int, Happened]]:
    """What a reader sees happen in some steps, by facts: (step, what)."""
    for step in range(first, end):
        moment = run[step]
        if moment.fact and (moment.event or moment.kind in seen):
            yield step, _facts(run, moment)


def _facts(run: History, moment: Moment) -> Happened:
    page = moment.fact.page if moment.fact else None
    if page is None and moment.subject is not None:
        page = run.session.watching.names[moment.subject]
    return moment.kind or "", moment.event, moment.reason, page


def _lists_entries(run: History) -> bool:
    return all(pool["lru_of"] == "entries" for pool in run.pools)


def _parted(
    mine: list[tuple[int, Happened]], others: list[tuple[int, Happened]], spans: tuple[tuple[int, int], tuple[int, int]]
) -> Difference | None:
    """Where two lists of what happened part."""
    for number in range(max(len(mine), len(others))):
        one = mine[number] if number < len(mine) else None
        other = others[number] if number < len(others) else None
        if one and other and one[1] == other[1]:
            continue
        kinds = [found for happened in (one, other) if happened for found in happened[1][:2] if found in SAID]
        what = SAID["fault"] if "fault" in kinds else SAID[kinds[0]] if kinds else "what happens"
        return Difference((one[0] if one else _last(spans[0]), other[0] if other else _last(spans[1])), what)
    return None


def _last(span: tuple[int, int]) -> int:
    """The last step of a stretch, or the one before it, if it is empty."""
    return max(0, span[1] - 1)


_SHOWN = {
    "pages": "where pages are", "lru": "the order of the LRU", "size": "the size of the pool",
    "references": "how many references an entry has",
}  # fmt: skip


class _Scenes:
    """The scene of a run after more and more steps."""

    def __init__(self, run: History) -> None:
        self.run, self.done = run, 0
        self.scene = Scene(run.counters)
        self.scene.add(run.begin)

    def after(self, steps: int) -> dict[str, Any]:
        """What a reader sees once so many steps have been taken."""
        for moment in self.run.moments[self.done : steps]:
            self.scene.add(moment.changes)
        self.done = max(self.done, steps)
        scene = self.scene
        held = {entry["page"] for entry in scene.entries.values() if entry["linked"]}
        pages = {page: "zswap" if ram == "swapped" and page in held else ram for page, ram in scene.ram.items()}
        listed = self.run.pools[scene.current]["lru_of"] == "entries"
        order = [scene.names.get(entry) for entry in scene.lru.get(scene.current, {})] if listed else None
        references = {entry["page"]: entry["refcount"] for entry in scene.entries.values() if entry["linked"]}
        return {"pages": pages, "lru": order, "size": scene.size, "references": references}
