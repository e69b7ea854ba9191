"""What a recording shows, in its order, and what the model calls the same."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heappop, heappush
from typing import Any

from .read import Recording, Row

FUNCTIONS = {  # row of the recording -> function of the model
    "store": "store", "load": "load", "invalidate": "invalidate_page", "invalidate_area": "invalidate_area",
    "worker": "shrink_worker", "shrink": "zpool_shrink", "lru_shrink": "reclaim_entry", "writeback": "writeback_entry",
    "z3fold_compact": "compact_page",
}  # fmt: skip
NESTED = {"swapcache_add": "swapcache add", "swapcache_del": "swapcache delete"}  # when inside another operation
UNKNOWN = {"shrink_lru", "lru_entry", "shrinker_scan"}  # of later kernels
INSTANTS = {"free": "free", "diskwrite": "submit", "slot_free": "slot free", "z3fold_release": "release"}
PLACING = {"pick", "list", "move", "slide"}  # points inside a backend that says where objects go
POINTS = {
    "full", "accept", "malloc", "malloced", "map", "unmap", "insert", "update", "find", "search", "put", "erase",
    "zfree", "zfreed", "object", "pagefree", "lookup", "looked", "cached", "submitted", *PLACING,
}  # fmt: skip
_PROBES = {"rsca": "lookup", "malloc_out": "malloced"}  # where a probe is not called like its point


def events(recording: Recording) -> Iterator[tuple[int, Row, str, Any]]:
    """Every begin, point and end of the recording as (position, row, name, value), in their order."""
    coming: list[tuple[int, int, int, Row, str, Any]] = []  # a heap: what lies ahead of the rows that have begun
    rows = recording.rows
    for index, row in enumerate(rows):
        seq, seq_end = row.seq, row.seq_end
        while coming and coming[0][0] <= seq:
            position, *_, earlier, name, value = heappop(coming)
            yield position, earlier, name, value
        yield seq, row, "begin", None
        following = rows[index + 1].seq if index + 1 < len(rows) else seq_end + 1
        if following > seq_end and not (coming and coming[0][0] <= seq_end):  # nothing else happens meanwhile
            for position, name, value in row.points:
                yield seq + position, row, name, value
            if seq_end > seq:
                yield seq_end, row, "end", None
            continue
        for number, (position, name, value) in enumerate(row.points):
            heappush(coming, (seq + position, index, number, row, name, value))
        if seq_end > seq:
            heappush(coming, (seq_end, index, len(coming), row, "end", None))
    while coming:
        position, *_, earlier, name, value = heappop(coming)
        yield position, earlier, name, value


def vocabulary(recording: Recording) -> set[str]:
    """The points that this recording's probes can show; without inner points, none."""
    if "inner" not in recording.columns:
        return set()
    probes = recording.settings.get("probes")
    if probes is None:
        return {name for row in recording.rows for _, name, _ in row.points} & POINTS
    names = {probe.split()[0].partition("/")[2].removeprefix("i_") for probe in probes}
    return {_PROBES.get(name, name) for name in names} & POINTS
