"""Workloads: what a program does with its pages, as lists of operations; some that recur have names.

The sizes that a name has by default suit a machine whose pool holds six pages, `Machine(ram_pages=30)`: there each
workload shows what it is for. Every page is written from a seed, its own number, so that a workload is the same
whenever it runs.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Iterable, Iterator
from functools import wraps
from inspect import signature
from itertools import islice
from pathlib import Path
from typing import ParamSpec

from ..model.errors import BadInput, choose, require
from ..model.machine import Machine

_LARGEST = 10_000  # of each size
_MOST = 100_000  # operations of a workload
WORKLOADS: dict[str, Callable[..., list[str]]] = {}
TITLES: dict[str, str] = {}  # name -> what it is, as a menu says it
_Sizes = ParamSpec("_Sizes")


def _named(title: str, **least: int) -> Callable[[Callable[_Sizes, Iterator[str]]], Callable[_Sizes, list[str]]]:
    """Give what makes a workload's lines a title, sizes that are checked (from 1, or `least`), a place in WORKLOADS."""

    def note(make: Callable[_Sizes, Iterator[str]]) -> Callable[_Sizes, list[str]]:
        @wraps(make)
        def lines(*sizes: _Sizes.args, **others: _Sizes.kwargs) -> list[str]:
            given = signature(make).bind(*sizes, **others)
            for size, value in given.arguments.items():
                require(size, value, least.get(size, 1), _LARGEST, size if size in ("rounds", "shifts") else "pages")
            found = list(islice(make(*sizes, **others), _MOST + 1))
            if len(found) > _MOST:
                what = ", ".join(f"{size}={value}" for size, value in given.arguments.items())
                raise BadInput(f"{make.__name__}({what}) has more than {_MOST:,} operations: give smaller sizes")
            return found

        WORKLOADS[make.__name__], TITLES[make.__name__] = lines, title
        return lines

    return note


def _fresh(page: int) -> list[str]:
    """The page is written and paged out."""
    return [f"write {page}", f"page_out {page}"]


def _again(page: int) -> list[str]:
    """The page is read and paged out."""
    return [f"read {page}", f"page_out {page}"]


@_named("One page through its life", others=0)
def life(others: int = 2) -> Iterator[str]:
    """Page 0 and `others` more are paged out; page 0 is used again; all are written back; page 0 is read and given up.

    Shows everything that can happen to a page: zswap stores it, gives it back at a load, writes it back to the swap
    device (6.1's zsmalloc cannot), and forgets it. Where zswap has the LRU the page used again is written back last.

    >>> life(1)
    ['write 0', 'page_out 0', 'write 1', 'page_out 1', 'read 0', 'page_out 0', 'worker', 'worker', 'read 0', 'free 0']
    """
    for page in range(others + 1):
        yield from _fresh(page)
    yield from _again(0)
    yield from ["worker"] * (others + 1)
    yield from ["read 0", "free 0"]


@_named("Fill and overflow")
def overflow(pages: int = 16) -> Iterator[str]:
    """Page out `pages` pages, more than the pool takes, then read every one of them.

    Shows the limit: one page is refused, the shrink worker makes room down to the accept threshold, and stores go
    on. The reads then tell where each page was, in zswap or on the swap device.

    >>> overflow(2)
    ['write 0', 'page_out 0', 'write 1', 'page_out 1', 'read 0', 'read 1']
    """
    for page in range(pages):
        yield from _fresh(page)
    yield from (f"read {page}" for page in range(pages))


@_named("A loop larger than the pool")
def loop(pages: int = 14, rounds: int = 2) -> Iterator[str]:
    """Write `pages` pages one after the other, paging each out, and begin again: `rounds` rounds in all.

    Shows where an LRU is at its worst: what it has just written back is what comes next. (A page that is written
    again leaves its old slot, whose entry zswap may keep for a while: so even a smaller loop fills the pool.)

    >>> loop(2, 2)
    ['write 0', 'page_out 0', 'write 1', 'page_out 1', 'write 0', 'page_out 0', 'write 1', 'page_out 1']
    """
    for _ in range(rounds):
        for page in range(pages):
            yield from _fresh(page)


@_named("A hot set with a scan through it")
def scan(hot: int = 4, scanned: int = 12) -> Iterator[str]:
    """Page out `hot` pages and use them again; page out `scanned` pages that are never used; use the hot ones again.

    Shows what pages that are used once do to an LRU: they push out those that are used often.

    >>> scan(1, 1)
    ['write 0', 'page_out 0', 'read 0', 'page_out 0', 'write 1', 'page_out 1', 'read 0', 'page_out 0']
    """
    for page in range(hot):
        yield from _fresh(page)
    for page in range(hot):
        yield from _again(page)
    for page in range(hot, hot + scanned):
        yield from _fresh(page)
    for page in range(hot):
        yield from _again(page)


@_named("A working set that shifts")
def shift(pages: int = 4, shifts: int = 5) -> Iterator[str]:
    """Go twice through `pages` pages, then let half of them go and take as many new ones: `shifts` times.

    Shows where an LRU is at its best: what it writes back belongs to the past and is never used again.

    >>> [line for line in shift(2, 1) if "page_out" not in line]
    ['write 0', 'write 1', 'read 0', 'read 1', 'read 1', 'write 2', 'read 1', 'read 2']
    """
    written = 0
    for first in range(0, shifts * max(pages // 2, 1) + 1, max(pages // 2, 1)):
        for page in [*range(first, first + pages)] * 2:
            yield from _again(page) if page < written else _fresh(page)
            written = max(written, page + 1)


@_named("Two old pages used again", pages=2, more=0)
def revisit(pages: int = 10, more: int = 6) -> Iterator[str]:
    """Page out `pages` pages, use the two oldest again, page out `more` new ones, then read both old ones.

    Who remembers that the two were used? With 10 and 6 pages and a limit of 6 the answer shows.

    >>> revisit(2, 1)[:4]
    ['write 0', 'page_out 0', 'write 1', 'page_out 1']
    """
    for page in range(pages):
        yield from _fresh(page)
    yield from [*_again(0), *_again(1)]
    for page in range(pages, pages + more):
        yield from _fresh(page)
    yield from ["read 0", "read 1"]


def sizes_of(name: str) -> dict[str, int]:
    """The sizes that a named workload takes, and what they are where none is given.

    >>> sizes_of("loop")
    {'pages': 14, 'rounds': 2}
    """
    choose("workload", name, WORKLOADS)
    return {size: parameter.default for size, parameter in signature(WORKLOADS[name]).parameters.items()}


def lines_of(workload: str | Iterable[str]) -> list[str]:
    """The operations of a workload: a list of lines, or a name with its sizes, like "revisit 10 6".

    Raises BadInput for a name that is not in WORKLOADS, for sizes that it does not have, and for what is no list.
    """
    if isinstance(workload, str):
        return _named_lines(workload)
    try:
        lines = list(workload)
    except TypeError:
        lines = [None]  # type: ignore[list-item]
    for line in lines:
        if not isinstance(line, str):
            what = line if len(lines) > 1 else workload
            raise BadInput(f"workload={what!r} cannot be: give a list of operations, like ['write 3', 'page_out 3']")
    return lines


def _named_lines(text: str) -> list[str]:
    name, *sizes = text.split() or [""]
    if name not in WORKLOADS and " " in text.strip():
        raise BadInput(f"workload={text!r} is one text; give a list of operations, like ['write 3', 'page_out 3']")
    known = sizes_of(name)
    if len(sizes) > len(known) or not all(size.isdecimal() and len(size) < 10 for size in sizes):
        example = " ".join([name, *map(str, known.values())])
        raise BadInput(f"workload={text!r} cannot be: {name} takes {' and '.join(known)}, like {example!r}")
    return WORKLOADS[name](*map(int, sizes))


# -- a workload of one's own, as CSV ------------------------------------------------------------------------

_COLUMNS = ["operation", "page", "seed"]
_LARGEST_NUMBER = 2**40  # a page, and a seed


def read_csv(source: str | Path) -> list[str]:
    r"""A workload of one's own, from the path of a CSV file or from its text (which has more than one line).

    The first line names the columns: `operation,page` or `operation,page,seed`. Every other line is one operation, as
    `Machine.parse` knows it: write, page_out, read and free with the number of a page; worker with none. A write may
    have a seed, from which the page's 4,096 bytes are made; without one they are made from its number. Empty lines
    do not count. Raises BadInput, with the number of the line, for what cannot be.

    >>> read_csv("operation,page,seed\nwrite,3,17\npage_out,3,\nworker,,\n")
    ['write 3 17', 'page_out 3', 'worker']
    """
    rows = csv.reader(io.StringIO(_text_of(source), newline=""), strict=True)
    machine, columns, lines = Machine(), 0, []
    try:
        for cells in rows:
            cells = [cell.strip() for cell in cells]
            where = f"line {rows.line_num}, {','.join(cells)!r}"
            if not any(cells):
                continue
            if not columns:
                columns = _columns_of(cells, where)
            else:
                lines.append(_line_of(cells, columns, where, machine))
            if len(lines) > _MOST:
                raise BadInput(f"{where}: a workload has at most {_MOST:,} operations; leave some out")
    except csv.Error as problem:
        raise BadInput(f"line {rows.line_num} cannot be read ({problem}): write words and numbers, no quotes") from None
    if not lines:
        raise BadInput("the workload has no operations: write operation,page and below it lines like write,3")
    return lines


def write_csv(workload: str | Iterable[str], path: str | Path) -> Path:
    """Write a workload, named or of one's own, as a CSV file that `read_csv` reads; returns its path.

    Raises BadInput for a workload that cannot be, and for a file that cannot be written.

    >>> write_csv(["write 3 17", "page_out 3"], "mine.csv").read_text().split()
    ['operation,page,seed', 'write,3,17', 'page_out,3,']
    """
    machine = Machine()
    rows = [line.split() for line in lines_of(workload)]
    for number, cells in enumerate(rows, start=1):
        _line_of(cells, len(_COLUMNS), f"operation {number}, {' '.join(cells)!r}", machine)
    columns = max([2, *map(len, rows)])
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS[:columns])
    writer.writerows([*cells, *[""] * (columns - len(cells))] for cells in rows)
    try:
        target = Path(path)
        target.write_text(text.getvalue(), encoding="utf-8")
    except (OSError, TypeError, ValueError) as problem:
        raise BadInput(f"path={path!r} cannot be written ({problem}): name a file in a folder that is there") from None
    return target


def _text_of(source: str | Path) -> str:
    """What a CSV file says; a text with several lines is that itself."""
    if isinstance(source, str) and "\n" in source:
        return source
    if not isinstance(source, (str, os.PathLike)):
        raise BadInput(f"source={source!r} cannot be read: give the path of a CSV file, or its text")
    try:
        return Path(source).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise BadInput(f"source={str(source)!r} is not in UTF-8: save it as CSV in UTF-8") from None
    except (OSError, ValueError) as problem:
        remedy = "give the path of a CSV file, or its text"
        raise BadInput(f"source={str(source)!r} cannot be read ({problem}): {remedy}") from None


def _columns_of(cells: list[str], where: str) -> int:
    """How many columns there are. Raises BadInput for a first line that does not name them."""
    if cells not in (_COLUMNS[:2], _COLUMNS):
        raise BadInput(f"{where}: the first line names the columns: write operation,page,seed, with commas between")
    return len(cells)


def _line_of(cells: list[str], columns: int, where: str, machine: Machine) -> str:
    """One operation as a line. Raises BadInput for what is none."""
    if len(cells) > columns:
        raise BadInput(f"{where}: {len(cells)} cells, and there are {columns} columns; leave out what is too much")
    while cells and not cells[-1]:
        cells = cells[:-1]
    for name, number in zip(_COLUMNS[1:], cells[1:], strict=False):
        if not (number.isascii() and number.isdecimal()) or len(number) > 13 or int(number) > _LARGEST_NUMBER:
            raise BadInput(f"{where}: {name} {number!r} cannot be; give a whole number from 0 to {_LARGEST_NUMBER:,}")
    line = " ".join(cells)
    try:
        machine.parse(line)
    except BadInput as problem:
        raise BadInput(f"{where}: {problem}") from None
    return line
