"""Rows of a workload and what each comes to: for all exercises in which one is the kernel."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, cached_property
from itertools import takewhile
from random import Random
from typing import Any, ClassVar, NamedTuple

from ...model.compressors import page_bytes
from ...model.machine import Machine
from ...model.steps import run
from ...run.history import record
from ...run.rules import altered
from ...run.setup import Setup
from ..evidence import in_words, step_of
from ..misconceptions import MISCONCEPTIONS, Changed
from ..variant import Feedback, Malformed, Variant, Verdict

Reply = str | tuple[int, ...]
Row = tuple[str, ...]  # lines of a workload that belong together; the last one is asked about
STORED, CLEAN, RAM, ZSWAP, DISK = "stored", "clean", "RAM", "zswap", "disk"
DRAWS = 10_000  # more than any seed that was met has needed
SMALLEST = "The smallest in which it shows: {}. `play()` shows both models from where they part."


class Watcher:
    """Runs lines on a machine, and says what each comes to."""

    def __init__(self, setup: Setup) -> None:
        self.machine = setup.machine()
        self.seen: list[tuple[str, Any]] = []
        self.machine.hook.subscribe(self._observe)

    def _observe(self, event: str, subject: Any, value: Any) -> None:
        if event == "end" and subject in ("store", "load"):
            self.seen.append((subject, value))
        elif event == "submitted":
            slots = {slot: page for page, slot in self.machine.slots.items()}
            self.seen.append(("written", slots.get(subject.offset)))

    def take(self, line: str) -> Reply:
        """Run a line, and what is queued after it."""
        machine, verb = self.machine, line.split()[0]
        resident = verb == "read" and int(line.split()[1]) in machine.frames
        self.seen.clear()
        run(machine.operation(line))
        machine.settle()
        results = [value for what, value in self.seen if what in ("store", "load")]
        if verb == "page_out" and (not results or results[0] == 0):
            return STORED if results else CLEAN
        if verb == "read":
            return RAM if resident else ZSWAP if results and results[0] == 0 else DISK
        return tuple(page for what, page in self.seen if what == "written" and page is not None)


def sizes_of(machine: Machine, rows: Sequence[Row]) -> dict[int, int]:
    """How many bytes each page that is written is compressed to."""
    pages = sorted({int(line.split()[1]) for row in rows for line in row if line.startswith("write")})
    return {page: len(machine.zswap.pool.compressor.compress(page_bytes(page)) or ()) for page in pages}


class Own(NamedTuple):
    """A mistake that is a task's own, as a model: what of the model's functions is changed (see `rules.altered`).

    `situation` is the shortest workload in which it parts from the kernel; a test looks for a shorter one.
    """

    situation: Sequence[str]
    changes: Mapping[str, Changed]


class Rows(Variant):
    """An exercise in which a workload is walked through by hand: a reply for each row.

    `machine` are the fields of its setup, `own` the models of those mistakes that are the task's own.
    """

    watcher: type[Watcher] = Watcher
    words: Sequence[str] = (STORED, CLEAN, RAM, ZSWAP, DISK)
    own: ClassVar[Mapping[str, Own]] = {}
    machine: ClassVar[Mapping[str, Any]] = {}
    criterion = "lines right, up to the first that is not"
    least = 3  # models that must give replies of their own
    turns: Sequence[str] = ()  # mistakes of which one, by turns, must be among these: those that chance seldom gives

    def draw(self) -> None:
        """Rows in which the models part: drawn again and again until they do."""
        for number in range(DRAWS):
            self.rows = list(self.drawn(Random(f"{self.task.id} {self.seed} {number}")))
            self.setup = Setup(compressor="lengths", **self.machine)
            self.kernel = self.given_by(self.setup)
            self.__dict__.pop("asked", None)
            if not self.is_good(self.kernel):
                continue
            self.believed = {name: self.given_by(setup) for name, setup in self.models().items()}
            parting = {name: tuple(given) for name, given in self.believed.items() if given != self.kernel}
            must = self.turns[self.seed % len(self.turns)] if self.turns else next(iter(parting), "")
            if len(set(parting.values())) >= self.least and must in parting:
                return
        raise ValueError(f"no rows for seed {self.seed}")

    def drawn(self, dice: Random) -> Iterator[Row]:
        """Rows that may do."""
        raise NotImplementedError

    def is_good(self, kernel: list[Reply]) -> bool:
        """Whether what the kernel gives is worth asking."""
        return True

    def given_by(self, setup: Setup) -> list[Reply]:
        """What each row that is asked about comes to in a setup."""
        watcher = self.watcher(setup)
        found = [(row, [watcher.take(line) for line in row][-1]) for row in self.rows]
        return [reply for row, reply in found if self.is_asked(row)]

    def is_asked(self, row: Row) -> bool:
        """Whether there is a reply to a row."""
        return True

    @cached_property
    def asked(self) -> list[int]:
        """The numbers of the rows that are asked about, from 1."""
        return [number for number, row in enumerate(self.rows, start=1) if self.is_asked(row)]

    def models(self) -> dict[str, Setup]:
        """Mistake -> the same run as somebody has it who makes it."""
        believed = {name: MISCONCEPTIONS[name].applied(self.setup) for name in self.task.misconceptions}
        changed = {name: with_changes(self.setup, own.changes) for name, own in self.own.items()}
        return {name: {**believed, **changed}[name] for name in self.task.mistakes}

    # -- what is shown ---------------------------------------------------------------------------

    def shown(self) -> dict[str, object]:
        machine = self.setup.machine()
        lines = [f"{number}. {in_words(row)}" for number, row in enumerate(self.rows, start=1)]
        zswap, sizes = machine.zswap, sizes_of(machine, self.rows)
        return {
            "limits": f"The pool's limit is {zswap.limit} pages; once it was full it accepts again below "
                      f"{zswap.accept_threshold}.",
            "sizes": "Compressed, in bytes: " + ", ".join(f"{page}: {size}" for page, size in sizes.items()) + ".",
            "lines": "\n".join(lines),
            "gaps": "\n".join(f"    ...,  # {lines[number - 1]}" for number in self.asked),
        }  # fmt: skip

    # -- judging ---------------------------------------------------------------------------------

    def reference(self) -> list[Any]:
        return plain(self.kernel)

    def wrong(self) -> Mapping[str, Any]:
        found: dict[str, list[Any]] = {}
        for name, given in self.believed.items():  # of two that give the same the first is told
            if given != self.kernel and plain(given) not in found.values():
                found[name] = plain(given)
        return found

    def judge(self, answer: Any) -> Verdict:
        given = self.read(answer)
        right = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(given, self.kernel, strict=False)))
        points = {self.criterion: round(right / len(self.asked), 3)}
        if right == len(self.asked):
            return self.right()
        if given[right] is None:
            so_far = "It is right so far." if right else "The first entry is missing."
            message = f"{so_far} Go on with line {self.asked[right]}."
            return self.verdict("partly right" if right else "wrong", message, points)
        return self.parted(given, right, points)

    def parted(self, given: list[Reply | None], at: int, points: Mapping[str, float]) -> Verdict:
        """What is said where an answer parts from the kernel in a row."""
        belief = self.belief(given, at)
        mine, kernels = self.spoken(given[at]), self.spoken(self.kernel[at])
        number = self.asked[at]
        example = f"Line {number}, {in_words(self.rows[number - 1])}: you say {mine}, the kernel {kernels}."
        example += f" The {at} before it are right." if at > 1 else ""
        if belief:
            setup, own = self.smallest(belief)
            told = SMALLEST.format(in_words(setup.lines()))
            step = step_of(setup, own)
            return self.mistake(belief, Feedback("", example, told), points, setup=setup, mine=own, step=step)
        lines = [line for row in self.rows[:number] for line in row]
        setup = self.setup.but(workload=lines)
        told = "`play()` shows the kernel on these lines."
        return self.mistake("", Feedback("", example, told), points, setup=setup, step=begin_of(setup))

    def spoken(self, reply: Reply | None) -> str:
        """A reply in words."""
        if not isinstance(reply, tuple):
            return f'"{reply}"'
        pages = " and ".join(map(str, reply)) or "none"
        return f"that {pages} {'leave' if len(reply) > 1 else 'leaves'}"

    def smallest(self, belief: str) -> tuple[Setup, Setup]:
        """The smallest run in which a mistake shows, the kernel's and that of who makes it."""
        if belief in MISCONCEPTIONS:
            wrong = MISCONCEPTIONS[belief]
            return wrong.situation, wrong.applied(wrong.situation)
        own = self.own[belief]
        setup = self.setup.but(workload=list(own.situation))
        return setup, with_changes(setup, own.changes)

    def belief(self, given: list[Reply | None], at: int) -> str:
        """The misconception that agrees longest with the answer, and in the row where it parts from the kernel."""
        agreed = {
            name: sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(given, theirs, strict=False)))
            for name, theirs in self.believed.items()
        }  # fmt: skip
        best = max(agreed, key=lambda name: agreed[name], default="")
        return best if best and agreed[best] > at else ""

    def read(self, answer: Any) -> list[Reply | None]:
        """The replies of an answer, None where there is none yet. Raises Malformed."""
        if not isinstance(answer, (list, tuple)):
            lines = len(self.asked)
            raise Malformed(f"answer is {short(answer)}: give a list with {lines} entries, one for each line.")
        if len(answer) > len(self.asked):
            raise Malformed(f"answer has {len(answer)} entries, and {len(self.asked)} lines are asked about.")
        found = [self.reply(number, given) for number, given in enumerate(answer, start=1)]
        return found + [None] * (len(self.asked) - len(found))

    def reply(self, number: int, given: Any) -> Reply | None:
        """One reply. Raises Malformed for what cannot be one."""
        if given is ... or given is None or given == "":
            return None
        words = {word.lower(): word for word in self.words}
        if isinstance(given, str) and given.strip().lower() in words:
            return words[given.strip().lower()]
        pages = [given] if isinstance(given, int) else given
        if isinstance(pages, str) and pages.replace(",", " ").replace(" ", "").isdecimal():
            pages = [int(part) for part in pages.replace(",", " ").split()]
        if isinstance(pages, (list, tuple)) and all(type(one) is int for one in pages):
            return tuple(pages)
        known = f"one of {', '.join(map(repr, self.words))}, or " if self.words else ""
        raise Malformed(f"Entry {number} is {short(given)}: give {known}pages like [3, 4].")


def with_changes(setup: Setup, changes: Mapping[str, Changed]) -> Setup:
    """The same run with functions of the model changed: name -> (text, what stands there instead) ..."""
    return setup.but(functions={name: changed(name, pairs) for name, pairs in changes.items()})


@cache
def changed(name: str, pairs: Changed) -> Callable[..., Any]:
    return altered(name, None, *pairs)


def begin_of(setup: Setup) -> int:
    """The step at which the last operation of a run begins."""
    history = record(setup)
    last = max(number for number, one in enumerate(history.operations) if not one.queued)
    return next(step for step, moment in enumerate(history.moments) if moment.operation == last)


def plain(given: Sequence[Reply]) -> list[Any]:
    """Replies as they are typed."""
    return [list(one) if isinstance(one, tuple) else one for one in given]


def short(given: object) -> str:
    """What was given, not too long."""
    text = repr(given)
    return text if len(text) <= 60 else f"{text[:57]}..."
