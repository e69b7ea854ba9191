"""Workloads: what a program does with its pages, as lists of operations, and the names of some that recur."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from inspect import signature

from ..model.errors import BadInput, choose, require


def revisit(pages: int = 10, more: int = 6) -> list[str]:
    """Page out `pages` pages, use the two oldest again, page out `more` new ones, then read both old ones.

    Who remembers that the two were used? With 10 and 6 pages and a limit of 6 the answer shows.

    >>> revisit(2, 1)[:4]
    ['write 0', 'page_out 0', 'write 1', 'page_out 1']
    """
    lines = [line for page in range(pages) for line in (f"write {page}", f"page_out {page}")]
    lines += ["read 0", "page_out 0", "read 1", "page_out 1"]
    lines += [line for page in range(pages, pages + more) for line in (f"write {page}", f"page_out {page}")]
    return [*lines, "read 0", "read 1"]


WORKLOADS: dict[str, Callable[..., list[str]]] = {"revisit": revisit}
_LARGEST = 10_000  # pages of a named workload


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
    choose("workload", name, WORKLOADS)
    most = len(signature(WORKLOADS[name]).parameters)
    if len(sizes) > most or not all(size.isdecimal() for size in sizes):
        raise BadInput(f"workload={text!r} cannot be: {name} takes at most {most} sizes in pages, like '{name} 10 6'")
    for size in sizes:
        require("workload", int(size), 1, _LARGEST, "pages")
    return WORKLOADS[name](*map(int, sizes))
