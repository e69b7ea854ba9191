"""`predict`: a question to commit to before anything is shown, as a sheet to be used in a notebook.

The logic is in `prediction.py`, and needs no widget. Here is what of it reaches a reader's page, and when: `asked`
before an answer was given, `told` after it. What is not in these two never leaves Python.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..model.errors import BadInput, choose
from ..run.history import History
from .prediction import SAID, TRIES, Option, Prediction, Verdict
from .questions import Drawn, bank

if TYPE_CHECKING:
    from ..show.prediction import Sheet


class Asked(Prediction):
    """A prediction that a notebook shows as a sheet to answer on; everything else is as in `Prediction`.

    >>> asked = predict("01.2", seed=3)
    >>> asked.answer(1).right, asked.line
    (True, '01.2 seed 3: 1')
    """

    def __init__(self, drawn: Drawn) -> None:
        super().__init__(drawn)
        self.verdicts: list[Verdict] = []  # of each try

    def answer(self, given: object) -> Verdict:
        self.verdicts.append(super().answer(given))
        return self.verdicts[-1]

    # -- as a sheet --------------------------------------------------------------------------------

    def sheet(self) -> Sheet:
        """The widget on which it is answered. It needs ipywidgets; `answer` and `show` do not."""
        from ..show.prediction import Sheet

        return Sheet(asked(self), told(self), heard=self._heard, played=self._played)

    def _heard(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """What is told once the reader has committed, or wants to be shown; or why that cannot be an answer."""
        try:
            if "answer" in message:
                self.answer(message["answer"])
            else:
                self.show()
        except BadInput as problem:
            return {**told(self), "problem": str(problem)}
        return told(self)

    def _played(self) -> list[tuple[str, History, int]]:
        """What can be played now, as (name, run, the first step to be seen): the kernel's, and mine beside it."""
        for last in reversed(self.verdicts):
            if last.kernel is not None and last.mine is not None and last.step is not None:
                rule = " ".join(wrong.rule for wrong in last.wrong)
                return [("The kernel", last.kernel, last.step), (f"Mine: “{rule}”", last.mine, last.step)]
        return [("The kernel", self.drawn.kernel.history, self.step)] if self.over else []

    def _ipython_display_(self) -> None:
        try:
            from ..show.kept import shown
        except ImportError:
            from IPython.display import publish_display_data

            publish_display_data({"text/html": self.page(), "text/plain": repr(self)})  # type: ignore[no-untyped-call]
        else:
            shown(self.sheet(), self.page(), repr(self))

    def page(self, *, answered: bool = False) -> str:
        """The question as HTML for where there is no sheet: with how it is answered, or, in a page to be read, with
        the answer folded away.
        """
        how = f"<p>To answer here: <code>predict({self.id!r}, seed={self.seed}).answer(...)</code></p>"
        return f"{MARK.format(self.id, self.seed)}{self.folded() if answered else self.listed() + how}</div>"


MARK = '<div class="zswaplab-asked" title="Prediction {}, seed {}">'

def asked(prediction: Prediction) -> dict[str, Any]:
    """What the sheet shows before there is an answer, as data: nothing here depends on one."""
    drawn, lines = prediction.drawn, prediction.setup.lines()
    shown = len(lines)
    if prediction.kind == "entry":  # what comes later is covered
        history = drawn.kernel.history
        last = history[prediction.step].operation
        shown = sum(not one.queued for one in history.operations[: last + 1])
    clicked = prediction.kind in ("entry", "line")
    options = [option for option in prediction.options if not clicked or option.answer in SAID]
    return {
        "id": prediction.id, "seed": prediction.seed, "kind": prediction.kind, "text": prediction.text,
        "kernel": prediction.kernel, "limits": prediction.limits, "tries": TRIES,
        "sizes": [[page, size] for page, size in sorted(prediction.sizes.items())],
        "work": [line.replace("page_out", "page out") for line in lines[:shown]], "covered": shown < len(lines),
        "cpus": list(prediction.setup.cpus), "options": [option.label for option in options],
        "entries": drawn.entries if prediction.kind == "entry" else [],
        "source": [drawn.function, *drawn.source] if prediction.kind == "line" else [],
    }  # fmt: skip


def told(prediction: Asked) -> dict[str, Any]:
    """What the sheet shows after a try, as data; nothing before it. The right answer and reasons once it is over."""
    found: dict[str, Any] = {"over": prediction.over, "tried": [option.label for option in prediction.tries]}
    for last in prediction.verdicts[-1:]:
        found |= {
            "right": last.right, "line": prediction.line, "reason": prediction.reason(last.chosen),
            "rules": [[wrong.rule, wrong.right] for wrong in last.wrong], "step": last.step,
            "chosen": value_of(prediction, last.chosen),
        }  # fmt: skip
    if prediction.over:
        found |= {
            "label": prediction.right.label, "answer": value_of(prediction, prediction.right),
            "reasons": [[option.label, reason] for option, reason in prediction.reasons],
            "order": prediction.drawn.order if prediction.kind == "entry" else [],
        }  # fmt: skip
    return found if found["tried"] or found["over"] else {}


def value_of(prediction: Prediction, option: Option) -> int | None:
    """The page or the line (counted from 1) that stands for an option where it is clicked."""
    return prediction.number(option) if prediction.kind in ("entry", "line") else None


def predict(id: str, seed: int = 0) -> Asked:
    """A prediction by the number of its notebook and its own, like "01.2"; another seed draws another instance of it.

    In a notebook it is a sheet: the question, what it is about, the options, two tries. Nothing of the answer is on the
    page, or in what is saved, before one was given. Then each option gets its reason, and where a wrong rule is behind
    the choice, *play mine against the kernel's* shows both runs from the step at which they part. Without widgets
    `answer(...)` does the same. Raises BadInput for a question that is not there, and for what is no seed.

    >>> predict("00.2").answer(2).wrong
    [<misconception zswap-decides: zswap chooses which page leaves, by its own LRU.>]
    """
    choose("prediction", id, bank())
    return Asked(bank()[id].draw(seed))
