"""`Question`: what a reader predicts, as data; `bank()` has all of them, a file a notebook.

A question has no answer in it. With a seed it is drawn: pages and alternatives are chosen, again and again until the
kernel's model and the misconceived ones part. `Drawn` is one such instance, with the answer of each model.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache, cached_property
from pathlib import Path
from random import Random
from string import ascii_lowercase
from typing import Any

from ..model.errors import BadInput, choose
from ..model.source import resolved
from ..run.rules import model_function
from ..run.setup import Setup
from .misconceptions import MISCONCEPTIONS, Misconception
from .outcome import FAULTS, NEVER, NO, YES, Answer, Outcome, asked

KINDS = ("number", "choice", "order", "entry", "line")
PLACES = ("recall", "surprise", "transfer")
YES_OR_NO = {"has entry": (YES, NO), "failure": (FAULTS, NEVER)}  # what is asked -> its two answers
PART = 3  # answers that are to be different; of yes and no, two
DRAWS = 500  # more than any question of the bank needs
NUMBERS = {field.name for field in fields(Setup) if isinstance(field.default, int)}  # fields that are numbers
LARGEST = 20  # pages from which those of a drawn workload are taken


@dataclass(frozen=True)
class Question:
    """What is asked before anything is shown.

    `kind` says how it is answered: a number, a choice, an order of pages, a page whose entry is clicked, a line of the
    source. `asks` is the question for a model (see `outcome.ASKS`), `text` the same for a reader, `why` what is behind
    the right answer. `place`: it recalls an earlier notebook (`recalls`), stands at the notebook's surprise, or
    transfers what was learnt. `setup` are fields of a Setup; `models` name the misconceptions that give the wrong
    options ("one + other": both at once), first the one that it is about. Of an entry, `at` says when it is to be
    clicked: when that first happens. `faults` and `never` say the last two options in words of its own, where "It
    faults." and "It never happens." are no answer to what is asked.

    In `setup`, `asks` and `text` {a}, {b} ... are different pages; "read {a} | read {b} |" is one of these, or nothing.
    Raises BadInput for what cannot be.
    """

    id: str
    place: str
    kind: str
    text: str
    asks: str
    setup: Mapping[str, Any]
    models: Sequence[str]
    why: str
    recalls: str = ""
    at: str = ""
    faults: str = "It faults."
    never: str = "It never happens."

    def __post_init__(self) -> None:
        choose(f"question {self.id}: kind", self.kind, KINDS)
        choose(f"question {self.id}: place", self.place, PLACES)
        for name in (name for model in self.models for name in model.split(" + ")):
            choose(f"question {self.id}: model", name, MISCONCEPTIONS)
        for name in self.setup:
            choose(f"question {self.id}: field of its setup", name, [field.name for field in fields(Setup)])
        if bool(self.recalls) != (self.place == "recall") or bool(self.at) != (self.kind == "entry"):
            raise BadInput(f"question {self.id}: place='recall' needs `recalls` and kind='entry' `at`; no other does")
        asked(written(self.asks, dict.fromkeys(ascii_lowercase, 0)))

    @property
    def notebook(self) -> str:
        """The number of the notebook in which it stands."""
        return self.id.partition(".")[0]

    @property
    def said(self) -> dict[Answer, str]:
        """The two options that are offered always, and last, in words."""
        return {FAULTS: self.faults, NEVER: self.never}

    @property
    def yes_or_no(self) -> tuple[Answer, ...]:
        """Its two answers, if it has no more."""
        return next((answers for asks, answers in YES_OR_NO.items() if self.asks.startswith(asks)), ())

    @property
    def is_drawn(self) -> bool:
        """Whether another seed can give another instance."""
        return any(mark in str(value) for value in self.setup.values() for mark in "{|")

    def draw(self, seed: int = 0) -> Drawn:
        """The instance of a seed: of those that it draws, one after the other, the first in which the models part.

        Where it is answered by yes or no, of two seeds that follow each other (0 and 1, 2 and 3 ...) one gives yes.
        Raises BadInput for what is no seed, and where no instance is found: then the question is at fault.
        """
        if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
            raise BadInput(f"seed={seed!r} cannot be: give a whole number, 0 or more")
        coin = Random(f"{self.id} {seed // 2}").randrange(2)
        wanted = self.yes_or_no[(coin + seed) % 2] if self.yes_or_no and self.is_drawn else None
        for number in range(DRAWS if self.is_drawn else 1):
            drawn = Drawn(self, seed, *self.filled_in(Random(f"{self.id} {seed} {number}")))
            if drawn.parts and wanted in (None, drawn.answer):
                return drawn
        raise BadInput(f"question {self.id} has no instance for seed={seed}: its models never part; please report it")

    def filled_in(self, dice: Random) -> tuple[Setup, str, str]:
        """The setup, what is asked, and the text, with all that is drawn in its place."""
        letters = [letter for letter in ascii_lowercase if f"{{{letter}}}" in str(self.setup)]
        pages = dict(zip(letters, dice.sample(range(LARGEST), len(letters)), strict=True))
        found = {name: chosen(value, pages, dice) for name, value in self.setup.items()}
        for name in NUMBERS & found.keys():
            found[name] = int(found[name])
        setup = Setup(**{"compressor": "lengths", **found})
        return setup, written(self.asks, pages), written(self.text, pages)


def written(text: str, pages: Mapping[str, int]) -> str:
    """A text with the numbers of the pages in place of their letters."""
    for letter, page in pages.items():
        text = text.replace(f"{{{letter}}}", str(page))
    return text


def chosen(value: Any, pages: Mapping[str, int], dice: Random) -> Any:
    """A field of a setup with its pages filled in and one of its alternatives chosen; lines may stand for several."""
    if isinstance(value, list):
        lines = [line.strip() for one in value for line in chosen(one, pages, dice).split(";")]
        return [line for line in lines if line]
    if not isinstance(value, str):
        return value
    return written(dice.choice(value.split("|")).strip(), pages)


class Drawn:
    """One instance of a question: `setup`, `asks` and `text` have no gaps any more.

    `kernel` is what the setup comes to, `wrong` what somebody expects who believes in a misconception, by its name.
    """

    def __init__(self, question: Question, seed: int, setup: Setup, asks: str, text: str) -> None:
        self.question, self.seed, self.setup, self.asks, self.text = question, seed, setup, asks, text
        self.kernel = Outcome(setup)
        self.wrong = {name: Outcome(applied(name, setup)) for name in question.models}

    @cached_property
    def answer(self) -> Answer:
        """What the kernel's model gives."""
        return self.kernel.answer(self.asks)

    @cached_property
    def answers(self) -> dict[str, Answer]:
        """What each misconceived model gives."""
        found = {name: outcome.answer(self.asks) for name, outcome in self.wrong.items()}
        return {name: answer for name, answer in found.items() if self.is_possible(answer, self.wrong[name])}

    def is_possible(self, answer: Answer, outcome: Outcome) -> bool:
        """Whether an answer can be given by a reader: a line must be one that the kernel's function has, too."""
        if self.question.kind != "line" or not isinstance(answer, tuple):
            return True
        sources = {source["function"]: source["lines"] for source in outcome.history.sources}
        return bool(sources[answer[0]] == self.source)

    @property
    def parts(self) -> bool:
        """Whether enough of the models give different answers, the first of the question's among them."""
        different = {self.answer, *self.answers.values()}
        if self.question.yes_or_no:
            return len(different) == 2
        return len(different) >= PART and self.answers.get(self.question.models[0], self.answer) != self.answer

    @cached_property
    def source(self) -> list[str]:
        """The lines of the function that is asked about, as the kernel of the setup has it."""
        return [text for _, text in resolved(model_function(self.function), self.setup.machine().stage)]

    @property
    def function(self) -> str:
        """The function whose line is asked for."""
        return str(asked(self.asks)[1][0])

    @cached_property
    def step(self) -> int:
        """The step of the kernel's history at which it is to be answered: what comes later would tell."""
        history = self.kernel.history
        for step, moment in enumerate(history.moments):
            if self.question.at and (moment.kind == self.question.at or self.question.at in moment.events):
                return step
        return 0 if not self.question.at else len(history) - 1

    @cached_property
    def entries(self) -> list[int]:
        """The pages whose entries can be clicked at that step."""
        scene = self.kernel.history.at(self.step)
        return sorted(entry["page"] for entry in scene.entries.values() if entry["linked"])

    @property
    def order(self) -> list[int]:
        """The pages of `entries` from head to tail at that step, as the LRU has them, zswap's or the backend's."""
        scene = self.kernel.history.at(self.step)
        listed = [*reversed(scene.lru.get(scene.current, {}))]
        if self.kernel.history.pools[scene.current]["lru_of"] == "pages":
            listed = [number for key in listed for number, _, _ in scene.pages[key]["objects"]]
        found = [page for number in listed if (page := scene.names[number]) is not None]
        return found + [page for page in self.entries if page not in found]


def applied(name: str, setup: Setup) -> Setup:
    """A setup with one misconception, or with several: "one + other"."""
    for wrong in misconceptions(name):
        setup = wrong.applied(setup)
    return setup


def misconceptions(name: str) -> list[Misconception]:
    return [MISCONCEPTIONS[one] for one in name.split(" + ")]


BANK = Path(__file__).with_name("bank")


@cache
def bank() -> dict[str, Question]:
    """Every question by its id, in the order of the notebooks.

    >>> bank()["01.2"].kind
    'number'
    """
    return {question.id: question for file in sorted(BANK.glob("*.toml")) for question in questions_of(file)}


def questions_of(file: Path) -> list[Question]:
    """The questions of one file. Raises BadInput for what no question has, or one that is not of its notebook."""
    found = []
    for data in tomllib.loads(file.read_text(encoding="utf-8"))["question"]:
        for name in data:
            choose(f"{file.name}: field of a question", name, [field.name for field in fields(Question)])
        values: dict[str, Any] = {name: " ".join(v.split()) if isinstance(v, str) else v for name, v in data.items()}
        question = Question(**values)
        if question.notebook != file.stem:
            raise BadInput(f"question {question.id} stands in {file.name}: it belongs to another notebook")
        found.append(question)
    return found
