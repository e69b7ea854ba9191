"""`Session`: one live run of a setup, taken step by step. There is no other way to drive a run.

First the workload runs, one operation after the other on CPU a, and after each what was queued for a kworker; then
what the CPUs do at once. A step gives a `Moment`: what happened, as facts; others put them into words and keep them.
"""

from __future__ import annotations

import inspect
import random
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from types import CodeType, TracebackType
from typing import Any

from ..model.entry import Entry
from ..model.errors import ENOSPC, BadInput, Fault, UseAfterFree
from ..model.freed import ALIVE, is_entry
from ..model.machine import Machine
from ..model.source import resolved
from ..model.stages import Stage
from ..model.steps import FAULT, Kernel, Step, run
from ..model.zpool import Zpool
from ..model.zswap import Zswap
from .cpus import Cpus, Deadlock, Operation, Start, need_page, operation_of, packed, refuse, unpacked
from .events import Fact
from .lockdep import CircularLocking, Lockdep
from .rules import OWNERS, parts_of
from .scene import Change, Watch
from .setup import Setup, guard_objects
from .state import Checkpoint

Place = tuple[int, int]  # number of a source, line in it
Reference = tuple[str, str, int]  # function, local, number of the entry to which it points
_Standing = tuple[Any, Any, "Place | None", list[Reference]]  # a running function, its callee, its place, its entries
_NOBODY: list[Reference] = []
_NOWHERE: list[_Standing] = []


class Leak(Fault):
    """Everybody has finished, and something is held that nobody will give back."""


@dataclass(slots=True)
class Moment:
    """One step of a run: the CPU stands at a yield of the model, or has just met its end.

    `fact` is the weightiest thing that happened in it (None: nothing to tell), `events` what came of all of them. The
    CPU is about to take a step of kind `step` (None: its operation has ended), of the lock `lock` if it is one. `stack`
    are the running functions, outermost first, as (number of the source, line in it), `holds` the locks held, `refs`
    the entries to which a local of theirs points: (function, local, number of the entry). `changes` alter the scene.
    With several CPUs `cpus` has the same of each. `say` is the whole in a sentence, once somebody has told it.
    """

    operation: int
    cpu: int
    step: str | None
    lock: str | None
    fact: Fact | None
    events: list[str]
    stack: list[Place]
    holds: list[str]
    refs: list[Reference]
    changes: list[Change]
    cpus: list[dict[str, Any]] | None = None
    say: str = ""

    @property
    def event(self) -> str | None:
        """What the step came to: "store", "load", "writeback", "refuse", "free", "fault", or None."""
        return self.fact.event if self.fact else None

    @property
    def reason(self) -> str | None:
        """Why: of a refusal "limit", "threshold", "size", "compressor" or "switched off"; of a fault its kind."""
        return self.fact.reason if self.fact else None

    @property
    def kind(self) -> str | None:
        """What happened, in the words of `events.WEIGHTS`; None if nothing is worth telling."""
        return self.fact.kind if self.fact else None

    @property
    def subject(self) -> int | None:
        """The number of the entry that it is about, if it is about one."""
        return self.fact.subject if self.fact else None

    def same(self, other: Moment) -> bool:
        """Whether the same happened in both, however it is worded."""
        return (self.fact, self.changes, self.step, self.cpu) == (other.fact, other.changes, other.step, other.cpu)


class Session:
    """One live run of `setup`: `ready()` says who can take a step, `step(cpu)` takes one and gives a Moment.

    It begins from whatever `machine` holds (default: a new one). `prepare`, if given, is called with the machine once
    the workload is over, before the CPUs begin. `operations` are what has begun so far, `sources` the functions that
    have run. `fault` is what ended it. Raises BadInput for an operation that is not known or uses a page that holds
    nothing, before anything has run.

    >>> session = Session(Setup(workload=["write 3", "page_out 3"], cpus=["read 3", "free 3"]))
    >>> moments = list(session.run())
    >>> [str(operation) for operation in session.operations]
    ['write 3', 'page out 3', 'read 3', 'free 3']
    """

    def __init__(
        self, setup: Setup, machine: Machine | None = None, *, prepare: Callable[[Machine], None] | None = None,
        observed: bool = True,
    ) -> None:  # fmt: skip
        self.setup = setup
        self.machine = setup.machine() if machine is None else machine
        self._planned = _planned(setup, self.machine)
        self._prepare = prepare
        self._own_class = type(self.machine.zswap)
        guard_objects(self.machine)
        self.lockdep = Lockdep()
        self.warn: Callable[[CircularLocking], None] | None = None  # told of lockdep's warnings, which then end nothing
        self.operations: list[Operation] = []
        self.moments = 0
        self.fault: Fault | None = None
        self.together = False  # the CPUs of the setup run
        self.current: list[int] = [-1]  # CPU -> number of its operation
        self.watch: Watch | None = None
        if observed:
            self._places = _Places(self.machine)
            self.watch = Watch(self.machine)
            self.machine.hook.subscribe(self.watch.observe)
        self._dice = None if setup.seed is None else random.Random(setup.seed)
        self._given = deque(unpacked(setup.schedule, len(setup.cpus)) if setup.schedule is not None else ())
        self.cpus = Cpus.nothing(self.machine)
        self._next()

    def close(self) -> None:
        """Nobody watches the machine any more; it is as it was made."""
        if self.watch:
            self.machine.hook.unsubscribe(self.watch.observe)
        self.machine.zswap.__class__ = self._own_class

    # -- what comes next ---------------------------------------------------------------------------

    def _next(self) -> None:
        """What ran is over: what comes next is ready to begin."""
        machine = self.machine
        if queued := machine.queued():
            kind = "compaction" if queued == "compaction" else "worker"
            self.cpus = Cpus.of(machine, Operation(kind, kind, queued=True), machine.kworker)
        elif self._planned:
            self.cpus = Cpus.of(machine, *self._planned.popleft())
        elif self.setup.cpus and not self.together:
            if self._prepare:
                self._prepare(machine)
                if self.watch:
                    self.watch.forget()
            self.together = True
            self.cpus = Cpus(machine, self.setup.cpus, one_cpu=self.setup.one_cpu)
            self.current = [-1] * len(self.setup.cpus)
        self.cpus.lockdep = self.lockdep
        self.cpus.warn = self.warn or refuse

    @property
    def over(self) -> bool:
        """Whether nothing is left to run, or a fault has ended it."""
        return self.fault is not None or self.cpus.over

    def ready(self) -> list[int]:
        """The CPUs that can take a step: none once it is over."""
        if self.fault:
            return []
        if self.together:
            return self.cpus.ready()
        return [] if self.cpus.over or self.cpus.waits(0) else [0]

    def who(self) -> str:
        """Whose step it is, as reports name it."""
        return self.cpus.who(self.cpus.taken[-1] if self.cpus.taken else 0)

    # -- running it --------------------------------------------------------------------------------

    def advance(self, cpu: int = 0) -> None:
        """One step of a CPU that can run, and no moment of it; a fault of the modelled kernel is raised as it is.

        Where one CPU runs alone, steps above zswap that only matter to others are taken with the step before.
        """
        cpus = self.cpus
        if cpus.running[cpu] is None:
            self.current[cpu] = len(self.operations)
            self.operations.append(cpus.operation(cpu))
        cpus.step(cpu)
        if self.together:
            return
        while (step := cpus.pending[cpu]) is not None and _is_quiet(step) and cpus.waits(cpu) is None:
            cpus.step(cpu)
        if cpus.over:
            if cpus.results[cpu] == -ENOSPC and cpus.operation(cpu).kind == "page_out":
                raise BadInput(self.machine.device_full)
            if not self.machine.queued():
                run(self.machine.complete_io())

    def step(self, cpu: int = 0) -> Moment:
        """One step of a CPU that can run. A fault of the modelled kernel is no error: the moment tells of it, and the
        run is over. Raises BadInput if that CPU cannot run, or if the swap device is full.
        """
        if cpu not in self.ready():
            self._refuse(cpu)
        return self._step(cpu)

    def _step(self, cpu: int) -> Moment:
        """The same, where it is known that the CPU can run."""
        cpus, watch = self.cpus, self.watching
        stood = cpus.pending[cpu]
        watch.cpu, watch.operation = cpu, cpus.operation(cpu).kind
        watch.stood = stood.kind if stood else ""
        try:
            self.advance(cpu)
        except Fault as fault:
            cpus.pending[cpu] = None  # it has been taken: nobody waits for the lock that it was about
            return self._end(fault, cpu)
        step = cpus.pending[cpu]
        moment = self._moment(cpu, step, *self._places.of(cpu, cpus.running[cpu], watch))
        if cpus.over and not self.together:
            self._next()
        self._change()
        return moment

    def run(
        self, *, stop: bool = False, check: Callable[[Machine], Fault | None] | None = None
    ) -> Iterator[Moment]:
        """Every step to the end: along the schedule, or as the seed has it, or one CPU after the other.

        Where a schedule ends too soon that is a BadInput; with `multi_shot` all go on, the CPU that ran last first;
        with `stop` the run stops there. At the end comes what `finish` tells.
        """
        while ready := self.ready():
            cpu = self._choose(ready)
            if cpu is None:
                if stop:
                    return
                raise self.cpus.too_short(self.setup.schedule or "")
            yield self._step(cpu)
        moment = self.finish(check)
        if moment:
            yield moment

    def _choose(self, ready: list[int]) -> int | None:
        """The CPU of the next step; None where the schedule has ended too soon."""
        if not self.together:
            return 0
        setup = self.setup
        while self._given:
            cpu = self._given.popleft()
            if cpu in ready:
                return cpu
            if not setup.changes:  # a fork keeps to its schedule as far as it can
                self._refuse(cpu)
        if self._dice:
            return self._dice.choice(ready)
        if setup.schedule is None or setup.changes:
            return ready[0]
        if not setup.multi_shot:
            return None
        last = self.cpus.taken[-1] if self.cpus.taken else ready[0]
        return last if last in ready else ready[0]

    def _refuse(self, cpu: int) -> None:
        """Say why a CPU cannot take a step."""
        if self.fault:
            raise BadInput(f"the run is over: {self.fault}")
        if not 0 <= cpu < len(self.cpus.operations):
            raise BadInput(f"CPU {cpu!r} is not there: give a number from 0 to {len(self.cpus.operations) - 1}")
        if not self.together:
            raise BadInput("the run is over: nothing is left to do")
        self.cpus.allow(cpu, self.setup.schedule or packed([*self.cpus.taken, cpu]))

    def to_the_cpus(self) -> None:
        """Run the workload without moments, up to where the CPUs begin; a fault in it is raised."""
        while not self.together and self.ready():
            self.advance()
            if self.cpus.over:
                self._next()
        if not self.over and not self.together and (problem := self.cpus.deadlock()):
            raise problem

    def skip(self) -> int:
        """Run the workload without moments, and not what its last operation has queued: how many moments that were."""
        skipped = 0
        while not self.together and self.ready():
            self.advance()
            skipped += 1
            if self.cpus.over:
                if not self._planned:
                    break
                self._next()
        return skipped

    # -- its end -----------------------------------------------------------------------------------

    def finish(self, check: Callable[[Machine], Fault | None] | None = None) -> Moment | None:
        """Look at everything that shows at the end: who waits for ever; once several CPUs have run, what is lost or
        held for ever, and what `check` finds. The machine is left as it is. The moment tells of the first of these.
        """
        if self.fault:
            return None
        problem: Fault | None = self.cpus.deadlock()
        if problem is None and self.over and self.together:
            problem = self.aftermath(check)
        return self.end(problem) if problem else None

    def aftermath(self, check: Callable[[Machine], Fault | None] | None = None) -> Fault | None:
        """What is wrong once everybody has finished; the machine is left as it is."""
        checkpoint, hook = Checkpoint(self.machine), self.machine.hook
        if self.watch:
            hook.unsubscribe(self.watch.observe)
        try:
            return (check(self.machine) if check else None) or aftermath(self.machine)
        finally:
            checkpoint.restore()
            if self.watch:
                hook.subscribe(self.watch.observe)

    def end(self, fault: Fault) -> Moment:
        """The run ends with a fault that no step has raised."""
        return self._end(fault, self.cpus.taken[-1] if self.cpus.taken else 0)

    def _end(self, fault: Fault, cpu: int) -> Moment:
        self.fault = fault
        self.watching.tell("fault", "fault", type(fault).__name__, **_facts_of(fault))
        frames = list(_stack_of_traceback(fault.__traceback__))
        return self._moment(cpu, None, self._places.at(frames), [])

    def report(self, **values: Any) -> None:
        """A sanitizer has found something in this step, and lets it go on."""
        self.watching.tell("report", "fault", "report", **values)

    # -- a moment ----------------------------------------------------------------------------------

    @property
    def watching(self) -> Watch:
        """Who works out what changes."""
        if self.watch is None:
            raise BadInput("this session is not observed: make it with observed=True to step through it")
        return self.watch

    def _moment(self, cpu: int, step: Step | None, stack: list[Place], refs: list[Reference]) -> Moment:
        changes, fact, events = self.watching.take(number for _, _, number in refs)
        self.moments += 1
        lock = step.lock.name if step is not None and step.lock else None
        kind = step.kind if step is not None else None
        now = self._every_cpu(cpu, stack, refs) if self.together else None
        holds = now[cpu]["holds"] if now else self._holds(cpu)
        return Moment(self.current[cpu], cpu, kind, lock, fact, events, stack, holds, refs, changes, now)

    def _holds(self, cpu: int) -> list[str]:
        """The locks that a CPU holds; those above zswap where others run, too."""
        held = self.cpus.held[cpu]
        return [lock.name for lock in held if lock.holder == cpu and (self.together or not lock.quiet)] if held else []

    def _every_cpu(self, ran: int, stack: list[Place], refs: list[Reference]) -> list[dict[str, Any]]:
        """What each CPU does, holds, waits for."""
        cpus, watch, found = self.cpus, self.watching, []
        for cpu in range(len(cpus.operations)):
            its_stack, its_refs = (stack, refs) if cpu == ran else self._places.of(cpu, cpus.running[cpu], watch)
            wait, steps = cpus.wait(cpu), cpus.taken.count(cpu)
            state = "finished" if cpus.finished(cpu) else "blocked" if wait else "running" if steps else "not started"
            lock, holder = (wait.lock, wait.holder) if wait else (None, None)
            found.append({
                "task": str(cpus.operation(cpu)), "state": state, "steps": steps, "stack": its_stack, "refs": its_refs,
                "holds": self._holds(cpu), "waits": lock, "holder": holder,
            })  # fmt: skip
        return found

    def _change(self) -> None:
        """Set the parameters that the setup changes after this step."""
        if not self.setup.changes:
            return
        due = {name: value for step, name, value in self.setup.changes if step == self.moments - 1}
        if due:
            change(self.machine, due)
            self.watching.after_setting()

    @property
    def sources(self) -> list[dict[str, Any]]:
        """The functions that have run, as of the stage: `function`, its `lines`, `kernel` (the name there), `url`."""
        return self._places.sources

    def place(self, code: CodeType, line: int) -> Place | None:
        """Where a function stands, as (number of its source, line in it); None for what is not of the model's."""
        return self._places.place(code, line)

    # -- another future ----------------------------------------------------------------------------

    def fork(self, step: int, **settings: Any) -> Session:
        """The same run from its beginning, with parameters set once `step` has been taken; see `Machine.set`."""
        changes = [*self.setup.changes, *((step, name, value) for name, value in settings.items())]
        schedule = packed(self.cpus.taken) if self.together else None
        return Session(self.setup.but(changes=changes, schedule=schedule, seed=None), prepare=self._prepare)


def _planned(setup: Setup, machine: Machine) -> deque[tuple[Operation, Start]]:
    """The workload's operations; each page that one uses will hold something by then. Raises BadInput otherwise."""
    told: dict[int, bool] = {}
    found: deque[tuple[Operation, Start]] = deque()
    for text in setup.lines():
        operation, start = operation_of(machine, text)
        need_page(operation, lambda page: told.get(page, page in machine.written))
        if operation.kind in ("write", "free"):
            told[operation.pages[0]] = operation.kind == "write"
        found.append((operation, start))
    return found


def change(machine: Machine, settings: dict[str, Any]) -> None:
    """Change settings of a running machine, those with names from Machine's arguments too. Raises BadInput."""
    wanted = dict(settings)
    if isinstance(form := wanted.get("exclusive_loads"), str):
        if form not in ("off", "on", machine.stage.exclusive_loads):
            raise BadInput(f"exclusive_loads={form!r} cannot be: a running kernel only turns its own form on or off")
        wanted["exclusive_loads"] = form != "off"
    machine.set(**wanted)


# -- what shows at the end ---------------------------------------------------------------------------------


def aftermath(machine: Machine) -> Fault | None:
    """What is wrong once everybody has finished: bytes that do not come back, or something that is held for ever."""
    held = [frame for frame in machine.swap.cache.values() if frame.lock.holder is not None]
    if held or machine.swap.stranded:
        return Leak("a frame of the swap cache was neither unlocked nor given back")
    if leaked := _leaked_references(machine):
        return leaked
    try:
        machine.settle()
        for page in sorted(machine.written):
            run(machine.read_fault(page))
            machine.settle()
        if not machine.zswap.trees:
            return None
        machine.check()
    except Fault as fault:
        return fault
    except AssertionError as problem:
        return Leak(f"at rest: {problem}")
    return None


def _leaked_references(machine: Machine) -> Leak | None:
    """A pool with more references than it has entries, plus one for being current and one for a queued worker."""
    for pool in machine.zswap.pools:
        entries = [entry for tree in machine.zswap.trees.values() for entry in tree.entries.values()]
        used = sum(entry.length > 0 and entry.pool is pool for entry in entries)
        expected = used + (pool is machine.zswap.pool) + pool.work_pending
        if pool.refcount != expected:
            return Leak(f"{pool} has {pool.refcount} references, and {expected} are used: it can never be given back")
    return None


def _facts_of(fault: Fault) -> dict[str, Any]:
    """What there is to be said of a fault, as plain data."""
    values: dict[str, Any] = {"text": str(fault)}
    if isinstance(fault, UseAfterFree):
        values |= {"access": fault.access, "field": fault.field, "offset": fault.offset, "size": fault.size}
        values["thing"] = fault.kind
    if isinstance(fault, CircularLocking):
        values |= {"outer": fault.chain[0].outer, "inner": fault.chain[0].inner}
    if isinstance(fault, Deadlock):
        values["waits"] = fault.waits
    return values


# -- where it runs -----------------------------------------------------------------------------------------


class _Places:
    """Where in the model's source each CPU stands, as of the stage, and which entries its functions point to."""

    def __init__(self, machine: Machine) -> None:
        parts = parts_of(machine)
        self.functions = _kernel_code(*{**OWNERS, **{name: type(part) for name, part in parts.items()}}.values())
        self.stage = machine.stage
        self.sources: list[dict[str, Any]] = []
        self.rows: dict[CodeType, tuple[int, dict[int, int]]] = {}
        self.known: dict[tuple[CodeType, int], Place | None] = {}
        self.standing: dict[int, list[_Standing]] = {}  # CPU -> its running functions, outermost first, a step ago

    def of(self, cpu: int, operation: Kernel | None, watch: Watch) -> tuple[list[Place], list[Reference]]:
        """A CPU's running functions, outermost first, and their locals that are entries.

        A function whose callee is the same as a step ago has not run in between: only the others are looked at.
        """
        before = self.standing.get(cpu, _NOWHERE)
        now: list[_Standing] = []
        stack: list[Place] = []
        references: list[Reference] = []
        generator: Any = operation
        for known in before:
            callee = generator.gi_yieldfrom if generator is not None else None
            if callee is None or known[0] is not generator or known[1] is not callee:
                break
            now.append(known)
            generator = callee
        while generator is not None and generator.gi_frame is not None:
            now.append(self.look(generator, generator.gi_yieldfrom, watch))
            generator = generator.gi_yieldfrom
        self.standing[cpu] = now
        for _, _, place, found in now:
            if place is not None:
                stack.append(place)
                references += found
        return stack, references

    def look(self, generator: Any, callee: Any, watch: Watch) -> _Standing:
        """One running function: where it stands, and which of its locals are entries."""
        frame, code = generator.gi_frame, generator.gi_code
        key = code, frame.f_lasti
        if key not in self.known:
            self.known[key] = self.place(code, frame.f_lineno)
        place = self.known[key]
        if place is None:
            return generator, callee, None, _NOBODY
        found = []
        for name, value in frame.f_locals.items():
            kind = type(value)
            if kind is Entry or (kind in ALIVE and is_entry(value)):
                found.append((code.co_name, name, watch.number(value)))
        return generator, callee, place, found

    def at(self, frames: Iterable[tuple[CodeType, int]]) -> list[Place]:
        """Of (code, line) those that are the model's functions."""
        return [place for code, line in frames if (place := self.place(code, line)) is not None]

    def place(self, code: CodeType, line: int) -> Place | None:
        """A function's line as (number of its source, line in it); None for what is not the model's."""
        if code not in self.functions:
            return None
        if code not in self.rows:
            function, kernel_name, file = self.functions[code]
            lines, texts = _source_of(function, self.stage)
            self.rows[code] = len(self.sources), lines
            self.sources.append({
                "function": function.__name__, "kernel": kernel_name, "lines": texts,
                "url": self.stage.link(file) if kernel_name and file else "",
            })  # fmt: skip
        number, lines = self.rows[code]
        return number, lines.get(line, 0)


@cache
def _source_of(function: Callable[..., Any], stage: Stage) -> tuple[dict[int, int], list[str]]:
    """(line in its file -> line here, the lines) of a function as of a stage."""
    rows = resolved(function, stage)
    return {number: index for index, (number, _) in enumerate(rows)}, [text for _, text in rows]


@cache
def _kernel_code(*owners: type) -> dict[CodeType, tuple[Callable[..., Any], str, str]]:
    """Code of each function of the model -> (function, the kernel's name, the kernel's file)."""
    found = {}
    for owner in owners:
        file = "zswap.c" if issubclass(owner, Zswap) else f"{owner.name}.c" if issubclass(owner, Zpool) else ""
        for _, function in inspect.getmembers(owner, inspect.isfunction):
            plain = inspect.unwrap(function)
            found[plain.__code__] = (plain, getattr(function, "kernel", ""), file)
    return found


def _is_quiet(step: Step) -> bool:
    """Whether a step lies above zswap, and matters only where other CPUs run."""
    return step is FAULT or (step.lock is not None and step.lock.quiet)


def _stack_of_traceback(traceback: TracebackType | None) -> Iterator[tuple[CodeType, int]]:
    """(code, line) of each function through which a fault has come, outermost first."""
    while traceback is not None:
        yield traceback.tb_frame.f_code, traceback.tb_lineno
        traceback = traceback.tb_next
