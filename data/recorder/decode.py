"""The guest's raw trace, one line an event, made into rows: one an operation, in the order in which they began."""

from __future__ import annotations

import csv
import gzip
import io
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Row = dict[str, Any]

LINE = re.compile(rb"\s*(.+)-(\d+)\s+\[(\d+)\]\s+\S+\s+(\d+)\.(\d+): (\w+): (?:\(.*?\) ?)?(.*)")
END_OF_TRACE = b"#END-OF-TRACE"
TYPE_SHIFT = 58  # of a swap entry, on x86-64: its top bits are the device, the rest is the slot

BEGINS = {
    "store_in": "store", "load_in": "load", "inval_in": "invalidate", "wb_in": "writeback", "shrink_in": "shrink",
    "work_in": "worker", "zshrink_in": "lru_shrink", "reclaim_in": "lru_shrink", "z3c_in": "z3fold_compact",
    "sc_add": "swapcache_add",
}  # fmt: skip
ENDS = {
    "store_out": "store", "load_out": "load", "inval_out": "invalidate", "wb_out": "writeback", "shrink_out": "shrink",
    "work_out": "worker", "zshrink_out": "lru_shrink", "reclaim_out": "lru_shrink", "z3c_out": "z3fold_compact",
    "sc_added": "swapcache_add",
}  # fmt: skip
INSTANTS = {
    "swapout": "swapout", "swapin": "swapin", "diskwrite": "diskwrite", "slot_give": "slot_give",
    "slot_free": "slot_free", "area": "invalidate_area", "sc_del": "swapcache_del",
}  # fmt: skip
POINTS = {  # event -> its name in the column `inner`, and the field that is its value
    "i_full": ("full", "ret"), "i_accept": ("accept", "ret"), "malloc": ("malloc", None),
    "malloc_out": ("malloced", "ret"), "map": ("map", None), "i_unmap": ("unmap", None), "i_insert": ("insert", "ret"),
    "i_erase": ("erase", None), "i_put": ("put", "ref"), "i_search": ("search", "ret"),
    "i_find": ("find", "ret"), "i_update": ("update", "tot"),
    "rsca": ("lookup", None), "i_looked": ("looked", "ret"), "i_cached": ("cached", "ret"),
    "diskwrite": ("submit", None), "i_submitted": ("submitted", "wbp"), "i_zfree": ("zfree", "pg"),
    "i_zfreed": ("zfreed", "pg"), "i_pagefree": ("pagefree", "h"), "i_object": ("object", "h"),
    "i_move": ("move", "ret"), "i_slide": ("slide", "sm"), "i_list": ("list", "h"), "i_pick": ("pick", "ret"),
}  # fmt: skip
FOUND_OR_NOT = {"i_search", "i_find", "i_looked"}  # a pointer is 1, none is 0
ADDRESSES = {"i_pagefree", "i_object", "i_move", "i_pick", "i_list"}
OF_A_FREE = {"i_zfree", "i_zfreed", "i_update", "i_pagefree"}  # at swapoff they come after their `free` row
SLOT_ONLY = {"swapcache_add", "swapcache_del", "slot_give"}  # rows that say no more than their slot, to stay small
RETURNS_ERROR = {"store", "load", "writeback", "shrink", "lru_shrink", "swapcache_add"}  # 0 is success
COUNTERS = {
    "sp": "stored_pages", "sf": "same_filled", "full": "reached_full", "lim": "limit_hit", "wbp": "written_back",
    "rrf": "reject_reclaim_fail", "rcf": "reject_compress_fail", "rcp": "reject_compress_poor",
    "raf": "reject_alloc_fail", "rkf": "reject_kmemcache_fail", "dup": "duplicate_entry",
}  # fmt: skip
COLUMNS = (
    "seq", "seq_end", "ts_us", "ts_end_us", "cpu", "task", "tid", "parent", "op", "type", "offset", "mm", "page",
    "version", "length", "alloc_size", "ret", "ok", "handle", "hval", "full_before", "pool_pages_before", "pool_pages",
    *COUNTERS.values(), "true_before", "true_pages", "chunks", "object", "inner",
)  # fmt: skip
WORKLOAD = {
    "W": "w:write", "R": "w:read", "O": "w:pageout", "F": "w:free", "S": "w:sample", "m": "w:start", "e": "w:end",
    "x": "swapoff",
}  # fmt: skip


@dataclass
class Event:
    """One line of the trace. `fields` has the values that its probe names, None for one that could not be read."""

    seq: int
    name: str
    microseconds: int
    cpu: int
    task: str
    tid: int
    text: str
    fields: dict[str, int | None]

    def row(self, op: str, **cells: Any) -> Row:
        """The beginnings of a row that starts with this event."""
        head = {"seq": self.seq, "ts_us": self.microseconds, "cpu": self.cpu, "task": self.task, "tid": self.tid}
        return {**head, "op": op, **cells}

    def pool_pages(self) -> int | None:
        total = self.fields.get("tot")
        return None if total is None else total // 4096


def read_event(seq: int, line: bytes) -> Event | None:
    match = LINE.match(line)
    if not match:
        return None
    task, tid, cpu, seconds, microseconds, name, text = (group.decode(errors="replace") for group in match.groups())
    fields = dict(read_fields(text)) if name != "tracing_mark_write" else {}
    if fields.get("swp") is not None:
        fields["type"], fields["off"] = divmod(fields["swp"], 1 << TYPE_SHIFT)
    return Event(seq, name, int(seconds) * 1000000 + int(microseconds), int(cpu), task, int(tid), text, fields)


def read_fields(text: str) -> Iterator[tuple[str, int | None]]:
    """name=number words; a probe that met memory it could not read says (fault) instead of the number."""
    for word in text.split():
        name, _, value = word.partition("=")
        if value:
            try:
                yield name, int(value, 0)
            except ValueError:
                yield name, None


def read_lines(path: Path) -> Iterator[bytes]:
    """The lines of the raw trace, up to its end mark."""
    with open(path, "rb") as file:
        for line in file:
            if line.startswith(END_OF_TRACE):
                return
            if not line.startswith(b"#"):
                yield line
    sys.exit(f"{path}: the trace breaks off, its disk was too small: record a shorter script")


def chunks(fields: dict[str, Any]) -> str:
    """first/middle/last/start_middle/foreign of a z3fold page."""
    first, middle, last, start_middle = (fields[name] for name in ("f", "m", "l", "sm"))
    return f"{first}/{middle}/{last}/{start_middle}/{fields['fl'] >> 4 & 3}"


class Decoder:
    """Takes the events in their order and makes rows of them.

    `pages` is how many the workload has. `unknown` counts lines and events of which nothing could be made.
    """

    def __init__(self, pages: int) -> None:
        self.pages = pages
        self.rows: list[Row] = []
        self.unknown: Counter[str] = Counter()
        self.stacks: dict[int, list[Row]] = {}  # thread -> the operations it is in
        self.spaces: dict[int, tuple[int, int]] = {}  # thread of a workload -> its number, index of its first page
        self.versions: dict[tuple[int, int], int] = {}  # (mm, page) -> which contents it has
        self.owners: dict[tuple[Any, Any], tuple[int, int]] = {}  # (type, offset) -> (mm, page)
        self.last_free: dict[int, Row] = {}  # thread -> its last `free` row

    def decode(self, lines: Iterable[bytes]) -> list[Row]:
        for seq, line in enumerate(lines):
            event = read_event(seq, line)
            if event is None:
                self.unknown[line[:80].decode(errors="replace")] += 1
            else:
                self.take(event)
        for row in self.rows:
            if row["op"] == "invalidate":
                row.setdefault("ok", 0)
        set_lengths(self.rows)
        return self.rows

    def unfinished(self) -> dict[str, int]:
        """Operations that had not ended when the recording did."""
        return dict(Counter(row["op"] for stack in self.stacks.values() for row in stack))

    def take(self, event: Event) -> None:
        name = event.name
        if name == "tracing_mark_write":
            self.workload(event)
            return
        if name in POINTS:
            self.point(event)
        if name in BEGINS:
            self.begin(event)
        elif name in ENDS:
            self.end(event)
        elif name in INSTANTS:
            self.new_row(event, INSTANTS[name])["seq_end"] = event.seq
        elif name in DETAILS:
            DETAILS[name](self, event)
        elif name not in POINTS:
            self.unknown[name] += 1

    def inside(self, event: Event, op: str) -> Row | None:
        """The operation that the event's thread is in, if it is of that kind."""
        stack = self.stacks.get(event.tid)
        return stack[-1] if stack and stack[-1]["op"] == op else None

    # -- the workload's own lines --------------------------------------------------------------

    def workload(self, event: Event) -> None:
        """What the workload is about to do: "W page version", "R page version", "O page 0", "S 0 sample"."""
        what, *numbers = event.text.split()
        row = event.row(WORKLOAD.get(what, what), seq_end=event.seq)
        self.rows.append(row)
        if what == "m":
            low, high = (int(number) for number in numbers)
            self.spaces[event.tid] = len(self.spaces), low | high << 32
            row["mm"], row["handle"] = self.spaces[event.tid][0], (low | high << 32) << 12
        elif what == "S":
            row["length"] = int(numbers[1])
        elif what in ("W", "R", "O", "F"):
            row["mm"], row["page"] = self.spaces.get(event.tid, (-1,))[0], int(numbers[0])
            if what in ("W", "R"):
                row["version"] = int(numbers[1])
            if what == "W":
                self.versions[row["mm"], row["page"]] = row["version"]

    # -- operations ----------------------------------------------------------------------------

    def new_row(self, event: Event, op: str) -> Row:
        stack, fields = self.stacks.get(event.tid), event.fields
        row = event.row(
            op, parent=stack[-1]["seq"] if stack else None, type=fields.get("type"), offset=fields.get("off")
        )
        self.rows.append(row)
        if op not in SLOT_ONLY:
            if fields.get("idx") is not None:
                self.own(fields.get("type"), fields.get("off"), fields["idx"])
            self.label(row)
        return row

    def own(self, type: int | None, offset: int | None, index: int) -> None:
        """The page with that index goes to that slot: a workload's, or another program's."""
        for mm, first in self.spaces.values():
            if first <= index < first + self.pages:
                self.owners[type, offset] = mm, index - first
                return
        self.owners.pop((type, offset), None)

    def label(self, row: Row) -> None:
        """Say whose page is in the row's slot."""
        owner = self.owners.get((row["type"], row["offset"]))
        if owner:
            row["mm"], row["page"] = owner
            row["version"] = self.versions.get(owner)

    def begin(self, event: Event) -> None:
        fields = event.fields
        row = self.new_row(event, BEGINS[event.name])
        row["full_before"], row["pool_pages_before"] = fields.get("full"), event.pool_pages()
        row["true_before"] = fields.get("pg")
        if event.name == "wb_in" and "h" in fields:
            row["handle"], row["hval"] = fields["h"], fields["hv"]
        if event.name == "z3c_in":
            row["handle"], row["chunks"] = fields["h"], chunks(fields)
            row["slots"] = fields["sl"], [fields[f"s{i}"] for i in range(4)]
        self.stacks.setdefault(event.tid, []).append(row)

    def end(self, event: Event) -> None:
        fields, op = event.fields, ENDS[event.name]
        row = self.inside(event, op)
        if row is None:
            self.unknown[f"unmatched {event.name}"] += 1
            return
        self.stacks[event.tid].pop()
        row["seq_end"], row["ts_end_us"] = event.seq, None if op in SLOT_ONLY else event.microseconds
        row["pool_pages"], row["true_pages"], row["ret"] = event.pool_pages(), fields.get("pg"), fields.get("ret")
        row.update({name: fields[short] for short, name in COUNTERS.items() if short in fields})
        if op in RETURNS_ERROR:
            row["ok"] = int(row["ret"] == 0)
        elif op == "z3fold_compact":
            row["ok"] = int(row.get("hval") is not None)

    def point(self, event: Event) -> None:
        """A point inside an operation; those outside of any are the swap layer's plain reads and writes."""
        stack = self.stacks.get(event.tid)
        row = stack[-1] if stack else self.last_free.get(event.tid) if event.name in OF_A_FREE else None
        if row is None:
            return
        points = row.setdefault("points", [])
        if event.name == "i_find" and points and points[-1].startswith("search+"):
            points.pop()  # the search that is part of the find
        name, _ = POINTS[event.name]
        value = point_value(event)
        points.append(f"{name}+{event.seq - row['seq']}" + ("" if value is None else f"={value}"))

    # -- what an event adds to the operation that it is in ------------------------------------------

    def entry_freed(self, event: Event) -> None:
        fields, stack = event.fields, self.stacks.get(event.tid)
        fields["type"] = (stack[-1]["type"] if stack else None) or 0  # an entry does not know its device
        row = self.new_row(event, "free")
        row.update(seq_end=event.seq, length=fields["len"], handle=fields["h"], true_before=fields.get("pg"))
        self.last_free[event.tid] = row
        if invalidate := self.inside(event, "invalidate"):
            invalidate["ok"] = 1

    def asked_for_room(self, event: Event) -> None:
        if store := self.inside(event, "store"):
            store["alloc_size"] = event.fields["size"]

    def mapped(self, event: Event) -> None:
        if store := self.inside(event, "store"):
            store["handle"], store["hval"] = event.fields["h"], event.fields["hv"]

    def looked_up(self, event: Event) -> None:
        """Only now does a writeback's row get its slot: zswap has read it from the object's header."""
        if writeback := self.inside(event, "writeback"):
            writeback["type"], writeback["offset"] = event.fields["type"], event.fields["off"]
            self.label(writeback)

    def object_moved(self, event: Event) -> None:
        stack = self.stacks.get(event.tid)
        if stack and event.fields["ret"] and stack[-1].get("hval") is None:
            stack[-1]["hval"] = event.fields["ret"]

    def z3fold_page_released(self, event: Event) -> None:
        """A page is given back. If its slots still hold something, compaction has moved its object to another page."""
        fields = event.fields
        row = self.new_row(event, "z3fold_release")
        now = [fields.get(f"s{i}") for i in range(4)]
        row.update(
            seq_end=event.seq, handle=fields["h"], hval=next(filter(None, now), None), chunks=chunks(fields),
            true_before=fields.get("pg"),
        )  # fmt: skip
        compact = self.inside(event, "z3fold_compact")
        if compact is None or row["hval"] is None:
            return
        slots, before = compact["slots"]
        for number, (old, new) in enumerate(zip(before, now, strict=True)):
            if old and old & ~4095 == fields["h"] and new != old:
                compact["object"] = row["object"] = slots + 8 * number
                compact["hval"] = new


DETAILS: dict[str, Callable[[Decoder, Event], None]] = {
    "efree": Decoder.entry_freed, "malloc": Decoder.asked_for_room, "map": Decoder.mapped, "rsca": Decoder.looked_up,
    "i_move": Decoder.object_moved, "z3release": Decoder.z3fold_page_released,
}  # fmt: skip


def point_value(event: Event) -> int | str | None:
    _, field = POINTS[event.name]
    value = event.fields.get(field) if field else None
    if event.name == "i_update":
        size = event.fields["tot"] if "tot" in event.fields else event.fields["ret"]
        return None if size is None else size // 4096
    if event.name in FOUND_OR_NOT:
        return int(bool(value))
    if event.name in ADDRESSES and value is not None:
        return f"{value:x}" + (f":{chunks(event.fields)}" if event.name == "i_list" else "")
    return value


def set_lengths(rows: list[Row]) -> None:
    """A stored page's compressed length: what zswap asked for, without the header that some kernels put in front.

    How long that is says the entry when it is freed, which knows its length.
    """
    asked: dict[int, int] = {}  # handle -> bytes asked for
    headers: Counter[int] = Counter()
    for row in rows:
        if row["op"] == "store" and row.get("handle") is not None:
            asked[row["handle"]] = row["alloc_size"]
        elif row["op"] == "free" and row["length"] and row["handle"] in asked:
            headers[asked.pop(row["handle"]) - row["length"]] += 1
    header = headers.most_common(1)[0][0] if headers else 0  # a handle used again while a store runs misleads
    for row in rows:
        if row["op"] == "store" and row.get("alloc_size") is not None:
            row["length"] = row["alloc_size"] - header
        elif row["op"] == "store" and row.get("ok"):
            row["length"] = 0  # same-filled


def as_csv(rows: list[Row]) -> bytes:
    """The rows as trace.csv.gz has them; the same rows give the same bytes."""
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, COLUMNS, extrasaction="ignore")
    writer.writeheader()
    for row in rows:
        addresses = {name: f"{row[name]:x}" for name in ("handle", "hval", "object") if row.get(name) is not None}
        writer.writerow({**row, **addresses, "inner": " ".join(row.get("points", ()))})
    return gzip.compress(out.getvalue().encode(), 9, mtime=0)


def count_operations(rows: list[Row]) -> dict[str, int]:
    """How many rows of each kind, like "store:ok", "store:no", "swapout"."""
    ends = {None: "", 0: ":no", 1: ":ok"}
    return dict(Counter(row["op"] + ends[row.get("ok")] for row in rows))
