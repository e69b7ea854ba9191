"""The scheduler by hand: a button for each CPU, and a player that shows the step that it took.

The widget is a player that grows: each press takes one step of a live Session. A search of the same Setup runs in a
thread, so that the kernel stays free for other cells.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import traitlets

from ..model.errors import BadInput
from ..model.steps import Step
from ..run.cpus import NAMES, packed, unpacked
from ..run.history import History
from ..run.search import Case, Explored, Search, require_seconds
from ..run.session import Session
from ..run.setup import Setup
from .payload import make
from .player import Player

SECONDS = 60.0  # after which a search gives up
NEWS = 0.2  # seconds between two reports of a search
HEIGHT = 620  # pixels of the whole sheet: that of the player and a line for each CPU
SHORT = {"acquire": "take", "release": "drop"}  # what a step does with its lock


def scheduler(setup: Any, *, seconds: float | None = SECONDS) -> Scheduler:
    """You are the scheduler: a button for each CPU of `setup` takes one step of it, and the player shows it.

    A CPU that is blocked says on what, and who holds it. The schedule grows as text, can be pasted, and steps are
    taken back; the sanitizers watch, and a crash is shown as the player shows it. *Find the shortest* hands the same
    setup to the search, which stops after `seconds` (None: never). `setup` is a Setup with `cpus`, or what explore
    found. Raises BadInput for anything else, and for a schedule in it that cannot be followed.

    Keys, while it has the focus: a, b, c run a CPU, Backspace takes a step back; else those of the player.

    >>> hand = scheduler(Setup(stage="4", workload=["write 3", "page_out 3"], cpus=["read 3", "free 3"]))
    >>> hand.run("a"); hand.run("b"); hand.schedule
    'ab'
    >>> hand.back(); hand.schedule
    'a'
    """
    explored = setup if isinstance(setup, Explored) else None
    if explored:
        setup = explored.case.setup
    if not isinstance(setup, Setup):
        raise BadInput(f"setup={setup!r} cannot be run: give a Setup(cpus=['read 3', 'free 3'], ...)")
    if not setup.cpus:
        raise BadInput(f"setup={setup!r} has no CPUs to choose from: give it cpus=['read 3', 'free 3']")
    if setup.seed is not None:
        raise BadInput(f"seed={setup.seed!r} lets chance choose, and here you do: leave it out")
    require_seconds(seconds)
    return Scheduler(setup, seconds, explored)


class Scheduler(Player):
    """The widget. `schedule` is what has been run so far, `history` the run, `setup` what is run.

    `cpus` says of each CPU what it does and why it cannot go on; `search` how the search stands. They are read, not
    set: `run`, `back` and `follow` take steps, `find` and `cancel` search.
    """

    drawn_by = traitlets.Unicode("scheduler").tag(sync=True)
    schedule = traitlets.Unicode().tag(sync=True)
    cpus = traitlets.List(traitlets.Dict()).tag(sync=True)
    blocks = traitlets.List(traitlets.List()).tag(sync=True)  # of each step: its CPU, what it did, the longest first
    begin = traitlets.Int(0).tag(sync=True)  # steps before the CPUs begin
    ended = traitlets.Unicode().tag(sync=True)
    refused = traitlets.Unicode().tag(sync=True)  # why the last request cannot be
    search = traitlets.Dict().tag(sync=True)

    def __init__(self, setup: Setup, seconds: float | None = SECONDS, explored: Explored | None = None) -> None:
        self.setup, self.seconds = setup.but(schedule=None), seconds
        self.explored = explored
        self._search: Search | None = None
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._start()
        super().__init__(make(self.history), height=HEIGHT)
        self._tell()
        self.search = _standing(explored) if explored else {"state": "idle"}
        if setup.schedule:
            self.follow(setup.schedule)
        self.on_msg(self._asked)

    # -- steps ---------------------------------------------------------------------------------------

    def run(self, cpu: str) -> None:
        """One step of a CPU, by its letter. Raises BadInput, which says why, if it cannot run."""
        number = self._number(cpu)
        self._take([number])

    def back(self, steps: int = 1) -> None:
        """Take that many of the last steps back. Raises BadInput if there are not so many."""
        taken = self.history.session.cpus.taken if self.history.session.together else []
        if isinstance(steps, bool) or not isinstance(steps, int) or not 1 <= steps <= len(taken):
            raise BadInput(f"steps={steps!r} cannot be taken back: {len(taken)} have been taken; give 1 to that many")
        self._again(taken[:-steps])

    def follow(self, schedule: str) -> None:
        """Run that schedule from the beginning, as far as it can be; the steps so far are forgotten.

        Raises BadInput for what is no schedule, and then changes nothing; and where a CPU cannot take its step: the
        run then stands before it.
        """
        self._again(unpacked(schedule, len(self.setup.cpus)))

    def _number(self, cpu: Any) -> int:
        names = NAMES[: len(self.setup.cpus)]
        if not isinstance(cpu, str) or len(cpu) != 1 or cpu not in names:
            raise BadInput(f"cpu={cpu!r} is not there: give one of {', '.join(names)}")
        return names.index(cpu)

    def _start(self) -> None:
        """The workload has run; the CPUs stand at their beginning."""
        self.history = History(Session(self.setup))
        while not self.history.session.together and self.history.session.ready():
            self.history.step()
        self._blocks: list[list[Any]] = []
        self._begin = len(self.history)

    def _again(self, taken: list[int]) -> None:
        """The same from the beginning with other steps; what is the same stays in the picture."""
        before = self._taken
        self.history.close()
        self._start()
        same = next((i for i, (one, other) in enumerate(zip(before, taken, strict=False)) if one != other),
                    min(len(before), len(taken)))  # fmt: skip
        for cpu in taken[:same]:
            self._step(cpu)
        self.grow(self.history, keep=min(self._begin + same, len(self.history)))
        self._take(taken[same:])

    @property
    def _taken(self) -> list[int]:
        return [cpu for cpu, *_ in self._blocks]

    def _take(self, cpus: list[int]) -> None:
        """Some more steps, and show what has come of them, also where one cannot be."""
        try:
            for cpu in cpus:
                self._step(cpu)
        finally:
            self.grow(self.history)
            self._tell()

    def _step(self, cpu: int) -> None:
        """One step of the history, and what is said of it in its lane."""
        cpus = self.history.session.cpus
        pending = cpus.pending[cpu] if self.history.session.together and cpu < len(cpus.pending) else None
        task = cpus.operation(cpu).words
        self.history.step(cpu)
        self._blocks.append([cpu, *_did(pending, task)])

    def _tell(self) -> None:
        """Send what each CPU can do now."""
        with self.hold_sync():
            self.begin = self._begin
            self.blocks = [list(block) for block in self._blocks]
            self.schedule = packed(self._taken)
            self.cpus = [self._standing_of(cpu) for cpu in range(len(self.setup.cpus))]
            self.ended = self._end()
            self.refused = ""
            self.step = self.last

    def _standing_of(self, number: int) -> dict[str, Any]:
        """What a CPU does, whether it can take a step, and what that would be, or why it cannot."""
        session = self.history.session
        name, text = NAMES[number], "; ".join(self.setup.cpus[number].split("; ")).replace("_", " ")
        ready = session.together and number in session.ready()
        state = {"name": name, "task": text, "ready": ready, "state": "ready" if ready else "over"}
        if not session.together or session.fault:
            return {**state, "why": "the run is over"}
        cpus = session.cpus
        if cpus.finished(number):
            steps = cpus.taken.count(number)
            return {**state, "state": "finished", "why": f"finished, {steps} step{'' if steps == 1 else 's'}"}
        if wait := cpus.wait(number):
            left = " left it locked" if wait.finished else " has it"
            return {**state, "state": "blocked", "why": f"waits for {wait.lock}: CPU {NAMES[wait.holder]}{left}"}
        if not ready:
            return {**state, "state": "blocked", "why": "waits: another task holds a spinlock on this CPU"}
        return {**state, "why": f"next: {_did(cpus.pending[number], cpus.operation(number).words)[0]}"}

    def _end(self) -> str:
        """How it ended, if it has."""
        session = self.history.session
        if session.fault:
            return f"crashed after {len(self._blocks)} steps: {session.fault}"
        return "everybody has finished, and nothing is wrong" if session.over else ""

    # -- the search ----------------------------------------------------------------------------------

    def find(self) -> None:
        """Begin to search the shortest failing schedule, in a thread: cells run meanwhile. `search` says how it stands,
        `explored` has the result. Raises BadInput if a search is under way.
        """
        if self._search is not None:
            raise BadInput("a search is under way: wait for it, or cancel() it")
        self._search = Search(Case.of(self.setup), seconds=self.seconds, progress=self._progress)
        self._news, self._began = 0.0, time.monotonic()
        self._loop = None
        with suppress(RuntimeError):  # outside of a notebook no loop runs
            self._loop = asyncio.get_running_loop()
        self.search = {"state": "searching", "states": 0, "seconds": 0.0}
        self._thread = threading.Thread(target=self._searching, args=(self._search,), daemon=True)
        self._thread.start()

    def cancel(self) -> None:
        """Let the search end soon, with what it has found so far; without one nothing happens."""
        if self._search is not None:
            self._search.cancel()

    def wait(self, seconds: float | None = None) -> Explored | None:
        """Wait until the search has ended, or for so many seconds; what it has found, None if nothing was searched."""
        if self._thread is not None:
            self._thread.join(seconds)
            if not self._thread.is_alive():
                self.search = self._found
        return self.explored

    def _progress(self, states: int) -> None:
        now = time.monotonic()
        if now - self._news >= NEWS:
            self._news = now
            self._show({"state": "searching", "states": states, "seconds": now - self._began})

    def _searching(self, search: Search) -> None:
        try:
            self.explored = search.run()
            self._found = _standing(self.explored)
        except Exception as problem:
            self._found = {"state": "failed", "words": f"the search failed: {problem}"}
        self._search = None
        self._show(self._found)

    def _show(self, standing: dict[str, Any]) -> None:
        """Say how the search stands, in the thread in which the widget is used."""
        if self._loop is None:
            self.search = standing
        else:
            with suppress(RuntimeError):  # the loop has ended, and the kernel with it
                self._loop.call_soon_threadsafe(setattr, self, "search", standing)

    def close(self) -> None:
        """The widget is gone; nothing is searched for it any more."""
        self.cancel()
        super().close()

    # -- what the reader does ------------------------------------------------------------------------

    def _asked(self, _: Any, content: Any, buffers: Any) -> None:
        """The reader has pressed a button: {"run": "a"}, {"back": 1}, {"follow": "a3b"}, {"find": True} ..."""
        acts: dict[str, Callable[[Any], None]] = {
            "run": self.run, "back": self.back, "follow": self.follow, "find": lambda _: self.find(),
            "cancel": lambda _: self.cancel(), "play": self._play,
        }  # fmt: skip
        try:
            for name, value in content.items():
                if name in acts:
                    acts[name](value)
        except BadInput as problem:
            self.refused = str(problem)

    def _play(self, schedule: str) -> None:
        """Run what was found, and play it from where the CPUs begin."""
        self.follow(schedule)
        self.step = max(0, self._begin - 1)
        self.playing = True


def _did(step: Step | None, task: str) -> list[str]:
    """What a step does, in a few words, and in fewer: it begins an operation, takes or drops a lock, maps ..."""
    if step is None:
        return [f"begin {task}", task, "begin"]
    if step.kind == "decompress":
        return [step.kind, "unpack"]
    if step.lock:
        verb, name = SHORT[step.kind], step.lock.name
        return [f"{verb} {name}", f"{verb} {name.replace(' lock', '').replace('_lock', '')}", verb]
    return [step.kind]


def _standing(explored: Explored) -> dict[str, Any]:
    """How a search stands that has ended."""
    searched = f"{explored.states:,} states searched in {explored.seconds:.2f} s"
    state = "found" if explored.fails else "stopped" if explored.bound else "nothing"
    return {"state": state, "schedule": explored.schedule or "", "words": explored.verdict, "searched": searched}
