"""The player: a recorded run, drawn step by step, in a notebook or in a page that needs nothing else.

What it draws is a payload (`payload.py`); how it looks is in the modules and the style sheet that
`page.asset` joins; `words.py` says the same in words.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anywidget
import ipywidgets  # type: ignore[import-untyped]
import traitlets

from ..model.errors import BadInput, require
from ..run.history import History, record
from ..run.search import Explored
from ..run.setup import Setup
from . import page
from .kept import LOADER, Program, shown
from .payload import Payload, check, grow, make, pack
from .still import still
from .words import text

LEVELS = ("story", "steps", "source")
PARTS = ("curve", "pages", "lru", "pool", "counters", "source", "holders")
LEAST, MOST = 560, 2000  # pixels that the sheet may be high
WORTH_A_NEW_START = 16_384  # bytes; what has grown is sent with each step, until it is as long as this


def play(run: Any, step: int = 0, *, height: int | None = None) -> Player:
    """A player of `run`, which shows `step` first (counted from 0; -1 is the last).

    `run` is what `record` returns, a Setup (it is run), a search's result (its failure is shown) or a payload.
    `height` is that of the whole sheet in pixels; without it 590 to 620, as the run needs. Raises BadInput for
    anything else, and for a step that the run does not have.

    Keys: arrows go back and forward, as far as the level of detail goes, comma and full stop one step; Space plays;
    Home and End; ? shows the rest.

    >>> player = play(record(Machine("2"), ["write 3", "page_out 3", "read 3"]), step=-1)
    >>> player.step == player.last
    True
    """
    return Player(payload_of(run), step, height=height)


class Player(anywidget.AnyWidget):
    """The widget.

    `step`, `playing` and `level` ("story", "steps" or "source") can be read, set and linked to another player's.
    `hidden` are the parts that are left out, of "curve", "pages", "lru", "pool", "counters", "source", "holders";
    `notes` has a note for a step: {"120": "Who holds it now?"}, and what is typed in lecture mode.
    """

    _esm = LOADER
    program = traitlets.Instance(Program).tag(sync=True, **ipywidgets.widget_serialization)
    payload = traitlets.Bytes().tag(sync=True)  # packed; what has been added since is `growth`
    growth = traitlets.Bytes().tag(sync=True)
    step = traitlets.Int(0).tag(sync=True)
    playing = traitlets.Bool(False).tag(sync=True)
    level = traitlets.Enum(LEVELS, "story").tag(sync=True)
    hidden = traitlets.List(traitlets.Enum(PARTS)).tag(sync=True)
    notes = traitlets.Dict(value_trait=traitlets.Unicode(), key_trait=traitlets.Unicode()).tag(sync=True)
    height = traitlets.Int(None, allow_none=True).tag(sync=True)

    def __init__(self, payload: Payload, step: int = 0, *, height: int | None = None) -> None:
        if height is not None:
            require("height", height, LEAST, MOST, "pixels")
        self._drawn, self._grown = payload, Payload()
        super().__init__(program=Program.one(), payload=pack(payload), height=height, step=place_of(step, payload))

    @property
    def last(self) -> int:
        """The last step's number, counted from 0."""
        return max(0, len(self._drawn["steps"]) - 1)

    def show(self, run: Any) -> None:
        """Draw another run in the same place, at the same step if it has so many."""
        self._drawn = payload_of(run)
        with self.hold_sync():
            self.payload, self.growth = pack(self._drawn), b""
            self.step = min(self.step, self.last)

    def grow(self, history: History, *, keep: int | None = None, once: bool = False) -> None:
        """Draw what `history`, which this player shows, has taken since: the widget is sent what is new.

        With `keep` only so many steps stay, and what follows takes their place. With `once` the run has ended: what is
        new is sent alone, however long it is.
        """
        if keep is not None:
            require("keep", keep, 0, len(self._drawn["steps"]), "steps")
        part = grow(self._drawn, history, keep=keep)
        self._grown = part if keep is not None or not self.growth else joined(self._grown, part)
        growth = pack(self._grown)
        with self.hold_sync():
            if once or len(growth) < WORTH_A_NEW_START:
                self.growth = growth
            else:
                self.payload, self.growth = pack(self._drawn), b""
            self.step = min(self.step, self.last)

    @traitlets.validate("step")
    def _within(self, proposal: Any) -> int:
        step: int = proposal["value"]
        return min(max(0, step), self.last)

    def __repr__(self) -> str:
        return text(self._drawn, self.step)

    def _repr_mimebundle_(self, **options: Any) -> Any:
        bundle = super()._repr_mimebundle_(**options)
        data = bundle[0] if isinstance(bundle, tuple) else bundle
        if data is not None:
            data["text/plain"] = repr(self)  # which anywidget 0.9 cuts off after 110 characters
        return bundle

    def _ipython_display_(self, **options: Any) -> None:
        shown(self, self.picture(), repr(self))

    def picture(self) -> str:
        """The player as it stands as HTML that does not move: what is shown where no widget can live."""
        return still(self._drawn, self.step)

    def save(self, path: str | os.PathLike[str], *, theme: str = "light", width: int = 1050) -> Path:
        """Write the player as it stands to `path`: `.html`, alive without network; `.png`, `width` pixels wide.

        Raises BadInput for another ending, theme or width, for a folder that is not there, and for `.png` where no
        Chromium is installed.
        """
        values = {"level": self.level, "hidden": self.hidden, "notes": self.notes}
        return page.save(self._drawn, path, step=self.step, theme=theme, width=width, **values)


def joined(first: Payload, second: Payload) -> Payload:
    """Two parts of a payload, the second of which goes on where the first ends, as one."""
    lists = {name: first[name] + second[name] for name in first["from"]}
    return {"from": first["from"], "pools": second["pools"], **lists}


def place_of(step: Any, payload: Payload) -> int:
    """The step that a reader means: -1 is the last. Raises BadInput for one that the run does not have."""
    count = max(1, len(payload["steps"]))
    if isinstance(step, bool) or not isinstance(step, int) or not -count <= step < count:
        raise BadInput(f"step={step!r} is not in this run: give a whole number from 0 to {count - 1}, or -1: the last")
    return range(count)[step]


def payload_of(run: Any) -> Payload:
    """The payload of what can be played; BadInput names what is wrong with it."""
    if isinstance(run, Setup):
        run = record(run)
    elif isinstance(run, Explored):
        run = run.history()
    if isinstance(run, History):
        return make(run)
    if not isinstance(run, Mapping):
        raise BadInput(f"run={run!r} cannot be played: give what record(machine, workload) returns, or a Setup")
    check(run)
    return dict(run)
