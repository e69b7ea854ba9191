"""Rows of a workload and what each comes to: for all exercises in which one is the kernel."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile
from random import Random
from typing import Any, ClassVar

from ...model.compressors import page_bytes
from ...model.machine import Machine
from ...model.steps import run
from ...run.history import record
from ...run.setup import Setup
from ..evidence import in_words, step_of
from ..misconceptions import MISCONCEPTIONS
from ..variant import Feedback, Malformed, Variant, Verdict

Reply = str | tuple[int, ...]
Row = tuple[str, ...]  # lines of a workload that belong together; the last one is asked about
STORED, CLEAN, RAM, ZSWAP, DISK = "stored", "clean", "RAM", "zswap", "disk"
WORDS = {word.lower(): word for word in (STORED, CLEAN, RAM, ZSWAP, DISK)}
DRAWS = 400
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


def replies(setup: Setup, rows: Sequence[Row]) -> list[Reply]:
    """What each row comes to in a setup."""
    watcher = Watcher(setup)
    return [[watcher.take(line) for line in row][-1] for row in rows]


def sizes_of(machine: Machine, rows: Sequence[Row]) -> dict[int, int]:
    """How many bytes each page that is written is compressed to."""
    pages = sorted({int(line.split()[1]) for row in rows for line in row if line.startswith("write")})
    return {page: len(machine.zswap.pool.compressor.compress(page_bytes(page)) or ()) for page in pages}


class Rows(Variant):
    """An exercise in which a workload is walked through by hand: a reply for each row.

    `machine` are the fields of its setup; `models` the misconceptions whose replies are known as mistakes.
    """

    machine: ClassVar[Mapping[str, Any]] = {}
    criterion = "lines right, up to the first that is not"
    least = 3  # models that must give replies of their own

    def draw(self) -> None:
        """Rows in which the models part: drawn again and again until they do."""
        for number in range(DRAWS):
            self.rows = list(self.drawn(Random(f"{self.task.id} {self.seed} {number}")))
            self.setup = Setup(compressor="lengths", **self.machine)
            self.kernel = self.given_by(self.setup)
            wrong = {name: MISCONCEPTIONS[name].applied(self.setup) for name in self.task.misconceptions}
            self.believed = {name: self.given_by(setup) for name, setup in wrong.items()}
            parting = {tuple(given) for given in self.believed.values() if given != self.kernel}
            if len(parting) >= self.least and self.is_good(self.kernel):
                return
        raise ValueError(f"no rows for seed {self.seed}")

    def drawn(self, dice: Random) -> Iterator[Row]:
        """Rows that may do."""
        raise NotImplementedError

    def is_good(self, kernel: list[Reply]) -> bool:
        """Whether what the kernel gives is worth asking."""
        return True

    def given_by(self, setup: Setup) -> list[Reply]:
        """What each row comes to in a setup."""
        return replies(setup, self.rows)

    # -- what is shown ---------------------------------------------------------------------------

    def shown(self) -> dict[str, object]:
        machine = self.setup.machine()
        lines = [f"{number}. {in_words(row)}" for number, row in enumerate(self.rows, start=1)]
        zswap, sizes = machine.zswap, sizes_of(machine, self.rows)
        return {
            "limits": f"The pool's limit is {zswap.limit} pages; once it was full it accepts again below "
                      f"{zswap.accept_threshold}.",
            "sizes": "Compressed, in bytes: " + ", ".join(f"{page}: {size}" for page, size in sizes.items()) + ".",
            "lines": "\n".join(lines), "gaps": "\n".join(f"    ...,  # {line}" for line in lines),
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
        points = {self.criterion: round(right / len(self.rows), 3)}
        if right == len(self.rows):
            return self.right()
        if given[right] is None:
            so_far = f"Lines 1 to {right} are right so far." if right else "There is no answer to line 1 yet."
            return self.verdict("partly right" if right else "wrong", f"{so_far} Go on with line {right + 1}.", points)
        return self.parted(given, right, points)

    def parted(self, given: list[Reply | None], at: int, points: Mapping[str, float]) -> Verdict:
        """What is said where an answer parts from the kernel in a row."""
        belief = self.belief(given, at)
        mine, kernels = spoken(given[at]), spoken(self.kernel[at])
        example = f"Line {at + 1}, {in_words(self.rows[at])}: you say {mine}, the kernel {kernels}."
        example += f" The {at} before it are right." if at > 1 else ""
        if belief:
            wrong = MISCONCEPTIONS[belief]
            setup, own = wrong.situation, wrong.applied(wrong.situation)
            told = SMALLEST.format(in_words(setup.lines()))
            step = step_of(setup, own)
            return self.mistake(belief, Feedback("", example, told), points, setup=setup, mine=own, step=step)
        lines = [line for row in self.rows[: at + 1] for line in row]
        setup = self.setup.but(workload=lines)
        told = "`play()` shows the kernel on these lines."
        return self.mistake("", Feedback("", example, told), points, setup=setup, step=begin_of(setup))

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
            lines = len(self.rows)
            raise Malformed(f"answer is {short(answer)}: give a list with one entry for each of the {lines} lines.")
        if len(answer) > len(self.rows):
            raise Malformed(f"answer has {len(answer)} entries, and there are {len(self.rows)} lines: one for each.")
        found = [self.reply(number, given) for number, given in enumerate(answer, start=1)]
        return found + [None] * (len(self.rows) - len(found))

    def reply(self, number: int, given: Any) -> Reply | None:
        """One reply. Raises Malformed for what cannot be one."""
        if given is ... or given is None or given == "":
            return None
        if isinstance(given, str) and given.strip().lower() in WORDS:
            return WORDS[given.strip().lower()]
        pages = [given] if isinstance(given, int) else given
        if isinstance(pages, str) and pages.replace(",", " ").replace(" ", "").isdecimal():
            pages = [int(part) for part in pages.replace(",", " ").split()]
        if isinstance(pages, (list, tuple)) and all(type(one) is int for one in pages):
            return tuple(pages)
        words = ", ".join(map(repr, WORDS.values()))
        raise Malformed(f"Entry {number} is {short(given)}: give one of {words}, or pages like [3, 4].")


def begin_of(setup: Setup) -> int:
    """The step at which the last operation of a run begins."""
    history = record(setup)
    last = max(number for number, one in enumerate(history.operations) if not one.queued)
    return next(step for step, moment in enumerate(history.moments) if moment.operation == last)


def plain(given: Sequence[Reply]) -> list[Any]:
    """Replies as they are typed."""
    return [list(one) if isinstance(one, tuple) else one for one in given]


def spoken(reply: Reply | None) -> str:
    """A reply in words."""
    if isinstance(reply, tuple):
        pages = " and ".join(map(str, reply)) or "none"
        return f"that {pages} {'leave' if len(reply) > 1 else 'leaves'}"
    return f'"{reply}"'


def short(given: object) -> str:
    """What was given, not too long."""
    text = repr(given)
    return text if len(text) <= 60 else f"{text[:57]}..."
