"""z3fold: a handle is the address of a word that says where its object is now; both are predicted."""

from __future__ import annotations

from typing import Any

from ..model.machine import Machine
from ..model.zpool import Handle
from ..model.zpool.z3fold_page import Z3foldPage
from .findings import Findings
from .placement import Placement
from .read import Row
from .thread import Thread

_NUMBERS = {"first": 1, "middle": 2, "last": 3}  # of a page's places, before they are renumbered
_HEADLESS = 1  # low bits of a handle that is not a word's address but the page's


class _Slots:
    """The four words of the handles allocated in one page; their address is learned at the first."""

    __slots__ = ("address", "words")

    def __init__(self) -> None:
        self.address: int | None = None
        self.words: list[Any] = [None] * 4  # a handle; a Place where reclaim freed the object and left the word


_Place = tuple[int | _Slots, int]  # an address that may not be known yet: of a page (by number) or slots, and more


class Z3foldPlacement(Placement):
    """Addresses of pages and of slots are learned where they first appear; all else about them is predicted."""

    def __init__(self, findings: Findings, machine: Machine, columns: tuple[str, ...]) -> None:
        super().__init__(findings, machine, columns)
        self._addresses: dict[int, int] = {}  # number of a page -> its address in the recording
        self._numbers: dict[int, int] = {}  # address -> number of the page that has it, or last had it
        self._slots: dict[int, _Slots] = {}  # number of a page -> its slots
        self._held: dict[Handle, tuple[_Place, _Place]] = {}  # handle -> its word's address, its word at first
        self._fresh: set[Handle] = set()  # whose store has not ended
        self._claimed: dict[Handle, _Place] = {}  # the words that reclaim made for the pages it empties
        self._reclaims: dict[int | None, int] = {}  # seq of a reclaim -> where it keeps those words
        self._moved: dict[Thread, Handle] = {}  # by the compaction that the thread is in

    # -- what the model does, as it does it ------------------------------------------------------

    def allocated(self, handle: Handle) -> None:
        page, word = handle.page, self._word(handle)
        self._fresh.add(handle)
        if page.headless:
            self._held[handle] = word, word
            return
        slots = self._slots.setdefault(page.number, _Slots())
        index = word[1] & 3
        slots.words[index] = handle
        self._held[handle] = (slots, 8 * index), word

    def freed(self, handle: Handle) -> None:
        """About to be freed: its word is cleared, but not while reclaim empties the page."""
        self._claimed.pop(handle, None)
        (slots, offset), _ = self._held[handle] if handle in self._fresh else self._held.pop(handle)
        if isinstance(slots, _Slots):
            slots.words[offset // 8] = self._word(handle) if handle.page.claimed else None
            if not any(slots.words) and self._slots.get(handle.page.number) is slots:
                del self._slots[handle.page.number]

    def saw(self, thread: Thread, event: str, subject: Any, value: Any) -> Any:
        """What is to be compared when the recording comes to this event: places are made addresses only then."""
        if event == "pick":
            return subject and (subject.number, 0)
        if event == "move":
            if value:
                self._moved[thread] = subject
            return value and (value.number, 0)
        if event == "list":
            return (subject.number, 0), _chunks(subject)
        if event == "page isolate":
            self._claimed.update((handle, self._word(handle)) for handle, _, _ in subject.objects())
        if event == "begin":
            self._moved.pop(thread, None)  # left there if a problem ended the last one
            return {**self._page_cells(value[0]), "true_before": self._pages}
        if event == "end":
            cells = {**self._moved_cells(thread), "true_pages": self._pages, "ok": int(thread in self._moved)}
            self._moved.pop(thread, None)
            return cells
        if event == "release":
            words = self._slots[subject.number].words if subject.number in self._slots else []
            left = [self._word(word) if isinstance(word, Handle) else word for word in words if word]
            cells = {**self._page_cells(subject), **self._moved_cells(thread), "true_before": self._pages}
            return {**cells, "hval": left[0] if left else None}
        return value

    def _page_cells(self, page: Z3foldPage) -> dict[str, Any]:
        return {"handle": (page.number, 0), "chunks": _chunks(page)}

    def _moved_cells(self, thread: Thread) -> dict[str, Any]:
        if thread not in self._moved:
            return {"object": None, "hval": None}
        handle = self._moved[thread]
        return {"object": self._held[handle][0], "hval": self._word(handle)}

    def _word(self, handle: Handle) -> _Place:
        """What a handle's word says: the page, which place in it, and how long the last object is."""
        page = handle.page
        if page.headless:
            return page.number, _HEADLESS
        number = (_NUMBERS[handle.place] + page.first_num) & 3
        return page.number, number | (page.last_chunks << 2 if handle.place == "last" else 0)

    @property
    def _pages(self) -> int:
        return self._zpool.pages

    # -- what the recording says -----------------------------------------------------------------

    def stored(self, row: Row, handle: Handle) -> None:
        where, word = self._held[handle]
        self._fresh.discard(handle)
        recorded = row.cells["handle"]
        if isinstance(where[0], _Slots) and "hval" not in row.cells:
            self._findings.disagree(row, "hval", None, self._address(word))
            return
        if isinstance(where[0], _Slots):
            value = row.cells["hval"]
            self._learn(word, value)
            self._findings.compare(row, "hval", value, self._address(word))
            if where[0].address is None:
                where[0].address = recorded & ~63
        else:
            self._learn(word, recorded)
        self._findings.compare(row, "handle", recorded, self._address(where))

    def _learn(self, place: _Place, recorded: int) -> None:
        """A page that has not been seen is where the recording says, unless another page is there."""
        number, page = place[0], recorded & ~4095
        taken = self._numbers.get(page) in self._zpool.numbered
        if isinstance(number, int) and number not in self._addresses and not taken:
            self._addresses[number], self._numbers[page] = page, number

    def _address(self, place: _Place | None) -> int | None:
        if place is None:
            return None
        base, offset = place
        known = base.address if isinstance(base, _Slots) else self._addresses.get(base)
        return None if known is None else known + offset

    def where(self, handle: Handle) -> int | None:
        return self._address(self._held[handle][0])

    def written_back(self, row: Row, handle: Handle) -> None:
        """Reclaim makes words of its own for all objects of a page; the patch that ends it gives the handle itself."""
        if "hval" not in row.cells:
            return
        recorded, value = row.cells["handle"], row.cells["hval"]
        compare = self._findings.compare
        if handle.page.headless:
            compare(row, "handle", recorded, self._address(self._word(handle)))
            if handle.header:  # the page begins with it, and the handle points to its second byte
                type, offset = handle.header
                compare(row, "hval", value & (1 << 56) - 1, (type << 58 | offset) >> 8)
        elif self._machine.zswap.pool.evictable:
            word = self._claimed.get(handle) or self._word(handle)
            made = self._reclaims.setdefault(row.parent, recorded & ~63)
            compare(row, "handle", recorded, made + 8 * (word[1] & 3))
            compare(row, "hval", value, self._address(word))
        else:
            compare(row, "handle", recorded, self.where(handle))
            compare(row, "hval", value, self._address(self._word(handle)))

    def page_freed(self, number: int) -> int | None:
        return self._addresses.get(number)

    def compare_point(self, row: Row, name: str, recorded: Any, value: Any) -> None:
        if name == "slide":
            self._findings.compare(row, name, recorded, value)
        elif name == "list":
            place, model = value
            self._learn(place, recorded[0])
            self._findings.compare(row, name, recorded, (self._address(place), model))
        else:
            self._findings.compare(row, name, recorded, self._address(value) or 0)

    def compare_row(self, row: Row, cells: dict[str, Any]) -> None:
        """The cells of a compaction's or a release's row, the empty ones too."""
        for column, model in cells.items():
            recorded = row.cells.get(column)
            if column in ("handle", "hval", "object"):
                model = self._address(model)
            if column in self._columns and recorded != model:
                self._findings.disagree(row, column, recorded, model)


def _chunks(page: Z3foldPage) -> str:
    """As the column `chunks` has it."""
    return "/".join(
        map(str, (page.first_chunks, page.middle_chunks, page.last_chunks, page.start_middle, page.foreign))
    )
