"""zbud: at most two objects a page, one growing from the left, one from the right.

Models mm/zbud.c as of Linux 6.1 to 6.5; reclaim was removed by patch 2 of the series (1be537c6451b).
"""

from __future__ import annotations

from ..errors import EAGAIN, EINVAL, ENOSPC, hold
from ..stages import Stage
from ..steps import Hook, Kernel
from .interface import Evict, Handle, Zpool

PAGE_SIZE = 4096  # bytes
CHUNK = 64  # bytes
CHUNKS = 63  # a page has 64, the first holds zbud's header
MAX_SIZE = PAGE_SIZE - CHUNK - CHUNK  # bytes: one chunk of a page always stays for a second object
RETRIES = 8  # pages that one reclaim tries


class ZbudPage:
    """A page with room for two: `first` grows from the left, `last` ends at the right; chunks used by each."""

    __slots__ = ("number", "first", "last", "first_chunks", "last_chunks", "under_reclaim")

    def __init__(self, number: int) -> None:
        self.number = number
        self.first: Handle | None = None
        self.last: Handle | None = None
        self.first_chunks = 0
        self.last_chunks = 0
        self.under_reclaim = False

    @property
    def free_chunks(self) -> int:
        return CHUNKS - self.first_chunks - self.last_chunks

    def __repr__(self) -> str:
        return f"<zbud page {self.number}: first {self.first_chunks}, last {self.last_chunks} chunks>"


class Zbud(Zpool):
    """The zbud backend.

    `unbuddied[f]` lists the pages that hold one object and have f chunks free, bit f of `filled` says whether there
    are any; while zbud can evict, `lru` lists all pages, the least recently allocated into first. Dicts keep them in
    order: the last inserted is a list's head. `numbered` has all pages, for pictures and checks.
    """

    name = "zbud"
    unit = CHUNK
    header_units = 1

    def __init__(self, hook: Hook, stage: Stage) -> None:
        super().__init__(hook, stage)
        self.unbuddied: list[dict[ZbudPage, None]] = [{} for _ in range(CHUNKS)]
        self.filled = 0
        self.lru: dict[ZbudPage, None] = {}
        self.numbered: dict[int, ZbudPage] = {}
        self.next_number = 0

    def malloc(self, size: int) -> Handle | int:
        """Best fit among pages with one object, newest page of a list first, else a new page (`zbud_alloc`).

        `size` in bytes, 1 to 3968; -EINVAL below, -ENOSPC above.
        """
        if size <= 0:
            return -EINVAL
        if size > MAX_SIZE:
            return -ENOSPC
        stage = self.stage
        chunks = (size + CHUNK - 1) // CHUNK
        page = self.take_unbuddied(chunks) or self.new_page()
        if page.first is None:
            handle = page.first = Handle(size, page, "first")
            page.first_chunks = chunks
        else:
            handle = page.last = Handle(size, page, "last")
            page.last_chunks = chunks
        self.relist(page)
        if stage.evicts("zbud"):
            self.lru.pop(page, None)
            self.lru[page] = None
        if self.hook.observer:
            self.hook.observer("page", page, "lru")
        return handle

    def take_unbuddied(self, chunks: int) -> ZbudPage | None:
        fitting = self.filled >> chunks << chunks
        if not fitting:
            return None
        first = fitting & -fitting
        pages = self.unbuddied[first.bit_length() - 1]
        page, _ = pages.popitem()
        if not pages:
            self.filled ^= first
        return page

    def new_page(self) -> ZbudPage:
        page = self.numbered[self.next_number] = ZbudPage(self.next_number)
        self.next_number += 1
        self.pages += 1
        return page

    def relist(self, page: ZbudPage) -> None:
        """Put a page at the head of the list of its free chunks; a page with two objects is on none."""
        if page.first is None or page.last is None:
            free = page.free_chunks
            self.unbuddied[free][page] = None
            self.filled |= 1 << free

    def unlist(self, page: ZbudPage) -> None:
        """Take a page off its list, if it is on one."""
        if page.first is None or page.last is None:
            free = page.free_chunks
            pages = self.unbuddied[free]
            pages.pop(page, None)
            if not pages:
                self.filled &= ~(1 << free)

    def free(self, handle: Handle) -> None:
        """Forget one object; a page with none left is given back (`zbud_free`).

        A page under reclaim is left to the reclaimer.
        """
        stage = self.stage
        page = handle.page
        self.unlist(page)
        if handle.place == "first":
            page.first, page.first_chunks = None, 0
        else:
            page.last, page.last_chunks = None, 0
        if self.hook.observer:
            self.hook.observer("page", page, None)
        if stage.evicts("zbud"):
            if page.under_reclaim:
                return
        if page.first is None and page.last is None:
            self.free_page(page)
        else:
            self.relist(page)

    def free_page(self, page: ZbudPage) -> None:
        stage = self.stage
        if stage.evicts("zbud"):
            self.lru.pop(page, None)
        del self.numbered[page.number]
        self.pages -= 1
        if self.hook.observer:
            self.hook.observer("pagefree", page, page.number)

    def shrink(self, evict: Evict) -> Kernel:
        """Evict both objects of the least recently used page, trying up to 8 pages (`zbud_reclaim_page`).

        0 when a page was given back, -EINVAL when there is none to try, -EAGAIN after 8 failures.
        """
        if not self.lru:
            return -EINVAL
        tries = 0
        while tries < RETRIES:
            page = self.isolate_page()
            first, last = page.first, page.last
            failed = 0
            if first:
                failed = yield from evict(first)
            if last and not failed:
                failed = yield from evict(last)
            if self.put_back(page):
                return 0
            tries += 1
        return -EAGAIN

    def isolate_page(self) -> ZbudPage:
        """Take the tail of the page LRU off both lists and mark it, so that a free leaves it alone."""
        page = next(iter(self.lru))
        del self.lru[page]
        self.unlist(page)
        page.under_reclaim = True
        if self.hook.observer:
            self.hook.observer("page isolate", page, None)
        return page

    def put_back(self, page: ZbudPage) -> bool:
        """End a page's reclaim: give it back if it is empty and say so, else make it the newest."""
        page.under_reclaim = False
        if page.first is None and page.last is None:
            self.free_page(page)
            return True
        self.relist(page)
        self.lru[page] = None
        if self.hook.observer:
            self.hook.observer("page", page, "lru")
        return False

    def address(self, handle: Handle) -> int:
        return CHUNK if handle.place == "first" else PAGE_SIZE - (handle.size + CHUNK - 1) // CHUNK * CHUNK

    def objects(self, page: ZbudPage) -> list[tuple[Handle, int, int]]:
        """(object, first chunk, chunks) from left to right; chunk 0 is the header."""
        found = []
        if page.first:
            found.append((page.first, 1, page.first_chunks))
        if page.last:
            found.append((page.last, 64 - page.last_chunks, page.last_chunks))
        return found

    def check(self) -> None:
        hold(not any(page.under_reclaim for page in self.lru), "under reclaim and on the LRU: {}", self)
        hold(self.pages == len(self.numbered), "{} pages counted: {}", self.pages, self)
        if self.stage.evicts("zbud"):
            listed = [page for page in self.numbered.values() if not page.under_reclaim]
            hold(set(self.lru) == set(listed), "the LRU should list {}: {}", listed, self)
        for free, pages in enumerate(self.unbuddied):
            hold(bool(pages) is bool(self.filled >> free & 1), "bit {} of {:#x}: {}", free, self.filled, self)
            for page in pages:
                hold(page.free_chunks == free, "{} is listed under {} free chunks: {}", page, free, self)
        for page in self.numbered.values():
            if page.under_reclaim:
                continue
            lone = page.first is None or page.last is None
            hold(page.first or page.last, "{} is empty: {}", page, self)
            hold(page.free_chunks >= 0, "{} overflows: {}", page, self)
            hold((page in self.unbuddied[page.free_chunks]) is lone, "{} is wrongly listed: {}", page, self)

    def __repr__(self) -> str:
        lists = {free: list(pages) for free, pages in enumerate(self.unbuddied) if pages}
        pages = list(self.lru or self.numbered.values())
        return f"<zbud: {self.pages} pages, newest last {pages}, unbuddied {lists}>"
