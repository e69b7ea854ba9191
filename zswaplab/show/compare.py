"""Two runs side by side on one clock, and forks of them: every future is kept, and any two can be compared.

`clock.py` aligns them and finds where they part; compare.js draws them with the player's own drawings.
"""

from __future__ import annotations

import base64
import html
import os
import re
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import anywidget
import ipywidgets  # type: ignore[import-untyped]
import traitlets

from ..model.errors import BadInput, choose
from ..model.limits import MOST_PER_CENT, PARAMETERS
from ..model.stages import LOAD_ENDS, STAGES, forms_of
from ..model.swap import DEVICES
from ..model.zpool import ZPOOLS
from ..run.cpus import NAMES
from ..run.history import History, record
from ..run.search import Explored
from ..run.setup import Setup
from . import page
from .clock import Clock, Difference
from .kept import LOADER, Program, shown
from .payload import make, pack
from .player import LEVELS
from .still import still
from .words import plain

LETTERS = NAMES.upper()  # of runs, so that CPU a is never taken for run A


def compare(one: Any, other: Any, step: int | None = None) -> Comparison:
    """Two runs side by side on one clock, on which the same operation stands at the same place in both.

    A run is what `record` returns, a Setup (it is run) or a search's result (its failure is shown). The first place
    at which something else happens is marked; what differs is ringed. `step` is the step of `one` at which it opens;
    without it, where the two part. At any step a run can be forked, with one setting changed: both futures stay.
    Raises BadInput for anything else, and for a step that `one` does not have.

    Keys: those of the player; D goes to the first difference, A and B show one run alone or both, K opens the fork.

    >>> run = Setup(stage="1", evictable=True, ram_pages=30, workload="revisit 10 6")
    >>> both = compare(run, run.but(evictable=False))
    >>> both.difference().what
    'who leaves'
    """
    return Comparison([_history_of("one", one), _history_of("other", other)], step)


class Comparison(anywidget.AnyWidget):
    """The widget. `histories` are its runs, A, B and each fork, by their letter.

    `step` is a place on the clock, `pair` the numbers of the two runs that are shown; `playing` and `level` are the
    player's. All of them can be read, set and linked. `names` say what the two runs are called.
    """

    _esm = LOADER
    drawn_by = traitlets.Unicode("compare").tag(sync=True)
    program = traitlets.Instance(Program).tag(sync=True, **ipywidgets.widget_serialization)
    runs = traitlets.List(traitlets.Dict()).tag(sync=True)  # what each is called, where it begins, its packed payload
    slots = traitlets.List(traitlets.List()).tag(sync=True)  # of the clock: text, kind, pages, width, steps of each run
    partings = traitlets.Dict().tag(sync=True)  # "0 1" -> the step of each run at which the two part, and in what
    pair = traitlets.List(traitlets.Int(), [0, 1]).tag(sync=True)
    step = traitlets.Int(0).tag(sync=True)
    playing = traitlets.Bool(False).tag(sync=True)
    level = traitlets.Enum(LEVELS, "story").tag(sync=True)
    refused = traitlets.Unicode().tag(sync=True)  # why the last fork cannot be

    def __init__(self, runs: list[History], step: int | None = None, names: Sequence[str] = ("", "")) -> None:
        self.histories: dict[str, History] = {}
        self._drawn: list[dict[str, Any]] = []
        self._partings: dict[tuple[int, int], Difference | None] = {}
        for letter, run, name in zip(LETTERS, runs, names, strict=False):
            self.histories[letter] = run
            self._drawn.append({"from": None, "changed": "", "name": name})
        super().__init__(program=Program.one())
        self._draw()
        if step is not None:
            self.step = self._clock.tick(0, _step_of(runs[0], step))
        elif found := self.difference():
            self.step = max(self._clock.tick(run, at) for run, at in enumerate(found.steps))
        self.on_msg(self._asked)

    # -- what is compared ----------------------------------------------------------------------------

    def difference(self, one: str = "A", other: str = "B") -> Difference | None:
        """Where two of the runs part: the step of each, counted from 0, and in what; None if a reader sees the same.

        Raises BadInput for a letter that no run has.
        """
        return self._parting(*(self._number(letter) for letter in (one, other)))

    def fork(self, run: str, step: int, **change: Any) -> History:
        """Run one of the runs again with one setting changed, keep both, and show them side by side.

        A parameter that zswap takes while it runs (`exclusive_loads`, `zpool`, `max_pool_percent` ...) changes once
        `step` has been taken; any other field of a Setup (`stage`, `device`, `evictable` ...) is the kernel's from the
        beginning, so the fork begins there. Raises BadInput for a setting or a step that cannot be.

        >>> both = compare(Setup(workload="overflow 12"), Setup(workload="overflow 12", zpool="zsmalloc"))
        >>> both.fork("A", 20, max_pool_percent=50).count("writeback")
        0
        """
        number = self._number(run)
        history = self.histories[run]
        if len(change) != 1:
            raise BadInput(f"change={change!r} cannot be: a fork changes one setting, like exclusive_loads='off'")
        if len(self.histories) == len(LETTERS):
            raise BadInput(f"there are {len(LETTERS)} runs already: begin another comparison with compare(...)")
        at = _step_of(history, step)
        ((name, value),) = change.items()
        here = _while_it_runs(history, name, value)
        again = None if here else _again(history, name).but(**change)
        forked = record(again, title=history.title) if again else history.fork(at, **change)
        self.histories[LETTERS[len(self.histories)]] = forked
        self._drawn.append({"from": [number, at if here else None], "changed": f"{name}: {_said(value)}"})
        self._draw(pair=[number, len(self.histories) - 1], step=at, of=number)
        return forked

    def show(self, one: str, other: str) -> None:
        """Show two of the runs, by their letters. Raises BadInput for a letter that no run has."""
        self.pair = [self._number(one), self._number(other)]

    def _number(self, letter: str) -> int:
        choose("run", letter, self.histories)
        return list(self.histories).index(letter)

    def _parting(self, one: int, other: int) -> Difference | None:
        first, second = sorted((one, other))
        if (first, second) not in self._partings:
            self._partings[first, second] = self._clock.first_difference(first, second)
        found = self._partings[first, second]
        return Difference(found.steps[::-1], found.what) if found and one > other else found

    # -- what is sent ----------------------------------------------------------------------------------

    def _draw(self, *, pair: list[int] | None = None, step: int = 0, of: int = 0) -> None:
        """Send the runs, their clock and where they part."""
        runs = list(self.histories.values())
        self._clock = Clock(runs)
        tags = [*zip(*(run.tags for run in runs), strict=True)]
        common = [one for one, *others in tags if all(other == one for other in others)]
        for number, (letter, run) in enumerate(self.histories.items()):
            drawn = self._drawn[number]
            if "payload" not in drawn:
                drawn |= {"payload": pack(make(run)), "settings": _settings(run), "end": _end(run)}
            own = [tag for tag in run.tags if tag not in common] or _own_fields(run, runs[1 - number % 2])
            label = drawn["changed"] or drawn.get("name") or " · ".join(own) or run.title
            drawn |= {"letter": letter, "label": label}
        pairs = [(one, other) for other in range(len(runs)) for one in range(other)]
        found = {pair: self._parting(*pair) for pair in pairs}
        with self.hold_sync():
            self.slots = self._clock.data()
            self.partings = {f"{one} {other}": [*at.steps, at.what] for (one, other), at in found.items() if at}
            self.runs = [dict(drawn) for drawn in self._drawn]
            self.refused = ""
            if pair:
                self.pair = pair
                self.step = self._clock.tick(of, step)

    @traitlets.validate("pair")
    def _two(self, proposal: Any) -> list[int]:
        pair: list[int] = proposal["value"]
        if len(pair) != 2 or not all(0 <= number < max(2, len(self.histories)) for number in pair):
            raise BadInput(f"pair={pair!r} cannot be: give the numbers of two runs, 0 to {len(self.histories) - 1}")
        return pair

    def _asked(self, _: Any, content: Any, buffers: Any) -> None:
        """The reader has asked for a fork: {"fork": letter, "step", "name", "value"}."""
        try:
            self.fork(content["fork"], content["step"], **{content["name"]: content["value"]})
        except BadInput as problem:
            self.refused = str(problem)

    # -- the same in words, and as a picture ---------------------------------------------------------

    def __repr__(self) -> str:
        lines = [f"{drawn['letter']}: {drawn['label']}: {drawn['end']}" for drawn in self._drawn]
        one, other = (list(self.histories)[number] for number in self.pair)
        if found := self.difference(one, other):
            said = (self.histories[letter][at] for letter, at in zip((one, other), found.steps, strict=True))
            lines.append(f"{one} and {other} part in {found.what}:")
            lines += [f"  {letter}, step {at}: {plain(moment.say)}"
                      for letter, at, moment in zip((one, other), found.steps, said, strict=True)]  # fmt: skip
        else:
            lines.append(f"{one} and {other}: nothing differs that a reader sees")
        return "\n".join(lines)

    def _repr_mimebundle_(self, **options: Any) -> Any:
        bundle = super()._repr_mimebundle_(**options)
        data = bundle[0] if isinstance(bundle, tuple) else bundle
        if data is not None:
            data["text/plain"] = repr(self)
        return bundle

    def _ipython_display_(self, **options: Any) -> None:
        shown(self, self.picture(), repr(self))

    def picture(self) -> str:
        """The comparison as it stands as HTML that does not move: what is shown where no widget can live."""
        lines = "".join(f"<div>{html.escape(line)}</div>" for line in repr(self).splitlines())
        sheets = ""
        for number in self.pair:
            run, drawn = list(self.histories.values())[number], self._drawn[number]
            at = _step_on(self._clock, number, self.step)
            title = html.escape(f"{drawn['letter']}: {drawn['label']}, step {at}")
            sheets += f'<div style="margin: 12px 0 4px"><b>{title}</b></div>{still(make(run), at)}'
        return f'<div class="zswaplab-picture" style="max-width: 1050px; line-height: 1.5">{lines}{sheets}</div>'

    def save(self, path: str | os.PathLike[str], *, theme: str = "light", width: int = 1050) -> Path:
        """Write the comparison as it stands to `path`: `.html`, alive without network; `.png`, `width` pixels wide.

        Nothing can be forked in it. Raises BadInput for another ending, theme or width, for a folder that is not
        there, and for `.png` where no Chromium is installed.
        """
        names = ("drawn_by", "slots", "partings", "pair", "step", "level")
        runs = [{**drawn, "payload": base64.b64encode(drawn["payload"]).decode()} for drawn in self._drawn]
        values = {**{name: getattr(self, name) for name in names}, "runs": runs}
        drawn = [("Picture of a comparison: " + " ".join(f"{line}." for line in repr(self).splitlines()), "")]
        title = " · ".join(dict.fromkeys(run.title for run in self.histories.values() if run.title)) or "Comparison"
        return page.write(lambda **more: page.alive(title, drawn, theme=theme, **values, **more), path, theme, width)


# -- what can be given, and changed ------------------------------------------------------------------


def _history_of(name: str, run: Any) -> History:
    if isinstance(run, Setup):
        run = record(run)
    elif isinstance(run, Explored):
        run = run.history()
    if not isinstance(run, History):
        given = "what record(machine, workload) returns, a Setup, or what explore(...) found"
        raise BadInput(f"{name}={run!r} cannot be compared: give {given}")
    if not len(run):
        raise BadInput(f"{name}={run!r} has no steps to compare: record a workload, like ['write 3', 'page_out 3']")
    return run


def _step_of(run: History, step: Any) -> int:
    if isinstance(step, bool) or not isinstance(step, int) or not -len(run) <= step < len(run):
        last = len(run) - 1
        raise BadInput(f"step={step!r} is not in this run: give a whole number from 0 to {last}, or -1: the last")
    return range(len(run))[step]


def _step_on(clock: Clock, run: int, tick: int) -> int:
    """The step at which a run stands at a tick; compare.js has the same."""
    step = 0
    for slot in clock.slots:
        if slot.tick > tick:
            break
        first, end = slot.steps[run]
        if first < end:
            step = min(first + tick - slot.tick, end - 1)
    return step


def _again(history: History, name: str) -> Setup:
    """The setup from which a run can be begun again with another value of a field."""
    if history.setup is None:
        raise BadInput("this history cannot be forked: its machine had been used before it was recorded")
    choose("setting", name, dict.fromkeys([*PARAMETERS, *(field.name for field in fields(Setup))]))
    return history.setup


def _while_it_runs(history: History, name: str, value: Any) -> bool:
    """Whether that is a parameter that a running kernel takes."""
    _again(history, name)
    stage = history.session.machine.stage
    if name == "exclusive_loads":
        return stage.exclusive_at_run_time and value in (True, False, "off", "on", stage.exclusive_loads)
    return name in PARAMETERS


def _settings(run: History) -> list[dict[str, Any]]:
    """What a fork of a run can change: the name, the values that can be or the least and the most, what it is now, and
    whether it changes at the step or holds from the beginning.
    """
    if run.setup is None:
        return []
    machine, setup = run.session.machine, run.setup
    stage, now = machine.stage, machine.zswap
    evicts = [True, False] if stage.asks_evictable and stage.evicts(setup.zpool) else []
    offered: dict[str, tuple[Any, list[Any]]] = {
        "exclusive_loads": ("off" if not now.exclusive_loads else "on", ["off", *(forms_of(stage)[1:] and ["on"])]),
        "evictable": (now.pool.evictable, evicts), "load_end": (stage.load_end, list(LOAD_ENDS)),
        "device": (setup.device, list(DEVICES)), "stage": (setup.stage, list(STAGES)),
        "zpool": (now.pool.zpool.name, list(ZPOOLS)), "enabled": (now.enabled, [True, False]),
    }  # fmt: skip
    found = [
        {"name": name, "values": values, "now": before, "here": _while_it_runs(run, name, values[0])}
        for name, (before, values) in offered.items() if len(values) > 1
    ]  # fmt: skip
    return found + [{"name": name, "least": 0, "most": MOST_PER_CENT, "now": getattr(now, name), "here": True}
                    for name in PARAMETERS if name.endswith("_percent")]  # fmt: skip


def _own_fields(run: History, other: History) -> list[str]:
    """In which fields of its setup a run is another than the other, in a few words each."""
    mine, others = run.setup, other.setup
    if mine is None or others is None:
        return []
    found = []
    for field in fields(Setup):
        value = getattr(mine, field.name)
        if value == getattr(others, field.name):
            continue
        if field.name == "schedule" and value is None and mine.seed is None:
            found.append("one CPU after the other")
        elif value is not None:
            found.append(f"{field.name}: {_said(value)}")
    return found


def _end(run: History) -> str:
    """What a run came to, in a few words."""
    if run.fault:
        return " ".join(re.findall("[A-Z][a-z]*", type(run.fault).__name__)).lower()
    leave, reads = len(run.written_back()), run.disk_reads()
    return f"{leave or 'none'} written back, {reads} disk read{'' if reads == 1 else 's'}"


def _said(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "; ".join(map(str, value)) if isinstance(value, tuple) else str(value)
