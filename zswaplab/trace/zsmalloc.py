"""Where objects lie in zsmalloc: the model's zspages against a recording's addresses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..model.zpool import Handle
from .placement import Placement
from .read import Row

if TYPE_CHECKING:
    from .compare import Comparison

PAGE_SIZE = 4096  # bytes
OBJECT_BITS = 24  # low bits of a location; the page's frame number is above


class ZsmallocPlacement(Placement):
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
        self.frames: dict[int, dict[int, int]] = {}  # number of a zspage -> page in it -> page frame number
        self.taken: set[int] = set()  # the addresses and page frame numbers of them all

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
            frames = self.frames.setdefault(handle.page.number, {})
            if frame not in self.taken and frames.setdefault(self.page(handle), frame) == frame:
                self.taken.add(frame)
            self.compare_location(row, handle)

    def written_back(self, row: Row, handle: Handle) -> None:
        self.comparison.compare(row, "handle", int(row.cells["handle"], 16), self.where(handle))
        if "hval" in row.cells:
            self.compare_location(row, handle)

    def compare_location(self, row: Row, handle: Handle) -> None:
        frame = self.frames.get(handle.page.number, {}).get(self.page(handle), 0)
        location = frame << OBJECT_BITS | handle.place << self.tag_bits
        self.comparison.compare(row, "hval", int(row.cells["hval"], 16), location)

    def page(self, handle: Handle) -> int:
        """In which page of its zspage the object begins."""
        return self.comparison.machine.zswap.pool.zpool.address(handle) // PAGE_SIZE

    def where(self, handle: Handle) -> int | None:
        return self.handles.get(handle)

    def took(self, row: Row, recorded: int, page: Any) -> None:
        if recorded not in self.taken and self.zspages.setdefault(page.number, recorded) == recorded:
            self.taken.add(recorded)
        self.comparison.compare(row, "object", recorded, self.zspages.get(page.number))

    def page_freed(self, number: int) -> int | None:
        self.taken.difference_update(self.frames.pop(number, {}).values(), [self.zspages.get(number)])
        return self.zspages.pop(number, None)


def is_alive(handle: Handle) -> bool:
    """Whether an object still has its handle: it is stored, or was freed while its zspage was under reclaim."""
    zspage = handle.page
    return handle in (zspage.objects.get(handle.place), zspage.deferred.get(handle.place))
