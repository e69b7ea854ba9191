"""`record`: run a workload step by step and keep what changed, so that it can be looked at in any order."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from dataclasses import dataclass, field
from types import CodeType, TracebackType
from typing import Any

from ..model.entry import Entry, FreedEntry
from ..model.errors import BadInput, Fault
from ..model.machine import Machine
from ..model.stages import resolved
from ..model.steps import CALL, RETURN, Kernel, Step
from ..model.zpool import ZPOOLS
from .say import sentence

Change = list[Any]


@dataclass(slots=True)
class Moment:
    """One step of a history: the CPU stands at a yield of the model, or has just met its end.

    `say` is what just happened in one sentence, `event` its kind or None, `operation` the number of the
    workload's operation, `stack` the running functions, outermost first, as (function, line of its
    source), `holds` the locks held, `changes` what is different from the step before, `step` the kind of
    step the CPU is about to take (None at an operation's end).
    """

    say: str
    event: str | None
    operation: int
    stack: list[tuple[int, int]]
    holds: list[str]
    changes: list[Change]
    step: str | None = None


@dataclass
class History:
    """What `record` kept: `h[120]` is a moment, `len(h)` their number; `play(h)` shows it.

    `operations` are the texts of what ran, `fault` is the fault that ended it, if one did.
    """

    title: str
    tags: list[str]
    settings: dict[str, Any]
    operations: list[str] = field(default_factory=list)
    sources: list[dict[str, Any]] = field(default_factory=list)
    moments: list[Moment] = field(default_factory=list)
    counters: dict[str, int] = field(default_factory=dict)
    fault: Fault | None = None

    def __len__(self) -> int:
        return len(self.moments)

    def __getitem__(self, step: int) -> Moment:
        return self.moments[step]

    def lru(self, step: int = -1) -> list[int]:
        """The LRU at a step, from head to tail: page numbers of the program, or numbers of backend pages."""
        order: list[int] = []
        names: dict[int, int] = {}
        stop = range(len(self))[step] + 1
        for change in (change for moment in self.moments[:stop] for change in moment.changes):
            if change[0] == "entry" and change[2]:
                names[change[1]] = change[2]["page"]
            if change[0] in ("lru+", "lru-") and change[1] in order:
                order.remove(change[1])
            if change[0] == "lru+":
                order.insert(0, change[1])
        return [names[id] for id in order] if self.settings["lru_of"] == "entries" else order

    def count(self, event: str) -> int:
        """How often an event happened: "store", "load", "writeback", "refuse", "free" or "fault"."""
        return sum(moment.event == event for moment in self.moments)

    def written_back(self) -> list[int]:
        """The pages that were written back, in their order."""
        return [page for moment in self.moments if moment.event == "writeback" for page in on_disk(moment)]

    def disk_reads(self) -> int:
        """How often a page had to be read from the swap device."""
        return sum(moment.step == "read" for moment in self.moments)

    def payload(self) -> dict[str, Any]:
        """The history as plain data, for the player."""
        steps = [
            {
                "say": moment.say, "event": moment.event, "operation": moment.operation,
                "operation_text": self.operations[moment.operation],
                "cpus": [{
                    "task": self.operations[moment.operation], "stack": [list(call) for call in moment.stack],
                    "holds": moment.holds, "waits": None,
                }],
                "changes": moment.changes,
            }
            for moment in self.moments
        ]  # fmt: skip
        shown = {"title": self.title, "tags": self.tags, **self.settings, "sources": self.sources}
        return {**shown, "counters": self.counters, "steps": steps}

    def __repr__(self) -> str:
        end = f", ended by: {self.fault}" if self.fault else ""
        return f"<history: {len(self.operations)} operations in {len(self)} steps{end}>"


def on_disk(moment: Moment) -> list[int]:
    return [change[1] for change in moment.changes if change[0] == "disk"]


def record(machine: Machine, workload: Iterable[str], title: str = "") -> History:
    """Run `workload` on `machine` step by step and keep the history.

    A workload is lines like "write 3", "page_out 3", "read 3", "free 3", "worker" (see
    `Machine.operation`). What is queued for a kworker (the shrink worker, a backend's compaction) runs after the
    operation that queued it. A fault of the modelled kernel ends the history, it is not raised. Raises
    BadInput for an unknown operation.
    """
    if isinstance(workload, str):
        raise BadInput(f"workload={workload!r} is one text; give a list of operations, like ['write 3', 'page_out 3']")
    recorder = Recorder(machine, title)
    before, machine.hook.observer = machine.hook.observer, recorder.observe
    try:
        for text in workload:
            recorder.run(text, machine.operation(text))
            pool = machine.zswap.pool
            while (pool.work_pending or pool.zpool.pending) and not recorder.history.fault:
                recorder.run("compaction" if pool.zpool.pending else "the shrink worker", machine.kworker())
            if recorder.history.fault:
                break
            for _ in machine.complete_io():
                pass
    finally:
        machine.hook.observer = before
    return recorder.history


class Recorder:
    """Drives one operation after the other and turns the model's events into moments."""

    def __init__(self, machine: Machine, title: str) -> None:
        pool, zswap = machine.zswap.pool, machine.zswap
        evicts = "evictable" if pool.evictable else "not evictable"
        form = "off" if not zswap.exclusive_loads else "on" if machine.stage.exclusive_loads == "fixed" else (
            machine.stage.exclusive_loads)  # fmt: skip
        self.machine = machine
        self.by_page = pool.evictable
        self.history = History(
            title=title,
            tags=[machine.stage.title, f"{pool.zpool.name}, {evicts}", f"exclusive loads {form}"],
            settings={
                "limit": zswap.limit, "accept": zswap.accept_threshold, "backend": pool.zpool.name,
                "page_units": pool.zpool.page_units, "header_units": pool.zpool.header_units,
                "unit_bytes": pool.zpool.unit, "units_of": {},
                "lru_of": "pages" if self.by_page else "entries", "cpus": 1,
            },
            counters=dict(zswap.counters),
        )  # fmt: skip
        self.functions = kernel_code()
        self.sources: dict[CodeType, tuple[int, dict[int, int]]] = {}
        self.ids: dict[int, int] = {}  # id() of an entry -> its number here
        self.entries: list[Entry] = []  # keeps every entry alive, so that id() stays its own
        self.pages: list[int | None] = []  # number of an entry -> the program's page
        self.objects: dict[Any, int] = {}  # handle -> number of its entry
        self.events: list[tuple[str, Any, Any]] = []
        self.changes: list[Change] = []
        self.dirty: dict[int, None] = {}
        self.dirty_pages: dict[Any, None] = {}
        self.holds: list[str] = []
        self.seen: dict[str, Any] = {"size": 0, "full": False, **self.history.counters}
        self.ram: dict[int, str] = {}

    def run(self, text: str, operation: Kernel) -> None:
        """Drive one operation to its end, or to a fault, keeping a moment for each step."""
        history = self.history
        history.operations.append(text.replace("_", " "))
        self.holds.clear()
        before: Step | None = None
        try:
            while True:
                step = next(operation)
                self.hold(before)
                before = step
                if step is not CALL and step is not RETURN:
                    self.keep(step, stack_of(operation))
        except StopIteration:
            self.holds.clear()
            self.keep(None, [])
        except Fault as fault:
            history.fault = fault
            self.events.append(("fault", fault, None))
            self.keep(None, stack_of_traceback(fault.__traceback__))

    def hold(self, step: Step | None) -> None:
        """The step at which the CPU stood is done: a lock is taken, or dropped."""
        if step is not None and step.kind == "acquire":
            self.holds.append(str(step.lock))
        elif step is not None and step.kind == "release":
            self.holds.remove(str(step.lock))

    def keep(self, step: Step | None, stack: list[tuple[CodeType, int]]) -> None:
        """Close a moment: what the events since the last one changed."""
        operation = len(self.history.operations) - 1
        self.collect()
        say, event = sentence(self, step, self.events, self.history.operations[operation])
        lines = [self.place(code, line) for code, line in stack if code in self.functions]
        moment = Moment(say, event, operation, lines, list(self.holds), self.changes, step.kind if step else None)
        self.history.moments.append(moment)
        self.events, self.changes = [], []
        self.dirty.clear()
        self.dirty_pages.clear()

    def place(self, code: CodeType, line: int) -> tuple[int, int]:
        """A running function as (number of its source, line in it), its source as of the stage."""
        if code not in self.sources:
            function, kernel_name, file = self.functions[code]
            rows = resolved(function, self.machine.stage)
            self.sources[code] = len(self.sources), {number: index for index, (number, _) in enumerate(rows)}
            self.history.sources.append({
                "function": function.__name__, "kernel": kernel_name,
                "url": self.machine.stage.link(file) if kernel_name and file else "",
                "lines": [text for _, text in rows],
            })  # fmt: skip
        number, lines = self.sources[code]
        return number, lines.get(line, 0)

    # -- the model's events ----------------------------------------------------------------------

    def observe(self, event: str, subject: Any, value: Any) -> None:
        self.events.append((event, subject, value))
        if type(subject) in (Entry, FreedEntry):
            self.dirty[self.number(subject)] = None
        if event == "malloced" and not isinstance(value, int):
            self.objects[value] = self.number(subject)
            self.dirty_pages[value.page] = None
        elif event.startswith("lru ") and not self.by_page:
            self.list_change(event, self.number(subject))
        elif event == "page":
            self.dirty_pages[subject] = None
            if value == "lru" and self.by_page:
                self.changes += [["lru+", subject.number], ["out", None]]
        elif event == "page isolate" and self.by_page:
            self.changes += [["lru-", subject.number], ["out", subject.number]]
        elif event == "pagefree":
            self.dirty_pages[subject] = None
            if self.by_page:
                self.changes += [["lru-", subject.number], ["out", None]]
        elif event == "disk":
            self.changes.append(["disk", self.page_at(value)])

    def list_change(self, event: str, number: int) -> None:
        if event in ("lru add", "lru move"):
            self.changes.append(["lru+", number])
        else:
            self.changes.append(["lru-", number])
        self.changes.append(["out", number if event == "lru isolate" else None])

    def number(self, entry: Entry) -> int:
        """An entry's number in this history: they are counted as they are first seen."""
        key = id(entry)
        if key not in self.ids:
            self.ids[key] = len(self.entries)
            self.entries.append(entry)
            self.pages.append(self.page_at(entry.offset))
        return self.ids[key]

    def page_at(self, offset: int) -> int | None:
        """The program's page that owns, or last owned, a slot."""
        return next((page for page, slot in self.machine.slots.items() if slot == offset), None)

    def page_of(self, subject: Any) -> int | None:
        return self.pages[self.number(subject)]

    def collect(self) -> None:
        """Add the changes that follow from what the events touched."""
        first: list[Change] = [["entry", number, self.describe(number)] for number in self.dirty]
        zpool = self.machine.zswap.pool.zpool
        layout = zpool.layout() if self.dirty_pages else {}
        for page in self.dirty_pages:
            held = layout.get(page.number)
            if zpool.units_of(page) < zpool.page_units:
                self.history.settings["units_of"][page.number] = zpool.units_of(page)
            objects = [[self.objects[handle], begin, units] for handle, begin, units in held or []]
            first.append(["page", page.number, objects if held is not None else None])
        self.changes[:0] = first
        zswap = self.machine.zswap
        now: dict[str, Any] = {"size": zswap.size, "full": zswap.reached_full, **dict(zswap.counters)}
        for name in ("size", "full"):
            if now[name] != self.seen[name]:
                self.changes.append([name, now[name]])
        changed = {name: now[name] for name in self.history.counters if now[name] != self.seen[name]}
        if changed:
            self.changes.append(["counters", changed])
        self.seen = now
        self.collect_ram()

    def collect_ram(self) -> None:
        machine = self.machine
        now = {page: "present" if page in machine.frames else "swapped" for page in machine.written}
        for page in now.keys() | self.ram.keys():
            state = now.get(page, "freed")
            if state != self.ram.get(page):
                self.changes.append(["ram", page, state])
        self.ram = now

    def describe(self, number: int) -> dict[str, Any] | None:
        """An entry as the player shows it; None once it is freed."""
        entry: Any = self.entries[number]
        if type(entry) is FreedEntry:
            return None
        fields = {"offset": entry.offset, "length": entry.length, "refcount": entry.refcount, "linked": entry.linked}
        return {"page": self.pages[number], **fields}


def kernel_code() -> dict[CodeType, tuple[Any, str, str]]:
    """Code of each function of the model -> (function, the kernel's name, the kernel's file)."""
    from ..model.shrink import Shrinker
    from ..model.swap import Swap
    from ..model.zswap import Zswap

    found = {}
    owners = [(Machine, ""), (Swap, ""), (Shrinker, "zswap.c"), (Zswap, "zswap.c")]
    for owner, file in owners + [(zpool, f"{name}.c") for name, zpool in ZPOOLS.items()]:
        for _, function in inspect.getmembers(owner, inspect.isfunction):
            plain = inspect.unwrap(function)
            found[plain.__code__] = (plain, getattr(function, "kernel", ""), file)
    return found


def stack_of(operation: Kernel) -> list[tuple[CodeType, int]]:
    """(code, running line) of a driven generator and of those it drives, outermost first."""
    stack = []
    generator: Any = operation
    while generator is not None and generator.gi_frame is not None:
        stack.append((generator.gi_code, generator.gi_frame.f_lineno))
        generator = generator.gi_yieldfrom
    return stack


def stack_of_traceback(traceback: TracebackType | None) -> list[tuple[CodeType, int]]:
    stack = []
    while traceback is not None:
        stack.append((traceback.tb_frame.f_code, traceback.tb_lineno))
        traceback = traceback.tb_next
    return stack
