"""The sheet of a prediction: the question, what it is about, the options; then what became of the answer.

It knows no answer: it draws what it is given, sends what the reader commits to, and gets what is to be told then.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

import anywidget
import ipywidgets  # type: ignore[import-untyped]
import traitlets

from ..run.history import History
from . import page
from .kept import LOADER, Program
from .player import Player, play

Data = Mapping[str, Any]
Played = Sequence[tuple[str, History, int]]  # what it is called, the run, the first step to be seen


def asset() -> str:
    """The sheet as one ES module, with its style sheets as a text in it: the player's, and what it has besides."""
    return page.style("player.css", "prediction.css") + page.modules("dom.js", "prediction.js")


@functools.cache
def program() -> Program:
    """The program that the sheets of this kernel share."""
    return Program.of(asset())


class Question(anywidget.AnyWidget):
    """The sheet itself: `asked` is shown before an answer, `told` after it. It has nothing else."""

    _esm = LOADER
    program = traitlets.Instance(Program).tag(sync=True, **ipywidgets.widget_serialization)
    asked = traitlets.Dict().tag(sync=True)
    told = traitlets.Dict().tag(sync=True)

    def __init__(self, asked: Data, told: Data) -> None:
        super().__init__(program=program(), asked=dict(asked), told=dict(told))


class Sheet(ipywidgets.VBox):  # type: ignore[misc]
    """A question, and below it what the reader then wants to play.

    `heard` gets what the reader commits to, {"answer": "b"}, or {"show": True}, and gives what is told then; `played`
    gives the runs that are to be played once the reader asks for them.
    """

    def __init__(
        self, asked: Data, told: Data, *, heard: Callable[[Data], Data], played: Callable[[], Played]
    ) -> None:
        self.question = Question(asked, told)
        self._heard, self._played = heard, played
        self.question.on_msg(self.hear)
        super().__init__([self.question])

    def hear(self, _: Any, message: Data, __: Any = None) -> None:
        """What the page sends when a button is pressed."""
        if "play" in message:
            self.children = [self.question, beside(self._played())]
        else:
            self.question.told = dict(self._heard(message))


def beside(runs: Played) -> ipywidgets.Widget:
    """Players of some runs side by side, on one clock of steps; below one another where there is no room."""
    players = [play(history, min(step, len(history) - 1)) for _, history, step in runs]
    for other in players[1:]:
        for name in ("step", "level"):
            traitlets.link((players[0], name), (other, name))
    columns = [column(name, player) for (name, *_), player in zip(runs, players, strict=True)]
    grid = {"grid_template_columns": "repeat(auto-fit, minmax(min(420px, 100%), 1fr))", "grid_gap": "8px"}
    return ipywidgets.GridBox(columns, layout=ipywidgets.Layout(**grid))


def column(name: str, player: Player) -> ipywidgets.Widget:
    """A player under its name."""
    heading = ipywidgets.HTML(f"<b>{escape(name)}</b>")
    return ipywidgets.VBox([heading, player], layout=ipywidgets.Layout(min_width="0"))
