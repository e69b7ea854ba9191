"""A recording of a real kernel, read from its folder: settings from counters.json, rows from trace.csv.gz."""

from __future__ import annotations

import csv
import gc
import gzip
import io
import json
import os
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

from ..model.errors import BadInput
from .columns import LATER, POINTS, TABLE, wrong_columns
from .shipped import path_of
from .trust import doubts, unseen_between, unseen_in_settings

REQUIRED = (
    "seq", "seq_end", "tid", "parent", "op", "type", "offset", "length", "ret", "ok",
    "pool_pages", "stored_pages", "same_filled", "reached_full",
)  # fmt: skip
ADDRESSES = {"pagefree", "object", "pick", "move"}  # points whose value is an address
_HEXADECIMAL = ("handle", "hval", "object")
_BITS = ("ok", "full_before", "reached_full", "referenced")
_TEXTS = ("task", "chunks", "cpu")
_SIGNED = ("ret", "ts_us", "ts_end_us", "mm", "stored_pages", "same_filled")
_TIMES = ("ts_us", "ts_end_us", "task")  # kept only if asked for
_SETTINGS = ("zswap.max_pool_percent", "zswap.accept_threshold_percent", "totalram_pages")


_OWN = ("seq", "seq_end", "tid", "parent", "op")  # columns that are a Row's own attributes


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


Point = tuple[int, str, Any]  # (events after the row's first, name, value)


class Row:
    """One row of trace.csv.gz: an operation of the kernel.

    `cells` holds the other filled columns: whole numbers (of handle, hval and object too), text for chunks, task and
    cpu. `points` has the points inside it: "full+1=0 malloc+2" is (1, "full", 0), (2, "malloc", None), with a place
    that counts from `seq`. `line` is its line in the file.
    """

    __slots__ = ("line", "seq", "seq_end", "tid", "parent", "op", "cells", "points")

    def __init__(
        self, line: int, seq: int, seq_end: int, tid: int, parent: int | None, op: str,
        cells: Mapping[str, Any], points: tuple[Point, ...] = (),
    ) -> None:  # fmt: skip
        self.line = line
        self.seq = seq
        self.seq_end = seq_end
        self.tid = tid
        self.parent = parent
        self.op = op
        self.cells = cells
        self.points = points

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
    def variant(self) -> Any:
        """What the settings call the recorded kernel: see `variants`."""
        config = self.settings.get("config")
        return self.settings.get("variant") or (config.get("kernel") if isinstance(config, dict) else None)

    @property
    def format(self) -> str:
        """One of `columns.FORMATS`; empty for a kernel that is not known."""
        if not isinstance(self.variant, str):
            return ""
        if not self.variant[0].isdecimal():
            return "series"
        return "recorder" if "guest_refused" in self.settings.get("checks", {}) else "stock"

    @property
    def device(self) -> str:
        """The recorded machine's swap device, like "/dev/vda"; empty where that was not kept."""
        return str(self.parameters.get("swap", "")).partition(" ")[0]


def read(folder: str | Path, columns: tuple[str, ...] | None = None) -> Recording:
    """Read a run folder. `columns` keeps only those cells, to save memory; default: all but times and the task's name.

    Raises BadInput that names file and line for a missing or truncated file, an absent column, or an
    operation that cannot be.
    """
    recording = read_head(folder)
    path = recording.folder / "trace.csv.gz"
    if not path.is_file():
        raise BadInput(f"{path}: no such file; a run's folder has its rows there")
    collects = gc.isenabled()
    gc.disable()  # so many rows are made, and none let go, that looking for what can go takes a third of the time
    try:
        _read_rows(recording, path, columns)
    finally:
        if collects:
            gc.enable()
    if not recording.rows:
        raise BadInput(f"{path}: has no rows; fetch it again")
    for row, what in unseen_between(recording.rows):
        raise BadInput(f"{path}: line {row.line}: {what}; record with one swapoff, at the end")
    return recording


def _read_rows(recording: Recording, path: Path, columns: tuple[str, ...] | None) -> None:
    line = 0
    try:
        with gzip.open(path, "rb") as packed:
            file = io.TextIOWrapper(io.BufferedReader(packed, 1 << 18), "utf-8", newline="")
            reader = csv.reader(file)
            header = next(reader, [])
            _check_header(path, header)
            recording.columns = tuple(header)
            rows = _Rows(path, header, recording.format, columns)
            for line, values in enumerate(reader, start=2):
                recording.rows.append(rows.row(line, values))
    except (EOFError, zlib.error, OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadInput(f"{path}: broken off or damaged after line {max(line, 1)} ({error}); fetch it again") from None


def read_head(folder: str | Path) -> Recording:
    """A recording without its rows: which kernel it is of, and its settings."""
    folder = path_of("folder", folder, "a recording's folder")
    if not os.path.isdir(folder):
        raise BadInput(f"{folder}: no such folder; give a run's folder, with counters.json and trace.csv.gz in it")
    return Recording(folder, _read_settings(folder / "counters.json"), (), [])


def _read_settings(path: Path) -> dict[str, Any]:
    try:
        settings: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        parameters, started = settings["params"], settings["counters_start"]
        int(started["meminfo.SwapTotal"].split()[0]), str(parameters["zswap.zpool"])
        wrong = [name for name in _SETTINGS if not isinstance(parameters[name], int)]
    except FileNotFoundError:
        raise BadInput(f"{path}: no such file; a run's folder has the kernel's settings there") from None
    except (ValueError, TypeError, KeyError, AttributeError, OSError) as error:
        raise BadInput(f"{path}: not a recording's settings ({error!r}); fetch it again") from None
    if wrong:
        raise BadInput(f"{path}: params: {wrong[0]}={parameters[wrong[0]]!r} is not a whole number; fetch it again")
    if started.get("zswap.stored_pages", 0):
        raise BadInput(f"{path}: zswap was not empty when the recording began; record from the start of the machine")
    try:
        doubts(settings)  # can be read
        amiss = list(unseen_in_settings(settings))
    except (ValueError, TypeError, AttributeError) as error:
        raise BadInput(f"{path}: not a recording's settings ({error!r}); fetch it again") from None
    if amiss:
        raise BadInput(f"{path}: {amiss[0]}")
    return settings


def _check_header(path: Path, header: list[str]) -> None:
    missing = [name for name in REQUIRED if name not in header]
    if missing:
        raise BadInput(f"{path}: line 1: no column {', '.join(missing)}; a recording needs {', '.join(REQUIRED)}")


class _Nesting:
    """Keeps which operations each thread is in, to see that rows come in order and name their parent."""

    def __init__(self) -> None:
        self._last = -1
        self._open: dict[int, list[Row]] = {}

    def wrong(self, row: Row) -> str:
        """What is wrong with the next row's place among the others, or nothing."""
        seq, seq_end = row.seq, row.seq_end
        rows = self._open.get(row.tid)
        if rows is None:
            rows = self._open[row.tid] = []
        while rows and rows[-1].seq_end < seq:
            rows.pop()
        inside = rows[-1].seq if rows else None
        if seq <= self._last:
            return f"seq={seq} does not come after the row before, which has {self._last}"
        if seq_end < seq:
            return f"seq_end={seq_end} lies before seq={seq}"
        if row.parent != inside:
            return f"parent={row.parent}, but thread {row.tid} is in operation {inside} then"
        if rows and seq_end > rows[-1].seq_end:
            return f"seq_end={seq_end} lies after the end of the operation it is in, {rows[-1].seq_end}"
        if row.points and seq + row.points[-1][0] >= seq_end:
            return f"inner point {row.points[-1][1]!r} lies after the end of the operation, {seq_end}"
        self._last = seq
        if seq_end > seq:
            rows.append(row)
        return ""


class _Values(dict[str, Any]):
    """Text of a cell -> its value, each made, checked and kept once. ValueError says the rule that a text breaks."""

    def __init__(self, make: Callable[[str], Any]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, text: str) -> Any:
        value = self[text] = self._make(text)
        return value


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"={text!r} is not a whole number") from None


def _natural(text: str) -> int:
    if (number := _whole(text)) < 0:
        raise ValueError(f"={number} is negative")
    return number


def _hexadecimal(text: str) -> int:
    try:
        return int(text, 16)
    except ValueError:
        raise ValueError(f"={text!r} is not a hexadecimal number") from None


def _bit(text: str) -> int:
    if text not in ("0", "1"):
        raise ValueError(f"={text!r} is neither 0 nor 1")
    return int(text)


def _device(text: str) -> int:
    if (number := _whole(text)) != 0:
        raise ValueError(f"={number} is another swap device than the first (0)")
    return number


def _point(word: str) -> Point:
    """One point as it is written; ValueError if it cannot be."""
    name, plus, rest = word.partition("+")
    position, _, text = rest.partition("=")
    if not plus or not position.isdecimal():
        raise ValueError(" is not of the form name+N or name+N=value")
    if name not in POINTS:
        raise ValueError(" is no point that a recording has")
    if POINTS[name] != bool(text):
        raise ValueError(" needs a value" if POINTS[name] else " can have no value")
    page, colon, chunks = text.partition(":")
    if bool(colon) != (name == "list") or (colon and not chunks):
        raise ValueError(" has a page and its chunks, as page:chunks, if it is a list, else one number")
    try:
        value = int(page, 16 if colon or name in ADDRESSES else 10) if text else None
    except ValueError:
        raise ValueError(f": {page!r} is not a number") from None
    return int(position), name, (value, chunks) if colon else value


class _Plan(NamedTuple):
    """How to make a Row of a line of one kind in which certain columns are filled."""

    pick: Callable[[list[str]], tuple[str, ...]]
    values: list[_Values]  # for what was picked
    names: list[str]
    places: dict[str, int]
    keep: Callable[[tuple[Any, ...]], tuple[Any, ...]] | None
    inner: int  # which column has the points, 0 if there are none
    result: tuple[int, int] | None  # where ret and ok are among the cells


class _Rows:
    """Makes Rows of lines, and small: equal values and equal sets of columns are kept once.

    What can be checked by looking at which columns are filled is checked once for each such set.
    """

    def __init__(self, path: Path, header: list[str], format: str, columns: tuple[str, ...] | None) -> None:
        self._path = path
        self._header = header
        self._width = len(header)
        self._format = format
        self._columns = columns
        self._own = itemgetter(*(header.index(name) for name in _OWN))
        self._inner = header.index("inner") if "inner" in header else None
        self._plans: dict[str, dict[tuple[bool, ...], _Plan]] = {}
        self._nesting = _Nesting()
        self._points = _Values(_point)
        natural, whole, bit, text = _Values(_natural), _Values(_whole), _Values(_bit), _Values(str)
        self._values = {
            **dict.fromkeys(header, natural), **dict.fromkeys(_SIGNED, whole), **dict.fromkeys(_BITS, bit),
            **dict.fromkeys(_HEXADECIMAL, _Values(_hexadecimal)), **dict.fromkeys(_TEXTS, text),
            "type": _Values(_device),
        }  # fmt: skip
        self._tids = _Values(_whole)

    def row(self, line: int, values: list[str]) -> Row:
        """Check one line and make it a Row; BadInput names what is wrong with it."""
        if len(values) != self._width:
            raise self._refuse(line, f"{len(values)} columns where the header has {self._width}")
        seq, seq_end, tid, parent, op = self._own(values)
        plans = self._plans.get(op)
        plan = plans.get(tuple(map(bool, values))) if plans else None
        if plan is None:
            plan = self._plan(line, values)
        try:
            cells = tuple([known[text] for known, text in zip(plan.values, plan.pick(values))])  # noqa: B905
            row = Row(
                line, int(seq), int(seq_end), self._tids[tid], int(parent) if parent else None, op,
                Cells(plan.places, plan.keep(cells) if plan.keep else cells),
                self._inside(values[plan.inner]) if plan.inner else (),
            )  # fmt: skip
        except ValueError:
            raise self._refuse(line, self._wrong(values, plan)) from None
        if plan.result is not None and (cells[plan.result[0]] == 0) != cells[plan.result[1]]:
            raise self._refuse(line, f"ret={cells[plan.result[0]]} contradicts ok={cells[plan.result[1]]}")
        if wrong := self._nesting.wrong(row):
            raise self._refuse(line, wrong)
        return row

    def _inside(self, inner: str) -> tuple[Point, ...]:
        known = self._points
        points = tuple([known[word] for word in inner.split()])
        last = 0
        for position, _, _ in points:
            if position <= last:
                raise ValueError
            last = position
        return points

    def _plan(self, line: int, values: list[str]) -> _Plan:
        """What all lines of this kind share in which the same columns are filled."""
        header = self._header
        filled = {name: place for place, name in enumerate(header) if values[place]}
        op = self._own(values)[-1]
        if not op or "seq" not in filled or "tid" not in filled:
            raise self._refuse(line, "a row needs seq, tid and op")
        if op not in TABLE and op not in LATER:
            raise self._refuse(line, f"op={op!r} is no operation that a recording has")
        for wrong in wrong_columns(op, filled, header, self._format) if op in TABLE else ():
            raise self._refuse(line, wrong)
        left_out = {*_OWN, "inner", *(_TIMES if self._columns is None else ())}
        names = [name for name in filled if name not in left_out]
        kept = [place for place, name in enumerate(names) if self._columns is None or name in self._columns]
        has_result = op in TABLE and {"ret", "ok"} <= set(names)
        plan = _Plan(
            _picker([filled[name] for name in names]), [self._values[name] for name in names], names,
            {names[place]: number for number, place in enumerate(kept)},
            None if len(kept) == len(names) else _picker(kept),
            filled.get("inner", 0), (names.index("ret"), names.index("ok")) if has_result else None,
        )  # fmt: skip
        self._plans.setdefault(sys.intern(op), {})[tuple(map(bool, values))] = plan
        return plan

    def _wrong(self, values: list[str], plan: _Plan) -> str:
        """Which of a line's cells cannot be, and why."""
        for name, known, text in zip(plan.names, plan.values, plan.pick(values), strict=True):
            try:
                known[text]
            except ValueError as rule:
                return f"{name}{rule}"
        for name in ("seq", "seq_end", "tid", "parent"):
            try:
                _whole(values[self._header.index(name)] or "0")
            except ValueError as rule:
                return f"{name}{rule}"
        last = 0
        for word in values[self._inner].split() if self._inner is not None else ():
            try:
                position, _, _ = self._points[word]
            except ValueError as rule:
                return f"inner point {word!r}{rule}"
            if position <= last:
                return f"inner point {word!r} does not come after the one before, which is at +{last}"
            last = position
        return "cannot be read"

    def _refuse(self, line: int, rule: str) -> BadInput:
        again = "correct the line or fetch the file again"
        remedy = f"record with one device; if there was one, {again}" if rule.startswith("type=") else again
        return BadInput(f"{self._path}: line {line}: {rule}; {remedy}")


def _picker(places: list[int]) -> Callable[[Any], tuple[Any, ...]]:
    """What takes the values at these places."""
    if len(places) > 1:
        return itemgetter(*places)
    return lambda values: tuple(values[place] for place in places)
