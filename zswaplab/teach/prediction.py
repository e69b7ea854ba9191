"""`Prediction`: the reader commits before anything is shown, and learns where a wrong rule parts from the kernel.

This is the logic without a widget: the options, two tries, what is said of each choice, and two histories to play.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from html import escape
from string import ascii_lowercase

from ..model.compressors import page_bytes
from ..model.errors import BadInput
from ..run.history import History
from .misconceptions import Misconception
from .outcome import FAULTS, NEVER, Answer, side_by_side
from .questions import Drawn, Question, misconceptions

TRIES = 2
SAID = (FAULTS, NEVER)  # offered always, and last
STANDING = (Question.faults, Question.never)  # their words, where a question has none of its own
HOW = {  # kind -> how it is answered
    "number": "give answer(...) a number, or the letter of an option",
    "choice": "give answer(...) the letter of an option",
    "order": 'give answer(...) pages in their order, like "3 1 2", or the letter of an option',
    "entry": "give answer(...) the number of a page that has an entry, or the letter of an option",
    "line": "give answer(...) the number of a line, or the letter of an option",
}
LIST = '<ol type="a">{}</ol>'
NO_RULE = "No rule that is known here gives that."


class Option:
    """One answer that can be given: `label` says it to a reader, `answer` is what a model gives.

    `models` name the misconceptions that give it; there are none where it is the kernel's, or only offered.
    """

    def __init__(self, answer: Answer, label: str, models: Sequence[str] = ()) -> None:
        self.answer, self.label, self.models = answer, label, tuple(models)

    @property
    def wrong(self) -> list[Misconception]:
        """The misconceptions that it comes from."""
        return list({one.id: one for name in self.models for one in misconceptions(name)}.values())

    def __repr__(self) -> str:
        return self.label


class Verdict:
    """What is said of one choice; as a text, all of it.

    `right` says whether it is what the kernel's model gives, `wrong` which misconceptions give it. `kernel` and `mine`
    are then two histories to play side by side, the kernel's and that of the first of them, and `step` is the one from
    which they differ; they are None where no misconception gives it.
    """

    def __init__(self, prediction: Prediction, chosen: Option) -> None:
        self.prediction, self.chosen, self.wrong = prediction, chosen, chosen.wrong
        self.right = chosen.answer == prediction.drawn.answer
        self.over = prediction.over

    @cached_property
    def _histories(self) -> tuple[History, History] | None:
        drawn = self.prediction.drawn
        return side_by_side(drawn.kernel, drawn.wrong[self.chosen.models[0]]) if self.chosen.models else None

    @property
    def kernel(self) -> History | None:
        return self._histories[0] if self._histories else None

    @property
    def mine(self) -> History | None:
        return self._histories[1] if self._histories else None

    @property
    def step(self) -> int | None:
        return self._histories[0].first_difference(self._histories[1]) if self._histories else None

    def __repr__(self) -> str:
        if self.right:
            return f"Right: {self.prediction.told}"
        said = [f"Not here. {self.prediction.reason(self.chosen)}"]
        if self.step is not None:
            said.append(f"On the same work it parts from the kernel at step {self.step}.")
        if self.over:
            said.append(f"What the kernel does: {self.prediction.told}")
        else:
            said.append("You have another try; the first is the one that counts.")
        return "\n".join(said)


class Prediction:
    """One instance of a question, and what a reader has answered so far.

    `text` asks it and `about` says of what machine and work; `setup` is that run. `options` are answers to choose from:
    what the kernel's model and the misconceived ones give, then "it faults" and "it never happens". They are in order
    of their value, so that the right one has no place of its own. Where `kind` is "number", "order", "entry" or "line"
    others can be given too. `tries` are what was chosen.

    >>> from zswaplab.teach.questions import bank
    >>> prediction = Prediction(bank()["01.2"].draw(3))
    >>> prediction.options
    [1, 2, It faults., It never happens.]
    >>> verdict = prediction.answer(2)
    >>> verdict.right, verdict.wrong, prediction.over
    (False, [<misconception lru-holds-reference: An entry's link in the LRU counts as a reference.>], False)
    >>> prediction.answer(1).right, prediction.over, prediction.line
    (True, True, '01.2 seed 3: 2')
    """

    def __init__(self, drawn: Drawn) -> None:
        self.drawn = drawn
        self.id, self.kind, self.seed = drawn.question.id, drawn.question.kind, drawn.seed
        self.text, self.setup = drawn.text, drawn.setup
        self.tries: list[Option] = []
        self._shown = False

    # -- what is offered ---------------------------------------------------------------------------

    @cached_property
    def options(self) -> list[Option]:
        models: dict[Answer, list[str]] = {self.drawn.answer: []}
        for name, answer in self.drawn.answers.items():
            if answer != self.drawn.answer:
                models.setdefault(answer, []).append(name)
        computed = sorted((answer for answer in models if answer not in SAID), key=place_of)
        return [Option(answer, self._label(answer), models.get(answer, ())) for answer in (*computed, *SAID)]

    @property
    def candidates(self) -> list[Option]:
        """What can be clicked: of an entry every page that has one, of a line all of the function, else the options."""
        if self.kind == "entry":
            return [self._option(page) for page in self.drawn.entries]
        if self.kind == "line":
            return [self._option((self.drawn.function, row)) for row in range(len(self.drawn.source))]
        return self.options

    @property
    def step(self) -> int:
        """Up to this step of the kernel's history all may be shown before it is answered; what comes later tells."""
        return self.drawn.step

    def _option(self, answer: Answer) -> Option:
        """The option with that answer, or one that no model gives."""
        known = {option.answer: option for option in self.options}
        return known.get(answer) or Option(answer, self._label(answer))

    def _label(self, answer: Answer) -> str:
        """An answer as a reader sees it."""
        if self.kind == "line" and isinstance(answer, tuple):
            row = int(answer[1])
            return f"line {row + 1}: {self.drawn.source[row].strip()}"
        if isinstance(answer, tuple):
            return " ".join(map(str, answer))
        if isinstance(answer, int) and self.kind in ("choice", "entry"):
            return f"page {answer}"
        return self.drawn.question.said.get(answer, str(answer))

    # -- answering ---------------------------------------------------------------------------------

    def answer(self, given: object) -> Verdict:
        """Commit to an answer: an option, its letter, its label, or a value. Of two tries the first is what counts.

        Raises BadInput, and then no try is lost, for what cannot be an answer, and once it is over.
        """
        if self.over:
            raise BadInput(f"prediction {self.id} is over: ask again with another seed, predict({self.id!r}, seed=...)")
        self.tries.append(self._read(given))
        return Verdict(self, self.tries[-1])

    def show(self) -> str:
        """The right answer and why, without another try."""
        self._shown = True
        return self.told

    @property
    def over(self) -> bool:
        """Whether it was answered rightly, or wrongly twice, or shown."""
        return self._shown or len(self.tries) == TRIES or any(one.answer == self.drawn.answer for one in self.tries)

    @property
    def line(self) -> str:
        """The line to copy for the class: which exercise, which seed, what was chosen first; no name.

        Raises BadInput before anything was chosen.
        """
        if not self.tries:
            raise BadInput(f"prediction {self.id} has not been answered: {HOW[self.kind]}")
        return f"{self.id} seed {self.seed}: {self.tries[0].label.partition(':')[0].removesuffix('.')}"

    # -- afterwards --------------------------------------------------------------------------------

    @property
    def right(self) -> Option:
        """What the kernel's model gives. Raises BadInput before it is over."""
        if not self.over:
            raise BadInput(f"prediction {self.id} is still open: {HOW[self.kind]}, or call show()")
        return self._option(self.drawn.answer)

    @property
    def told(self) -> str:
        """The right answer and why, in words. Raises BadInput before it is over."""
        return f"{self.right.label.removesuffix('.')}. {self.reason(self.right)}"

    @property
    def reasons(self) -> list[tuple[Option, str]]:
        """Every option with the reason why it is right or wrong. Raises BadInput before it is over."""
        every = {option.answer: option for option in (*self.options, self.right, *self.tries)}
        return [(option, self.reason(option)) for option in every.values()]

    def reason(self, option: Option) -> str:
        """Why an option is right; or which rule gives it, and where that rule is right."""
        if option.answer == self.drawn.answer:
            return self.drawn.question.why
        if option.wrong:
            return " ".join(told(one) for one in option.wrong)
        if option.answer in SAID and option.label not in STANDING:
            return "That is not so here."
        if option.answer == FAULTS:
            return "It does, but what is asked is more." if self.drawn.kernel.history.fault else "Nothing faults here."
        if option.answer == NEVER:
            return "What is asked about does happen."
        return f"{NO_RULE} {self._last_used(option.answer)}" if self.kind == "entry" else NO_RULE

    def _last_used(self, page: Answer) -> str:
        """When the page of an entry was last stored or loaded."""
        moments = self.drawn.kernel.history.moments[: self.step + 1]
        used = [step for step, moment in enumerate(moments)
                if moment.kind in ("insert", "find") and moment.fact and moment.fact.page == page]  # fmt: skip
        return f"Page {page} was last stored or loaded at step {used[-1]}."

    # -- reading what was given --------------------------------------------------------------------

    def _read(self, given: object) -> Option:
        """The option that was meant. Raises BadInput for what cannot be an answer."""
        if isinstance(given, Option):
            given = given.answer
        for option, letter in zip(self.options, ascii_lowercase, strict=False):
            said = (letter, option.label, str(option.answer))
            if isinstance(given, str) and plain(given) in map(plain, said):
                return option
            if type(given) is type(option.answer) and given == option.answer:
                return option
        value = self._value(numbers_of(given))
        if value is None:
            raise BadInput(f"answer({given!r}) cannot be: {HOW[self.kind]}")
        return self._option(value)

    def _value(self, numbers: tuple[int, ...]) -> Answer | None:
        """Numbers as an answer of the question's kind; None where they are none."""
        if self.kind == "order":
            pages = {int(line.split()[1]) for line in self.setup.lines() if line.startswith("write")}
            return numbers if numbers and set(numbers) <= pages and len(set(numbers)) == len(numbers) else None
        if len(numbers) != 1:
            return None
        if self.kind == "number":
            return numbers[0]
        return next((one.answer for one in self.candidates if self.number(one) == numbers[0]), None)

    def number(self, candidate: Option) -> int | None:
        """The number by which what can be clicked is typed: a page's, or a line's, counted from 1."""
        answer = candidate.answer
        if isinstance(answer, tuple):
            return int(answer[1]) + 1
        return answer if isinstance(answer, int) else None

    # -- as a text ---------------------------------------------------------------------------------

    @property
    def kernel(self) -> str:
        """The kernel that it is about, in words."""
        return f"The kernel: {self.setup.machine().label}."

    @property
    def limits(self) -> str:
        """How large its pool may become, and which swap device it has, in words."""
        zswap = self.setup.machine().zswap
        bypassed = " that bypasses the swap cache" if self.setup.device == "synchronous" else ""
        return (
            f"The pool's limit is {zswap.limit} pages, its accept threshold {zswap.accept_threshold}; the swap device"
            f"{bypassed} has {self.setup.swap_pages:,} slots."
        )

    @property
    def sizes(self) -> dict[int, int | str]:
        """How many bytes become of each page that is written, or "zeros"."""
        compressor = self.setup.machine().zswap.pool.compressor
        writes = [line.split()[1:] for line in self.setup.lines() if line.startswith("write")]
        seeds = {int(page): seed[0] if seed else page for page, *seed in writes}
        return {page: seed if seed == "zeros" else len(compressor.compress(page_bytes(int(seed))) or ())
                for page, seed in seeds.items()}  # fmt: skip

    @property
    def about(self) -> str:
        """The machine, how large its pages become, and what happens, in words."""
        return "\n".join([
            self.kernel, self.limits,
            f"Compressed, in bytes: {', '.join(f'{page}: {size}' for page, size in self.sizes.items())}.",
            ", ".join(self.setup.lines()).replace("_", " "),
            *(f"CPU {letter}: {task}" for letter, task in zip(ascii_lowercase, self.setup.cpus, strict=False)),
        ])  # fmt: skip

    def __repr__(self) -> str:
        """The question and its options, and nothing of the answer."""
        options = [f"  {letter}  {option.label}" for option, letter in zip(self.options, ascii_lowercase, strict=False)]
        how = f"To answer, {HOW[self.kind]}. Of {TRIES} tries the first is what counts."
        return "\n".join([f"Prediction {self.id}. {self.text}", "", self.about, "", *options, "", how])

    def listed(self) -> str:
        """The question and its options as HTML, and nothing of the answer."""
        lines = "".join(f"<p>{escape(line)}</p>" for line in (self.text, *self.about.splitlines()))
        return lines + LIST.format("".join(f"<li>{escape(option.label)}</li>" for option in self.options))

    def folded(self) -> str:
        """The same with the answer folded away below it, for where nobody can answer: a page to be read."""
        reasons = ""
        for option in self.options:
            label, right = escape(option.label), option.answer == self.drawn.answer
            reasons += f"<li>{f'<strong>{label}</strong>' if right else label} {escape(self.reason(option))}</li>"
        return f"{self.listed()}<details><summary>The answer</summary>{LIST.format(reasons)}</details>"


def told(wrong: Misconception) -> str:
    """A wrong rule, and where it is right."""
    return f"“{wrong.rule.removesuffix('.')}” is right elsewhere. {wrong.right}"


def place_of(answer: Answer) -> tuple[int | str, ...]:
    """Where an answer stands among those of its kind."""
    return answer if isinstance(answer, tuple) else (answer,)


def plain(text: str) -> str:
    """A text as it is compared: case, spaces and a full stop do not matter."""
    return " ".join(text.lower().replace(",", " ").removesuffix(".").split())


def numbers_of(given: object) -> tuple[int, ...]:
    """The whole numbers that were given: one, a list, or a text of them; none where it is anything else."""
    parts: Sequence[object] = [given]
    if isinstance(given, str):
        parts = given.replace(",", " ").split()
    elif isinstance(given, (list, tuple)):
        parts = given
    read = [int(part) if isinstance(part, str) and part.isdecimal() else part for part in parts]
    numbers = tuple(part for part in read if isinstance(part, int) and not isinstance(part, bool))
    return numbers if len(numbers) == len(read) else ()
