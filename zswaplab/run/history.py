"""`record`: run a workload step by step and keep what changed, so that it can be looked at in any order."""

from __future__ import annotations

import inspect
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from types import CodeType, TracebackType
from typing import Any

from ..model.entry import Entry
from ..model.errors import ENOSPC, BadInput, Fault
from ..model.freed import is_entry, is_freed
from ..model.machine import Machine
from ..model.source import resolved
from ..model.steps import CALL, FAULT, RETURN, Kernel, Step
from ..model.zpool import ZPOOLS
from .cpus import NAMES, Cpus, packed, unpacked
from .sanitizers import Report, Sanitizers
from .say import sentence

Change = list[Any]
KEYFRAME = 128  # steps; the whole state is kept at every so many, so that any step is near one


@dataclass(slots=True)
class Moment:
    """One step of a history: the CPU stands at a yield of the model, or has just met its end.

    `say` is what just happened in one sentence, `event` its kind or None, `operation` the number of the
    workload's operation, `stack` the running functions, outermost first, as (function, line of its
    source), `holds` the locks held, `changes` what is different from the step before, `step` the kind of
    step the CPU is about to take (None at an operation's end). With several CPUs `cpu` is the one that ran, and
    `cpus` has each one's `task`, `stack`, `holds` and the lock for which it `waits`.
    """

    say: str
    event: str | None
    operation: int
    stack: list[tuple[int, int]]
    holds: list[str]
    changes: list[Change]
    step: str | None = None
    cpu: int = 0
    cpus: list[dict[str, Any]] | None = None


@dataclass
class History:
    """What `record` kept: `h[120]` is a moment, `len(h)` their number; `play(h)` shows it.

    `operations` are the texts of what ran, `fault` is the fault that ended it, if one did, `reports` what the
    sanitizers said, if there were any.
    """

    title: str
    tags: list[str]
    settings: dict[str, Any]
    operations: list[str] = field(default_factory=list)
    sources: list[dict[str, Any]] = field(default_factory=list)
    moments: list[Moment] = field(default_factory=list)
    counters: dict[str, int] = field(default_factory=dict)
    fault: Fault | None = None
    reports: list[Report] = field(default_factory=list, repr=False)
    recipe: Recipe | None = field(default=None, repr=False)
    frames: list[State] = field(default_factory=list, repr=False)

    def __len__(self) -> int:
        return len(self.moments)

    def __getitem__(self, step: int) -> Moment:
        return self.moments[step]

    def at(self, step: int) -> State:
        """Everything that the player shows at a step, without going through all the steps before it."""
        step = range(len(self))[step]
        if not self.frames:
            self.index()
        state = self.frames[step // KEYFRAME].copy()
        for moment in self.moments[step - step % KEYFRAME : step + 1]:
            state.add(moment.changes)
        return state

    def index(self) -> None:
        """Keep the whole state before every so many steps."""
        state = State(self.counters)
        for number, moment in enumerate(self.moments):
            if number % KEYFRAME == 0:
                self.frames.append(state.copy())
            state.add(moment.changes)

    def lru(self, step: int = -1) -> list[int]:
        """The LRU at a step, from head to tail: page numbers of the program, or numbers of backend pages."""
        if not self.moments:
            return []
        state = self.at(step)
        order = [*reversed(state.lru)]
        return [state.names[id] for id in order] if self.settings["lru_of"] == "entries" else order

    def fork(self, step: int, **settings: Any) -> History:
        """The same run again, with one setting changed once `step` has been taken, like `exclusive_loads="off"`.

        The settings are those of `Machine.set`. With several CPUs the schedule is kept to as far as it can be.
        Raises BadInput for a setting that cannot change while the machine runs, and for a history that did not
        begin with a new machine.
        """
        if self.recipe is None:
            raise BadInput("this history cannot be forked: its machine had been used before it was recorded")
        if not settings:
            raise BadInput("a fork needs a setting to change, like exclusive_loads='off'")
        return self.recipe.again(range(len(self))[step], settings)

    def first_difference(self, other: History) -> int | None:
        """The first step at which two histories differ; None if they are the same."""
        for step, (mine, others) in enumerate(zip(self.moments, other.moments, strict=False)):
            if (mine.say, mine.changes, mine.step, mine.cpu) != (others.say, others.changes, others.step, others.cpu):
                return step
        return None if len(self) == len(other) else min(len(self), len(other))

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
                "cpus": self.cpus_of(moment),
                "changes": moment.changes,
            }
            for moment in self.moments
        ]  # fmt: skip
        shown = {"title": self.title, "tags": self.tags, **self.settings, "sources": self.sources}
        return {**shown, "counters": self.counters, "steps": steps}

    def cpus_of(self, moment: Moment) -> list[dict[str, Any]]:
        stack = [list(call) for call in moment.stack]
        idle: dict[str, Any] = {"task": "", "stack": [], "holds": [], "waits": None}
        now = moment.cpus or [
            {**idle, "task": self.operations[moment.operation], "stack": stack, "holds": moment.holds}
        ]
        return now + [idle] * (self.settings["cpus"] - len(now))

    def __repr__(self) -> str:
        end = f", ended by: {self.fault}" if self.fault else ""
        return f"<history: {len(self.operations)} operations in {len(self)} steps{end}>"


def on_disk(moment: Moment) -> list[int]:
    return [change[1] for change in moment.changes if change[0] == "disk"]


class State:
    """What is there at one step: `entries` and backend `pages` by number, `lru` (oldest first), `size`, `full`,
    `counters`, `ram` (page -> where it is), `names` (entry -> its page, also of entries that are gone).
    """

    def __init__(self, counters: dict[str, int]) -> None:
        self.entries: dict[int, Any] = {}
        self.pages: dict[int, Any] = {}
        self.names: dict[int, int] = {}
        self.lru: dict[int, None] = {}
        self.ram: dict[int, str] = {}
        self.counters = dict(counters)
        self.size, self.full = 0, False

    def copy(self) -> State:
        other = State(self.counters)
        for name, value in vars(self).items():
            setattr(other, name, dict(value) if isinstance(value, dict) else value)
        return other

    def add(self, changes: list[Change]) -> None:
        """One step's changes."""
        for what, first, *rest in changes:
            if what in ("entry", "page"):
                kept = self.entries if what == "entry" else self.pages
                kept.pop(first, None)
                if rest[0] is not None:
                    kept[first] = rest[0]
                    if what == "entry":
                        self.names[first] = rest[0]["page"]
            elif what in ("lru+", "lru-"):
                self.lru.pop(first, None)
                if what == "lru+":
                    self.lru[first] = None
            elif what == "counters":
                self.counters.update(first)
            elif what == "ram":
                self.ram[first] = rest[0]
            elif what in ("size", "full"):
                setattr(self, what, first)


@dataclass(frozen=True)
class Recipe:
    """What a history was made from, so that it can be made again."""

    made_with: dict[str, Any]
    zswap: type  # its class: functions of it may have been replaced
    retries: int
    workload: list[str]
    title: str
    cpus: list[str] | None
    schedule: list[int]

    def again(self, step: int, settings: dict[str, Any]) -> History:
        machine = Machine(**self.made_with)
        machine.zswap.__class__ = self.zswap
        machine.zswap.max_reclaim_retries = self.retries
        recorder = Recorder(machine, self.title)
        recorder.fork = step, settings
        return recorder.record(self.workload, self.cpus, self.schedule, None)


def record(
    machine: Machine,
    workload: Iterable[str],
    title: str = "",
    *,
    cpus: Sequence[str] | None = None,
    schedule: str | None = None,
    seed: int | None = None,
    multi_shot: bool = False,
) -> History:
    """Run `workload` on `machine` step by step and keep the history.

    A workload is lines like "write 3", "page_out 3", "read 3", "free 3", "worker" (see
    `Machine.parse`); what is queued for a kworker (the shrink worker, a backend's compaction) runs after the
    operation that queued it. `cpus` then run at
    once, each its own operations, like ["read 3", "free 3; page_out 4"], along `schedule` ("a5b3a"), or as the
    `seed` has it, or one after the other. A fault of the modelled kernel ends the history, it is not raised. With
    `multi_shot` KASAN and list debugging watch, and the run goes on past what they report (`history.reports`).
    Raises BadInput for an unknown operation, and for a schedule that cannot be followed.
    """
    if isinstance(workload, str):
        raise BadInput(f"workload={workload!r} is one text; give a list of operations, like ['write 3', 'page_out 3']")
    steps = None if schedule is None or cpus is None else unpacked(schedule, len(cpus))
    recorder, before = Recorder(machine, title), machine.hook.observer
    if multi_shot:
        recorder.watch()
    try:
        return recorder.record(list(workload), list(cpus) if cpus else None, steps, seed)
    finally:
        if recorder.sanitizers:
            recorder.sanitizers.detach()
        machine.hook.observer = before


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
        self.functions = kernel_code(type(machine.zswap))
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
        self.fork: tuple[int, dict[str, Any]] | None = None
        self.sanitizers: Sanitizers | None = None
        self.cpus: Cpus | None = None
        self.current: list[int] = []  # CPU -> number of its operation
        self.seen: dict[str, Any] = {"size": 0, "full": False, **self.history.counters}
        self.ram: dict[int, str] = {}

    def watch(self) -> None:
        """Have KASAN and list debugging watch the run, and let it go on past what they report."""
        self.sanitizers = Sanitizers(self.machine, multi_shot=True)
        self.sanitizers.tell = self.report

    def report(self, report: Report) -> None:
        self.history.reports.append(report)
        self.events.append(("report", report, None))

    def record(
        self, workload: list[str], cpus: list[str] | None, schedule: list[int] | None, seed: int | None
    ) -> History:
        machine, history = self.machine, self.history
        if machine.is_new:
            zswap = machine.zswap
            history.recipe = Recipe(
                machine.made_with, type(zswap), zswap.max_reclaim_retries, workload, history.title, cpus, []
            )
        machine.hook.observer = self.observe
        if self.sanitizers:
            self.sanitizers.before, machine.hook.observer = self.observe, self.sanitizers.observe
        try:
            for text in workload:
                self.run(text, machine.operation(text))
                while machine.queued() and not history.fault:
                    self.run(machine.queued(), machine.kworker())
                if history.fault:
                    break
                for _ in machine.complete_io():
                    pass
            if cpus and not history.fault:
                self.cpus = Cpus(machine, cpus)
                history.settings["cpus"] = len(cpus)
                self.run_cpus(self.cpus, schedule, seed)
        finally:
            machine.hook.observer = None
        history.index()
        return history

    def run_cpus(self, cpus: Cpus, schedule: list[int] | None, seed: int | None) -> None:
        """Run several CPUs, keeping a moment for each step."""
        self.current = [-1] * len(cpus.tasks)
        dice = None if seed is None else random.Random(seed)
        given = list(schedule or ())
        try:
            while ready := cpus.ready():
                if given:
                    cpu = given.pop(0)
                    if cpu not in ready:
                        if self.fork is None:
                            cpus.allow(cpu, packed(schedule or ()), len(cpus.taken))
                        continue
                elif schedule is not None and self.fork is None:
                    raise BadInput(cpus.too_short(packed(schedule)))
                else:
                    cpu = dice.choice(ready) if dice else ready[0]
                self.step_of(cpus, cpu)
            if problem := cpus.deadlock():
                raise problem
        except Fault as fault:
            self.history.fault = fault
            self.events.append(("fault", fault, None))
            cpu = cpus.taken[-1]
            self.keep(None, stack_of_traceback(fault.__traceback__), cpu)
        if self.history.recipe:
            self.history.recipe.schedule[:] = cpus.taken

    def step_of(self, cpus: Cpus, cpu: int) -> None:
        if cpus.running[cpu] is None:
            self.current[cpu] = len(self.history.operations)
            self.history.operations.append(cpus.task(cpu).replace("_", " "))
        if self.sanitizers:
            self.sanitizers.task = f"CPU {NAMES[cpu]} ({cpus.task(cpu)})"
        cpus.step(cpu)
        self.keep(cpus.pending[cpu], stack_of(cpus.running[cpu]), cpu)

    def run(self, text: str, operation: Kernel) -> None:
        """Drive one operation to its end, or to a fault, keeping a moment for each step."""
        history = self.history
        history.operations.append(text.replace("_", " "))
        if self.sanitizers:
            self.sanitizers.task = history.operations[-1]
        self.holds.clear()
        before: Step | None = None
        try:
            while True:
                step = next(operation)
                self.hold(before)
                before = step
                if step is not CALL and step is not RETURN and not is_quiet(step):
                    self.keep(step, stack_of(operation))
        except StopIteration as end:
            if end.value == -ENOSPC and text.startswith("page_out"):
                raise BadInput(self.machine.device_full) from None
            self.holds.clear()
            self.keep(None, [])
        except Fault as fault:
            history.fault = fault
            self.events.append(("fault", fault, None))
            self.keep(None, stack_of_traceback(fault.__traceback__))

    def hold(self, step: Step | None) -> None:
        """The step at which the CPU stood is done: a lock is taken, or dropped."""
        if step is None or is_quiet(step):
            return
        if step.kind == "acquire":
            self.holds.append(str(step.lock))
        elif step.kind == "release":
            self.holds.remove(str(step.lock))

    def keep(self, step: Step | None, stack: list[tuple[CodeType, int]], cpu: int = 0) -> None:
        """Close a moment: what the events since the last one changed."""
        history = self.history
        operation = self.current[cpu] if self.cpus else len(history.operations) - 1
        self.collect()
        say, event = sentence(self, step, self.events, history.operations[operation])
        now, holds = None, list(self.holds)
        lines = self.lines(stack)
        if self.cpus:
            say = f"CPU {NAMES[cpu]}: {say}"
            every = range(len(self.current))
            now = [self.cpu_now(self.cpus, other, lines if other == cpu else None) for other in every]
            holds = now[cpu]["holds"]
        moment = Moment(say, event, operation, lines, holds, self.changes, step.kind if step else None, cpu, now)
        history.moments.append(moment)
        self.events, self.changes = [], []
        self.dirty.clear()
        self.dirty_pages.clear()
        if self.fork and len(history) == self.fork[0] + 1:
            change(self.machine, self.fork[1])

    def cpu_now(self, cpus: Cpus, cpu: int, lines: list[tuple[int, int]] | None) -> dict[str, Any]:
        """One CPU's column in the player."""
        lock = cpus.waits(cpu)
        if lines is None:
            lines = self.lines(stack_of(cpus.running[cpu]))
        return {
            "task": "" if cpus.finished(cpu) and not lines else cpus.task(cpu).replace("_", " "),
            "stack": [list(call) for call in lines],
            "holds": [lock.name for lock in cpus.held[cpu] if lock.holder == cpu], "waits": lock.name if lock else None,
        }  # fmt: skip

    def lines(self, stack: list[tuple[CodeType, int]]) -> list[tuple[int, int]]:
        return [self.place(code, line) for code, line in stack if code in self.functions]

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
        if is_entry(subject):
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
        if is_freed(entry):
            return None
        fields = {"offset": entry.offset, "length": entry.length, "refcount": entry.refcount, "linked": entry.linked}
        return {"page": self.pages[number], **fields}


def kernel_code(zswap: type) -> dict[CodeType, tuple[Any, str, str]]:
    """Code of each function of the model -> (function, the kernel's name, the kernel's file)."""
    from ..model.shrink import Shrinker
    from ..model.swap import Swap

    found = {}
    owners = [(Machine, ""), (Swap, ""), (Shrinker, "zswap.c"), (zswap, "zswap.c")]
    for owner, file in owners + [(zpool, f"{name}.c") for name, zpool in ZPOOLS.items()]:
        for _, function in inspect.getmembers(owner, inspect.isfunction):
            plain = inspect.unwrap(function)
            found[plain.__code__] = (plain, getattr(function, "kernel", ""), file)
    return found


def is_quiet(step: Step) -> bool:
    """Whether a step lies above zswap, and matters only where other CPUs run."""
    return step is FAULT or (step.lock is not None and step.lock.quiet)


def change(machine: Machine, settings: dict[str, Any]) -> None:
    """Change settings of a running machine, those with names from Machine's arguments too. Raises BadInput."""
    wanted = dict(settings)
    if isinstance(form := wanted.get("exclusive_loads"), str):
        if form not in ("off", machine.stage.exclusive_loads):
            raise BadInput(f"exclusive_loads={form!r} cannot be: a running kernel only turns its own form on or off")
        wanted["exclusive_loads"] = form != "off"
    machine.set(**wanted)


def stack_of(operation: Kernel | None) -> list[tuple[CodeType, int]]:
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
