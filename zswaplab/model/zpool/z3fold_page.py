"""A page of z3fold: where in it its objects lie, and where the next one goes; and lists of pages."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heappop, heappush

from ..freed import can_be_freed
from .interface import Handle

CHUNK = 64  # bytes
PAGE_CHUNKS = 64
HEADER = 2  # chunks that z3fold's own header takes
CHUNKS = PAGE_CHUNKS - HEADER

Listed = dict["Z3foldPage", None]  # in order: the last inserted is the list's head


class Z3foldHandle(Handle):
    """One object; `home` is the page that it was allocated in: in any other it is foreign. `mapped`: by how many."""

    __slots__ = ("home", "mapped")

    def __init__(self, size: int, page: Z3foldPage, place: str) -> None:
        self.size = size
        self.page = self.home = page
        self.place = place
        self.mapped = 0
        self.header = self.data = None


can_be_freed(Z3foldHandle, "object of the backend", ("header", "data"))


class Z3foldPage:
    """A page with room for three: `first` from the left, `middle` from chunk `start_middle`, `last` at the right.

    `headless`: its one object has it all. `first_num` counts how often the middle object has become the
    first: places are renumbered by it, so that handles stay right. `foreign`: objects that came from another
    page. `listed`: the list it is on; `age`: when it became the newest of the LRU. `queued` for compaction;
    `claimed` by reclaim.
    """

    __slots__ = (
        "number", "headless", "first", "middle", "last", "first_chunks", "middle_chunks", "last_chunks",
        "start_middle", "first_num", "foreign", "listed", "age", "queued", "claimed",
    )  # fmt: skip

    def __init__(self, number: int, headless: bool) -> None:
        self.number = number
        self.headless = headless
        self.first: Z3foldHandle | None = None
        self.middle: Z3foldHandle | None = None
        self.last: Z3foldHandle | None = None
        self.first_chunks = self.middle_chunks = self.last_chunks = 0
        self.start_middle = 0  # kept when the middle object goes
        self.first_num = 0
        self.foreign = 0
        self.listed: Listed | None = None
        self.age = 0
        self.queued = self.claimed = False

    @property
    def empty(self) -> bool:
        return self.first is self.middle is self.last is None

    @property
    def lone(self) -> Z3foldHandle | None:
        """Its only object; None if it has none or several."""
        held = [handle for handle in (self.first, self.middle, self.last) if handle]
        return held[0] if len(held) == 1 else None

    @property
    def free_chunks(self) -> int:
        """The chunks of its largest hole (`num_free_chunks`)."""
        if self.middle is None:
            return CHUNKS - self.first_chunks - self.last_chunks
        before = 0 if self.first else self.start_middle - HEADER
        after = 0 if self.last else PAGE_CHUNKS - self.start_middle - self.middle_chunks
        return before if before > after else after

    def free_place(self, chunks: int) -> str:
        """Where an object goes that fits in (`get_free_buddy`)."""
        if self.first is None and (self.middle is None or chunks <= self.start_middle - HEADER):
            return "first"
        return "last" if self.last is None else "middle"

    def put(self, handle: Z3foldHandle, place: str, chunks: int) -> None:
        handle.page, handle.place = self, place
        if place == "first":
            self.first, self.first_chunks = handle, chunks
        elif place == "last":
            self.last, self.last_chunks = handle, chunks
        else:
            self.middle, self.middle_chunks = handle, chunks
            self.start_middle = self.first_chunks + HEADER

    def forget(self, handle: Handle) -> None:
        if handle.place == "first":
            self.first, self.first_chunks = None, 0
        elif handle.place == "last":
            self.last, self.last_chunks = None, 0
        else:
            self.middle, self.middle_chunks = None, 0

    def renumber(self, middle: Z3foldHandle) -> None:
        """The middle object, alone and at the left end, is now the first one."""
        chunks = self.middle_chunks
        self.forget(middle)
        self.put(middle, "first", chunks)
        self.start_middle = 0
        self.first_num += 1

    def objects(self) -> list[tuple[Handle, int, int]]:
        """(object, first chunk, chunks) from left to right; the first chunks are the header."""
        if self.headless:
            return [(self.first, 0, PAGE_CHUNKS)] if self.first else []
        found = [
            (self.first, HEADER, self.first_chunks), (self.middle, self.start_middle, self.middle_chunks),
            (self.last, PAGE_CHUNKS - self.last_chunks, self.last_chunks),
        ]  # fmt: skip
        return [(handle, begin, chunks) for handle, begin, chunks in found if handle]

    def wrong(self) -> str:
        """What is wrong with it, or nothing."""
        objects = self.objects()
        if any(handle.page is not self for handle, _, _ in objects):
            return "an object of it lies elsewhere"
        if self.claimed and self.listed is not None:
            return "claimed and listed"
        if self.headless:
            return "" if objects and self.listed is None and not self.queued else "headless, and empty or listed"
        if any(-(-handle.size // CHUNK) != chunks for handle, _, chunks in objects):
            return "an object and its chunks differ"
        ends = [HEADER, *(begin + chunks for _, begin, chunks in objects)]
        if any(begin < end for (_, begin, _), end in zip(objects, ends, strict=False)) or ends[-1] > PAGE_CHUNKS:
            return "objects overlap"
        if self.foreign != sum(handle.home is not self for handle, _, _ in objects):  # type: ignore[attr-defined]
            return "foreign objects miscounted"
        if self.claimed or self.queued:
            return ""
        if self.empty:
            return "empty, and nobody will give it back"
        return "" if (self.listed is None) is (len(objects) == 3) else "wrongly on a list, or on none"

    def __repr__(self) -> str:
        marks = [name for name in ("headless", "queued", "claimed") if getattr(self, name)]
        held = f"first {self.first_chunks}, middle {self.middle_chunks} at {self.start_middle}, last {self.last_chunks}"
        return f"<z3fold page {self.number}: {', '.join([held, f'{self.foreign} foreign', *marks])}>"


class Unbuddied:
    """Each CPU's lists of the pages that have room for another object, by the chunks of their largest hole."""

    def __init__(self) -> None:
        self.cpus: dict[int, list[Listed]] = {}

    def of(self, cpu: int) -> list[Listed]:
        """A CPU's lists; there is one more than are searched, where an emptied page that must stay may come."""
        lists = self.cpus.get(cpu)
        return lists or self.cpus.setdefault(cpu, [{} for _ in range(CHUNKS + 1)])

    def add(self, page: Z3foldPage, cpu: int) -> None:
        page.listed = self.of(cpu)[page.free_chunks]
        page.listed[page] = None

    def remove(self, page: Z3foldPage) -> None:
        if page.listed is not None:
            del page.listed[page]
            page.listed = None

    def take(self, chunks: int, cpu: int) -> Z3foldPage | None:
        """Take the page with the smallest hole off this CPU's lists, else off another's if the hole is no larger."""
        for pages in filter(None, self.of(cpu)[chunks:CHUNKS]):
            while pages:
                page = self.pop(pages)
                if page:
                    return page
        for other in sorted(self.cpus):
            pages = self.cpus[other][chunks]
            page = self.pop(pages) if pages else None
            if page:
                return page
        return None

    def pop(self, pages: Listed) -> Z3foldPage | None:
        """A list's head, off it; None if it waits for compaction and only loses its place."""
        page = pages.popitem()[0]
        page.listed = None
        return None if page.queued else page

    def wrong(self) -> str:
        """What is wrong with them, or nothing."""
        for lists in self.cpus.values():
            for free, pages in enumerate(lists):
                for page in pages:
                    if page.listed is not pages:
                        return f"{page} does not know its list"
                    if page.free_chunks != free and not page.queued:
                        return f"{page} is listed under {free} free chunks"
        return ""

    def __repr__(self) -> str:
        lists = {
            f"CPU {cpu}, {free} free": [page.number for page in pages]
            for cpu, lists in self.cpus.items() for free, pages in enumerate(lists) if pages
        }  # fmt: skip
        return f"<unbuddied: {lists}>"


class PageLru:
    """All pages, the least recently allocated into first.

    Reclaim passes over pages with foreign objects, however many: so those without are kept in a heap as well, by
    age. What is no longer true in it is found when it comes to the top.
    """

    def __init__(self) -> None:
        self.pages: dict[Z3foldPage, None] = {}
        self.clock = 0
        self.heap: list[tuple[int, int, Z3foldPage]] = []

    def add(self, page: Z3foldPage) -> None:
        """It is the newest now."""
        self.pages.pop(page, None)
        self.pages[page] = None
        self.clock = page.age = self.clock + 1
        if not page.foreign:
            self.heap.append((page.age, page.number, page))  # the largest may stand at a heap's end
            if len(self.heap) > 2 * len(self.pages) + 64:
                self.heap = [(page.age, page.number, page) for page in self.pages if not page.foreign]

    def offer(self, page: Z3foldPage) -> None:
        """A foreign object of it is gone: without any, reclaim may take it."""
        if not page.foreign and page in self.pages:
            heappush(self.heap, (page.age, page.number, page))

    def remove(self, page: Z3foldPage) -> None:
        self.pages.pop(page, None)

    def oldest(self) -> Z3foldPage | None:
        """The oldest page without a foreign object."""
        while self.heap:
            age, _, page = self.heap[0]
            if page.age == age and page in self.pages and not page.foreign:
                return page
            heappop(self.heap)
        return None

    def __iter__(self) -> Iterator[Z3foldPage]:
        return iter(self.pages)

    def __len__(self) -> int:
        return len(self.pages)
