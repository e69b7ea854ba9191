"""The lab panel: which kernel, which workload, and the player of what comes out. Every change runs the same again."""

from __future__ import annotations

import gc
import html
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import accumulate
from typing import Any

import anywidget
import ipywidgets  # type: ignore[import-untyped]
import traitlets

from ..model.errors import BadInput, choose
from ..model.stages import STAGES, own_form
from ..run.history import History, around
from ..run.session import Moment, Session
from ..run.setup import Setup
from ..run.workloads import TITLES, read_csv
from . import page, recorded
from .controls import FIELDS, FIRST, MORE, OWN, START, control, evicts, possible, short
from .kept import shown
from .player import LEVELS, Player, payload_of

CAUGHT = {"UseAfterFree": "use after free", "DataLost": "data lost"}
_AT_ONCE = 1000  # steps of a run that is drawn whole; of a longer one the reader's place is drawn first


def lab(
    stage: str | Setup = "1",
    step: int | None = None,
    *,
    show: str | Iterable[str] | None = None,
    level: str = "story",
    hold: bool = False,
    **settings: Any,
) -> Lab:
    """A panel on which a run is set up, with the player of it below: every change runs the workload again.

    It begins at that stage, or with a whole Setup; `settings` are other fields of Setup, like `zpool="z3fold"` or
    `workload=["write 3", "page_out 3"]`. The workload may also be what a shipped recording did first, with the
    settings of its kernel: `workload="recording p4-zbud-overflow 200"`. `show` narrows the panel to the controls of
    these fields; by default all are there. The player begins at `step` (counted from 0; by default where a page is
    first refused) and `level` ("story", "steps", "source"). With `hold` the run stops at that step: what comes after,
    and what it comes to, is neither run nor shown before the reader asks for it. Raises BadInput for a value that
    cannot be.

    >>> panel = lab(stage="1")
    >>> panel.evictable.value = False
    >>> panel.history.written_back()
    [2, 3, 4, 5, 6]
    """
    setup = _setup_of(stage, settings)
    names = list(FIELDS) if show is None else [show] if isinstance(show, str) else list(show)
    for name in names:
        choose("show", name, FIELDS)
    if "stage" not in names:
        _check_narrow(setup, names)
    choose("level", level, LEVELS)
    return Lab(setup, names, step, level, hold)


def _setup_of(stage: str | Setup, settings: Mapping[str, Any]) -> Setup:
    """What a panel begins with; a recording brings its kernel's settings, unless a whole Setup is given."""
    base = stage if isinstance(stage, Setup) else START.but(stage=stage)
    if not recorded.is_meant(text := settings.get("workload")):
        return base.but(**settings)
    given = {**settings, "workload": recorded.lines_of(text)}
    if isinstance(stage, Setup):
        return base.but(**given)
    follows = recorded.settings(text)
    if follows["stage"] != stage:
        follows = {name: follows[name] for name in ("zpool", *recorded.LIMITS)}
    return base.but(**{**follows, **given, "stage": stage})


def _check_narrow(setup: Setup, names: Sequence[str]) -> None:
    """Raise BadInput for a switch that no reader can turn: its stage rules it out, and cannot be changed."""
    if "evictable" in names and not STAGES[setup.stage].asks_evictable:
        raise BadInput(
            f"show='evictable' cannot be at stage {setup.stage}: no backend evicts any more; choose an earlier stage"
        )
    if "exclusive_loads" in names:
        own_form(STAGES[setup.stage])  # BadInput where there were none yet


@contextmanager
def _no_collection() -> Iterator[None]:
    """No garbage collection meanwhile: a run makes many objects that all stay, among which it searches in vain."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


class Panel(anywidget.AnyWidget):
    """The controls and the outcome, as data that panel.js draws; what the reader does comes back as a message."""

    _esm = page.style("panel.css") + page.modules("dom.js", "kernel.js", "panel.js")
    state = traitlets.Dict().tag(sync=True)
    folded = traitlets.Bool(False).tag(sync=True)
    more = traitlets.Bool(False).tag(sync=True)


class Switch:
    """One field of the panel's setup, to be read and set: `panel.evictable.value = False`."""

    def __init__(self, panel: Lab, name: str) -> None:
        self._panel, self._name = panel, name

    @property
    def value(self) -> Any:
        """What the field is; of `evictable` what it comes to, where it is left to the stage."""
        setup = self._panel.setup
        return evicts(setup) if self._name == "evictable" else getattr(setup, self._name)

    @value.setter
    def value(self, value: Any) -> None:
        self._panel.set(**{self._name: value})

    def __repr__(self) -> str:
        return f"<switch {self._name}: {self.value!r}>"


class Lab(ipywidgets.VBox):  # type: ignore[misc]
    """The panel. `setup` is what it is set to, `history` the run shown, `player` its player.

    Each field that has a control can be read and set by its name: `panel.zpool.value = "z3fold"`.
    """

    evictable: Switch
    exclusive_loads: Switch

    def __init__(self, setup: Setup, names: Sequence[str], step: int | None, level: str, hold: bool) -> None:
        self.setup, self.names, self.held = setup, list(names), hold
        self.before: History | None = None
        self.problem = ""
        self.history, self._rest = self._begun(setup)
        self._run_to(step if hold and step is not None else 0 if hold else None)
        if step is None and not hold:
            step = next((i for i, moment in enumerate(self.history.moments) if moment.event == "refuse"), 0)
        self.player = Player(payload_of(self.history), step or 0)
        self.player.level = level
        self.panel = Panel(state=self._state(), more=not self._whole)
        self.panel.on_msg(self._heard)
        for name in FIELDS:
            setattr(self, name, Switch(self, name))
        super().__init__([self.panel, self.player])
        self.add_class("zswaplab-panel")  # whose controls pass the player's keys on to it

    # -- what is done with it ----------------------------------------------------------------------

    def set(self, **fields: Any) -> None:
        """Change fields of the setup and run again; the player stays at the same operation.

        What the new stage rules out goes back to what that stage has. Raises BadInput for what cannot be.

        >>> panel = lab("1")
        >>> panel.set(stage="2", exclusive_loads="on")
        >>> panel.setup
        Setup(stage='2', exclusive_loads='on', ram_pages=30, workload='revisit 10 6')
        """
        if isinstance(exclusive := fields.get("exclusive_loads"), bool):
            fields["exclusive_loads"] = "on" if exclusive else "off"
        fields = self._followed(fields)
        with _no_collection():
            self._again(possible(self.setup, fields))

    def _followed(self, fields: dict[str, Any]) -> dict[str, Any]:
        """The same, where a recording is chosen with the settings of its kernel; its limits go where it is left."""
        text, before = fields.get("workload"), recorded.chosen(self.setup)
        if recorded.is_meant(text):
            lines = recorded.lines_of(text)
            same = before is not None and recorded.parsed(text)[0] == before[0]
            return {**({} if same else recorded.settings(text)), **fields, "workload": lines}
        if text is not None and before is not None:
            return {**{name: getattr(START, name) for name in recorded.LIMITS}, **fields}
        return fields

    def _again(self, setup: Setup) -> None:
        """Run another setup: what is around the reader's place is drawn first, the rest and the outcome follow."""
        before, place = self.history, self.player.step
        self.setup, self.before, self.problem = setup, before, ""
        number, steps = place_in(before, place)
        if len(before) > _AT_ONCE and (near := around(setup, number, title_of(setup))):
            self._show(near, (near.before or 0) + step_of(near, 0, steps))
        self.history, self._rest = self._begun(setup)
        if self.held:
            self._run_to_place(number, steps)
        else:
            self._run_to(None)
        self._show(self.history, len(self.history) - 1 if self.held else same_place(before, place, self.history))
        self.panel.state = self._state()

    def _show(self, history: History, step: int) -> None:
        with self.player.hold_sync():
            self.player.show(history)
            self.player.step = step

    def go_on(self) -> None:
        """Run what was held back, and show what it comes to."""
        self.held = False
        self._run_to(None)
        self.player.grow(self.history, once=True)
        self.panel.state = self._state()

    def share(self) -> str:
        """A line that makes this panel again: its setup and controls, the step and the level of the player.

        >>> lab(stage="2", step=150).share()
        "lab(Setup.from_text('1.stage.2.ram_pages.30.workload.revisit~2010~206'), 150)"
        """
        return line(self.setup, self.player.step, self.player.level, self.names, self.held)

    def __repr__(self) -> str:
        return f"{self.history.title}: {words(self.history) if not self.held else 'held back'}\n{self.player!r}"

    def _ipython_display_(self, **options: Any) -> None:
        shown(self, self.picture(), repr(self))

    def picture(self) -> str:
        """The panel as it stands as HTML that does not move: what is run, what it comes to, the player."""
        came = "what it comes to is held back" if self.held else words(self.history)
        said = html.escape(f"{' · '.join(self.history.tags)}: {came}")
        line = f"<div><b>{html.escape(self.history.title)}</b> · {said}</div>"
        return f'<div style="line-height: 1.5">{line}</div>{self.player.picture()}'

    # -- running -----------------------------------------------------------------------------------

    def _begun(self, setup: Setup) -> tuple[History, Iterator[Moment]]:
        history = History(Session(setup), title_of(setup))
        return history, history.going()

    def _run_to(self, step: int | None) -> None:
        """Run until a step has been taken; to the end without one."""
        if step is not None and len(self.history) > step:
            return
        for _ in self._rest:
            if step is not None and len(self.history) > step:
                return

    def _run_to_place(self, number: int, steps: int) -> bool:
        """Run until so many steps into that operation have been taken; whether that was before the end."""
        operations, at, last, first = self.history.operations, 0, 0, None
        for moment in self._rest:
            while last < moment.operation:  # a CPU's own operations stay in order, whatever the others do
                at += not operations[last].queued
                last += 1
            if first is None and at == number:
                first = len(self.history)
            if at > number or (first is not None and len(self.history) - first >= steps):
                return True
        return False

    # -- what panel.js says and draws --------------------------------------------------------------

    def _heard(self, widget: Any, message: dict[str, Any], buffers: Any) -> None:
        """What the reader did: changed fields, gave a workload as CSV, asked for the rest or for the line to share."""
        try:
            if "csv" in message:
                self.set(workload=read_csv(message["csv"] + "\n"))
            elif "set" in message:
                self.set(**message["set"])
            elif "go on" in message:
                self.go_on()
            elif "share" in message:
                self.panel.send({"line": self.share()})
                return
            if "stay" not in message and "go on" not in message:
                self.panel.folded = self._whole and "stage" in self.names
        except BadInput as problem:
            self.problem = str(problem)
            self.panel.state = self._state()

    @property
    def _whole(self) -> bool:
        return len(self.names) > len(FIRST)

    def _state(self) -> dict[str, Any]:
        """All that panel.js draws."""
        rows = [] if self.held else [row(self.history, self.setup, "Now")]
        if rows and self.before is not None:
            rows.append(row(self.before, self.before.session.setup, "Before"))
        return {
            "controls": [control(self.setup, name) for name in self.names], "more": list(MORE), "rows": rows,
            "tags": list(self.history.tags), "title": self.history.title, "held": self.held, "problem": self.problem,
            "words": "" if self.held else words(self.history),
        }  # fmt: skip


# -- the same place in another run ------------------------------------------------------------------


def same_place(before: History, step: int, after: History) -> int:
    """The step of `after` that is as far into the same operation of the workload as `step` was in `before`."""
    if not len(before) or not len(after):
        return 0
    return step_of(after, *place_in(before, step))


def step_of(history: History, number: int, steps: int) -> int:
    """The step so many steps into operation `number` of the workload, or its last one; without it the last of all."""
    wanted = {operation for operation, at in enumerate(numbers(history)) if at == number}
    places = [i for i, moment in enumerate(history.moments) if moment.operation in wanted]
    return min(places[0] + steps, places[-1]) if places else len(history) - 1


def place_in(history: History, step: int) -> tuple[int, int]:
    """Which operation of the workload a step belongs to, and how many of its steps came before."""
    if not len(history):
        return 0, 0
    operation = history[step].operation
    begun = next(i for i, moment in enumerate(history.moments) if moment.operation == operation)
    return numbers(history)[operation], step - begun


def numbers(history: History) -> list[int]:
    """Which operation of the workload each operation is: what a kworker does is not counted."""
    return [0, *accumulate(not one.queued for one in history.operations)][:-1]


# -- what a run came to -----------------------------------------------------------------------------


def title_of(setup: Setup) -> str:
    """What a run is called: its workload."""
    if found := recorded.chosen(setup):
        return f"The first {found[1]:,} operations of {found[0]}"
    name = setup.workload.split()[0] if isinstance(setup.workload, str) and setup.workload else OWN
    return TITLES.get(name, "A workload of one’s own")


def row(history: History, setup: Setup, name: str) -> dict[str, Any]:
    """What a run came to, as a row of the table: `pages` are all of its pages, `left` those that were written back."""
    gone = history.written_back()
    pages = sorted({number for operation in history.operations for number in operation.pages})
    return {
        "name": name, "what": f"{short(STAGES[setup.stage])}, {who(setup)}", "pages": pages, "left": sorted({*gone}),
        "first": gone[0] if gone else None, "stored": history.count("store"), "refused": history.count("refuse"),
        "zswap": history.count("load"), "disk": history.disk_reads(), "written": len(gone), "ended": ended(history),
    }  # fmt: skip


def who(setup: Setup) -> str:
    """Who evicts."""
    return f"{setup.zpool} evicts" if evicts(setup) else "zswap evicts"


def ended(history: History) -> str:
    """How a run ended, in two or three words."""
    return CAUGHT.get(type(history.fault).__name__, "the kernel crashed") if history.fault else "well"


def words(history: History) -> str:
    """What a run came to, in a few words.

    >>> words(lab("2").history)
    '5 written back, page 2 first; 4 read from zswap, 0 from disk; ended well'
    """
    gone = history.written_back()
    first = f", page {gone[0]} first" if gone else ""
    reads = f"{history.count('load')} read from zswap, {history.disk_reads()} from disk"
    end = ended(history)
    return f"{len(gone)} written back{first}; {reads}; ended {'well' if end == 'well' else f'by {end}'}"


# -- sharing ----------------------------------------------------------------------------------------


def line(setup: Setup, step: int, level: str, names: Sequence[str], held: bool) -> str:
    """The line of Python that makes a panel again. Raises BadInput for what no text can hold.

    >>> line(START, 3, "steps", FIELDS, False)
    "lab(Setup.from_text('1.stage.1.ram_pages.30.workload.revisit~2010~206'), 3, level='steps')"
    """
    found = recorded.chosen(setup)
    if found:
        setup = setup.but(workload=())
    lines = "" if isinstance(setup.workload, str) or not setup.workload else f", {list(setup.workload)!r}"
    more = f", workload='{recorded.NAME} {found[0]} {found[1]}'" if found else ""
    more += "" if tuple(names) == FIELDS else f", show={list(names)!r}"
    more += "" if level == "story" else f", level={level!r}"
    return f"lab(Setup.from_text({setup.to_text()!r}{lines}), {step}{more}{', hold=True' if held else ''})"
