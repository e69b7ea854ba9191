"""The sheet of a prediction: the question, what it is about, the options; then what became of the answer.

It knows no answer: it draws what it is given, sends what the reader commits to, and gets what is to be told then.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import anywidget
import ipywidgets  # type: ignore[import-untyped]
import traitlets

from ..run.history import History
from . import page
from .compare import Comparison
from .kept import LOADER, Program
from .player import play

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
    """What a page has of a question: `asked` is shown before an answer, `told` after it. `program` draws them."""

    _esm = LOADER
    program = traitlets.Instance(Program).tag(sync=True, **ipywidgets.widget_serialization)
    asked = traitlets.Dict().tag(sync=True)
    told = traitlets.Dict().tag(sync=True)

    def __init__(self, program: Program, asked: Data, told: Data) -> None:
        super().__init__(program=program, asked=dict(asked), told=dict(told))


class Sheet(ipywidgets.VBox):  # type: ignore[misc]
    """A question, and below it what the reader then wants to play.

    `heard` gets what the reader commits to, {"answer": "b"}, or {"show": True}, and gives what is told then; `played`
    gives the runs that are to be played once the reader asks for them.
    """

    def __init__(
        self, asked: Data, told: Data, *, heard: Callable[[Data], Data], played: Callable[[], Played]
    ) -> None:
        self.question = Question(program(), asked, told)
        self._heard, self._played = heard, played
        self.question.on_msg(self.hear)
        super().__init__([self.question])

    def hear(self, _: Any, message: Data, __: Any = None) -> None:
        """What the page sends when a button is pressed."""
        if "play" in message:
            self.children = [self.question, *played(self._played())]
        else:
            self.question.told = dict(self._heard(message))


def played(runs: Played) -> list[ipywidgets.Widget]:
    """The player of a run; of two runs their comparison, where the first difference is marked."""
    if not runs:
        return []
    names, histories, steps = zip(*runs, strict=True)
    step = min(steps[0], len(histories[0]) - 1)
    return [play(histories[0], step) if len(runs) == 1 else Comparison(list(histories), step, names)]
