"""The exercises of notebook 08: reports and remedies."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from random import Random
from typing import Any, ClassVar, NamedTuple

from ...run.setup import SWAP_PAGES, Setup
from ...trace.shipped import data_dir
from ..answers import notebook08
from ..misconceptions import out
from ..variant import Feedback, Malformed, Variant, Verdict
from .code import Function, Kernels, like
from .rows import short

FIELDS = {32: "refcount", 36: "length", 40: "pool", 48: "handle", 56: "objcg", 64: "next", 72: "prev"}
SAME, OTHER = "same", "other"
CONSOLES = ("first-load-x1p2", "uaf-x1p1-zbud", "race-v3p4x2-zsmalloc-head", "race-x1p2fixA-zbud", "race-x1p2fixB-zbud")
SHOWN = 8  # frames of a stack
PARTS = ("the fields", "who dropped the last reference", "who freed it")
Given = tuple[str, str, str]


class Report(NamedTuple):
    """One report of KASAN: where it stands, who touched what, who allocated and who freed it."""

    console: str
    head: str
    access: str
    size: int
    offset: int
    task: str
    allocated: str
    freed: str
    stack: tuple[str, ...]  # of the free, innermost first

    @property
    def dropped(self) -> str:
        """The function that called zswap_entry_put."""
        return self.stack[self.stack.index("zswap_entry_put") + 1]

    @property
    def answer(self) -> Given:
        return FIELDS[self.offset], self.dropped, SAME if self.task == self.freed else OTHER

    @property
    def text(self) -> str:
        """What of it counts, as the console has it."""
        return "\n".join([
            f"BUG: KASAN: {self.head}", f"{self.access} of size {self.size} by task {self.task}", "",
            f"Allocated by task {self.allocated}", f"Freed by task {self.freed}:", *(f" {name}" for name in self.stack),
            "",
            f"The buggy address is located {self.offset} bytes inside of freed 80-byte region",
        ])  # fmt: skip


class FourReports(Variant):
    """08.2: what four reports say."""

    def draw(self) -> None:
        """Four whose answers differ, at least one of a race."""
        known = list(reports())
        dice = Random(f"{self.task.id} {self.seed}")
        while True:
            self.reports = [reports()[answer] for answer in dice.sample(known, 4)]
            droppers, who = ({report.answer[place] for report in self.reports} for place in (1, 2))
            if len(droppers) == len(who) == 2:
                return

    def shown(self) -> dict[str, object]:
        texts = (f"**{number}.**\n\n```text\n{report.text}\n```" for number, report in enumerate(self.reports, start=1))
        return {"reports": "\n\n".join(texts)}

    def reference(self) -> list[Given]:
        return [report.answer for report in self.reports]

    def wrong(self) -> Mapping[str, Any]:
        found = {name: [tuple(made(report)) for report in self.reports] for name, made in MISTAKES.items()}
        return {name: answer for name, answer in found.items() if answer != self.reference()}

    def judge(self, answer: Any) -> Verdict:
        given = self.read(answer)
        right = self.reference()
        if given == right:
            return self.right()
        points = {}
        for place, (name, of) in enumerate(self.task.rubric.items()):
            agree = sum(mine[place] == theirs[place] for mine, theirs in zip(given, right, strict=True))
            points[name] = round(of * agree / len(right), 3)
        number, place = self.differing(given)[0]
        belief = self.belief(given)
        example = f"Look at report {number + 1} again, at {PARTS[place]}: you say {given[number][place]!r}."
        contract = "" if belief else "One of these is not what the report says."
        return self.mistake(belief, Feedback(contract, example), points)

    def belief(self, given: list[Given]) -> str:
        """The mistake that agrees with the answer wherever that is not right."""
        for name, made in MISTAKES.items():
            wrong = [made(report) for report in self.reports]
            if all(given[row][place] == wrong[row][place] for row, place in self.differing(given)):
                return name
        return ""

    def differing(self, given: list[Given]) -> list[tuple[int, int]]:
        """Report and part of each that is not right."""
        cells = ((row, place) for row in range(4) for place in range(3))
        return [(row, place) for row, place in cells if given[row][place] != self.reports[row].answer[place]]

    def read(self, answer: Any) -> list[Given]:
        """Four times three texts. Raises Malformed."""
        if not isinstance(answer, (list, tuple)) or len(answer) != 4:
            raise Malformed(f"answer is {short(answer)}: give a list with four entries, one for each report.")
        found = []
        for number, row in enumerate(answer, start=1):
            if not isinstance(row, (list, tuple)) or len(row) != 3 or not all(isinstance(one, str) for one in row):
                raise Malformed(f'Entry {number} is {short(row)}: give three texts: ("pool", "zswap_store", "same").')
            field, function, who = (one.strip() for one in row)
            field = {"lru.next": "next", "lru.prev": "prev"}.get(field, field)
            if field not in FIELDS.values():
                known = ", ".join(FIELDS.values())
                raise Malformed(f"Entry {number}: {field!r} is no field of the entry; those are {known}.")
            if who not in (SAME, OTHER):
                raise Malformed(f'Entry {number}: the third is {who!r}: give "same" or "other".')
            found.append((field, function.removesuffix("()"), who))
        return found


def same(one: str, other: str) -> str:
    return SAME if one == other else OTHER


def wide(size: int) -> str:
    """The first field of that size, as somebody finds it who looks at the size alone."""
    return {4: "refcount", 8: "pool"}[size]


MISTAKES: dict[str, Callable[[Report], Given]] = {
    "frees-not-drops": lambda report: (report.answer[0], "zswap_free_entry", report.answer[2]),
    "allocated-not-freed": lambda report: (
        report.answer[0], report.dropped, same(report.task, report.allocated)),
    "size-not-offset": lambda report: (wide(report.size), report.dropped, report.answer[2]),
    "next-for-prev": lambda report: (
        {"next": "prev", "prev": "next"}.get(report.answer[0], report.answer[0]), report.dropped, report.answer[2]),
    "outermost-caller": lambda report: (report.answer[0], "zswap_frontswap_load", report.answer[2]),
}  # fmt: skip


@cache
def reports() -> dict[Given, Report]:
    """Of each answer that there is one report, from the shipped consoles."""
    found: dict[Given, Report] = {}
    for console in CONSOLES:
        text = (data_dir() / "consoles" / f"{console}.txt").read_text(encoding="utf-8", errors="replace")
        for block in text.split("BUG: KASAN: ")[1:]:
            report = report_of(console, block)
            if report:
                found.setdefault(report.answer, report)
    return found


def report_of(console: str, block: str) -> Report | None:
    """A report from the text that follows its title; None where it is not whole."""
    who = re.search(r"(Read|Write) of size (\d+) at addr \S+ by task \S+/(\d+)", block)
    allocated = re.search(r"Allocated by task (\d+):", block)
    freed = re.search(r"Freed by task (\d+):\n((?: .*\n)+)", block)
    inside = re.search(r"located (\d+) bytes inside", block)
    if not (who and allocated and freed and inside):
        return None
    names = [line.split("+")[0].strip() for line in freed[2].splitlines()]
    stack = tuple(name for name in names if "kasan" not in name)[:SHOWN]
    head = re.sub(r"\+0x\S+", "", block.partition("\n")[0])
    return Report(console, head, who[1], int(who[2]), int(inside[1]), who[3], allocated[1], freed[1], stack)


# -- the end of a load -------------------------------------------------------------------------------------

V65 = Setup("v6.5", compressor="lengths", swap_pages=SWAP_PAGES)
SYNCHRONOUS = V65.but(device="synchronous", workload=out(3))


class LoadEnd(Kernels):
    """08.1: an order of put, invalidate and move that fails in none of four set-ups."""

    answers = notebook08
    asks: ClassVar[Mapping[str, Function]] = {name: like(name) for name in ("load_end", "invalidate_entry")}
    kernels: Sequence[Setup] = (V65, V65.but(exclusive_loads="fixed"))
    units: Sequence[Sequence[str]] = (["read 0"], ["page_out 0"], ["free 0"], ["worker"], out(0), out(1))
    longer: Sequence[Sequence[str]] = ([*out(0, 1), "read 0", "worker"],)
    cases: Sequence[Setup] = (
        SYNCHRONOUS.but(cpus=["read 3", "read 3", "free 3"]),
        SYNCHRONOUS.but(cpus=["read 3", "read 3"], exclusive_loads="fixed"),
    )
    spared = ("DataLost",)
    runs = ("f65-zbud-exact-on",)


VARIANTS: dict[str, type[Variant]] = {"08.1": LoadEnd, "08.2": FourReports}
