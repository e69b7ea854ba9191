"""`explore`: every interleaving of a case's operations, and the shortest schedule that fails.

Equal states are followed once, whatever led to them; nothing else is left out. A state is the model's data and
every running function's place and locals (`state.Namer`). A generator cannot be copied, so a state is reached by
putting the machine back to how it was before the CPUs began, and taking the steps that lead there again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..model.compressors import Compressor
from ..model.errors import BadInput, Fault
from ..model.machine import Machine
from .cpus import packed, tasks_of
from .history import History
from .lockdep import CircularLocking
from .rules import Function
from .session import Session, aftermath
from .setup import OF_MACHINE, SWAP_PAGES, Setup
from .state import Checkpoint, Namer

MAX_STATES = 300_000
MAX_STEPS = 1000
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
            pool.compressor = Remembered(pool.compressor)
        session = Session(setup, machine, prepare=self.prepare, observed=False)
        session.to_the_cpus()
        return session

    def history(self, schedule: str | None = None, *, stop: bool = False, **options: Any) -> History:
        """The case's history along a schedule; `options` are other fields of its setup, like `multi_shot=True`."""
        session = Session(self.setup.but(schedule=schedule, **options), prepare=self.prepare)
        return History(session, check=self.check).run(stop=stop)

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


class Remembered:
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


class Search:
    """One search, breadth first by number of steps; `merge=False` is brute force: no two states are ever equal."""

    def __init__(self, case: Case, *, merge: bool = True, every: bool = False, max_states: int = MAX_STATES) -> None:
        self.case = case
        self.merge, self.every, self.max_states = merge, every, max_states
        self.session = case.session()
        self.machine, self.cpus = self.session.machine, self.session.cpus
        self.checkpoint = Checkpoint(self.machine)
        self.namer = Namer()
        self.known: dict[bytes, int] = {}
        self.edges: list[list[int]] = []  # state -> the states that follow
        self.final: list[int] = []  # 1 where a schedule ends
        self.paths: list[bytes] = []  # the shortest schedule that leads there
        self.round: list[int] = []
        self.queue: dict[int, list[tuple[int, bytes, bytes]]] = {}  # steps -> (state, schedule, CPUs that can go on)
        self.found: dict[str, Found] = {}
        self.outcomes: set[bytes] = set()
        self.steps = 0
        self.bound: str | None = None

    def run(self) -> Explored:
        started = time.perf_counter()
        self.reach(None, b"")
        length = 0
        while self.queue and not self.bound and not (self.found and not self.every and length >= self.shortest()):
            for state, schedule, ready in self.queue.pop(length, ()):
                for cpu in ready:
                    self.follow(state, schedule, cpu)
                if len(self.edges) > self.max_states:
                    self.bound = f"stopped at {len(self.edges):,} states"
                    break
            length += 1
        complete = not self.bound and (self.every or not self.found)
        schedules = self.count() if complete else None
        if complete and schedules is None:
            problem = Livelock("livelock: from here the CPUs can go round for ever")
            self.found["livelock"] = Found(problem, self.round, "")
        failures = sorted(self.found.values(), key=lambda found: len(found.schedule))
        seconds = time.perf_counter() - started
        return Explored(self.case, failures, len(self.edges), self.steps, schedules, seconds, self.bound)

    def shortest(self) -> int:
        return min(len(found.schedule) for found in self.found.values())

    def follow(self, state: int, schedule: bytes, cpu: int) -> None:
        """The step of `cpu` after a schedule, and what it leads to."""
        cpus, step = self.cpus, self.cpus.step
        self.checkpoint.restore()
        cpus.begin()
        for past in schedule:
            step(past)
        self.steps += len(schedule) + 1
        try:
            step(cpu)
        except CircularLocking as fault:  # known from now on: the step can be taken, and what follows is searched too
            self.fail(fault, None)
            self.follow(state, schedule, cpu)
            return
        except Fault as fault:
            self.fail(fault, state)
            return
        self.reach(state, bytes(cpus.taken))

    def reach(self, before: int | None, schedule: bytes) -> None:
        """The CPUs are in some state: a new one is queued, or the end is looked at."""
        cpus = self.cpus
        name = self.namer.name(cpus) if self.merge else bytes(schedule)
        state = self.known.get(name)
        if state is not None:
            if before is not None:
                self.edges[before].append(state)
            return
        state = self.known[name] = len(self.edges)
        self.edges.append([])
        self.final.append(0)
        self.paths.append(schedule)
        if before is not None:
            self.edges[before].append(state)
        ready = cpus.ready()
        if ready:
            if len(schedule) >= MAX_STEPS:
                self.bound = f"stopped at schedules of {MAX_STEPS} steps"
            self.queue.setdefault(len(schedule), []).append((state, schedule, bytes(ready)))
        else:
            self.final[state] = 1
            if not self.merge:
                self.outcomes.add(self.namer.name(cpus))
            else:
                self.outcomes.add(name)
            if problem := cpus.deadlock() or self.aftermath():
                self.final[state] = 0
                self.fail(problem, state)

    def aftermath(self) -> Fault | None:
        """Everybody has finished: what is lost, or held for ever."""
        own = self.case.check(self.machine) if self.case.check else None
        return own or aftermath(self.machine)

    def fail(self, fault: Fault, state: int | None) -> None:
        """Keep a failure, the shortest of its kind; from `state` it ends a schedule."""
        if state is not None:
            self.final.append(1)
            self.edges.append([])
            self.paths.append(b"")
            self.edges[state].append(len(self.edges) - 1)
        where = place_of(fault)
        key = f"{type(fault).__name__} {fault} {where}"
        if key not in self.found:
            self.found[key] = Found(fault, list(self.cpus.taken), where)

    def count(self) -> int | None:
        """How many schedules the states stand for: the ways from the first to an end. None if one can go round."""
        ways: dict[int, int] = {}
        open_: set[int] = set()
        stack = [0]
        while stack:
            state = stack[-1]
            if state in ways:
                stack.pop()
            elif state in open_:
                open_.discard(state)
                ways[state] = self.final[state] + sum(ways[after] for after in self.edges[state])
                stack.pop()
            else:
                open_.add(state)
                for after in self.edges[state]:
                    if after in open_:
                        self.round = list(self.paths[after])
                        return None
                    if after not in ways:
                        stack.append(after)
        return ways[0]


def place_of(fault: Fault) -> str:
    """The model's function in which a fault was met."""
    traceback, name = fault.__traceback__, ""
    while traceback is not None:
        name = traceback.tb_frame.f_code.co_name if "model" in traceback.tb_frame.f_code.co_filename else name
        traceback = traceback.tb_next
    return name


def explore(
    case: Case | None = None,
    *,
    cpus: Sequence[str] | None = None,
    before: Sequence[str] | None = None,
    functions: Functions | None = None,
    worker_failures: int = 2,
    every: bool = False,
    max_states: int = MAX_STATES,
    **machine: Any,
) -> Explored:
    """Search every interleaving of what `cpus` do, like ["read 3", "free 3; page_out 4", "worker"].

    The other arguments are Machine's (the device has 64 pages by default, so that a slot given up is freed at
    once). `before` are operations that run first; by default each page used is written and paged out. With
    `functions={"load_end": mine}` a function of your own takes the place of the model's. The worker gives up
    after `worker_failures` failed tries. The search stops at the first length at which a schedule fails, or
    with `every` goes on and finds each kind of failure; it never says "no schedule fails" if it stopped at
    `max_states`. Raises BadInput.
    """
    if case is None:
        if cpus is None:
            raise BadInput("there is nothing to search: give a case, or cpus=['read 3', 'read 3']")
        own = None if before is None else tuple(before)
        if isinstance(cpus, str):
            raise BadInput(f"cpus={cpus!r} cannot be: give a list of what each CPU does, like ['read 3', 'free 3']")
        case = Case(tuple(cpus), machine, own, None, functions or {}, worker_failures)
    return Search(case, every=every, max_states=max_states).run()


