"""The exercises of notebook 01: a page becomes an entry."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any, NamedTuple

from ...model.errors import choose, require
from ...model.freed import is_freed
from ...run.cpus import NAMES, packed
from ...run.session import Session
from ...run.setup import SWAP_PAGES, Setup
from ..misconceptions import MISCONCEPTIONS
from ..variant import Feedback, Malformed, Variant, Verdict
from .rows import Watcher, short

PARTED = {"page-out-stores": "page-out", "loads-take": "load", "freed-at-once": "give up"}
SHORTEST = "it is the shortest"
FEWEST = 5  # lines; a test finds no shorter workload
USED = 320  # a device with fewer slots has no slot cache


# -- tell them apart ---------------------------------------------------------------------------------------


def counted(setup: Setup) -> tuple[int, int]:
    """What zswap has counted at the end of a run: how many stores, how many entries that it has."""
    watcher, stores = Watcher(setup), 0
    for line in setup.lines():
        watcher.take(line)
        stores += watcher.seen.count(("store", 0))
    return stores, watcher.machine.zswap.counters.stored_pages


class TellApart(Variant):
    """01.1: the shortest workload that tells the kernel from three wrong models."""

    def draw(self) -> None:
        self.page = Random(f"{self.task.id} {self.seed}").randrange(2, 20)

    def shown(self) -> dict[str, object]:
        return {"page": self.page}

    def reference(self) -> list[str]:
        return [f"{verb} {self.page}" for verb in ("write", "page_out", "read", "page_out", "free")]

    def wrong(self) -> Mapping[str, Any]:
        page, right = self.page, self.reference()
        return {
            "resident-reads-only": [f"write {page}", f"read {page}", f"page_out {page}", f"free {page}"],
            "no-second-page-out": [*right[:3], right[4]],
            "small-device": {"workload": right, "swap_pages": SWAP_PAGES},
            "never-given-up": right[:4],
            "not-shortest": [right[0], f"read {page}", *right[1:]],
        }  # fmt: skip

    def judge(self, answer: Any) -> Verdict:
        setup = self.read(answer)
        kernel, missed = counted(setup), []
        points = {SHORTEST: 0.1}
        for name, criterion in PARTED.items():
            if counted(MISCONCEPTIONS[name].applied(setup)) == kernel:
                missed.append(name)
            else:
                points[criterion] = 0.3
        lines = setup.lines()
        if not missed and len(lines) == FEWEST:
            return self.right()
        points.pop(SHORTEST)
        if not missed:
            feedback = Feedback(example=f"Yours has {len(lines)} lines.")
            return self.mistake("not-shortest", feedback, points, setup=setup, step=0)
        wrong = MISCONCEPTIONS[missed[0]]
        both = f"{kernel[0]} {'store' if kernel[0] == 1 else 'stores'}, {kernel[1]} stored"
        example = f"The kernel and “{wrong.rule}” both end with {both}."
        told = "`play()` shows your workload."
        return self.mistake(self.why_not(missed[0], setup), Feedback("", example, told), points, setup=setup, step=0)

    def why_not(self, missed: str, setup: Setup) -> str:
        """Why a workload does not tell the kernel from a wrong model."""
        if missed == "page-out-stores":
            return "no-second-page-out" if self.has_load(setup) else "resident-reads-only"
        if missed == "loads-take":
            return "resident-reads-only"
        return "small-device" if setup.swap_pages <= USED else "never-given-up"

    def has_load(self, setup: Setup) -> bool:
        watcher, loads = Watcher(setup), 0
        for line in setup.lines():
            watcher.take(line)
            loads += watcher.seen.count(("load", 0))
        return loads > 0

    def read(self, answer: Any) -> Setup:
        """The run of an answer. Raises Malformed or BadInput."""
        given = dict(answer) if isinstance(answer, Mapping) else {"workload": answer}
        for name in given:
            choose("part of the answer", name, ("workload", "swap_pages"))
        lines = given.get("workload")
        if isinstance(lines, str) or not isinstance(lines, Sequence):
            raise Malformed(f'answer is {short(answer)}: give a list of lines, like ["write 3", "page_out 3"].')
        setup = Setup(compressor="lengths", **given)
        setup.machine()
        counted(setup)  # which refuses what cannot run
        return setup


# -- refcounts ---------------------------------------------------------------------------------------------


class Segment(NamedTuple):
    """A few steps of one CPU, and what is true of the entry after them."""

    cpu: str
    steps: int
    place: str
    refcount: int
    linked: bool
    listed: bool
    step: int


MODELS: dict[str, Callable[[Segment], int]] = {  # mistake -> the refcount after a segment
    "lru-holds-reference": lambda at: at.refcount + at.listed,
    "load-takes-none": lambda at: int(at.linked),
    "off-the-tree-is-gone": lambda at: at.refcount if at.linked else 0,
    "tree-not-counted": lambda at: at.refcount - at.linked,
}
TASKS = (("read", "free"), ("read", "read"), ("read", "read", "free"), ("read", "free", "read"))


class Refcounts(Variant):
    """01.2: the refcount of one entry, while two or three CPUs go on step by step."""

    criterion = "refcounts, up to the first that is not right"

    def draw(self) -> None:
        """A schedule in which the mistakes part and nothing fails."""
        number = 0
        while True:
            dice = Random(f"{self.task.id} {self.seed} {number}")
            self.follow(dice)
            counts = [at.refcount for at in self.segments]
            given = {tuple(model(at) for at in self.segments) for model in MODELS.values()}
            if 7 <= len(counts) <= 11 and len({tuple(counts), *given}) == 5 and 0 in counts and 2 in counts:
                return
            number += 1

    def follow(self, dice: Random) -> None:
        """Take steps as chance has it, a few of a CPU at a time."""
        page = dice.randrange(2, 20)
        cpus = [f"{verb} {page}" for verb in dice.choice(TASKS)]
        workload = [f"write {page}", f"page_out {page}"]
        setup = Setup(
            "v6.5", device="synchronous", compressor="lengths", workload=workload, cpus=cpus, swap_pages=SWAP_PAGES
        )
        session = Session(setup)
        while not session.together:
            session.step()
        entry = next(iter(session.machine.zswap.trees[0].entries.values()))
        self.segments: list[Segment] = []
        before = session.moments
        while ready := session.ready():
            cpu, steps = dice.choice(ready), 0
            for _ in range(dice.randint(2, 6)):
                moment = session.step(cpu)
                steps += 1
                if cpu not in session.ready():
                    break
            self.segments.append(segment_of(session, cpu, steps, moment, entry))
        self.page, self.before = page, before
        self.setup = setup.but(schedule=packed(session.cpus.taken))

    def shown(self) -> dict[str, object]:
        lines = [f"{number}. {in_words(at)}" for number, at in enumerate(self.segments, start=1)]
        cpus = " and ".join(f"CPU {NAMES[cpu]} does `{task}`" for cpu, task in enumerate(self.setup.cpus))
        gaps = "\n".join(f"    ...,  # {line}" for line in lines)
        return {"page": self.page, "cpus": cpus, "lines": "\n".join(lines), "gaps": gaps.replace("`", "")}

    def reference(self) -> list[int]:
        return [at.refcount for at in self.segments]

    def wrong(self) -> Mapping[str, Any]:
        return {name: [model(at) for at in self.segments] for name, model in MODELS.items()}

    def judge(self, answer: Any) -> Verdict:
        given, right = self.read(answer), self.reference()
        if given == right:
            return self.right()
        at = agreeing(given, right)
        points = {self.criterion: round(at / len(right), 3)}
        if given[at] is None:
            return self.verdict("partly right" if at else "wrong", f"Go on with line {at + 1}.", points)
        agree = {name: agreeing(given, wrong) for name, wrong in self.wrong().items()}
        best = max(agree, key=lambda name: agree[name])
        belief = best if agree[best] > at else ""
        contract = "A reference is taken by whoever keeps a pointer to the entry, and put when it is needed no more."
        example = f"Line {at + 1}, {in_words(self.segments[at])}: you say {given[at]}, the kernel {right[at]}."
        told = "`play()` shows the run from there."
        feedback = Feedback(contract, example, told)
        return self.mistake(belief, feedback, points, setup=self.setup, step=self.segments[at].step)

    def read(self, answer: Any) -> list[int | None]:
        """A number for each segment, None where there is none yet. Raises Malformed or BadInput."""
        if not isinstance(answer, (list, tuple)) or len(answer) > len(self.segments):
            raise Malformed(f"answer is {short(answer)}: give a list with {len(self.segments)} numbers.")
        found = [None if one in (..., None) else one for one in answer]
        for number, one in enumerate(found, start=1):
            if one is not None:
                require(f"entry {number}", one, 0, 20, "references")
        return found + [None] * (len(self.segments) - len(found))


def agreeing(one: Sequence[int | None], other: Sequence[int | None]) -> int:
    """How many numbers agree before the first that does not."""
    pairs = zip(one, other, strict=True)
    return next((place for place, (mine, theirs) in enumerate(pairs) if mine != theirs), len(one))


def segment_of(session: Session, cpu: int, steps: int, moment: Any, entry: Any) -> Segment:
    """What is true once a CPU has taken some steps."""
    place = "its end"
    if not session.cpus.finished(cpu):
        number, row = moment.stack[-1]
        source = session.sources[number]
        place = f"`{source['lines'][row].strip()}` in {source['function']}"
    freed = is_freed(entry)
    linked = not freed and entry.linked
    return Segment(
        NAMES[cpu], steps, place, 0 if freed else entry.refcount, linked,
        not freed and entry in list(session.machine.zswap.pool.lru), session.moments - 1,
    )  # fmt: skip


def in_words(at: Segment) -> str:
    """A segment in words."""
    return f"CPU {at.cpu} takes {at.steps} {'step' if at.steps == 1 else 'steps'}, to {at.place}"


VARIANTS: dict[str, type[Variant]] = {"01.1": TellApart, "01.2": Refcounts}
