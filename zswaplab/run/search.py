"""`explore`: every interleaving of a case's operations, and the shortest schedule that fails.

Equal states are followed once, whatever led to them; nothing else is left out. A state is the model's data and
every running function's place and locals (`state.Namer`). A generator cannot be copied, so a state is reached by
putting the machine back to how it was before the CPUs began, and taking the steps that lead there again.
Where a step depends on the same as one taken before (the machine and the place of its own CPU), it is not taken: what
it does is known.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..model.compressors import Compressor
from ..model.errors import BadInput, Fault, choose, require
from ..model.machine import Machine
from .cpus import packed, tasks_of
from .history import History
from .lockdep import CircularLocking, Lockdep
from .rules import Function
from .session import Session, aftermath
from .setup import OF_MACHINE, SWAP_PAGES, Setup
from .state import Checkpoint, Name, Namer, Walk

MAX_STATES = 300_000
_MAX_STEPS = 1000
_IN_PASSING = 8  # steps
_PROGRESS = 256  # states
_MODEL = Machine.__module__.rpartition(".")[0]
Functions = Mapping[str, str | Function]


class Livelock(Fault):
    """The CPUs can go round for ever without getting anywhere."""


@dataclass(frozen=True)
class Case:
    """What is searched: a machine, what has happened before, and what each CPU does.

    `machine` are the arguments of Machine; `before` operations that run one after the other first, and may
    end with a call of a function given the machine (`prepare`); `functions` take the place of the model's.
    `worker_failures` is the number of failed tries after which the shrink worker gives up (16 in the kernel).
    With `one_cpu` the tasks share one CPU. `check` looks at the machine once everybody has finished, for a failure
    of the case's own.
    """

    cpus: tuple[str, ...]
    machine: Mapping[str, Any] = field(default_factory=dict)
    before: tuple[str, ...] | None = None
    prepare: Callable[[Machine], None] | None = None
    functions: Functions = field(default_factory=dict)
    worker_failures: int = 2
    check: Callable[[Machine], Fault | None] | None = None
    one_cpu: bool = False

    @classmethod
    def of(cls, setup: Setup) -> Case:
        """The search of every interleaving of a setup's CPUs, once its workload has run."""
        machine = {name: getattr(setup, name) for name in OF_MACHINE}
        return cls(tuple(setup.cpus), machine, tuple(setup.lines()), None, dict(setup.functions), setup.worker_failures,
                   one_cpu=setup.one_cpu)  # fmt: skip

    @property
    def setup(self) -> Setup:
        """The same as a value, as far as it is one: what `prepare` and `check` do is not in it."""
        return Setup(
            **{"swap_pages": SWAP_PAGES, **self.machine}, workload=self.lines(), cpus=self.cpus,
            functions=dict(self.functions), worker_failures=self.worker_failures, one_cpu=self.one_cpu,
        )  # fmt: skip

    def session(self) -> Session:
        """The run up to where the CPUs begin, unobserved. Raises BadInput."""
        setup = self.setup
        machine = setup.machine()
        for pool in machine.zswap.pools:
            pool.compressor = _Remembered(pool.compressor)
        session = Session(setup, machine, prepare=self.prepare, observed=False)
        session.to_the_cpus()
        return session

    def history(self, schedule: str | None = None, *, stop: bool = False, **options: Any) -> History:
        """The case's history along a schedule; `options` are other fields of its setup, like `multi_shot=True`."""
        session = Session(self.setup.but(schedule=schedule, **options), prepare=self.prepare)
        title = f"Schedule {schedule}" if schedule and len(schedule) < 40 else "One schedule"
        return History(session, title, check=self.check).run(stop=stop)

    def lines(self) -> list[str]:
        """`before`, or else: each page that is used is written, and paged out unless it is paged out first of all."""
        if self.before is not None:
            return list(self.before)
        first: dict[str, str] = {}
        for text in (text for task in tasks_of(self.cpus) for text in task):
            verb, *numbers = text.split() or [""]
            if verb in ("read", "write", "free", "page_out"):
                first.setdefault(numbers[0] if numbers else "", verb)
        texts = [f"write {page}" for page in first if page]
        return texts + [f"page_out {page}" for page, verb in first.items() if page and verb != "page_out"]


class _Remembered:
    """A compressor that works on each page once: a search meets the same few pages thousands of times."""

    def __init__(self, compressor: Compressor) -> None:
        self.name = compressor.name
        self.compressor = compressor
        self.compressed: dict[Any, Any] = {}
        self.pages: dict[Any, Any] = {}

    def compress(self, page: Any) -> Any:
        if page not in self.compressed:
            self.compressed[page] = self.compressor.compress(page)
        return self.compressed[page]

    def decompress(self, data: Any) -> Any:
        if data not in self.pages:
            self.pages[data] = self.compressor.decompress(data)
        return self.pages[data]


@dataclass
class Found:
    """One way to fail: the fault and the shortest schedule that leads to it."""

    fault: Fault
    schedule: list[int]
    where: str

    @property
    def kind(self) -> str:
        return type(self.fault).__name__


@dataclass
class Explored:
    """What a search has found. `failures`, each of its own kind, the shortest first; `fails` whether there are any.

    `states` visited, `schedules` covered (None where they were not counted: a search that stops at its first
    failure), `bound` the bound at which it stopped, if it did: then not finding anything says nothing.
    """

    case: Case
    failures: list[Found]
    states: int
    steps: int
    schedules: int | None
    seconds: float
    bound: str | None = None

    @property
    def fails(self) -> bool:
        return bool(self.failures)

    @property
    def schedule(self) -> str | None:
        """The shortest failing schedule."""
        return packed(self.failures[0].schedule) if self.failures else None

    @property
    def length(self) -> int | None:
        """Its length in steps."""
        return len(self.failures[0].schedule) if self.failures else None

    @property
    def report(self) -> str:
        """What the sanitizers say along that schedule, in the kernel's shape."""
        if not self.failures:
            return self.verdict
        return "\n\n".join(found.text for found in self.history().reports)

    def history(self, failure: int = 0, **options: Any) -> History:
        """A failing schedule, step by step, for `play`: that of the shortest failure, or of another by its number.

        It ends with the failure. `options` are other fields of a Setup: with `multi_shot=True` it goes on past what
        the sanitizers report. Raises BadInput if nothing fails.
        """
        if not self.failures:
            raise BadInput(f"there is no failing schedule to show: {self.verdict}")
        found = self.failures[failure]
        round_ = isinstance(found.fault, Livelock)
        history = self.case.history(packed(found.schedule), stop=round_, **options)
        return history.end(found.fault) if round_ else history

    @property
    def verdict(self) -> str:
        if self.failures:
            first = self.failures[0]
            return f"fails after {len(first.schedule)} steps, schedule {packed(first.schedule)}: {first.fault}"
        if self.bound:
            return f"nothing found, but the search is not complete: {self.bound}"
        if any("worker" in task for task in tasks_of(self.case.cpus)):
            return f"no schedule fails (with a worker that gives up after {self.case.worker_failures} failures)"
        return "no schedule fails"

    @property
    def replay(self) -> str:
        """The line that plays the shortest failing schedule again, in the setting in which it was found."""
        if self.case.prepare:
            return "explored.history()"  # what was prepared has no place in a setup
        return f"record({self.case.setup.but(schedule=self.schedule)!r})"

    def __repr__(self) -> str:
        covered = "" if self.schedules is None else f", {self.schedules:,} schedules"
        replay = f"\nreplay: {self.replay}" if self.failures else ""
        return f"{self.verdict}\n{self.states:,} states{covered}, {self.seconds:.2f} s{replay}"


class _State:
    """A state that the search has met: which CPUs can go on, and where the step of each leads.

    `schedule` is the shortest that leads here, None until its turn has come. `ends` counts the schedules that end here,
    or with a step from here that fails.
    """

    __slots__ = ("name", "schedule", "ready", "after", "ends")

    def __init__(self, name: Name | bytes) -> None:
        self.name = name
        self.schedule: bytes | None = None
        self.ready: list[int] = []
        self.after: dict[int, _State] = {}
        self.ends = 0


class _Effect(NamedTuple):
    """What a step does: the numbers of the machine and of its CPU afterwards, and how the machine's things moved."""

    machine: int
    cpu: int
    moves: int | None


_Part = tuple[int, int, int]  # a CPU, the number of the machine, that of the CPU: all that a step depends on


class _Unlearned(Exception):
    """A step in passing takes locks in an order that lockdep does not know yet."""


class _KnownOrders(Lockdep):
    """For steps in passing, which teach lockdep nothing: it learns in the order of the search."""

    def __init__(self, lockdep: Lockdep) -> None:
        self.orders = lockdep.orders

    def acquire(self, held: list[str], lock: str, task: str, stack: list[str]) -> CircularLocking | None:
        raise _Unlearned(lock)


class Search:
    """One search, breadth first by number of steps; `merge=False` is brute force: no two states are ever equal."""

    def __init__(
        self,
        case: Case,
        *,
        merge: bool = True,
        every: bool = False,
        max_states: int = MAX_STATES,
        seconds: float | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        require("max_states", max_states, 1, 2**40, "states")
        require_seconds(seconds)
        self.case = case
        self.merge, self.every, self.max_states, self.progress = merge, every, max_states, progress
        self.limit = math.inf if seconds is None else seconds
        self.session = case.session()
        self.machine, self.cpus, self.lockdep = self.session.machine, self.session.cpus, self.session.lockdep
        self.known_orders = _KnownOrders(self.lockdep)
        self.checkpoint = Checkpoint(self.machine)
        self.namer = Namer()
        self.known: dict[Name | bytes, _State] = {}
        self.queue: list[_State] = []  # in the order of their turns
        self.here: _State | None = None  # in which the CPUs are
        self.walk: Walk | None = None  # over the machine as it is there
        self.effects: dict[_Part, _Effect | Fault] = {}
        self.able: dict[_Part, bool] = {}  # whether that CPU can take a step
        self.states = 0
        self.found: dict[str, Found] = {}
        self.outcomes: set[Name] = set()
        self.steps = 0
        self.bound: str | None = None
        self.cancelled = False

    def cancel(self) -> None:
        """Let `run` end soon, with what it has found so far; from another thread, or from `progress`."""
        self.cancelled = True

    def run(self) -> Explored:
        started = time.perf_counter()
        first = self.here = self._state(self.namer.name(self.cpus) if self.merge else b"")
        self._reach(first, b"")
        for number, state in enumerate(self.queue):  # which grows
            schedule = state.schedule or b""
            if self.found and not self.every and len(schedule) >= self._shortest():
                break
            if self.progress and number % _PROGRESS == 0:
                self.progress(self.states)
            self.bound = self._bound_reached(len(schedule), time.perf_counter() - started)
            if self.bound:
                break
            for cpu in state.ready:
                self._follow(state, schedule, cpu)
        complete = not self.bound and (self.every or not self.found)
        schedules = self._count(first) if complete else None
        failures = sorted(self.found.values(), key=lambda found: len(found.schedule))
        seconds = time.perf_counter() - started
        return Explored(self.case, failures, self.states, self.steps, schedules, seconds, self.bound)

    def _shortest(self) -> int:
        return min(len(found.schedule) for found in self.found.values())

    def _bound_reached(self, steps: int, seconds: float) -> str | None:
        if self.cancelled:
            return f"cancelled after {self.states:,} states"
        if self.states > self.max_states:
            return f"stopped at {self.states:,} states"
        if seconds > self.limit:
            return f"stopped after {self.limit:g} seconds, at {self.states:,} states"
        return f"stopped at schedules of {_MAX_STEPS} steps" if steps >= _MAX_STEPS else None

    # -- a step ----------------------------------------------------------------------------------

    def _follow(self, state: _State, schedule: bytes, cpu: int) -> None:
        """The step of `cpu` after the schedule that leads to a state, and where it leads."""
        longer = schedule + bytes([cpu])
        after = self._foreseen(state, cpu) or self._taken(state, schedule, cpu)
        if isinstance(after, CircularLocking):  # known from now on: the step can be taken, what follows is searched too
            self._fail(after, longer)
            self._follow(state, schedule, cpu)
        elif isinstance(after, Fault):
            self._fail(after, longer)
            state.ends += 1
            self.states += 1
        else:
            state.after[cpu] = after
            self._reach(after, longer)

    def _part(self, state: _State, cpu: int) -> _Part | None:
        """All that a step of a CPU depends on; None where CPUs share what is not the machine's."""
        if isinstance(state.name, bytes) or state.name[2]:
            return None
        return cpu, state.name[0], state.name[1][cpu]

    def _foreseen(self, state: _State, cpu: int) -> _State | Fault | None:
        """Where a step leads, if it was taken before in a state in which it depends on the same."""
        part = self._part(state, cpu)
        effect = self.effects.get(part) if part else None
        return self._put_together(state, cpu, effect) if isinstance(effect, _Effect) else effect

    def _put_together(self, state: _State, cpu: int, effect: _Effect) -> _State | None:
        """The state after a step. None where another CPU holds what is the machine's no more."""
        assert not isinstance(state.name, bytes)
        cpus: list[int | None] = [*state.name[1]]
        if effect.moves is not None:
            cpus = [self.namer.shift(number, effect.moves) for number in state.name[1]]
        cpus[cpu] = effect.cpu
        there = tuple(number for number in cpus if number is not None)
        return self._state((effect.machine, there, ())) if len(there) == len(cpus) else None

    def _taken(self, state: _State, schedule: bytes, cpu: int) -> _State | Fault:
        """Where a step leads: it is taken."""
        self._go_to(state, schedule)
        after = self._step(state, cpu)
        if isinstance(after, _State):
            self._go_on(after)
        return after

    def _step(self, state: _State, cpu: int) -> _State | Fault:
        """Take a step from the state in which the CPUs are."""
        self.here, after, part = None, None, self._part(state, cpu)
        before = (self.walk or self.namer.machine(self.cpus)) if part else None
        self.walk = None
        self.steps += 1
        try:
            self.cpus.step(cpu)
        except Fault as fault:
            if part and not isinstance(fault, CircularLocking):
                self.effects[part] = fault
            return fault
        if part and before:
            self.walk = self.namer.machine(self.cpus)
            effect = self.effects[part] = self._effect(before, self.walk, cpu)
            after = self._put_together(state, cpu, effect)
        self.here = after or self._state(self.namer.name(self.cpus) if self.merge else bytes(self.cpus.taken))
        self._note_ready(self.here)
        return self.here

    def _effect(self, before: Walk, after: Walk, cpu: int) -> _Effect:
        namer = self.namer
        its = namer.number_of_cpu(namer.walk(self.cpus, cpu, after))
        return _Effect(namer.number_of(after), its, namer.moves(before, after))

    def _go_on(self, state: _State) -> None:
        """Take further steps whose effects are not known, in passing: their turn will come, and they are here now."""
        self.cpus.lockdep = self.known_orders
        with suppress(_Unlearned):
            for _ in range(_IN_PASSING):
                parts = {cpu: self._part(state, cpu) for cpu in self.cpus.ready()}
                cpu = next((cpu for cpu, part in parts.items() if part and part not in self.effects), None)
                if cpu is None:
                    break
                after = self._step(state, cpu)
                if isinstance(after, Fault):
                    break
                state = after
        self.cpus.lockdep = self.lockdep

    def _go_to(self, state: _State, schedule: bytes) -> None:
        """Have the CPUs in a state."""
        if self.here is not state:
            self.cpus.begin()
            self.checkpoint.restore()
            for cpu in schedule:
                self.cpus.step(cpu)
            self.steps += len(schedule)
            self.here, self.walk = state, None

    # -- a state ---------------------------------------------------------------------------------

    def _state(self, name: Name | bytes) -> _State:
        state = self.known.get(name)
        if state is None:
            state = self.known[name] = _State(name)
        return state

    def _reach(self, state: _State, schedule: bytes) -> None:
        """A schedule leads to a state: the first one is the shortest."""
        if state.schedule is None:
            state.schedule = schedule
            self.states += 1
            state.ready = self._ready(state, schedule)
            if state.ready:
                self.queue.append(state)
            else:
                self._end(state, schedule)

    def _ready(self, state: _State, schedule: bytes) -> list[int]:
        parts = [self._part(state, cpu) for cpu in range(len(self.case.cpus))]
        if all(part in self.able for part in parts):
            return [cpu for cpu, part in enumerate(parts) if part and self.able[part]]
        self._go_to(state, schedule)
        self._note_ready(state)
        return self.cpus.ready()

    def _note_ready(self, state: _State) -> None:
        """Who can go on where the CPUs are, for other states in which that depends on the same."""
        if not self.case.one_cpu:  # there it depends on all tasks
            ready = self.cpus.ready()
            parts = {cpu: self._part(state, cpu) for cpu in range(len(self.case.cpus))}
            self.able.update((part, cpu in ready) for cpu, part in parts.items() if part)

    def _end(self, state: _State, schedule: bytes) -> None:
        """Nobody can go on: is that all right?"""
        self._go_to(state, schedule)
        state.ends = 1
        self.outcomes.add(self.namer.name(self.cpus))
        self.here = None
        if problem := self.cpus.deadlock() or self._aftermath():
            self._fail(problem, schedule)
            self.states += 1

    def _aftermath(self) -> Fault | None:
        """Everybody has finished: what is lost, or held for ever."""
        own = self.case.check(self.machine) if self.case.check else None
        return own or aftermath(self.machine)

    def _fail(self, fault: Fault, schedule: bytes) -> None:
        """Keep a failure, the shortest of its kind."""
        where = _place_of(fault)
        key = f"{type(fault).__name__} {fault} {where}"
        if key not in self.found:
            self.found[key] = Found(fault, list(schedule), where)

    def _count(self, first: _State) -> int | None:
        """How many schedules the states stand for: the ways to an end. None, and a failure, if one can go round."""
        ways: dict[_State, int] = {}
        open_: set[_State] = set()
        stack = [first]
        while stack:
            state = stack[-1]
            after = state.after.values()
            if state in ways:
                stack.pop()
            elif state in open_:
                open_.discard(state)
                ways[state] = state.ends + sum(ways[next_] for next_ in after)
                stack.pop()
            else:
                open_.add(state)
                for next_ in after:
                    if next_ in open_:
                        problem = Livelock("livelock: from here the CPUs can go round for ever")
                        self._fail(problem, next_.schedule or b"")
                        return None
                    if next_ not in ways:
                        stack.append(next_)
        return ways[first]


def require_seconds(seconds: object) -> None:
    """Raise BadInput unless it is a time, or None."""
    if seconds is None or (isinstance(seconds, (int, float)) and not isinstance(seconds, bool) and seconds > 0):
        return
    raise BadInput(f"seconds={seconds!r} cannot be: give a number above 0, or None for a search without a limit")


def _place_of(fault: Fault) -> str:
    """The model's function in which a fault was met."""
    traceback, name = fault.__traceback__, ""
    while traceback is not None:
        if traceback.tb_frame.f_globals.get("__name__", "").startswith(_MODEL):
            name = traceback.tb_frame.f_code.co_name
        traceback = traceback.tb_next
    return name


def explore(
    case: Case | Setup | None = None,
    *,
    cpus: Sequence[str] | None = None,
    before: Sequence[str] | None = None,
    functions: Functions | None = None,
    worker_failures: int = 2,
    every: bool = False,
    max_states: int = MAX_STATES,
    seconds: float | None = None,
    **machine: Any,
) -> Explored:
    """Search every interleaving of what `cpus` do, like ["read 3", "free 3; page_out 4", "worker"], or of a Setup's.

    The other arguments are Machine's (the device has 64 pages by default, so that a slot given up is freed at
    once). `before` are operations that run first; by default each page used is written and paged out. With
    `functions={"load_end": mine}` a function of your own takes the place of the model's. The worker gives up
    after `worker_failures` failed tries. The search stops at the first length at which a schedule fails, or
    with `every` goes on and finds each kind of failure. It never says "no schedule fails" if it stopped at
    `max_states` or after `seconds`: then it says that it is not complete. Raises BadInput.

    >>> explore(stage="v6.5", device="synchronous", cpus=["read 3", "free 3"]).verdict
    'no schedule fails'
    >>> explore(stage="4", device="synchronous", cpus=["read 3", "free 3"]).schedule
    'a7b3a3'
    """
    if "workload" in machine:
        raise BadInput("workload=... is not explore's: before=['write 3', 'page_out 3'] is what runs first")
    for name in machine:
        choose("argument of explore", name, OF_MACHINE)
    if case is None:
        case = _case_of(cpus, before, functions, worker_failures, machine)
    elif given := [*machine, *(["cpus"] if cpus else []), *(["before"] if before else []), *(functions or {})]:
        raise BadInput(f"{', '.join(given)} cannot be given beside a case: change that, by setup.but(...)")
    elif isinstance(case, Setup):
        if not case.cpus:
            raise BadInput("nothing to search: this setup has no cpus; take setup.but(cpus=['read 3', 'read 3'])")
        case = Case.of(case)
    elif not isinstance(case, Case):
        raise BadInput(f"case={case!r} cannot be: give a Setup that has cpus, or none and cpus=['read 3', 'read 3']")
    return Search(case, every=every, max_states=max_states, seconds=seconds).run()


def _case_of(cpus: Any, before: Any, functions: Any, worker_failures: int, machine: Mapping[str, Any]) -> Case:
    """What the arguments of `explore` describe. Raises BadInput where they say nothing that runs."""
    if cpus is None:
        raise BadInput("there is nothing to search: give a case, or cpus=['read 3', 'read 3']")
    if isinstance(cpus, str):
        raise BadInput(f"cpus={cpus!r} cannot be: give a list of what each CPU does, like ['read 3', 'free 3']")
    own = None if before is None else tuple(before)
    return Case(tuple(cpus), machine, own, None, functions or {}, worker_failures)
