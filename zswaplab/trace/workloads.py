"""Workloads: what a program does with its pages, as lists of operations for `record`."""

from __future__ import annotations


def revisit(pages: int = 10, more: int = 6) -> list[str]:
    """Page out `pages` pages, use the two oldest again, page out `more` new ones, then read both old ones.

    Who remembers that the two were used? With 10 and 6 pages and a limit of 6 the answer shows.
    """
    lines = [line for page in range(pages) for line in (f"write {page}", f"page_out {page}")]
    lines += ["read 0", "page_out 0", "read 1", "page_out 1"]
    lines += [line for page in range(pages, pages + more) for line in (f"write {page}", f"page_out {page}")]
    return [*lines, "read 0", "read 1"]
