"""Where objects lie in zsmalloc: the model's zspages against a recording's addresses."""

from __future__ import annotations

from typing import Any

from ..model.machine import Machine
from ..model.zpool import Handle
from .findings import Findings
from .placement import Placement
from .read import Row

_PAGE_SIZE = 4096  # bytes
_OBJECT_BITS = 24  # low bits of a location; the page's frame number is above


class ZsmallocPlacement(Placement):
    """zsmalloc: a handle is the address of 8 bytes that hold the object's location: page frame and index.

    Learned are the address of a handle when it is made, of a zspage at its first object, and a page's frame
    number at the first object that begins in it. Everything else follows, and what is alive at one
    time must have different addresses.
    """

    def __init__(self, findings: Findings, machine: Machine, columns: tuple[str, ...]) -> None:
        super().__init__(findings, machine, columns)
        evicts = machine.stage.evicts("zsmalloc")
        self._tag_bits = 2 if evicts else 1  # below the index; the second says that a handle is deferred
        self._handles: dict[Handle, int] = {}
        self._holders: dict[int, Handle] = {}  # address -> the last handle that was there
        self._zspages: dict[int, int] = {}  # number of a zspage -> address
        self._frames: dict[int, dict[int, int]] = {}  # number of a zspage -> page in it -> page frame number
        self._taken: set[int] = set()  # the addresses and page frame numbers of them all

    def stored(self, row: Row, handle: Handle) -> None:
        address = row.cells["handle"]
        before = self._holders.get(address)
        if before is not None:
            if _is_alive(before):
                self._findings.disagree(row, "handle: another object has this one", address, self._handles[before])
            self._handles.pop(before, None)
        self._holders[address], self._handles[handle] = handle, address
        if "hval" in row.cells:
            frame = row.cells["hval"] >> _OBJECT_BITS
            frames = self._frames.setdefault(handle.page.number, {})
            if frame not in self._taken and frames.setdefault(self._page(handle), frame) == frame:
                self._taken.add(frame)
            self._compare_location(row, handle)
        elif "hval" in self._columns:
            self._findings.disagree(row, "hval", None, handle)

    def written_back(self, row: Row, handle: Handle) -> None:
        self._findings.compare(row, "handle", row.cells["handle"], self.where(handle))
        if "hval" in row.cells:
            self._compare_location(row, handle)

    def _compare_location(self, row: Row, handle: Handle) -> None:
        frame = self._frames.get(handle.page.number, {}).get(self._page(handle), 0)
        location = frame << _OBJECT_BITS | handle.place << self._tag_bits
        self._findings.compare(row, "hval", row.cells["hval"], location)

    def _page(self, handle: Handle) -> int:
        """In which page of its zspage the object begins."""
        return self._zpool.address(handle) // _PAGE_SIZE

    def where(self, handle: Handle) -> int | None:
        return self._handles.get(handle)

    def took(self, row: Row, recorded: int, page: Any) -> None:
        if recorded not in self._taken and self._zspages.setdefault(page.number, recorded) == recorded:
            self._taken.add(recorded)
        self._findings.compare(row, "object", recorded, self._zspages.get(page.number))

    def page_freed(self, number: int) -> int | None:
        self._taken.difference_update(self._frames.pop(number, {}).values(), [self._zspages.get(number)])
        return self._zspages.pop(number, None)


def _is_alive(handle: Handle) -> bool:
    """Whether an object still has its handle: it is stored, or was freed while its zspage was under reclaim."""
    zspage = handle.page
    return handle in (zspage.objects.get(handle.place), zspage.deferred.get(handle.place))
