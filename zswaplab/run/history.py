"""`record`: run a workload step by step and keep what changed, so that it can be looked at in any order."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from ..model.errors import BadInput, Fault, choose
from ..model.machine import Machine
from .cpus import Operation
from .events import KINDS_OF_EVENT
from .sanitizers import Report, Sanitizers
from .say import sentence
from .scene import Change, Scene
from .session import Moment, Session
from .setup import SWAP_PAGES, Setup

_SMALLEST = 256  # changes; so many lie at least between two scenes that are kept whole


class History:
    """What happened in a run, moment by moment: `h[120]` is a moment, `len(h)` their number; `play(h)` shows it.

    `title` and `tags` say which run it is. `operations` are what ran, `tasks` what several CPUs did at once. `limit`
    and `accept` are in pages: zswap is full above the one and accepts again below the other. `begin` are the changes
    that lead to what the machine held before the first moment, `counters` its counters then. `fault` is what ended
    the run, if a fault did; `reports` is what the sanitizers said. `setup` describes the run, and can make it again;
    it is None where the machine had been used before. `before` is None, except where only the surroundings of a place
    were kept (`around`): then so many steps were taken before the first moment.

    >>> history = record(Machine("2"), ["write 3", "page_out 3", "write 4", "page_out 4"])
    >>> history.lru(), history.count("store")
    ([4, 3], 2)
    """

    def __init__(
        self, session: Session, title: str = "", *, check: Callable[[Machine], Fault | None] | None = None
    ) -> None:
        zswap, stage = session.machine.zswap, session.machine.stage
        watch = session.watching
        self.session, self.title, self.check = session, title, check
        self.before: int | None = None
        self.setup: Setup | None = session.setup
        self.tags = [stage.title, _words_of(zswap.pool), f"exclusive loads {_form_of(session.machine)}"]
        self.limit, self.accept = zswap.limit, zswap.accept_threshold
        self.counters, self.begin = watch.counters, watch.begin
        self.tasks = list(session.setup.cpus)
        self.moments: list[Moment] = []
        self.reports: list[Report] = []
        self._kept: list[tuple[int, Scene]] = []  # (moments before it, the scene then)
        self._sanitizers = Sanitizers(
            session.machine, multi_shot=session.setup.multi_shot, list_debugging=session.setup.multi_shot,
            who=session.who, step=lambda: len(self.moments),
        )  # fmt: skip
        self._sanitizers.tell = self._report
        if session.setup.multi_shot:
            session.warn = self._sanitizers.warned

    # -- making it ---------------------------------------------------------------------------------

    def run(self, *, stop: bool = False) -> History:
        """Take every step to the end, as `Session.run` does; afterwards nobody watches the machine any more."""
        for _ in self.going(stop=stop):
            pass
        return self

    def going(self, *, stop: bool = False) -> Iterator[Moment]:
        """The same step by step, for whoever looks at it before it has ended: each moment, when it has been kept."""
        try:
            for moment in self.session.run(stop=stop, check=self.check):
                yield self._keep(moment)
        finally:
            self.close()

    def step(self, cpu: int = 0) -> Moment:
        """One more step of a CPU that can run, and what shows at the end once nobody can."""
        moment = self._keep(self.session.step(cpu))
        if not self.session.ready() and (last := self.session.finish(self.check)):
            self._keep(last)
        return moment

    def close(self) -> None:
        """Nobody watches the machine any more."""
        self._sanitizers.detach()
        self.session.close()

    def end(self, fault: Fault) -> History:
        """The run ends here, with a fault that no step has shown."""
        self._keep(self.session.end(fault))
        return self

    def _keep(self, moment: Moment) -> Moment:
        moment.say = sentence(moment, self.operations[moment.operation])
        if self.session.fault:
            self._sanitizers.failed(self.session.fault)
        self.moments.append(moment)
        if self.session.together and self.session.cpus.taken:
            self._sanitizers.pages.after_step(self.session.cpus, len(self.moments) - 1)
        return moment

    def _report(self, report: Report) -> None:
        self.reports.append(report)
        self._sanitizers.reports.append(report)
        if not self.session.fault:
            order = report.chains[0] if report.chains else None
            self.session.report(
                found=report.kind, text=report.text.splitlines()[0], access=report.access, size=report.size,
                offset=report.offset, field=report.field, function=report.function,
                outer=order and order.outer, inner=order and order.inner,
            )  # fmt: skip

    # -- what ran ----------------------------------------------------------------------------------

    @property
    def operations(self) -> list[Operation]:
        """What has run, in the order in which it began."""
        return self.session.operations

    @property
    def sources(self) -> list[dict[str, Any]]:
        """The model's functions that have run: `function`, its `lines` as of the stage, `kernel`, `url`."""
        return self.session.sources

    @property
    def pools(self) -> list[dict[str, Any]]:
        """Every pool there was: its backend, whether that evicts, what its LRU lists, how its pages are divided."""
        return self.session.watching.described_pools

    @property
    def cpus(self) -> int:
        """How many CPUs ran."""
        return len(self.tasks) or 1

    @property
    def fault(self) -> Fault | None:
        return self.session.fault

    def __len__(self) -> int:
        return len(self.moments)

    def __getitem__(self, step: int) -> Moment:
        return self.moments[step]

    # -- looking at it -----------------------------------------------------------------------------

    def at(self, step: int) -> Scene:
        """Everything that is shown at a step, without going through all the steps before it."""
        step = range(len(self))[step]
        self._index()
        done, scene = self._kept[bisect_right(self._kept, step + 1, key=lambda kept: kept[0]) - 1]
        scene = scene.copy()
        for moment in self.moments[done : step + 1]:
            scene.add(moment.changes)
        return scene

    def _index(self) -> None:
        """Keep the whole scene whenever as much has changed as there is to keep, so that any step is near one."""
        if not self._kept:
            scene = Scene(self.counters)
            scene.add(self.begin)
            self._kept.append((0, scene))
        done, scene = self._kept[-1]
        scene, changed = scene.copy(), 0
        for number in range(done, len(self.moments)):
            scene.add(self.moments[number].changes)
            changed += len(self.moments[number].changes)
            if changed >= max(_SMALLEST, len(scene)):
                self._kept.append((number + 1, scene.copy()))
                changed = 0

    def lru(self, step: int = -1) -> list[int | None]:
        """The LRU of the current pool at a step, from head to tail.

        It lists pages of the program, or the numbers of backend pages where the backend evicts.
        """
        if not self.moments:
            return []
        scene = self.at(step)
        order = [*reversed(scene.lru.get(scene.current, {}))]
        if self.pools[scene.current]["lru_of"] == "pages":
            return [scene.pages[key]["number"] for key in order]
        return [scene.names[number] for number in order]

    def count(self, event: str) -> int:
        """How often an event happened: "store", "load", "writeback", "refuse", "free" or "fault".

        Raises BadInput for anything else.
        """
        choose("event", event, KINDS_OF_EVENT)
        return sum(moment.events.count(event) for moment in self.moments)

    def written_back(self) -> list[int]:
        """The pages that were written back, in their order."""
        return [change[1] for moment in self.moments if moment.event == "writeback" for change in moment.changes
                if change[0] == "disk"]  # fmt: skip

    def disk_reads(self) -> int:
        """How often a page had to be read from the swap device."""
        return sum(moment.step == "read" for moment in self.moments)

    def changes(self, step: int) -> list[Change]:
        """What differs between a step and the one before it; the first step's begin with all there was."""
        return self.begin + self.moments[0].changes if step == 0 else self.moments[step].changes

    # -- another future ----------------------------------------------------------------------------

    def fork(self, step: int, **settings: Any) -> History:
        """The same run again, with one setting changed once `step` has been taken, like `exclusive_loads="off"`.

        The settings are those of `Machine.set`. With several CPUs the schedule is kept to as far as it can be.
        Raises BadInput for a setting that cannot change while the machine runs, and for a history that did not
        begin with a new machine.
        """
        if self.setup is None:
            raise BadInput("this history cannot be forked: its machine had been used before it was recorded")
        if not settings:
            raise BadInput("a fork needs a setting to change, like exclusive_loads='off'")
        if isinstance(step, bool) or not isinstance(step, int) or not -len(self) <= step < len(self):
            raise BadInput(f"step={step!r} is not in this history: give a whole number from 0 to {len(self) - 1}")
        forked = self.session.fork(range(len(self))[step], **settings)
        return History(forked, self.title, check=self.check).run()

    def first_difference(self, other: History) -> int | None:
        """The first step at which two histories differ in what happens; None if they are the same."""
        for step, (mine, others) in enumerate(zip(self.moments, other.moments, strict=False)):
            if not mine.same(others):
                return step
        return None if len(self) == len(other) else min(len(self), len(other))

    def __repr__(self) -> str:
        end = f", ended by: {self.fault}" if self.fault else ""
        return f"<history: {len(self.operations)} operations in {len(self)} steps{end}>"


def around(setup: Setup, number: int, title: str = "") -> History | None:
    """The moments of operation `number` of a setup's workload alone: the rest is run without looking, which is quick.

    None where it cannot be: the workload has no such operation, or something ends the run before.
    """
    lines = setup.lines()
    if number >= len(lines) or setup.changes:
        return None
    first = Session(setup.but(workload=lines[:number], cpus=(), seed=None, schedule=None), observed=False)
    try:
        before = first.skip()
    except Fault:
        return None
    if not first.over:
        return None
    here = Setup(workload=lines[number : number + 1], multi_shot=setup.multi_shot)
    history = History(Session(here, first.machine), title)
    history.setup, history.before = None, before
    history.run()
    return None if history.reports or history.fault else history


def _words_of(pool: Any) -> str:
    return f"{pool.zpool.name}, {'evictable' if pool.evictable else 'not evictable'}"


def _form_of(machine: Machine) -> str:
    """Whether loads are exclusive now, in the form that the stage has."""
    if not machine.zswap.exclusive_loads:
        return "off"
    return "on" if machine.stage.exclusive_loads in ("fixed", "off") else machine.stage.exclusive_loads


def record(
    machine: Machine | Setup,
    workload: Iterable[str] | None = None,
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
    operation that queued it. `cpus` then run at once, each its own operations, like ["read 3", "free 3; page_out 4"],
    along `schedule` ("a5b3a"), or as the `seed` has it, or one after the other; at the end it is looked whether
    anything is lost or held for ever. The history begins with all that the machine holds. A fault of the modelled
    kernel ends the history, it is not raised. With `multi_shot` KASAN and list debugging watch, and the run goes on
    past what they report (`history.reports`). A Setup says all this by itself.
    Raises BadInput for an unknown operation, for a page that holds nothing, and for a schedule that cannot be followed.

    >>> history = record(Machine("2"), ["write 3", "page_out 3", "read 3"])
    >>> history.count("store"), history.count("load"), history[-1].say
    (1, 1, '**read 3** got its page out of zswap: no disk was touched.')
    """
    given: dict[str, Any] = {"cpus": cpus, "schedule": schedule, "seed": seed, "multi_shot": multi_shot or None}
    more = {name: value for name, value in given.items() if value is not None}
    if workload is not None:
        more["workload"] = workload
    if isinstance(machine, Setup):
        return History(Session(machine.but(**more)), title).run()
    if not isinstance(machine, Machine):
        raise BadInput(f"machine={machine!r} cannot be recorded: give a Machine, like Machine('v6.5'), or a Setup")
    setup = Setup.of(machine, **more)
    history = History(Session(setup or Setup(**more), machine), title)
    history.setup = setup
    try:
        return history.run()
    except BadInput as problem:
        if schedule is None or machine.swap.slots == SWAP_PAGES:
            raise
        hint = f"a schedule holds in the setting in which it was found, and explore's device has {SWAP_PAGES} pages"
        raise BadInput(f"{problem}; {hint}: Machine(..., swap_pages={SWAP_PAGES})") from None
