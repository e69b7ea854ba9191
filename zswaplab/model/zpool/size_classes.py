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

    `lists` has its zspages by fullness group: emptier ones first, full ones last. A dict keeps a list in
    order: the last inserted is its head.
    """

    __slots__ = ("size", "pages", "objects", "lists")

    def __init__(self, size: int, pages: int, groups: int) -> None:
        self.size = size
        self.pages = pages
        self.objects = pages * PAGE_SIZE // size
        self.lists: list[dict[Zspage, None]] = [{} for _ in range(groups)]

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
    """The class of each index, with empty lists: four fullness groups with chains of 4, else twelve."""
    groups = 4 if chain == 4 else 12
    made = {shape: SizeClass(*shape, groups) for shape in geometry(chain)}
    return [made[shape] for shape in geometry(chain)]
