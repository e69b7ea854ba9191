"""What a recording shows, in its order, and what the model calls the same."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heappop, heappush

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


def events(recording: Recording) -> Iterator[tuple[int, Row, str, str]]:
    """Every begin, point and end of the recording as (position, row, name, value), in their order."""
    coming: list[tuple[int, int, int, Row, str, str]] = []  # a heap: what lies ahead of the rows that have begun
    for index, row in enumerate(recording.rows):
        while coming and coming[0][0] <= row.seq:
            position, *_, earlier, name, value = heappop(coming)
            yield position, earlier, name, value
        yield row.seq, row, "begin", ""
        for number, (position, name, value) in enumerate(row.points):
            heappush(coming, (position, index, number, row, name, value))
        if row.seq_end > row.seq:
            heappush(coming, (row.seq_end, index, len(coming), row, "end", ""))
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
