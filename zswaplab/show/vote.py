"""The board of a vote: the question, a clock, where votes are pasted, then how many there were of each, and the run.

It counts nothing: it sends what was pasted, and draws what it is given.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import ipywidgets  # type: ignore[import-untyped]

from . import page
from .kept import Program
from .prediction import Data, Played, Question, played


def asset() -> str:
    """The board as one ES module, with its style sheets as a text in it."""
    return page.style("player.css", "prediction.css", "vote.css") + page.modules("dom.js", "vote.js")


@functools.cache
def program() -> Program:
    """The program that the boards of this kernel share."""
    return Program.of(asset())


class Board(ipywidgets.GridBox):  # type: ignore[misc]
    """A question to be voted on, and once its answer is told the run beside it; below it where there is no room.

    `heard` gets what is pressed, {"start": True}, {"close": lines, "hands": {...}} or {"tell": True}, and gives what is
    told then; `played` gives the run.
    """

    def __init__(
        self, asked: Data, told: Data, *, heard: Callable[[Data], Data], played: Callable[[], Played]
    ) -> None:
        self.question = Question(program(), asked, told)
        self._heard, self._played, self._shown = heard, played, False
        self.question.on_msg(self.hear)
        layout = {"grid_template_columns": "repeat(auto-fit, minmax(min(480px, 100%), 1fr))", "grid_gap": "8px"}
        super().__init__([self.question], layout=ipywidgets.Layout(**layout))

    def hear(self, _: Any, message: Data, __: Any = None) -> None:
        """What the page sends when a button is pressed."""
        self.question.told = dict(self._heard(message))
        if not self._shown and (runs := self._played()):
            self._shown, self.children = True, [self.question, *played(runs)]
