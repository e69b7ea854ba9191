"""The exercises of notebook 04: how pages are packed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from random import Random
from typing import Any, ClassVar

from ...model.machine import Machine
from ...run.rules import check
from ...run.setup import SWAP_PAGES, Setup
from ..answers import notebook04 as answers
from ..evidence import Failed, in_words, shortest, states, step_of
from ..guard import STEPS, Limit, student_code
from ..misconceptions import out
from ..variant import Feedback, Variant, Verdict
from .code import Code, Function, first_row
from .rows import Own, Reply, Row, Rows, Watcher

CHUNKS, CONTRACT, WORKLOADS, RECORDED = (
    "chunks of an object", "the contract: it fits, and is off its list", "short workloads as the kernel does",
    "the recorded kernel",
)  # fmt: skip
LARGEST = 3952  # bytes that zbud takes with zswap's header
counted: Function = answers.chunks_of
RUN = "base-zbud-overflow"
KERNEL = Setup("base", compressor="lengths", swap_pages=SWAP_PAGES)


# -- judging -----------------------------------------------------------------------------------------------

UNITS = [(f"write {page}", f"page_out {page}") for page in (2, 1, 25, 205, 5, 53)] + [("free 2",), ("free 25",)]
LONGEST = 6  # lines
LONG = [line for page in (5, 25, 2, 53, 205, 1, 7, 19, 31) for line in (f"write {page}", f"page_out {page}")]


def placed(machine: Machine) -> list[tuple[int, int, int]]:
    """What of zbud is compared: the chunks of each page's objects."""
    pages = machine.zswap.pool.zpool.numbered
    return [(page.number, page.first_chunks, page.last_chunks) for page in pages.values()]


class Placement(Code):
    """04.1: the chunks of an object, and the page it goes to."""

    asks: ClassVar[Mapping[str, Function]] = {"chunks_of": answers.chunks_of, "take_unbuddied": answers.take_unbuddied}

    def reference(self) -> list[Function]:
        return [answers.chunks_of, answers.take_unbuddied]

    def wrong(self) -> Mapping[str, Any]:
        return {name: list(functions) for name, functions in answers.WRONG.items()}

    def judge(self, answer: Any) -> Verdict:
        given = self.functions(answer)
        count, take = given.values()
        points: dict[str, float] = {}
        if found := self.miscounted(count):
            length, said = found
            counters = {name: one for name, (one, _) in answers.WRONG.items() if one is not answers.chunks_of}
            own = self.counts(count)
            belief = next((name for name, one in counters.items() if self.counts(one) == own), "")
            example = f"The smallest that differs: {length} bytes. You say {said}, the kernel {counted(length)}."
            return self.mistake(belief, Feedback("The number of chunks is not the kernel's.", example), points)
        points[CHUNKS] = 0.2
        check("take_unbuddied", take, gives_steps=False)
        return self.judge_placement(take, points)

    def judge_placement(self, take: Function, points: dict[str, float]) -> Verdict:
        """The verdict on take_unbuddied: short workloads, breadth first, and the recording."""
        mine = KERNEL.but(functions={"take_unbuddied": take})
        found = shortest(KERNEL, mine, UNITS, LONGEST, placed)
        parts = None if found is None else last_of(found, mine)
        recorded = first_row(RUN, {"take_unbuddied": take})
        if found is None and not recorded:
            return self.right()
        points |= {CONTRACT: 0.2} if not (parts and parts[1]) else {}
        if found is None:
            feedback = Feedback("On short workloads it is the kernel's.", recorded=recorded)
            return self.mistake("", feedback, points | {WORKLOADS: 0.3})
        assert parts is not None
        own = mine.but(workload=found.workload)
        told = f"The shortest workload in which it shows: {in_words(found.lines())}. {parts[0]} `play()` shows both."
        contract = parts[1] or "Your pages are not those that zbud takes."
        feedback = Feedback(contract, "", told, recorded)
        return self.mistake(self.belief(take), feedback, points, setup=found, mine=own, step=step_of(found, own))

    def counts(self, count: Function) -> list[Any]:
        with student_code([count]), Limit(STEPS):
            return [count(length) for length in range(1, LARGEST + 1)]

    def miscounted(self, count: Function) -> tuple[int, Any] | None:
        """The first length whose chunks are miscounted, and what was said."""
        for length, said in enumerate(self.counts(count), start=1):
            if isinstance(said, bool) or said != counted(length):
                return length, said
        return None

    def belief(self, take: Function) -> str:
        """The wrong function that places as this one does, in every workload that tells them apart."""
        own = traces(take)
        takers = {name: one for name, (_, one) in answers.WRONG.items() if one is not answers.take_unbuddied}
        return next((name for name, one in takers.items() if traces(one) == own), "")


def traces(take: Function) -> list[Any]:
    """What a function comes to in the workloads that tell the known ones apart."""
    setups = [KERNEL.but(functions={"take_unbuddied": take}, workload=lines) for lines in telling()]
    return [["failed" if isinstance(one, Failed) else one for one in states(setup, placed)] for setup in setups]


@cache
def telling() -> list[list[str]]:
    """For each wrong function the shortest workload that shows it, and a longer one."""
    takes = {wrong for _, wrong in answers.WRONG.values() if wrong is not answers.take_unbuddied}
    found = [shortest(KERNEL, KERNEL.but(functions={"take_unbuddied": one}), UNITS, LONGEST, placed) for one in takes]
    return sorted([setup.lines() for setup in found if setup] + [LONG])


def last_of(kernel: Setup, mine: Setup) -> tuple[str, str]:
    """Where the last object went in both, in words; and what rule is broken, if one is."""
    own, right = states(mine.but(workload=kernel.workload), placed)[-1], states(kernel, placed)[-1]
    if isinstance(own, Failed):
        return "", f"After this the backend is broken: {own}."
    return f"(Chunks of each page: yours {own}, the kernel's {right}.)", ""


# -- by hand -----------------------------------------------------------------------------------------------

ALONE = "alone"
ALIKE = ((3, 4), (5, 53), (6, 10), (33, 58), (0, 41), (29, 30), (11, 63), (9, 40))  # pages of as many chunks


class Beside(Watcher):
    """Says of each page-out beside which page the object lies."""

    def take(self, line: str) -> Reply:
        super().take(line)
        verb, number = line.split()[:2]
        return self.beside(int(number)) if verb == "page_out" else ()

    def beside(self, page: int) -> Reply:
        machine = self.machine
        entries = machine.zswap.trees[0].entries
        handle = entries[machine.slots[page]].handle
        others = [other for other, slot in machine.slots.items() if slot in entries and other != page]
        return tuple(other for other in others if entries[machine.slots[other]].handle.page is handle.page) or ALONE


class WhereItGoes(Rows):
    """04.2: objects come and go; beside which page does each lie?"""

    watcher = Beside
    words = (ALONE,)
    turns = ("oldest-of-list", "no-header", "usable-64", "lowest-page")
    machine: ClassVar[Mapping[str, Any]] = {"stage": "base", "ram_pages": 100, "swap_pages": SWAP_PAGES}
    own: ClassVar[Mapping[str, Own]] = {
        "no-header": Own(out(3, 56), {"fill_entry": (("pool.header_bytes + len(data)", "len(data)"),)}),
        "usable-64": Own(out(25, 205), {
            "Zbud.take_unbuddied": (("self.filled >> chunks << chunks", "self.filled >> chunks - 1 << chunks - 1"),),
        }),
        "worst-fit": Own(out(25, 205, 2), {
            "Zbud.take_unbuddied": (("first = fitting & -fitting", "first = 1 << fitting.bit_length() - 1"),),
        }),
    }  # fmt: skip

    def spoken(self, reply: Reply | None) -> str:
        """A reply in words."""
        return f"beside {', '.join(map(str, reply))}" if isinstance(reply, tuple) else f'"{reply}"'

    def drawn(self, dice: Random) -> Iterator[Row]:
        pages = [page for pair in dice.sample(ALIKE, 3) for page in pair]
        pages += dice.sample([page for page in range(60) if page not in pages], 4)
        dice.shuffle(pages)
        kept: list[int] = []
        for number in range(13):
            if pages and (number < 4 or dice.random() < 0.7):
                kept.append(pages.pop())
                yield f"write {kept[-1]}", f"page_out {kept[-1]}"
            elif kept:
                yield (f"free {kept.pop(dice.randrange(len(kept)))}",)

    def is_asked(self, row: Row) -> bool:
        return not row[-1].startswith("free")

    def is_good(self, kernel: list[Reply]) -> bool:
        """Not too many that are alone."""
        return len(kernel) >= 8 and sum(reply != ALONE for reply in kernel) >= 3


VARIANTS: dict[str, type[Variant]] = {"04.1": Placement, "04.2": WhereItGoes}
