"""The exercises of notebook 03: full."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Mapping, Sequence
from functools import cache
from numbers import Integral
from random import Random
from typing import Any, ClassVar, NamedTuple

from ...run.setup import SWAP_PAGES, Setup
from ...trace.shipped import find_run
from ..answers import notebook03
from ..misconceptions import out
from ..variant import Feedback, Malformed, Variant, Verdict
from .code import Function, Kernels, like
from .rows import short

SMALL: dict[str, Any] = {"compressor": "lengths", "ram_pages": 10, "worker_failures": 2, "swap_pages": SWAP_PAGES}


class Worker(Kernels):
    """03.1: the loop of the shrink worker."""

    answers = notebook03
    asks: ClassVar[Mapping[str, Function]] = {"shrink_worker": like("shrink_worker")}
    kernels: Sequence[Setup] = (Setup("v6.5", **SMALL), Setup("base", **SMALL))
    units: Sequence[Sequence[str]] = (["worker"], ["read 5"], out(5), out(6), out(10))
    longest = 5
    longer: Sequence[Sequence[str]] = (
        [*out(5), "read 5", *out(6), "worker"], [*out(5, 6, 10), "worker"], [*out(5), "read 5", *out(6, 10), "worker"],
    )
    runs = ("base-zbud-overflow",)


# -- why stores are refused ----------------------------------------------------------------------------------

RUN = "61-zsmalloc-lzo"
LIMIT, WAITS, PAGE = "above the limit", "waits for the threshold", "the page itself"
MEMORY = -12  # -ENOMEM
MOST = 40_000  # of seq, in one window


class Store(NamedTuple):
    """A store of the recording: its row's first and last place, what it returned, the counter of hits after it."""

    seq: int
    seq_end: int
    ret: int
    limit_hit: int
    hit: bool


@cache
def stores() -> list[Store]:
    """Every store of the recording, in the order of their ends."""
    with gzip.open(find_run(RUN) / "trace.csv.gz", "rt", encoding="utf-8", newline="") as rows:
        found = [row for row in csv.DictReader(rows) if row["op"] == "store"]
    found.sort(key=lambda row: int(row["seq_end"]))
    listed, before = [], 0
    for row in found:
        hits = int(row["limit_hit"])
        listed.append(Store(int(row["seq"]), int(row["seq_end"]), int(row["ret"]), hits, hits > before))
        before = hits
    return listed


class WhyRefused(Variant):
    """03.2: of the stores in a window of a recording, how many were refused for what."""

    def draw(self) -> None:
        """A window in which each reason is there."""
        ends = [one.seq_end for one in stores()]
        for number in range(1000):
            dice = Random(f"{self.task.id} {self.seed} {number}")
            self.first = dice.randrange(ends[0], ends[-1] - MOST)
            self.last = self.first + dice.randrange(MOST // 2, MOST)
            self.window = [one for one in stores() if self.first <= one.seq_end <= self.last]
            if min(self.reference().values()) > 10:
                return
        raise ValueError(f"no window for seed {self.seed}")

    def shown(self) -> dict[str, object]:
        return {"first": self.first, "last": self.last, "run": RUN}

    def reference(self) -> dict[str, int]:
        return reasons(self.window)

    def wrong(self) -> Mapping[str, Any]:
        right, window = self.reference(), self.window
        return {
            "all-for-the-limit": {**right, LIMIT: right[LIMIT] + right[WAITS], WAITS: 0},
            "counter-not-growth": {**right, LIMIT: window[-1].limit_hit},
            "page-forgotten": {**right, PAGE: 0},
            "kinds-swapped": {LIMIT: right[WAITS], WAITS: right[LIMIT], PAGE: right[PAGE]},
            "whole-recording": all_reasons(),
        }  # fmt: skip

    def judge(self, answer: Any) -> Verdict:
        right = self.reference()
        if not isinstance(answer, Mapping) or set(answer) != set(right):
            raise Malformed(f"answer is {short(answer)}: give a number for each of {', '.join(map(repr, right))}.")
        for name, number in answer.items():
            if number is ...:
                raise Malformed(f"There is no number yet for {name!r}.")
            if not isinstance(number, Integral) or isinstance(number, bool):  # also one of pandas
                raise Malformed(f"{name!r} is {short(number)}: give a whole number.")
        given = {name: int(answer[name]) for name in right}
        if given == right:
            return self.right()
        points = {name: of for name, of in self.task.rubric.items() if given[name] == right[name]}
        belief = next((name for name, wrong in self.wrong().items() if wrong == given), "")
        apart = next(name for name in right if given[name] != right[name])
        row = next(one for one in self.window if apart in reasons([one]) and reasons([one])[apart])
        example = f"Look at {apart!r}: you say {given[apart]:,}."
        told = f"The first row of that kind in your window ends at seq_end {row.seq_end:,}, with ret {row.ret}."
        return self.mistake(belief, Feedback("One of the numbers is not the recording's.", example, "", told), points)


@cache
def all_reasons() -> dict[str, int]:
    """Those of the whole recording."""
    return reasons(stores())


def reasons(found: Sequence[Store]) -> dict[str, int]:
    """How many stores were refused for what."""
    return {
        LIMIT: sum(one.ret == MEMORY and one.hit for one in found),
        WAITS: sum(one.ret == MEMORY and not one.hit for one in found),
        PAGE: sum(one.ret not in (0, MEMORY) for one in found),
    }  # fmt: skip


VARIANTS: dict[str, type[Variant]] = {"03.1": Worker, "03.2": WhyRefused}
