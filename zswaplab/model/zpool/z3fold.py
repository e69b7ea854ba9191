"""z3fold: at most three objects a page, or one too long to share; what is freed is closed up by compaction.

Models mm/z3fold.c as of Linux 6.1 to 6.5; reclaim was removed by patch 3 of the series (e774a7bc7f0a).
"""

from __future__ import annotations

from ..errors import EAGAIN, EINVAL, ENOSPC, hold
from ..stages import Stage
from ..steps import UNLOCKED, Hook, Kernel, kernel, run
from .interface import Evict, Handle, Zpool
from .z3fold_page import CHUNK, HEADER, PAGE_CHUNKS, PageLru, Unbuddied, Z3foldHandle, Z3foldPage

PAGE_SIZE = 4096  # bytes
MAX_SHARED = PAGE_SIZE - HEADER * CHUNK - CHUNK  # bytes: a longer object has a page alone, without a header
BIG_GAP = 3  # chunks for which sliding the middle object is worth it
RETRIES = 8  # pages that one reclaim tries


class Z3fold(Zpool):
    """The z3fold backend.

    `unbuddied` lists the pages with room for another object; `pending` those that wait for a kworker to compact
    them, while `defers` is true; `lru`, while z3fold can evict, all pages, the least recently allocated into
    first. `numbered` has all pages.
    """

    name = "z3fold"
    unit = CHUNK
    header_units = HEADER
    defers = True  # compaction of a listed page is left to a kworker

    def __init__(self, hook: Hook, stage: Stage) -> None:
        super().__init__(hook, stage)
        self.unbuddied = Unbuddied()
        self.lru: PageLru = PageLru()
        self.numbered: dict[int, Z3foldPage] = {}
        self.next_number = 0

    def malloc(self, size: int) -> Handle | int:
        """Best fit among listed pages, newest page of a list first, else a new page (`z3fold_alloc`).

        `size` in bytes, 1 to 4096; -EINVAL below, -ENOSPC above. Over 3904 it takes a page of its own.
        """
        if size <= 0:
            return -EINVAL
        if size > PAGE_SIZE:
            return -ENOSPC
        stage = self.stage
        if size > MAX_SHARED:
            page = self.new_page(headless=True)
            handle = page.first = Z3foldHandle(size, page, "first")
        else:
            chunks = (size + CHUNK - 1) // CHUNK
            page = self.take_listed(chunks) or self.new_page(headless=False)
            place = page.free_place(chunks)
            handle = Z3foldHandle(size, page, place)
            page.put(handle, place, chunks)
            self.relist(page)
        if stage.evicts("z3fold"):
            self.lru.add(page)
        if self.hook.observer:
            self.hook.observer("page", page, "lru")
        return handle

    def take_listed(self, chunks: int) -> Z3foldPage | None:
        """Take a page with room off its list (`__z3fold_alloc`)."""
        page = self.unbuddied.take(chunks, self.hook.cpu)
        if self.hook.observer:
            self.hook.observer("pick", page, None)
        return page

    def new_page(self, headless: bool) -> Z3foldPage:
        page = self.numbered[self.next_number] = Z3foldPage(self.next_number, headless)
        self.next_number += 1
        self.pages += 1
        return page

    def relist(self, page: Z3foldPage) -> None:
        """Put a page at the head of the list of its free chunks; one with three objects is on none."""
        if self.hook.observer:
            self.hook.observer("list", page, None)
        if page.first is None or page.middle is None or page.last is None:
            self.unbuddied.add(page, self.hook.cpu)

    def free(self, handle: Handle) -> None:
        """Forget one object (`z3fold_free`): give its page back if that was the last, else have it compacted.

        At once if the page is on no list, else by a kworker; a page with compaction queued stays until then. A
        page under reclaim is left to the reclaimer.
        """
        page = handle.page
        if page.headless:
            if not page.claimed:
                page.first = None
                run(self.give_back(page))
            return
        page.forget(handle)
        if handle.home is not page:  # type: ignore[attr-defined]
            page.foreign -= 1
            self.lru.offer(page)
        if self.hook.observer:
            self.hook.observer("page", page, None)
        if page.queued or page.claimed:
            return
        if page.empty:
            run(self.release(page))
        elif page.listed is None or not self.defers:
            run(self.compact_page(page))
        else:
            page.queued = True
            self.pending.append(page)

    def map_handle(self, handle: Handle) -> Handle:
        handle.mapped += 1  # type: ignore[attr-defined]
        return handle

    def unmap_handle(self, handle: Handle) -> None:
        handle.mapped -= 1  # type: ignore[attr-defined]

    def pins(self, handle: Handle) -> bool:
        return bool(handle.page.claimed)

    def release(self, page: Z3foldPage) -> Kernel:
        """Give a page back whose last object is gone (`__release_z3fold_page`)."""
        if self.hook.observer:
            self.hook.observer("release", page, None)
        self.unbuddied.remove(page)
        yield from self.give_back(page)

    def give_back(self, page: Z3foldPage) -> Kernel:
        stage = self.stage
        if stage.evicts("z3fold"):
            self.lru.remove(page)
        del self.numbered[page.number]
        if self.hook.observer:
            self.hook.observer("pagefree", page, page.number)
        yield UNLOCKED  # others see it counted until here
        self.pages -= 1

    # -- compaction ------------------------------------------------------------------------------

    @kernel("compact_page_work")
    def work(self) -> Kernel:
        """A kworker compacts the page that has waited longest."""
        yield UNLOCKED
        page = self.pending.pop(0)
        page.queued = False
        yield from self.compact_page(page)

    @kernel("do_compact_page")
    def compact_page(self, page: Z3foldPage) -> Kernel:
        """Move a lone object away, else close the gap beside the middle one; an empty page is given back.

        A page under reclaim is left to the reclaimer.
        """
        self.unbuddied.remove(page)
        if page.claimed:
            return
        if page.empty or self.move_lone_object(page):
            yield from self.release(page)
        else:
            self.slide_middle(page)
            self.relist(page)
            if self.hook.observer:
                self.hook.observer("page", page, None)

    def move_lone_object(self, page: Z3foldPage) -> bool:
        """Move a page's only object to another page, if there is room (`compact_single_buddy`).

        Not if the object is itself foreign here (an object moves once), nor while it is mapped.
        """
        handle = page.lone
        if handle is None or page.foreign or handle.mapped:
            return False
        chunks = page.first_chunks + page.middle_chunks + page.last_chunks
        target = self.take_listed(chunks)
        if target:
            page.forget(handle)
            target.put(handle, target.free_place(chunks), chunks)
            target.foreign += 1
            self.relist(target)
        if self.hook.observer:
            self.hook.observer("move", handle, target)
            self.hook.observer("page", target or page, None)
        return target is not None

    def slide_middle(self, page: Z3foldPage) -> None:
        """Close the gap between the middle object and its only neighbour; alone it becomes the first object
        (`z3fold_compact_page`)."""
        if page.middle is None or page.middle.mapped or (page.first and page.last):
            return
        end = PAGE_CHUNKS - page.last_chunks - page.middle_chunks
        if page.last:
            start, gap = end, end - page.start_middle
        else:
            start = page.first_chunks + HEADER
            gap = page.start_middle - start
        alone = page.first is None and page.last is None
        if not alone and gap < BIG_GAP:
            return
        if self.hook.observer:
            self.hook.observer("slide", page, start)
        page.start_middle = start
        if alone:
            page.renumber(page.middle)

    # -- reclaim ---------------------------------------------------------------------------------

    def shrink(self, evict: Evict) -> Kernel:
        """Evict all objects of the least recently used page without foreign ones, trying up to 8 pages
        (`z3fold_reclaim_page`).

        0 when a page was given back, -EINVAL when there is none, -EAGAIN after 8 failures or if all have foreign ones.
        """
        if not self.lru:
            return -EINVAL
        tries = 0
        while tries < RETRIES:
            page = self.isolate_page()
            if page is None:
                break
            middle, first, last = page.middle, page.first, page.last
            failed = 0
            if middle:
                failed = yield from evict(middle)
            if first and not failed:
                failed = yield from evict(first)
            if last and not failed:
                failed = yield from evict(last)
            page.claimed = False
            if page.headless and not failed:
                page.first = None
                yield from self.give_back(page)
                return 0
            if page.empty and not page.queued:
                yield from self.release(page)
                return 0
            self.put_back(page)
            tries += 1
        return -EAGAIN

    def isolate_page(self) -> Z3foldPage | None:
        """Take the least recently used page without foreign objects off both lists and claim it."""
        page = self.lru.oldest()
        if page is None:
            return None
        self.lru.remove(page)
        self.unbuddied.remove(page)
        page.claimed = True
        if self.hook.observer:
            self.hook.observer("page isolate", page, None)
        return page

    def put_back(self, page: Z3foldPage) -> None:
        """A page that reclaim could not empty, or for which compaction is queued, is the newest now."""
        self.lru.add(page)
        if not page.headless:
            self.relist(page)
        if self.hook.observer:
            self.hook.observer("page", page, "lru")

    # -- looking at it ---------------------------------------------------------------------------

    def address(self, handle: Handle) -> int:
        page: Z3foldPage = handle.page
        return next(CHUNK * begin for one, begin, _ in page.objects() if one is handle)

    def objects(self, page: Z3foldPage) -> list[tuple[Handle, int, int]]:
        return page.objects()

    def check(self) -> None:
        pages = list(self.numbered.values())
        hold(self.pages == len(pages), "{} pages counted: {}", self.pages, self)
        listed = [page for page in pages if not page.claimed] if self.stage.evicts("z3fold") else []
        hold(set(self.lru) == set(listed), "the LRU should list {}: {}", listed, self)
        oldest = next((page for page in self.lru if not page.foreign), None)
        hold(self.lru.oldest() is oldest, "reclaim should take {}: {}", oldest, self)
        hold(list(self.pending) == list(dict.fromkeys(self.pending)), "queued twice: {}", self)
        hold(set(self.pending) == {page for page in pages if page.queued}, "wrongly queued: {}", self)
        wrong = self.unbuddied.wrong()
        hold(not wrong, "{}: {}", wrong, self)
        for page in pages:
            hold(page.listed is None or page in page.listed, "{} is not on its list: {}", page, self)
            wrong = page.wrong()
            hold(not wrong, "{}: {}: {}", page, wrong, self)

    def __repr__(self) -> str:
        pages = f"{self.pages} pages: {list(self.numbered.values())}"
        order, waiting = [page.number for page in self.lru], [page.number for page in self.pending]
        return f"<z3fold: {pages}, LRU from the oldest {order}, {self.unbuddied!r}, to compact {waiting}>"
