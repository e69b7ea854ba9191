"""Conformance: does the model decide, operation by operation, as the recorded kernel did?"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..model.errors import BadInput
from .explain import replay_in_order
from .findings import Problem
from .read import Row, read, read_head
from .shipped import find_run
from .trust import doubts
from .variants import machine_for

if TYPE_CHECKING:
    from concurrent.futures import Executor

    import pandas

CLASSES = ("agrees", "order inferred", "not determined", "disagrees")


@dataclass
class Verdict:
    """How one recording compares: for each kind of operation how many are of each class.

    `problems` lists what disagreed, as (row, what, recorded, model), in the recording's order;
    `inferred` the rows whose order was chosen; `reasons` how often each reason was given; `around` the rows
    before and after the first problem. `doubts` are what the recorder's own checks found amiss (events lost, say):
    what is said of such a recording is worth little.
    """

    run: str
    stage: str
    counts: dict[str, Counter[str]]
    problems: list[Problem]
    inferred: list[Row]
    reasons: Counter[str]
    seconds: float
    around: list[Row] = field(repr=False)
    doubts: list[str] = field(default_factory=list)

    @property
    def agrees(self) -> bool:
        """True if no operation disagrees."""
        return not self.problems

    @property
    def operations(self) -> int:
        return sum(sum(classes.values()) for classes in self.counts.values())

    def total(self, kind: str) -> int:
        """Operations of one class, over all kinds."""
        return sum(classes[kind] for classes in self.counts.values())

    def table(self) -> pandas.DataFrame:
        """Operations by kind and class."""
        import pandas

        rows = {op: {kind: classes[kind] for kind in CLASSES} for op, classes in self.counts.items()}
        return pandas.DataFrame.from_dict(rows, orient="index", columns=list(CLASSES)).rename_axis("operation")

    def text(self) -> str:
        """The verdict for a terminal: the table, why, and the first disagreement with its surroundings."""
        lines = [f"{self.run}  (held against stage {self.stage})", ""]
        if self.doubts:
            lines += ["do not trust this recording: its recorder's own checks (checks in counters.json) found"]
            lines += [*(f"  {doubt}" for doubt in self.doubts), "what disagrees may come of that; record it again", ""]
        lines.append(f"{'':16}" + "".join(f"{kind:>16}" for kind in CLASSES))
        for op, classes in self.counts.items():
            lines.append(f"{op:16}" + "".join(f"{classes[kind] or '·':>16}" for kind in CLASSES))
        lines.append(f"{'all':16}" + "".join(f"{self.total(kind) or '·':>16}" for kind in CLASSES))
        for reason, count in self.reasons.most_common():
            lines.append(f"  {count} × {reason}")
        if self.inferred:
            named = ", ".join(f"{row.op} at line {row.line}" for row in self.inferred[:8])
            lines.append(f"  order inferred: {named}{', …' if len(self.inferred) > 8 else ''}")
        if not self.agrees:
            columns = Counter(what if what.isidentifier() else "order of steps" for _, what, *_ in self.problems)
            apart = ", ".join(f"{name} {count:,}" for name, count in columns.most_common())
            lines += [f"  what disagrees: {apart}", "", self.first_problem()]
        lines.append("")
        return "\n".join(lines)

    def first_problem(self) -> str:
        """The first disagreement and the recording's rows around it."""
        row, what, recorded, model = self.problems[0]
        told = what.isidentifier() and (recorded, model) != (None, None)  # else `what` is a sentence that says it
        said = f"recorded {recorded!r}, model {model!r}" if told else ""
        place = f"{row.op} at line {row.line} (seq {row.seq}..{row.seq_end})"
        lines = [f"first disagreement: {place}: {what} {said}".rstrip()]
        for near in self.around:
            shown = " ".join(f"{name}={near.cells[name]}" for name in _SHOWN if name in near.cells)
            lines.append(f"  {'>' if near.line == row.line else ' '} {near.line:>7}  {near.op:14} {shown}")
        return "\n".join(lines)

    def as_json(self) -> dict[str, Any]:
        """The verdict as plain data."""
        return {
            "run": self.run, "stage": self.stage, "agrees": self.agrees, "operations": self.operations,
            "classes": {kind: self.total(kind) for kind in CLASSES},
            "by operation": {op: dict(classes) for op, classes in self.counts.items()},
            "doubts": self.doubts, "reasons": dict(self.reasons), "order inferred": [row.line for row in self.inferred],
            "problems": [
                {"line": row.line, "operation": row.op, "what": what, "recorded": recorded, "model": repr(model)}
                for row, what, recorded, model in self.problems[:100]
            ],
            "seconds": round(self.seconds, 2),
        }  # fmt: skip

    def __repr__(self) -> str:
        word = "no operation disagrees" if self.agrees else f"{self.total('disagrees')} operations disagree"
        doubt = ", not to be trusted" if self.doubts else ""
        return f"<{self.run} against stage {self.stage}: {self.operations:,} operations, {word}{doubt}>"


_SHOWN = ("offset", "page", "length", "ret", "ok", "pool_pages", "stored_pages", "limit_hit", "written_back")


def conform(
    folder: str | Path, stage: str | None = None, progress: Callable[[int, int], None] | None = None
) -> Verdict:
    """Hold the model against a recording, a folder or a shipped one's name, in its kernel's stage or in `stage`.

    `progress(done, of)` is called now and then, at the end with both the same. Raises BadInput for a folder
    that is no recording, or a stage or kernel that is not known.

    >>> conform("f65-zbud-exact-on")
    <f65-zbud-exact-on against stage v6.5: 487 operations, no operation disagrees>
    >>> conform("f65-zbud-exact-on", stage="v6.4").first_problem().splitlines()[0]
    'first disagreement: store at line 66 (seq 65..73): alloc_size recorded 486, model 494'
    """
    if progress is not None and not callable(progress):
        raise BadInput(f"progress={progress!r} cannot be called: give a function of two numbers, or leave it out")
    started = time.perf_counter()
    recording = read(can_be_held(folder, stage))
    replay = replay_in_order(recording, stage, progress)
    if progress:
        progress(1, 1)
    findings = replay.findings
    counts: dict[str, Counter[str]] = {}
    for row in recording.rows:
        if row.line in findings.found:
            counts.setdefault(row.op, Counter())[findings.found[row.line]] += 1
    inferred = [row for row in recording.rows if findings.found.get(row.line) == "order inferred"]
    reasons = Counter(reason for line, reason in findings.reasons.items() if findings.found[line] != "disagrees")
    problems = sorted(findings.problems, key=lambda problem: problem[0].seq)
    around = _surroundings(recording.rows, problems[0][0]) if problems else []
    seconds = time.perf_counter() - started
    return Verdict(
        recording.name, replay.machine.stage.id, counts, problems, inferred, reasons, seconds, around,
        doubts(recording.settings),
    )  # fmt: skip


def _surroundings(rows: list[Row], row: Row) -> list[Row]:
    """The rows of the recording just before and after one."""
    index = next(index for index, other in enumerate(rows) if other.line == row.line)
    return rows[max(0, index - 5) : index + 4]


def conform_all(
    runs: Sequence[str | Path],
    stage: str | None = None,
    executor: Executor | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[Verdict]:
    """Hold the model against several recordings: a Verdict each, in the order of `runs`.

    `executor`, one of concurrent.futures, works on them side by side; without one they come one after the
    other. `progress` is told how many bytes of recordings are done, of how many. Raises BadInput, before any
    is worked on, if one cannot be held.
    """
    if isinstance(runs, str) or not isinstance(runs, Iterable):
        raise BadInput(f"runs={runs!r} is not a list: give several recordings, or one to conform()")
    folders = [can_be_held(run, stage) for run in runs]
    sizes = [_size_of(folder) for folder in folders]
    meter = _Meter(sum(sizes), progress)
    if executor is None:
        for folder, size in zip(folders, sizes, strict=True):
            yield conform(folder, stage, meter.part(size))
        return
    largest_first = sorted(range(len(folders)), key=lambda number: -sizes[number])
    futures = {number: executor.submit(conform, folders[number], stage) for number in largest_first}
    for number, future in futures.items():
        future.add_done_callback(lambda _, size=sizes[number]: meter.part(size)(1, 1))  # type: ignore[misc]
    try:
        for number in range(len(folders)):
            yield futures[number].result()
    finally:
        for future in futures.values():
            future.cancel()


def _size_of(folder: Path) -> int:
    """Bytes of a recording's rows, packed: how much work it is."""
    trace = folder / "trace.csv.gz"
    return trace.stat().st_size if trace.is_file() else 1


class _Meter:
    """Adds up the progress of recordings of different size."""

    def __init__(self, total: int, told: Callable[[int, int], None] | None) -> None:
        self.total = total
        self.done = 0
        self.told = told

    def part(self, size: int) -> Callable[[int, int], None]:
        """The progress of one recording of `size` bytes."""

        def show(done: int, of: int) -> None:
            if self.told:
                self.told(self.done + size * done // of, self.total)
            if done == of:
                self.done += size

        return show


def can_be_held(run: str | Path, stage: str | None = None) -> Path:
    """The folder of a run, if a stage models its kernel and backend: says so before the rows are read.

    Raises BadInput otherwise.
    """
    folder = find_run(run)
    machine_for(read_head(folder), stage)
    return folder
