"""z3fold: a handle is the address of a word that says where its object is now; both are predicted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..model.zpool import Handle
from ..model.zpool.z3fold import Z3fold
from .placement import Placement
from .read import Row

if TYPE_CHECKING:
    from ..model.zpool.z3fold_page import Z3foldPage
    from .compare import Comparison

NUMBERS = {"first": 1, "middle": 2, "last": 3}  # of a page's places, before they are renumbered
HEADLESS = 1  # low bits of a handle that is not a word's address but the page's


class Slots:
    """The four words of the handles allocated in one page; their address is learned at the first."""

    __slots__ = ("address", "words")

    def __init__(self) -> None:
        self.address: int | None = None
        self.words: list[Any] = [None] * 4  # a handle; a Place where reclaim freed the object and left the word


Place = tuple[int | Slots, int]  # an address that may not be known yet: of a page (by number) or slots, and more


class Z3foldPlacement(Placement):
    """Addresses of pages and of slots are learned where they first appear; all else about them is predicted."""

    def __init__(self, comparison: Comparison) -> None:
        self.comparison = comparison
        self.addresses: dict[int, int] = {}  # number of a page -> its address in the recording
        self.numbers: dict[int, int] = {}  # address -> number of the page that has it, or last had it
        self.slots: dict[int, Slots] = {}  # number of a page -> its slots
        self.held: dict[Handle, tuple[Place, Place]] = {}  # handle -> its word's address, its word at first
        self.claimed: dict[Handle, Place] = {}  # the words that reclaim made for the page it empties
        self.reclaims: dict[int | None, int] = {}  # seq of a reclaim -> where it keeps those words
        self.moved: Handle | None = None  # by the compaction under way

    # -- what the model does, as it does it ------------------------------------------------------

    def allocated(self, handle: Handle) -> None:
        page, word = handle.page, self.word(handle)
        if page.headless:
            self.held[handle] = word, word
            return
        slots = self.slots.setdefault(page.number, Slots())
        index = word[1] & 3
        slots.words[index] = handle
        self.held[handle] = (slots, 8 * index), word

    def freed(self, handle: Handle) -> None:
        """About to be freed: its word is cleared, but not while reclaim empties the page."""
        (slots, offset), _ = self.held.pop(handle)
        if isinstance(slots, Slots):
            slots.words[offset // 8] = self.word(handle) if handle.page.claimed else None
            if not any(slots.words) and self.slots.get(handle.page.number) is slots:
                del self.slots[handle.page.number]

    def saw(self, event: str, subject: Any, value: Any) -> Any:
        """What is to be compared when the recording comes to this event: places are made addresses only then."""
        if event == "pick":
            return subject and (subject.number, 0)
        if event == "move":
            self.moved = subject if value else None
            return value and (value.number, 0)
        if event == "list":
            return (subject.number, 0), chunks(subject)
        if event == "page isolate":
            self.claimed = {handle: self.word(handle) for handle, _, _ in subject.objects()}
        if event == "begin":
            return {**self.page_cells(value[0]), "true_before": self.pages}
        if event == "end":
            cells = {**self.moved_cells(), "true_pages": self.pages, "ok": int(self.moved is not None)}
            self.moved = None
            return cells
        if event == "release":
            words = self.slots[subject.number].words if subject.number in self.slots else []
            left = [self.word(word) if isinstance(word, Handle) else word for word in words if word]
            cells = {**self.page_cells(subject), **self.moved_cells(), "true_before": self.pages}
            return {**cells, "hval": left[0] if left else None}
        return value

    def page_cells(self, page: Z3foldPage) -> dict[str, Any]:
        return {"handle": (page.number, 0), "chunks": chunks(page)}

    def moved_cells(self) -> dict[str, Any]:
        if self.moved is None:
            return {"object": None, "hval": None}
        return {"object": self.held[self.moved][0], "hval": self.word(self.moved)}

    def word(self, handle: Handle) -> Place:
        """What a handle's word says: the page, which place in it, and how long the last object is."""
        page = handle.page
        if page.headless:
            return page.number, HEADLESS
        number = (NUMBERS[handle.place] + page.first_num) & 3
        return page.number, number | (page.last_chunks << 2 if handle.place == "last" else 0)

    @property
    def pages(self) -> int:
        return self.comparison.machine.zswap.pool.zpool.pages

    # -- what the recording says -----------------------------------------------------------------

    def stored(self, row: Row, handle: Handle) -> None:
        where, word = self.held[handle]
        recorded = int(row.cells["handle"], 16)
        if isinstance(where[0], Slots):
            value = int(row.cells["hval"], 16)
            self.learn(word, value)
            self.comparison.compare(row, "hval", value, self.address(word))
            if where[0].address is None:
                where[0].address = recorded & ~63
        else:
            self.learn(word, recorded)
        self.comparison.compare(row, "handle", recorded, self.address(where))

    def learn(self, place: Place, recorded: int) -> None:
        """A page that has not been seen is where the recording says, unless another page is there."""
        number, page = place[0], recorded & ~4095
        zpool = self.comparison.machine.zswap.pool.zpool
        assert isinstance(zpool, Z3fold)
        taken = self.numbers.get(page) in zpool.numbered
        if isinstance(number, int) and number not in self.addresses and not taken:
            self.addresses[number], self.numbers[page] = page, number

    def address(self, place: Place | None) -> int | None:
        if place is None:
            return None
        base, offset = place
        known = base.address if isinstance(base, Slots) else self.addresses.get(base)
        return None if known is None else known + offset

    def where(self, handle: Handle) -> int | None:
        return self.address(self.held[handle][0])

    def written_back(self, row: Row, handle: Handle) -> None:
        """Reclaim makes words of its own for all objects of a page; the patch that ends it gives the handle itself."""
        recorded, value = int(row.cells["handle"], 16), int(row.cells["hval"], 16)
        compare = self.comparison.compare
        if handle.page.headless:
            compare(row, "handle", recorded, self.address(self.word(handle)))
            if handle.header:  # the page begins with it, and the handle points to its second byte
                type, offset = handle.header
                compare(row, "hval", value & (1 << 56) - 1, (type << 58 | offset) >> 8)
        elif self.comparison.machine.zswap.pool.evictable:
            word = self.claimed[handle]
            made = self.reclaims.setdefault(row.parent, recorded & ~63)
            compare(row, "handle", recorded, made + 8 * (word[1] & 3))
            compare(row, "hval", value, self.address(word))
        else:
            compare(row, "handle", recorded, self.where(handle))
            compare(row, "hval", value, self.address(self.word(handle)))

    def page_freed(self, number: int) -> int | None:
        return self.addresses.get(number)

    def compare_point(self, row: Row, name: str, text: str, value: Any) -> None:
        if name == "slide":
            self.comparison.compare(row, name, int(text), value)
        elif name == "list":
            page, _, held = text.partition(":")
            place, model = value
            self.learn(place, int(page, 16))
            self.comparison.compare(row, name, (int(page, 16), held), (self.address(place), model))
        else:
            self.comparison.compare(row, name, int(text, 16), self.address(value) or 0)

    def compare_row(self, row: Row, cells: dict[str, Any]) -> None:
        """The cells of a compaction's or a release's row, the empty ones too."""
        for column, model in cells.items():
            recorded = row.cells.get(column)
            if column in ("handle", "hval", "object"):
                recorded, model = recorded and int(recorded, 16), self.address(model)
            if column in self.comparison.recording.columns and recorded != model:
                self.comparison.disagree(row, column, recorded, model)


def chunks(page: Z3foldPage) -> str:
    """As the column `chunks` has it."""
    return "/".join(
        map(str, (page.first_chunks, page.middle_chunks, page.last_chunks, page.start_middle, page.foreign))
    )
