"""The model's threads: each is driven until it comes to what the recording shows next."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from ..model.machine import Machine
from ..model.steps import CALL, RETURN, Step
from ..model.swap import Frame
from .events import FUNCTIONS, NESTED, PLACING, vocabulary
from .findings import Findings
from .placement import Placement
from .program import Input, call
from .read import Recording, Row
from .thread import Interruption, Thread

_STEPS = {"malloc", "map", "unmap", "lookup", "submit"}  # steps of the model that a recording has points for
_SLEEPS = {"alloc", "compress", "decompress", "lookup", "submit", "read"}  # steps at which a thread may sleep
_UNSEEN = "another thread ran inside, at a point that was not recorded"
_BEGINS = {function: f"begin {function}" for function in FUNCTIONS.values()}
_ENDS = {function: f"end {function}" for function in FUNCTIONS.values() if function != "invalidate_area"}


class Disagreement(Exception):
    """The model did something else than the recorded kernel."""


class AtMalloc(Protocol):
    """Who wants to know when a store asks the backend for room."""

    def before_malloc(self, thread: Thread) -> None:
        """It is about to ask."""

    def after_malloc(self, thread: Thread) -> None:
        """It has its answer."""


class Drive:
    """Drives the model's threads.

    `choices` says how many steps an interrupted operation goes on, unseen: (position, line of its row) -> steps;
    `interrupted` lists the interruptions there were. `program` is what was fed to the model, in order: see `program`.
    `current` is the thread whose step it is.
    """

    def __init__(
        self, recording: Recording, machine: Machine, findings: Findings, placement: Placement,
        choices: dict[tuple[int, int], int],
    ) -> None:  # fmt: skip
        self.machine = machine
        self.choices = choices
        self.interrupted: list[Interruption] = []
        self.program: list[Input] = []
        self.threads: dict[int, Thread] = {}
        self.current: Thread | None = None
        self.at_malloc: AtMalloc | None = None
        self.vocabulary = vocabulary(recording)
        self._steps = _STEPS & self.vocabulary | {"submit"}
        self._findings = findings
        self._placement = placement
        self._preempts = _preempts(recording)
        self._effects = 0
        self._hears = self._what_to_hear({row.op for row in recording.rows})
        machine.hook.subscribe(self._observe)

    def thread(self, tid: int) -> Thread:
        """The thread of that number."""
        return self.threads.get(tid) or self.threads.setdefault(tid, Thread(tid))

    # -- what the model tells ------------------------------------------------------------------

    def _what_to_hear(self, kinds: set[str]) -> dict[str, Callable[[Thread, str, Any, Any], None]]:
        """Event of the model -> what is to be done, for all but those that are only noted."""
        hears: dict[str, Callable[[Thread, str, Any, Any], None]] = {
            "begin": self._begin, "end": self._end, "free": self._free, "slot free": _done, "malloced": self._malloced,
            "object": self._object, "release": self._release, "pagefree": self._page_freed, "search": self._searched,
            **dict.fromkeys(NESTED.values(), _done if "swapcache_add" in kinds else _unseen),
            **dict.fromkeys([*PLACING, "page isolate"], self._placed),
        }  # fmt: skip
        return hears

    def _observe(self, event: str, subject: Any, value: Any) -> None:
        self._effects += 1
        thread = self.current
        if thread is None:
            return
        if event in self._hears:
            self._hears[event](thread, event, subject, value)
        elif event in self.vocabulary:
            thread.done.append((event, value))

    def _note(self, thread: Thread, event: str, value: Any) -> None:
        if event in self.vocabulary:
            thread.done.append((event, value))

    def _begin(self, thread: Thread, event: str, function: str, arguments: Any) -> None:
        if function == "compact_page":
            arguments = self._placement.saw(thread, event, function, arguments)
        if function in _BEGINS:
            thread.done.append((_BEGINS[function], arguments))

    def _end(self, thread: Thread, event: str, function: str, result: Any) -> None:
        if function == "compact_page":
            result = self._placement.saw(thread, event, function, result)
        if function in _ENDS:
            thread.done.append((_ENDS[function], result))

    def _free(self, thread: Thread, event: str, entry: Any, value: tuple[int, Any]) -> None:
        length, handle = value
        where = self._placement.where(handle) if length else None
        thread.done.append((event, (length, where, entry.offset, self.machine.zswap.pool.zpool.pages)))
        if length:
            self._placement.freed(handle)

    def _malloced(self, thread: Thread, event: str, entry: Any, handle: Any) -> None:
        thread.handle = handle
        if not isinstance(handle, int):
            self._placement.allocated(handle)
        self._note(thread, event, handle)

    def _object(self, thread: Thread, event: str, zspage: Any, number: int) -> None:
        self._note(thread, event, zspage)

    def _release(self, thread: Thread, event: str, page: Any, value: None) -> None:
        thread.done.append((event, self._placement.saw(thread, event, page, value)))

    def _placed(self, thread: Thread, event: str, subject: Any, value: Any) -> None:
        self._note(thread, event, self._placement.saw(thread, event, subject, value))

    def _page_freed(self, thread: Thread, event: str, page: Any, number: int) -> None:
        self._note(thread, event, self._placement.page_freed(number))

    def _searched(self, thread: Thread, event: str, entry: Any, found: int) -> None:
        thread.had = found
        self._note(thread, event, found)

    # -- one step, and the next thing to be seen -----------------------------------------------

    def advance(self, thread: Thread) -> None:
        """One step of the thread's operation, or its end."""
        asks = self.at_malloc if thread.standing == "malloc" and thread.rows else None
        if asks:
            asks.before_malloc(thread)
        self._step(thread)
        if asks:
            asks.after_malloc(thread)

    def _step(self, thread: Thread) -> None:
        assert thread.operation is not None
        self.current = thread
        thread.held += thread.granting
        try:
            step: Step = next(thread.operation)
        except StopIteration:
            thread.ended()
            if thread.paused:
                self.program.append(("finish", thread.tid, ()))
            return
        finally:
            self.current = None
        thread.standing = kind = step.kind
        thread.granting = kind == "acquire"
        thread.held -= kind == "release"
        thread.at_step = step is not CALL and step is not RETURN
        thread.observed_steps += 1
        thread.steps += thread.at_step
        if kind in self._steps:
            thread.done.append((kind, None))

    def next_event(self, thread: Thread, name: str) -> Any:
        """What the model does next in that thread, which must be `name`."""
        if thread.interrupted:
            thread.interrupted.until = self._findings.position
            thread.interrupted = None
            self._resume(thread)
        while not thread.done:
            if thread.operation is None:
                raise Disagreement(f"the kernel comes to {name!r}, the model has ended", name, None)
            self.advance(thread)
        found, value = thread.done.popleft()
        if found != name:
            raise Disagreement(f"the kernel comes to {name!r}, the model to {found!r}", name, found)
        return value

    def expects(self, thread: Thread, event: str) -> bool:
        """Whether the thread's operation goes on to `event` by itself."""
        while thread.operation is not None and not thread.done:
            self.advance(thread)
        return bool(thread.done) and thread.done[0][0] == event

    # -- a thread begins, and is given up ------------------------------------------------------

    def feed(self, thread: Thread, row: Row, name: str, *arguments: Any) -> None:
        """Start an operation of the swap layer or the worker."""
        self.finish(thread, row)
        thread.frame = Frame()
        function, given = call(self.machine, name, arguments, thread.frame)
        thread.begins(row, function(*given))
        self.program.append((name, thread.tid, arguments))

    def finish(self, thread: Thread, row: Row) -> None:
        """What the thread did before `row` must be over, with nothing left to show."""
        self._to_its_end(thread)
        if thread.done and not thread.lost:
            self._findings.disagree(row, "before this the model did more than the kernel", None, thread.done[0][0])

    def abandon(self, thread: Thread) -> None:
        """After a disagreement: nothing is compared until the thread's next operation."""
        self._to_its_end(thread)
        thread.done.clear()
        thread.rows.clear()
        thread.lost = True

    def _to_its_end(self, thread: Thread) -> None:
        while thread.operation is not None:
            self.advance(thread)

    # -- another thread runs -------------------------------------------------------------------

    def interrupt(self, thread: Thread) -> None:
        """Another thread of the same CPU runs: so this one holds no spinlock, it cannot be preempted with one."""
        while thread.operation is not None and not (thread.rows or thread.done):
            self.advance(thread)  # between two rows it goes on to the next thing that would be seen
        self._to_where_it_may_stand(thread)
        thread.interrupted = None
        if thread.rows:
            row = thread.rows[-1]
            thread.interrupted = Interruption(row, self._findings.position, row.seq_end)
            self.interrupted.append(thread.interrupted)
        self._pause(thread)

    def go_on_unseen(self, position: int) -> None:
        """At this position, those that are interrupted go on as chosen, and are interrupted again."""
        for thread in self.threads.values():
            steps = self.choices.get((position, thread.interrupted.row.line), 0) if thread.interrupted else 0
            for _ in range(steps):
                if thread.operation is not None:
                    self.advance(thread)
            if steps and thread.interrupted:
                self._to_where_it_may_stand(thread)
                self._pause(thread)
                self._findings.classify(thread.interrupted.row, "order inferred", _UNSEEN)

    def _to_where_it_may_stand(self, thread: Thread) -> None:
        while thread.operation is not None and thread.held:
            self.advance(thread)
        while thread.operation is not None and not (self._preempts or thread.done or thread.standing in _SLEEPS):
            self.advance(thread)  # it gave the CPU up itself, and can do that only where it may sleep

    def _pause(self, thread: Thread) -> None:
        if thread.operation is not None:
            self.program.append(("pause", thread.tid, (thread.observed_steps, thread.steps, thread.at_step)))
            thread.observed_steps, thread.steps, thread.paused = 0, 0, True

    def _resume(self, thread: Thread) -> None:
        """After another thread ran: if the model had gone further, or now does unseen things, it chose the order."""
        inferred = False
        while not thread.done and thread.operation is not None:
            before = self._effects, self._state()
            self.advance(thread)
            if not thread.done and (self._effects, self._state()) != before:
                inferred = True
        if inferred:
            for row in thread.rows[-1:]:
                self._findings.classify(row, "order inferred", _UNSEEN)

    def _state(self) -> tuple[Any, ...]:
        zswap = self.machine.zswap
        return (zswap.pool.zpool.pages, zswap.reached_full, *(value for _, value in zswap.counters))


def _done(thread: Thread, event: str, subject: Any, value: Any) -> None:
    thread.done.append((event, value))


def _unseen(thread: Thread, event: str, subject: Any, value: Any) -> None:
    """Rows of this kind were not recorded."""


def _preempts(recording: Recording) -> bool:
    """Whether that kernel takes the CPU from a thread in the middle of its code (/sys/kernel/debug/sched/preempt)."""
    mode = str(recording.parameters.get("preempt", ""))
    return "(none)" not in mode and "(voluntary)" not in mode
