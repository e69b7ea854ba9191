"""Replay: the model is fed what happened to a recorded kernel from outside, and must then decide as it did.

Each thread of the recording drives its own kernel function of the model. The recording's rows and
inner points are taken in their order; for each, that thread's function is advanced until it comes to
the same point, and what it did is compared. Nothing recorded is used to decide anything, but what `outside` feeds.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from dataclasses import replace
from typing import Any

from ..model.errors import Fault
from .compare import Comparison
from .cpus import OneCpu, SeveralCpus
from .drive import Disagreement, Drive
from .events import FUNCTIONS, INSTANTS, NESTED, PLACING, UNKNOWN, events
from .findings import Findings
from .nested import apart
from .outside import Outside
from .program import Input
from .read import Recording, Row
from .thread import Thread
from .variants import machine_for


class Replay:
    """One replay of a recording; `choices` as `Drive` has them."""

    def __init__(
        self, recording: Recording, stage: str | None = None, choices: dict[tuple[int, int], int] | None = None
    ) -> None:
        several = recording.parameters.get("cpus", 1) > 1
        self.recording = replace(recording, rows=apart(recording.rows))
        self.stage = stage
        self.choices = choices or {}
        self.machine = machine_for(recording, stage)
        self.findings = Findings()
        self.comparison = Comparison(self.recording, self.machine, self.findings, by_changes=several)
        self.drive = Drive(self.recording, self.machine, self.findings, self.comparison.placement, self.choices)
        self._outside = Outside(self.recording, self.drive, self.comparison)
        self._cpus = SeveralCpus(self.drive, self.comparison) if several else OneCpu()
        self._has_points = "submitted" in self.drive.vocabulary
        self._latest = recording.rows[0]

    @property
    def program(self) -> list[Input]:
        """What was fed to the model, in order: see `program`."""
        return self.drive.program

    # -- the recording's events, in order ------------------------------------------------------

    def run(
        self, stop_at: int | None = None, known: Container[tuple[int, str]] = (),
        progress: Callable[[int, int], None] | None = None,
    ) -> Replay:  # fmt: skip
        """Replay every row, or only until a problem shows at or before position `stop_at`.

        `known` are problems, by line and what, that do not count for that. `progress` is told now and then how many
        events are done, of how many.
        """
        problems = self.findings.problems
        seen = 0
        try:
            for _ in self._rows_done(progress):
                if stop_at is not None and len(problems) > seen and self.findings.position <= stop_at:
                    if any((row.line, what) not in known for row, what, *_ in problems[seen:]):
                        return self
                    seen = len(problems)
            self._finish()
        except Fault as fault:
            self.findings.disagree(self._latest, f"the model's kernel faults: {fault}")
        return self

    def _rows_done(self, progress: Callable[[int, int], None] | None) -> Iterator[Row]:
        """Take every event; yields the row of each once it is taken."""
        previous: Thread | None = None
        rows = len(self.recording.rows)
        chosen = {position for position, _ in self.choices}
        for count, (position, row, name, value) in enumerate(events(self.recording)):
            thread = self.drive.thread(row.tid)
            self._latest, self.findings.position = row, position
            if previous is not thread:
                if previous is not None and self._cpus.interrupts(previous, row):
                    self.drive.interrupt(previous)
                previous = thread
            if position in chosen:
                self.drive.go_on_unseen(position)
            try:
                self._take(thread, row, name, value)
            except Disagreement as problem:
                self.findings.disagree(row, *problem.args)
                self.drive.abandon(thread)
            if progress and count % 4096 == 0:
                progress(row.line, rows + 2)
            yield row

    def _finish(self) -> None:
        """After the last row: nothing may be left to do, and the counters must be the kernel's last ones."""
        last = self.recording.rows[-1]
        for thread in self.drive.threads.values():
            self.drive.finish(thread, last)
        self.comparison.counters(last, "counters_end")
        self._outside.finish(last)

    # -- one event -----------------------------------------------------------------------------

    def _take(self, thread: Thread, row: Row, name: str, value: Any) -> None:
        """Begin or end of a row, or a point in it."""
        self._cpus.sees(thread, row)
        if name == "begin":
            self.comparison.see(row)
            self._outside.begin(thread, row)
            self._begin(thread, row)
        elif thread.lost:
            return
        elif name == "end":
            self._end(thread, row)
        elif name == "submit":  # of the row of the disk write, which begins here
            thread.submits = self.findings.position
        else:
            self._point(thread, row, name, value)

    def _begin(self, thread: Thread, row: Row) -> None:
        nested = row.parent is not None and NESTED.get(row.op)
        if row.op in UNKNOWN:
            self.findings.disagree(row, "no stage of the model has this operation")
        elif thread.lost and (nested or row.op in INSTANTS or row.op in FUNCTIONS):
            self.findings.classify(row, "not determined", "part of an operation that disagrees")
        elif row.op in INSTANTS or nested:
            self._instant(thread, row, nested or INSTANTS[row.op])
        elif row.op in FUNCTIONS:
            arguments = self.drive.next_event(thread, f"begin {FUNCTIONS[row.op]}")
            self.findings.agree(row)
            thread.rows.append(row)
            self._cpus.before_begin(thread, row)
            self.comparison.begin(thread, row, arguments)
            if row.seq == row.seq_end:
                thread.rows.pop()

    def _instant(self, thread: Thread, row: Row, event: str) -> None:
        value = self.drive.next_event(thread, event)
        self.findings.agree(row)
        if row.op == "free":
            self.comparison.free(row, *value)
        elif row.op == "z3fold_release":
            self.comparison.placement.compare_row(row, value)
        elif row.op == "diskwrite":
            self.findings.compare(row, "offset", row.cells["offset"], thread.offset)
            if row.parent is not None and self._has_points and thread.submits != row.seq:
                self.findings.disagree(row, "submit", row.seq, thread.submits)
            thread.submits = None
        else:
            self.findings.compare(row, "offset", row.cells["offset"], value)
            if row.op == "swapcache_add":
                self.findings.compare(row, "ret", row.cells["ret"], 0)

    def _end(self, thread: Thread, row: Row) -> None:
        if row.op in FUNCTIONS:
            result = self.drive.next_event(thread, f"end {FUNCTIONS[row.op]}")
            thread.rows.pop()
            if row.op == "writeback" and thread.submits is not None:
                self.findings.disagree(row, "submit", thread.submits, None)
                thread.submits = None
            self._cpus.before_end(thread, row)
            self.comparison.end(thread, row, result)

    def _point(self, thread: Thread, row: Row, name: str, recorded: Any) -> None:
        if name not in self.drive.vocabulary:
            raise Disagreement(f"the kernel comes to {name!r}, which no probe of this recording shows", name, None)
        result = self.drive.next_event(thread, name)
        if name == "malloced":
            result = result if isinstance(result, int) else 0
        if name == "lookup" and row.op == "writeback":
            self.comparison.label(row)
        if name == "object":
            self.comparison.placement.took(row, recorded, result)
        elif name in PLACING:
            self.comparison.placement.compare_point(row, name, recorded, result)
        elif recorded is not None:
            self.findings.compare(row, name, recorded, result)
