"""Reclaim in the middle of a writeback: of a machine short of memory.

A writeback needs a free page. Short of memory, the kernel first pages others out, in the same thread. That is as if
another thread ran while this one waits for its page; so here it becomes one.
"""

from __future__ import annotations

from copy import copy

from .read import Row


def apart(rows: list[Row]) -> list[Row]:
    """The rows, in their order; what a writeback does to other slots than its own has a thread of its own, -tid."""
    writebacks = {row.seq: row for row in rows if row.op == "writeback" and "offset" in row.cells}
    nested: set[int] = set()  # by seq
    written: dict[int, set[int]] = {}  # writeback -> when other pages were written inside it
    for row in rows:
        outer = writebacks.get(row.parent) if row.parent is not None else None
        if row.parent in nested or (outer and row.cells.get("offset") not in (None, outer.cells["offset"])):
            nested.add(row.seq)
            if outer and row.op == "diskwrite":
                written.setdefault(outer.seq, set()).add(row.seq)
    return [
        moved(row, nested) if row.seq in nested else without(row, written[row.seq]) if row.seq in written else row
        for row in rows
    ]


def moved(row: Row, nested: set[int]) -> Row:
    """The row in a thread of its own, inside nothing but what is there too."""
    row = copy(row)
    row.tid = -row.tid
    row.parent = row.parent if row.parent in nested else None
    return row


def without(row: Row, written: set[int]) -> Row:
    """A writeback without the points at which other pages were submitted to the device."""
    row = copy(row)
    kept, others = [], False
    for point in row.points:
        if point[1] == "submit":
            others = row.seq + point[0] in written
        if not (others and point[1] in ("submit", "submitted")):
            kept.append(point)
    row.points = tuple(kept)
    return row
