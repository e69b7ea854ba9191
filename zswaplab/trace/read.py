"""A recording of a real kernel, read from its folder: settings from counters.json, rows from trace.csv.gz."""

from __future__ import annotations

import csv
import gzip
import json
import os
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..model.errors import BadInput
from .shipped import path_of

REQUIRED = (
    "seq", "seq_end", "tid", "parent", "op", "type", "offset", "length", "ret", "ok",
    "pool_pages", "stored_pages", "same_filled", "reached_full",
)  # fmt: skip
NUMBERS = (
    "seq", "seq_end", "tid", "parent", "type", "offset", "mm", "page", "version", "length", "alloc_size", "ret", "ok",
    "full_before", "pool_pages_before", "pool_pages", "stored_pages", "same_filled", "reached_full", "limit_hit",
    "written_back", "reject_reclaim_fail", "reject_compress_fail", "reject_compress_poor", "reject_alloc_fail",
    "reject_kmemcache_fail", "duplicate_entry", "true_before", "true_pages",
)  # fmt: skip
KINDS = {
    "swapout", "store", "load", "invalidate", "invalidate_area", "slot_free", "free", "writeback", "shrink", "worker",
    "diskwrite", "swapin", "slot_give", "swapcache_add", "swapcache_del", "lru_shrink", "swapoff",
    "z3fold_release", "z3fold_compact", "shrink_lru", "lru_entry", "shrinker_scan",
}  # fmt: skip
NEEDED = {  # what a row of that kind cannot be without
    **dict.fromkeys(("swapout", "swapin", "diskwrite", "invalidate", "slot_give", "slot_free", "free"), ("offset",)),
    **dict.fromkeys(("swapcache_add", "swapcache_del"), ("offset",)),
    **dict.fromkeys(("store", "load"), ("offset", "ret", "ok")),
    "invalidate_area": ("type",),
}  # fmt: skip
HEXADECIMAL = ("handle", "hval")
ADDRESSES = {"pagefree", "object", "pick", "move"}  # points whose value is an address
SETTINGS = ("zswap.max_pool_percent", "zswap.accept_threshold_percent", "totalram_pages")


OWN = ("seq", "seq_end", "tid", "parent", "op")  # columns that are a Row's own attributes


class Cells(Mapping[str, Any]):
    """The filled columns of a row, by name. Rows with the same columns filled share one dict of their places."""

    __slots__ = ("places", "filled")

    def __init__(self, places: dict[str, int], filled: tuple[Any, ...]) -> None:
        self.places = places
        self.filled = filled

    def __getitem__(self, name: str) -> Any:
        return self.filled[self.places[name]]

    def get(self, name: str, default: Any = None) -> Any:
        place = self.places.get(name)
        return default if place is None else self.filled[place]

    def __contains__(self, name: object) -> bool:
        return name in self.places

    def __iter__(self) -> Iterator[str]:
        return iter(self.places)

    def __len__(self) -> int:
        return len(self.filled)


class Row:
    """One row of trace.csv.gz: an operation of the kernel.

    `cells` holds the other filled columns: whole numbers, text for handle, hval and task. `inner` has the points
    inside it as they are written, `points` taken apart; `line` is its line in the file.
    """

    __slots__ = ("line", "seq", "seq_end", "tid", "parent", "op", "cells", "inner")

    def __init__(self, line: int, cells: dict[str, Any], inner: str) -> None:
        self.line = line
        self.seq: int = cells["seq"]
        self.seq_end: int = cells.get("seq_end", self.seq)
        self.tid: int = cells["tid"]
        self.parent: int | None = cells.get("parent")
        self.op: str = cells["op"]
        self.cells: Mapping[str, Any] = cells
        self.inner = inner

    @property
    def points(self) -> list[tuple[int, str, str]]:
        """The points inside it, as (position, name, value): "full+1=0 malloc+2" is (seq + 1, "full", "0"), ..."""
        found = []
        for word in self.inner.split():
            name, _, rest = word.partition("+")
            position, _, value = rest.partition("=")
            found.append((self.seq + int(position), name, value))
        return found

    def __repr__(self) -> str:
        shown = {name: value for name, value in self.cells.items() if name in ("offset", "length", "ret", "ok")}
        return f"<row {self.seq}..{self.seq_end}, line {self.line}: {self.op} {shown}>"


@dataclass
class Recording:
    """A run: its folder, the settings of the kernel that was recorded, and its rows in order of `seq`."""

    folder: Path
    settings: dict[str, Any]
    columns: tuple[str, ...]
    rows: list[Row] = field(repr=False)

    @property
    def name(self) -> str:
        return self.folder.resolve().name

    @property
    def parameters(self) -> dict[str, Any]:
        """Every zswap parameter, totalram_pages and so on, as the kernel reported them."""
        return self.settings["params"]  # type: ignore[no-any-return]

    @property
    def swap_pages(self) -> int:
        """The swap device's size in pages, its header included."""
        return int(self.settings["counters_start"]["meminfo.SwapTotal"].split()[0]) // 4 + 1

    @property
    def device(self) -> str:
        """The recorded machine's swap device, like "/dev/vda"; empty where that was not kept."""
        return str(self.parameters.get("swap", "")).partition(" ")[0]


def read(folder: str | Path, columns: tuple[str, ...] | None = None) -> Recording:
    """Read a run folder. `columns` keeps only those cells, to save memory; default: all.

    Raises BadInput that names file and line for a missing or truncated file, an absent column, or an
    operation that cannot be.
    """
    recording = read_head(folder)
    path = recording.folder / "trace.csv.gz"
    if not path.is_file():
        raise BadInput(f"{path}: no such file; a run's folder has its rows there")
    header: list[str] = []
    nesting = Nesting()
    line = 0
    try:
        with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
            reader = csv.reader(file)
            header = next(reader, [])
            check_header(path, header)
            keep = Keeper(columns)
            for line, values in enumerate(reader, start=2):
                recording.rows.append(keep.small(make_row(path, line, header, values, nesting)))
    except (EOFError, zlib.error, OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadInput(f"{path}: broken off or damaged after line {max(line, 1)} ({error}); fetch it again") from None
    if not recording.rows:
        raise BadInput(f"{path}: has no rows; fetch it again")
    recording.columns = tuple(header)
    return recording


def read_head(folder: str | Path) -> Recording:
    """A recording without its rows: which kernel it is of, and its settings."""
    folder = path_of("folder", folder, "a recording's folder")
    if not os.path.isdir(folder):
        raise BadInput(f"{folder}: no such folder; give a run's folder, with counters.json and trace.csv.gz in it")
    return Recording(folder, read_settings(folder / "counters.json"), (), [])


def read_settings(path: Path) -> dict[str, Any]:
    try:
        settings: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        parameters, started = settings["params"], settings["counters_start"]
        int(started["meminfo.SwapTotal"].split()[0]), str(parameters["zswap.zpool"])
        wrong = [name for name in SETTINGS if not isinstance(parameters[name], int)]
    except FileNotFoundError:
        raise BadInput(f"{path}: no such file; a run's folder has the kernel's settings there") from None
    except (ValueError, TypeError, KeyError, AttributeError, OSError) as error:
        raise BadInput(f"{path}: not a recording's settings ({error!r}); fetch it again") from None
    if wrong:
        raise BadInput(f"{path}: params: {wrong[0]}={parameters[wrong[0]]!r} is not a whole number; fetch it again")
    if started.get("zswap.stored_pages", 0):
        raise BadInput(f"{path}: zswap was not empty when the recording began; record from the start of the machine")
    return settings


def check_header(path: Path, header: list[str]) -> None:
    missing = [name for name in REQUIRED if name not in header]
    if missing:
        raise BadInput(f"{path}: line 1: no column {', '.join(missing)}; a recording needs {', '.join(REQUIRED)}")


class Nesting:
    """Keeps which operations each thread is in, to see that rows come in order and name their parent."""

    def __init__(self) -> None:
        self.last = -1
        self.open: dict[int, list[Row]] = {}

    def wrong(self, row: Row) -> str:
        """What is wrong with the next row's place among the others, or nothing."""
        rows = self.open.setdefault(row.tid, [])
        while rows and rows[-1].seq_end < row.seq:
            rows.pop()
        inside = rows[-1].seq if rows else None
        if row.seq <= self.last:
            return f"seq={row.seq} does not come after the row before, which has {self.last}"
        if row.parent != inside:
            return f"parent={row.parent}, but thread {row.tid} is in operation {inside} then"
        if rows and row.seq_end > rows[-1].seq_end:
            return f"seq_end={row.seq_end} lies after the end of the operation it is in, {rows[-1].seq_end}"
        name, _, rest = row.inner[row.inner.rfind(" ") + 1 :].partition("+")  # the last point
        if row.op != "free" and row.inner and row.seq + int(rest.partition("=")[0]) >= row.seq_end:
            return f"inner point {name!r} lies after the end of the operation, {row.seq_end}"
        self.last = row.seq
        if row.seq_end > row.seq:
            rows.append(row)
        return ""


class Keeper:
    """Makes rows small: equal values and equal sets of columns are kept once, columns not asked for not at all."""

    def __init__(self, columns: tuple[str, ...] | None) -> None:
        self.columns = columns
        self.values: dict[Any, Any] = {}
        self.places: dict[tuple[str, ...], dict[str, int]] = {}

    def small(self, row: Row) -> Row:
        known = self.values
        cells = row.cells if self.columns is None else {n: c for n, c in row.cells.items() if n in self.columns}
        names = tuple(name for name in cells if name not in OWN)
        places = self.places.get(names) or self.places.setdefault(names, {n: i for i, n in enumerate(names)})
        row.cells = Cells(places, tuple([known.setdefault(cells[name], cells[name]) for name in names]))
        row.op = known.setdefault(row.op, row.op)
        row.tid = known.setdefault(row.tid, row.tid)
        return row


def make_row(path: Path, line: int, header: list[str], values: list[str], nesting: Nesting) -> Row:
    """Check one line and make it a Row; BadInput names what is wrong with it."""

    def refuse(rule: str) -> BadInput:
        return BadInput(f"{path}: line {line}: {rule}; correct the line or fetch the file again")

    if len(values) != len(header):
        raise refuse(f"{len(values)} columns where the header has {len(header)}")
    cells: dict[str, Any] = {name: value for name, value in zip(header, values, strict=True) if value}
    for wrong in wrong_cells(cells):
        raise refuse(wrong)
    inner = cells.pop("inner", "")
    if wrong := wrong_points(inner):
        raise refuse(wrong)
    row = Row(line, cells, inner)
    if wrong := nesting.wrong(row):
        raise refuse(wrong)
    return row


def wrong_cells(cells: dict[str, Any]) -> Iterator[str]:
    """Make a line's cells numbers, and say what cannot be."""
    for names, base, what in ((NUMBERS, 10, "whole"), (HEXADECIMAL, 16, "hexadecimal")):
        for name in names:
            if name in cells:
                try:
                    number = int(cells[name], base)
                except ValueError:
                    yield f"{name}={cells[name]!r} is not a {what} number"
                    return
                if base == 10:
                    cells[name] = number
    op: str = cells.get("op", "")
    if "seq" not in cells or "tid" not in cells or not op:
        yield "a row needs seq, tid and op"
    elif op not in KINDS and not op.startswith("w:"):
        yield f"op={op!r} is no operation that a recording has"
    yield from (f"a {op} row needs {name}" for name in NEEDED.get(op, ()) if name not in cells)
    for name in ("length", "alloc_size", "offset", "page"):
        if cells.get(name, 0) < 0:
            yield f"{name}={cells[name]} is negative"
    if cells.get("type", 0) != 0:
        yield f"type={cells['type']} is a swap device that the recorded machine did not have (it has type 0)"
    if "ret" in cells and "ok" in cells and op != "lru_entry" and (cells["ret"] == 0) != bool(cells["ok"]):
        yield f"ret={cells['ret']} contradicts ok={cells['ok']}"
    if cells.get("seq_end", cells["seq"]) < cells["seq"]:
        yield f"seq_end={cells['seq_end']} lies before seq={cells['seq']}"


def wrong_points(inner: str) -> str:
    """What is wrong with the points inside a row, or nothing."""
    last = 0
    for word in inner.split():
        name, plus, rest = word.partition("+")
        position, equals, value = rest.partition("=")
        if not plus or not position.isdecimal():
            return f"inner point {word!r} is not of the form name+N or name+N=value"
        if int(position) <= last:
            return f"inner point {word!r} does not come after the one before, which is at +{last}"
        try:
            if equals and name != "list":
                int(value, 16 if name in ADDRESSES else 10)
        except ValueError:
            return f"inner point {word!r}: {value!r} is not a number"
        last = int(position)
    return ""
