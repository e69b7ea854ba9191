"""zsmalloc: objects of one size class packed without gaps into zspages of several pages.

Models mm/zsmalloc.c as of Linux 6.1 and 6.4; reclaim was removed by patch 4 of the series (b3067742ae36).
"""

from __future__ import annotations

from ..errors import EAGAIN, EINVAL, hold
from ..steps import Kernel
from .interface import Evict, Handle, Mapped
from .size_classes import PAGE_SIZE, class_index
from .zspages import Zspage, Zspages

RETRIES = 8  # zspages that one reclaim tries


class Zsmalloc(Zspages):
    """The zsmalloc backend; how its zspages are listed and compacted is in zspages.py."""

    name = "zsmalloc"
    sleep_mapped = False

    def malloc(self, size: int) -> Handle | int:
        """A place in the fullest zspage that has one, the head of its list, else in a new zspage (`zs_malloc`).

        `size` in bytes, 1 to 4096; -EINVAL for others.
        """
        stage = self.stage
        if not 0 < size <= PAGE_SIZE:
            return -EINVAL
        size_class = self.classes[class_index(size)]
        zspage = self.find_zspage(size_class) or self.new_zspage(size_class)
        handle = Handle(size, zspage, 0)
        if self.hook.observer:
            self.hook.observer("object", zspage, zspage.number)
        zspage.take(handle)
        self.relist(zspage)
        if stage.evicts("zsmalloc"):
            self.lru[zspage] = None
            self.lru.move_to_end(zspage)
        if self.hook.observer:
            self.hook.observer("page", zspage, "lru")
        return handle

    def free(self, handle: Handle) -> None:
        """Forget one object; a zspage with none left is given back (`zs_free`).

        In a zspage under reclaim only the object goes; its place and its handle wait for the reclaim's end.
        """
        stage = self.stage
        zspage = handle.page
        del zspage.objects[handle.place]
        if self.hook.observer:
            self.hook.observer("page", zspage, None)
        if stage.evicts("zsmalloc"):
            if zspage.under_reclaim:
                zspage.deferred[handle.place] = handle
                return
        zspage.freed.append(handle.place)
        if zspage.objects:
            self.relist(zspage)
        else:
            self.free_zspage(zspage)

    def map_handle(self, handle: Handle) -> Mapped:
        """An object within one page stays where it is; one that spans two is copied together (`zs_map_object`).

        The copy lies in a buffer that every CPU has one of, for all pools: the next such object takes it.
        """
        size = handle.page.size_class.size
        if handle.place * size % PAGE_SIZE + size <= PAGE_SIZE:
            return handle
        buffer: Mapped = self.hook.buffers.setdefault(self.hook.cpu, Mapped())
        buffer.header, buffer.data = handle.header, handle.data
        return buffer

    # -- making room ---------------------------------------------------------------------------

    def shrink(self, evict: Evict) -> Kernel:
        """Evict all objects of the least recently used zspage, trying up to 8 of them (`zs_reclaim_page`).

        0 when a zspage was given back, -EINVAL when there is none to try, -EAGAIN after 8 failures.
        """
        if not self.lru:
            return -EINVAL
        tries = 0
        while tries < RETRIES:
            zspage = self.isolate_zspage()
            failed, index = 0, zspage.after(-1)
            while not failed and index in zspage.objects:
                failed = yield from evict(zspage.objects[index])
                index = zspage.after(index)
            if self.put_back(zspage):
                return 0
            tries += 1
        return -EAGAIN

    def isolate_zspage(self) -> Zspage:
        """Take the tail of the LRU off both lists and mark it: nothing is allocated there, and a free leaves it."""
        zspage, _ = self.lru.popitem(last=False)
        self.remove_zspage(zspage)
        zspage.under_reclaim = True
        if self.hook.observer:
            self.hook.observer("page isolate", zspage, None)
        return zspage

    def put_back(self, zspage: Zspage) -> bool:
        """End a zspage's reclaim: give it back if it is empty and say so, else make it the newest."""
        zspage.under_reclaim = False
        zspage.deferred.clear()
        if not zspage.objects:
            self.free_zspage(zspage)
            return True
        zspage.restore_freelist()
        self.relist(zspage)
        self.lru[zspage] = None
        if self.hook.observer:
            self.hook.observer("page", zspage, "lru")
        return False

    # -- looking at it -------------------------------------------------------------------------

    def address(self, handle: Handle) -> int:
        """Where the object's place begins in its zspage, in bytes (8 of a handle first, but in a huge one)."""
        zspage: Zspage = handle.page
        return zspage.size_class.size * int(handle.place)

    def objects(self, zspage: Zspage) -> list[tuple[Handle, int, int]]:
        """(object, first chunk, chunks) in address order: a place is as large as its class."""
        chunks = zspage.size_class.size // self.unit
        return [(zspage.objects[index], index * chunks, chunks) for index in sorted(zspage.objects)]

    def units_of(self, page: Zspage) -> int:
        return page.size_class.pages * PAGE_SIZE // self.unit

    def check(self) -> None:
        zspages = self.numbered.values()
        counted = sum(zspage.size_class.pages for zspage in zspages)
        hold(self.pages == counted, "{} pages counted, {} there: {}", self.pages, counted, self)
        if self.stage.evicts("zsmalloc"):
            listed = {zspage for zspage in zspages if not zspage.under_reclaim}
            hold(set(self.lru) == listed, "the LRU should list {}: {}", listed, self)
        for size_class in dict.fromkeys(self.classes):
            for group, members in enumerate(size_class.lists):
                for zspage in members:
                    hold(zspage.group == group, "{} is on list {}: {}", zspage, group, self)
                    hold(self.numbered.get(zspage.number) is zspage, "{} is listed and gone: {}", zspage, self)
        for zspage in zspages:
            self.check_zspage(zspage)

    def check_zspage(self, zspage: Zspage) -> None:
        places = sorted([*zspage.objects, *zspage.freed, *zspage.deferred])
        hold(places == list(range(zspage.fresh)), "{} has places {}: {}", zspage, places, self)
        hold(zspage.fresh <= zspage.size_class.objects, "{} overflows: {}", zspage, self)
        for index, handle in zspage.objects.items():
            hold((handle.page, handle.place) == (zspage, index), "{} is at {} in {}: {}", handle, index, zspage, self)
            fits = self.classes[class_index(handle.size)] is zspage.size_class
            hold(fits, "{} is in the wrong class, {}: {}", handle, zspage.size_class, self)
        if zspage.under_reclaim:
            hold(zspage.group is None, "{} is under reclaim and listed: {}", zspage, self)
        else:
            hold(zspage.objects and not zspage.deferred, "{} is empty, or has deferred handles: {}", zspage, self)
            group = zspage.size_class.groups[len(zspage.objects)]
            hold(zspage.group == group, "{} is in group {}: {}", zspage, zspage.group, self)
            hold(zspage in zspage.size_class.lists[group], "{} is on no list: {}", zspage, self)

    def __repr__(self) -> str:
        classes = [size_class for size_class in dict.fromkeys(self.classes) if any(size_class.lists)]
        lists = {
            size_class.size: {group: list(members) for group, members in enumerate(size_class.lists) if members}
            for size_class in classes
        }
        places = {number: (zspage.objects, zspage.freed, zspage.deferred) for number, zspage in self.numbered.items()}
        newest = f", newest last {list(self.lru)}" if self.lru else ""
        return f"<zsmalloc: {self.pages} pages, lists {lists}, objects, free and deferred places {places}{newest}>"
