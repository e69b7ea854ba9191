"""Where objects lie in a backend: the model's handles against a recording's, one class a backend."""

from __future__ import annotations

from typing import Any

from ..model.machine import Machine
from ..model.zpool import Handle
from .findings import Findings
from .read import Row
from .thread import Thread


class Placement:
    """Compares the `handle` and `hval` cells of rows with the model's handles; `columns` are the recording's."""

    def __init__(self, findings: Findings, machine: Machine, columns: tuple[str, ...]) -> None:
        self._findings = findings
        self._machine = machine
        self._columns = columns
        self._zpool = machine.zswap.pool.zpool

    def allocated(self, handle: Handle) -> None:
        """The backend has just given this handle."""

    def freed(self, handle: Handle) -> None:
        """The backend is about to be given this handle back."""

    def saw(self, thread: Thread, event: str, subject: Any, value: Any) -> Any:
        """An event inside the backend, of that thread: what is to be compared once the recording comes to it."""

    def stored(self, row: Row, handle: Handle) -> None:
        """A store has ended, and the backend gave it `handle`."""

    def written_back(self, row: Row, handle: Handle) -> None:
        """A writeback of that object begins."""

    def where(self, handle: Handle) -> int | None:
        """What a `handle` cell must say of that object; None if that is not known."""

    def took(self, row: Row, recorded: int, page: Any) -> None:
        """A place in `page` is taken, and the `object` point says in which; only zsmalloc's recordings have it."""

    def page_freed(self, number: int) -> int | None:
        """The backend gives a page back: what its `pagefree` point must say; None if that is not known."""

    def compare_point(self, row: Row, name: str, recorded: Any, value: Any) -> None:
        """The recording comes to a point inside the backend."""

    def compare_row(self, row: Row, cells: dict[str, Any]) -> None:
        """The recording comes to an operation inside the backend."""


class ZbudPlacement(Placement):
    """zbud: a handle is the object's address. The address of a page is learned at its first object."""

    def __init__(self, findings: Findings, machine: Machine, columns: tuple[str, ...]) -> None:
        super().__init__(findings, machine, columns)
        self.addresses: dict[int, int] = {}  # number of a page -> its address in the recording

    def stored(self, row: Row, handle: Handle) -> None:
        recorded = row.cells["handle"]
        page, number = recorded & ~4095, handle.page.number
        if number not in self.addresses and page not in self.addresses.values():
            self.addresses[number] = page
        self._findings.compare(row, "handle", recorded, self.where(handle))

    def written_back(self, row: Row, handle: Handle) -> None:
        self._findings.compare(row, "handle", row.cells["handle"], self.where(handle))
        if handle.header and "hval" in row.cells:
            type, offset = handle.header
            self._findings.compare(row, "hval", row.cells["hval"], type << 58 | offset)

    def where(self, handle: Handle) -> int | None:
        return self.addresses.get(handle.page.number, 0) + self._zpool.address(handle)

    def took(self, row: Row, recorded: int, page: Any) -> None:
        self._findings.disagree(row, "zbud has no such point", recorded)

    def page_freed(self, number: int) -> int | None:
        return self.addresses.pop(number, None)
