"""The exercises of notebook 10: races."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from itertools import pairwise
from random import Random
from typing import Any, ClassVar, NamedTuple

from ...model.errors import choose
from ...model.source import diff
from ...model.stages import STAGES
from ...run.setup import SWAP_PAGES, Setup
from ..answers import notebook10
from ..misconceptions import out
from ..variant import Feedback, Malformed, Variant, Verdict
from .code import Function, Kernels, like
from .rows import short

V65 = Setup("v6.5", compressor="lengths", swap_pages=SWAP_PAGES, worker_failures=2)
ONE_SLOT = V65.but(swap_pages=2, workload=["write 3", "page_out 3", "write 4"])


class Verify(Kernels):
    """10.1: what a reclaim has to look at before it writes an entry."""

    answers = notebook10
    asks: ClassVar[Mapping[str, Function]] = {"reclaim_entry": like("reclaim_entry")}
    kernels: Sequence[Setup] = (V65,)
    units: Sequence[Sequence[str]] = (["worker"], ["read 0"], ["free 0"], out(0), out(1))
    longer: Sequence[Sequence[str]] = ([*out(0), "read 0", *out(1), "worker"],)
    cases: Sequence[Setup] = (
        ONE_SLOT.but(cpus=["worker", "free 3; page_out 4"]), V65.but(workload=out(3), cpus=["worker", "free 3"]),
    )
    spared = ("Leak",)  # 6.5 strands a frame where the slot was recycled
    runs = ("f65-zsmalloc-overflow-on",)


# -- diffs -----------------------------------------------------------------------------------------------------

SERIES = ("v6.1", "v6.4", "base", "1", "2", "3", "4", "5", "6", "7", "v6.5")
FUNCTIONS = (
    "writeback_entry", "write_out", "store", "shrink_worker", "load_end", "shrink", "free_entry", "move_to_head",
    "free", "malloc", "on_lru", "reclaim_entry", "reclaim_end", "invalidate_entry",
)  # fmt: skip
APPLIED, REVERTED = "applied", "reverted"
PARTS = ("which change", "which way")
Given = tuple[str, str]


class Change(NamedTuple):
    """What one function of the model becomes from a stage to the next, or the other way."""

    function: str
    older: str
    newer: str
    way: str

    @property
    def text(self) -> str:
        stages = (self.older, self.newer) if self.way == APPLIED else (self.newer, self.older)
        return "\n".join(diff(self.function, *stages).splitlines()[2:])


@cache
def changes() -> list[Change]:
    """Every difference between a stage and the next."""
    pairs = pairwise(SERIES)
    tried = [Change(function, *pair, APPLIED) for pair in pairs for function in FUNCTIONS]
    return [change for change in tried if change.text]


class FourDiffs(Variant):
    """10.2: four differences, and of which change they are."""

    def draw(self) -> None:
        """Four of different changes, some reverted and some not."""
        dice = Random(f"{self.task.id} {self.seed}")
        while True:
            drawn = [one._replace(way=dice.choice((APPLIED, REVERTED))) for one in dice.sample(changes(), 4)]
            if len({one.newer for one in drawn}) == 4 and len({one.way for one in drawn}) == 2:
                self.changes = drawn
                return

    def shown(self) -> dict[str, object]:
        texts = (f"**{number}.**\n\n```diff\n{one.text}\n```" for number, one in enumerate(self.changes, start=1))
        names = sorted({one.newer for one in changes()}, key=SERIES.index)
        menu = "\n".join(f'- `"{name}"`: {STAGES[name].title}' for name in names)
        return {"diffs": "\n\n".join(texts), "menu": menu}

    def reference(self) -> list[Given]:
        return [(one.newer, one.way) for one in self.changes]

    def wrong(self) -> Mapping[str, Any]:
        return {name: [made(one) for one in self.changes] for name, made in MISTAKES.items()}

    def judge(self, answer: Any) -> Verdict:
        given, right = self.read(answer), self.reference()
        if given == right:
            return self.right()
        points = {}
        for place, (name, of) in enumerate(self.task.rubric.items()):
            agree = sum(mine[place] == theirs[place] for mine, theirs in zip(given, right, strict=True))
            points[name] = round(of * agree / len(right), 3)
        apart = [(row, place) for row in range(4) for place in range(2) if given[row][place] != right[row][place]]
        wrong = self.wrong()
        belief = next((name for name in wrong if all(wrong[name][row][at] == given[row][at] for row, at in apart)), "")
        row, place = apart[0]
        example = f"Look at diff {row + 1} again, at {PARTS[place]}: you say {given[row][place]!r}."
        return self.mistake(belief, Feedback("One of these is another change.", example), points)

    def read(self, answer: Any) -> list[Given]:
        """Four times a stage and a way. Raises Malformed or BadInput."""
        if not isinstance(answer, (list, tuple)) or len(answer) != 4:
            raise Malformed(f"answer is {short(answer)}: give a list with four entries, one for each diff.")
        found = []
        for number, row in enumerate(answer, start=1):
            if not isinstance(row, (list, tuple)) or len(row) != 2 or ... in row:
                raise Malformed(f'Entry {number} is {short(row)}: give two texts, like ("5", "applied").')
            choose(f"entry {number}: change", str(row[0]), SERIES)
            choose(f"entry {number}: way", row[1], (APPLIED, REVERTED))
            found.append((str(row[0]), str(row[1])))
        return found


MISTAKES: dict[str, Callable[[Change], Given]] = {
    "older-of-two": lambda one: (one.older, one.way),
    "all-applied": lambda one: (one.newer, APPLIED),
    "signs-swapped": lambda one: (one.newer, REVERTED if one.way == APPLIED else APPLIED),
}  # fmt: skip
VARIANTS: dict[str, type[Variant]] = {"10.1": Verify, "10.2": FourDiffs}
