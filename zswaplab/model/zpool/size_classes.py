"""zsmalloc's size classes: which sizes share a kind of zspage, computed as the kernel does when it makes a pool.

Models `zs_create_pool` of mm/zsmalloc.c as of Linux 6.1 (zspages of up to 4 pages) and 6.4 (up to 8).
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .zspages import Zspage

PAGE_SIZE = 4096  # bytes
SMALLEST, STEP = 32, 16  # bytes: the smallest class, and from one size to the next
HANDLE = 8  # bytes in front of an object, which hold its handle
LAST = (PAGE_SIZE - SMALLEST) // STEP  # index of the largest class


class SizeClass:
    """Objects of up to `size` bytes, `objects` of them in a zspage of `pages` pages.

    `groups` says to which fullness group a zspage with so many objects belongs. `lists` has the zspages of
    each group, `partial` those lists that have room, the fullest first. A dict keeps a list in order: the
    last inserted is its head.
    """

    __slots__ = ("size", "pages", "objects", "groups", "lists", "partial")

    def __init__(self, size: int, pages: int, chain: int) -> None:
        self.size = size
        self.pages = pages
        self.objects = pages * PAGE_SIZE // size
        self.groups = fullness_groups(self.objects, chain)
        self.lists: list[dict[Zspage, None]] = [{} for _ in range(self.groups[-1] + 1)]
        self.partial = self.lists[-2:0:-1]

    @property
    def huge(self) -> bool:
        """One object a page: its handle lies in the page's descriptor, so that it may have the whole page."""
        return self.pages == self.objects == 1

    def __repr__(self) -> str:
        return f"<class of {self.size} bytes: {self.objects} objects in {self.pages} pages>"


def class_index(size: int) -> int:
    """Index of the size that an object of `size` bytes takes, its handle included (`get_size_class_index`)."""
    return min(max(0, -(-(size + HANDLE - SMALLEST) // STEP)), LAST)


def pages_per_zspage(size: int, chain: int) -> int:
    """Pages of a zspage of that class, at most `chain`: as few as waste least at its end.

    With chains of 4 (Linux 6.1) waste is compared in whole per cents of the zspage, with 8 in bytes.
    """
    lengths = range(1, chain + 1)
    if chain == 4:
        return max(lengths, key=lambda pages: pages * PAGE_SIZE // size * size * 100 // (pages * PAGE_SIZE))
    return min(lengths, key=lambda pages: pages * PAGE_SIZE % size)


@cache
def fullness_groups(objects: int, chain: int) -> tuple[int, ...]:
    """The group of a zspage with 0, 1, ... `objects` used (`get_fullness_group`): the first when empty, the last
    when full. Between them with chains of 4 (Linux 6.1) are two, up to three quarters and over, else ten.
    """
    if chain == 4:
        between = [1 if used <= 3 * objects // 4 else 2 for used in range(1, objects)]
        return (0, *between, 3)
    return (0, *(100 * used // objects // 10 + 1 for used in range(1, objects)), 11)


@cache
def geometry(chain: int) -> tuple[tuple[int, int], ...]:
    """(size, pages) for each class index. Sizes with as many objects in as many pages are one class, the largest."""
    found: list[tuple[int, int]] = []
    for index in range(LAST, -1, -1):
        size = SMALLEST + index * STEP
        pages = pages_per_zspage(size, chain)
        if found:
            larger, its_pages = found[-1]
            if its_pages == pages and pages * PAGE_SIZE // size == pages * PAGE_SIZE // larger:
                size = larger
        found.append((size, pages))
    return tuple(reversed(found))


def size_classes(chain: int) -> list[SizeClass]:
    """The class of each index, its lists empty, with zspages of up to `chain` pages."""
    made = {shape: SizeClass(*shape, chain) for shape in geometry(chain)}
    return [made[shape] for shape in geometry(chain)]
