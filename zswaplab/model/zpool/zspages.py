"""Zspages: the half of zsmalloc that keeps them in order, by how full they are, and compacts them.

Models mm/zsmalloc.c as of Linux 6.1 (four fullness groups) and 6.4 (twelve).
"""

from __future__ import annotations

from collections import OrderedDict

from ..stages import Stage
from ..steps import Hook
from .interface import Handle, Zpool
from .size_classes import PAGE_SIZE, SizeClass, size_classes


class Zspage:
    """Pages that hold objects of one class, one after the other, across page boundaries too.

    `objects` has them by their index, `freed` the indexes given back, the last one to be used first;
    after those come the ones never used, from `fresh` on. `deferred` has what was freed under reclaim: its
    handles stay valid until that ends. `group` is its fullness group, None while it is on no list.
    """

    __slots__ = ("number", "size_class", "objects", "freed", "fresh", "deferred", "group", "under_reclaim")

    def __init__(self, number: int, size_class: SizeClass) -> None:
        self.number = number
        self.size_class = size_class
        self.objects: dict[int, Handle] = {}
        self.freed: list[int] = []
        self.fresh = 0
        self.deferred: dict[int, Handle] = {}
        self.group: int | None = None
        self.under_reclaim = False

    def take(self, handle: Handle) -> None:
        """Put an object into the first free place (`obj_malloc`)."""
        if self.freed:
            index = self.freed.pop()
        else:
            index = self.fresh
            self.fresh += 1
        handle.page, handle.place = self, index
        self.objects[index] = handle

    def after(self, index: int) -> int:
        """Index of the next object in address order, or how many there could be."""
        index += 1
        while index < self.fresh and index not in self.objects:
            index += 1
        return index if index < self.fresh else self.size_class.objects

    def restore_freelist(self) -> None:
        """After a reclaim that failed: all free places, in address order."""
        self.freed = [index for index in range(self.fresh - 1, -1, -1) if index not in self.objects]

    def __repr__(self) -> str:
        used = f"{len(self.objects)} of {self.size_class.objects} objects of {self.size_class.size} bytes"
        return f"<zspage {self.number}: {used}, {self.size_class.pages} pages>"


class Zspages(Zpool):
    """What `Zsmalloc` has: `classes` is the size class of each index; while zsmalloc can evict, `lru` lists all
    zspages, the least recently allocated into first. `numbered` has all zspages, for pictures and checks.
    """

    unit = 16
    header_units = 0

    def __init__(self, hook: Hook, stage: Stage) -> None:
        super().__init__(hook, stage)
        self.page_units = stage.chain * PAGE_SIZE // self.unit
        self.classes = size_classes(stage.chain)
        self.lru: OrderedDict[Zspage, None] = OrderedDict()
        self.numbered: dict[int, Zspage] = {}
        self.next_number = 0

    def find_zspage(self, size_class: SizeClass) -> Zspage | None:
        """The head of the list of the fullest zspages that are not full (`find_get_zspage`)."""
        for zspages in size_class.partial:
            if zspages:
                return head(zspages)
        return None

    def new_zspage(self, size_class: SizeClass) -> Zspage:
        zspage = self.numbered[self.next_number] = Zspage(self.next_number, size_class)
        self.next_number += 1
        self.pages += size_class.pages
        return zspage

    def relist(self, zspage: Zspage) -> None:
        """List a zspage by its fullness, where that has changed (`fix_fullness_group`)."""
        group = zspage.size_class.groups[len(zspage.objects)]
        if group != zspage.group:
            self.remove_zspage(zspage)
            self.insert_zspage(zspage, group)

    def insert_zspage(self, zspage: Zspage, group: int) -> None:
        """Put it at the head of a list; in Linux 6.1 behind the head if that is fuller."""
        stage = self.stage
        zspages = zspage.size_class.lists[group]
        zspage.group = group
        if stage.chain == 4:
            first = head(zspages) if zspages else zspage
            zspages[zspage] = None
            if len(first.objects) > len(zspage.objects):
                del zspages[first]
                zspages[first] = None
        else:
            zspages[zspage] = None

    def remove_zspage(self, zspage: Zspage) -> None:
        if zspage.group is not None:
            del zspage.size_class.lists[zspage.group][zspage]
            zspage.group = None

    def free_zspage(self, zspage: Zspage) -> None:
        """Give a zspage's pages back; it is on no list any more (`__free_zspage`)."""
        stage = self.stage
        self.remove_zspage(zspage)
        if stage.evicts("zsmalloc"):
            self.lru.pop(zspage, None)
        if self.hook.observer:
            self.hook.observer("pagefree", zspage, zspage.number)
        del self.numbered[zspage.number]
        self.pages -= zspage.size_class.pages

    def compact(self) -> int:
        """Empty the emptiest zspages of each class into the fullest, as the kernel's own shrinker may at any time.

        Returns the pages given back (`zs_compact` of Linux 6.4). In this model nobody calls it by himself.
        """
        before = self.pages
        for size_class in reversed(dict.fromkeys(self.classes)):
            self.compact_class(size_class)
        return before - self.pages

    def compact_class(self, size_class: SizeClass) -> None:
        """As long as the free places add up to a zspage: move objects from the emptiest to the fullest."""
        zspages = [zspage for zspage in self.numbered.values() if zspage.size_class is size_class]
        room = sum(size_class.objects - len(zspage.objects) for zspage in zspages)
        target = None
        while room >= size_class.objects:
            target = target or self.isolate(size_class.partial)
            source = self.isolate(size_class.partial[::-1])
            if target and source:
                self.move_objects(source, target)
            if source:
                self.relist(source)
            if not (target and source):
                break
            if not source.objects:
                self.free_zspage(source)
                room -= size_class.objects
            if len(target.objects) == size_class.objects:
                self.relist(target)
                target = None
        if target:
            self.relist(target)

    def isolate(self, lists: list[dict[Zspage, None]]) -> Zspage | None:
        """Take the head of the first list that has one (`isolate_src_zspage`, `isolate_dst_zspage`)."""
        for zspages in lists:
            if zspages:
                zspage = head(zspages)
                self.remove_zspage(zspage)
                return zspage
        return None

    def move_objects(self, source: Zspage, target: Zspage) -> None:
        """Move objects in address order until the target is full or the source empty (`migrate_zspage`)."""
        for index in sorted(source.objects)[: target.size_class.objects - len(target.objects)]:
            handle = source.objects.pop(index)
            source.freed.append(index)
            if self.hook.observer:
                self.hook.observer("object", target, target.number)
            target.take(handle)
        if self.hook.observer:
            self.hook.observer("page", source, None)
            self.hook.observer("page", target, None)


def head(zspages: dict[Zspage, None]) -> Zspage:
    """The last inserted; by taking it out and back in, as a search from a dict's end grows with what was deleted."""
    zspage, _ = zspages.popitem()
    zspages[zspage] = None
    return zspage
