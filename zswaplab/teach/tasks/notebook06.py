"""The exercises of notebook 06: patch 1."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from random import Random
from typing import Any, ClassVar

from ...model.errors import BadInput, choose
from ...run.cpus import tasks_of, unpacked
from ...run.history import record
from ...run.search import explore
from ...run.setup import SWAP_PAGES, Setup
from ..evidence import followed
from ..variant import Feedback, Malformed, Variant, Verdict
from .rows import Reply, Row, Rows, short

PARTS = ("device", "cpus", "schedule")


class BreakPatchOne(Variant):
    """06.1: the shortest schedule along which base survives and patch 1 does not."""

    def draw(self) -> None:
        dice = Random(f"{self.task.id} {self.seed}")
        self.page, self.stage = dice.randrange(2, 20), dice.choice(("1", "rfc2-1"))

    def shown(self) -> dict[str, object]:
        return {"page": self.page}

    def reference(self) -> dict[str, Any]:
        cpus = [f"read {self.page}", f"free {self.page}"]
        return {"device": "synchronous", "cpus": cpus, "schedule": breaking(self.stage)}

    def wrong(self) -> Mapping[str, Any]:
        right, page = self.reference(), self.page
        return {
            "ordinary-device": {**right, "device": "ordinary", "schedule": "a7b"},
            "one-cpu": {**right, "cpus": [f"read {page}; free {page}"], "schedule": "a"},
            "exclusive-on": {**right, "exclusive_loads": "on"},
            "not-shortest": {**right, "cpus": [f"read {page}"] * 2, "schedule": breaking(self.stage, "read 3")},
            "does-not-fail": {**right, "schedule": "b3"},
            "base-fails": {**right, "cpus": ["worker", f"write {page}; page_out {page}"], "schedule": "ab16a2"},
        }  # fmt: skip

    def judge(self, answer: Any) -> Verdict:
        given = self.read(answer)
        if given.pop("exclusive_loads", "off") != "off":
            return self.mistake("exclusive-on", Feedback())
        schedule = given.pop("schedule")
        workload = [f"write {self.page}", f"page_out {self.page}"]
        asked = Setup(self.stage, workload=workload, swap_pages=SWAP_PAGES, **given)
        patched, base = followed(asked, schedule), followed(asked.but(stage="base"), schedule, strict=False)
        history = record(patched)
        seen: dict[str, Any] = {"setup": patched, "step": len(history) - 1}
        if history.fault is None:
            told = "`play()` shows your schedule step by step."
            return self.mistake(self.why_not(patched), Feedback(shortest=told), **seen)
        found = {"patch 1 fails": 0.4}
        if fault := record(base).fault:
            seen = {"setup": base, "step": len(record(base)) - 1}
            return self.mistake("base-fails", Feedback(example=f"What base meets: {fault}."), found, **seen)
        found["base does not"] = 0.4
        if len(taken(patched)) > len(taken(asked.but(cpus=["read 3", "free 3"], schedule=breaking(self.stage)))):
            steps = f"It takes {len(taken(patched))} steps. `play()` shows it: who of the two is not needed that long?"
            return self.mistake("not-shortest", Feedback(shortest=steps), found, **seen)
        return self.right()

    def why_not(self, setup: Setup) -> str:
        """Why nothing fails along a schedule."""
        if len(setup.cpus) == 1:
            return "one-cpu"
        return "ordinary-device" if setup.device == "ordinary" else "does-not-fail"

    def read(self, answer: Any) -> dict[str, Any]:
        """The parts of an answer. Raises Malformed."""
        if not isinstance(answer, Mapping):
            raise Malformed(f'answer is {short(answer)}: give {{"device": ..., "cpus": [...], "schedule": ...}}.')
        for name in answer:
            choose("part of the answer", name, [*PARTS, "exclusive_loads"])
        for name in PARTS:
            if answer.get(name) in (None, ..., [...]):
                raise Malformed(f"There is no {name} yet: put one in the place of `...`.")
        pages = {number for task in tasks_of(answer["cpus"]) for text in task for number in text.split()[1:2]}
        if others := pages - {str(self.page)}:
            raise Malformed(f"Here only page {self.page} is there, and your CPUs use {' and '.join(sorted(others))}.")
        if not isinstance(answer["schedule"], str):
            raise Malformed(f"schedule is {short(answer['schedule'])}: give a text, like \"a5b3a\".")
        return dict(answer)


def taken(setup: Setup) -> list[int]:
    """The steps of a schedule, one by one."""
    return unpacked(setup.schedule or "", len(setup.cpus))


@cache
def breaking(stage: str, other: str = "free 3") -> str:
    """The shortest failing schedule of a read beside that, on a synchronous device."""
    found = explore(stage=stage, device="synchronous", cpus=["read 3", other])
    if found.schedule is None:
        raise BadInput(f"nothing fails at stage {stage}")
    return found.schedule


class WhichLeaves(Rows):
    """06.2: stores, loads and reclaim by zswap's LRU, by hand."""

    turns = ("loads-move-nothing", "resident-reads-count")
    machine: ClassVar[Mapping[str, Any]] = {"stage": "2", "ram_pages": 15, "accept_threshold_percent": 100}

    def drawn(self, dice: Random) -> Iterator[Row]:
        pages = dice.sample(range(20), 10)
        out: list[int] = []
        resident: list[int] = []
        for number in range(13):
            what = dice.choice(["new", "new", "read", "read", "again", "worker"] if number > 2 else ["new"])
            if what == "worker" and len(out) > 3:
                yield ("worker",)
            elif what == "read" and resident + out:
                page = dice.choice(resident + out)
                yield (f"read {page}",)
                resident = sorted({*resident, page})
                out = [one for one in out if one != page]
            elif what == "again" and resident:
                page = dice.choice(resident)
                yield (f"page_out {page}",)
                resident.remove(page)
                out.append(page)
            elif pages:
                page = pages.pop()
                yield f"write {page}", f"page_out {page}"
                out.append(page)

    def is_good(self, kernel: list[Reply]) -> bool:
        """At least one is refused, one clean, one written back, one found in RAM or on the disk."""
        lists = [reply for reply in kernel if isinstance(reply, tuple) and reply]
        words = set(kernel) - set(lists)
        return len(lists) >= 2 and {"clean", "zswap"} <= words and bool({"disk", "RAM"} & words)


VARIANTS: dict[str, type[Variant]] = {"06.1": BreakPatchOne, "06.2": WhichLeaves}
