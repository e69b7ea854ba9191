"""Where objects lie in zsmalloc: the model's zspages against a recording's addresses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..model.zpool import Handle
from .read import Row

if TYPE_CHECKING:
    from .compare import Comparison

PAGE_SIZE = 4096  # bytes
OBJECT_BITS = 24  # low bits of a location; the page's frame number is above


class ZsmallocPlacement:
    """zsmalloc: a handle is the address of 8 bytes that hold the object's location: page frame and index.

    Learned are the address of a handle when it is made, of a zspage at its first object, and a page's frame
    number at the first object that begins in it. Everything else follows, and what is alive at one
    time must have different addresses.
    """

    def __init__(self, comparison: Comparison) -> None:
        self.comparison = comparison
        evicts = comparison.machine.stage.evicts("zsmalloc")
        self.tag_bits = 2 if evicts else 1  # below the index; the second says that a handle is deferred
        self.handles: dict[Handle, int] = {}
        self.holders: dict[int, Handle] = {}  # address -> the last handle that was there
        self.zspages: dict[int, int] = {}  # number of a zspage -> address
        self.frames: dict[tuple[int, int], int] = {}  # (number of a zspage, page in it) -> page frame number
        self.owners: dict[int, tuple[int, int]] = {}  # the other way round

    def stored(self, row: Row, handle: Handle) -> None:
        address = int(row.cells["handle"], 16)
        before = self.holders.get(address)
        if before is not None:
            if is_alive(before):
                self.comparison.disagree(row, "handle: another object has this one", address, self.handles[before])
            self.handles.pop(before, None)
        self.holders[address], self.handles[handle] = handle, address
        if "hval" in row.cells:
            frame = int(row.cells["hval"], 16) >> OBJECT_BITS
            page = self.page(handle)
            if page not in self.frames and frame not in self.owners:
                self.frames[page], self.owners[frame] = frame, page
            self.compare_location(row, handle)

    def written_back(self, row: Row, handle: Handle) -> None:
        self.comparison.compare(row, "handle", int(row.cells["handle"], 16), self.where(handle))
        if "hval" in row.cells:
            self.compare_location(row, handle)

    def compare_location(self, row: Row, handle: Handle) -> None:
        location = self.frames.get(self.page(handle), 0) << OBJECT_BITS | handle.place << self.tag_bits
        self.comparison.compare(row, "hval", int(row.cells["hval"], 16), location)

    def page(self, handle: Handle) -> tuple[int, int]:
        """The page in which the object begins."""
        zpool = self.comparison.machine.zswap.pool.zpool
        return handle.page.number, zpool.address(handle) // PAGE_SIZE

    def where(self, handle: Handle) -> int | None:
        return self.handles.get(handle)

    def took(self, row: Row, recorded: int, page: Any) -> None:
        if page.number not in self.zspages and recorded not in self.zspages.values():
            self.zspages[page.number] = recorded
        self.comparison.compare(row, "object", recorded, self.zspages.get(page.number, 0))

    def page_freed(self, number: int) -> int | None:
        for page in [page for page in self.frames if page[0] == number]:
            del self.owners[self.frames.pop(page)]
        return self.zspages.pop(number, None)


def is_alive(handle: Handle) -> bool:
    """Whether an object still has its handle: it is stored, or was freed while its zspage was under reclaim."""
    zspage = handle.page
    return handle in (zspage.objects.get(handle.place), zspage.deferred.get(handle.place))
