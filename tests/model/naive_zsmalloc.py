"""A zsmalloc that is slow and plain: every zspage in one list, searched from end to end. The oracle of test_zsmalloc.

It shares no code with the model: classes are found by trying, free places are a list that is copied around.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from zswaplab.model.errors import EAGAIN, EINVAL


def pages_of(size: int, chain: int) -> int:
    """Pages of one zspage: with chains of 4 by per cent used, else a page for powers of two or least waste."""
    best, pages = -1.0, 0
    if chain != 4 and bin(size).count("1") == 1:
        return 1
    for k in range(1, chain + 1):
        total = 4096 * k
        used = total - total % size
        good = used * 100 // total if chain == 4 else -(total - used)
        if pages == 0 or good > best:
            best, pages = good, k
    return pages


def shape(size: int, chain: int) -> tuple[int, int, int]:
    """(size, pages, objects) of the class that serves objects of `size` bytes: the largest that looks alike."""
    step = max(32, (size + 8 + 15) // 16 * 16)
    step = min(step, 4096)
    pages = pages_of(step, chain)
    objects = 4096 * pages // step
    while step < 4096:
        k = pages_of(step + 16, chain)
        if (k, 4096 * k // (step + 16)) != (pages, objects):
            break
        step += 16
    return step, pages, objects


@dataclass(eq=False)
class NaiveZspage:
    number: int
    shape: tuple[int, int, int]
    used: dict[int, object] = field(default_factory=dict)  # index -> whatever
    free: list[int] = field(default_factory=list)  # in the order in which they will be taken
    group: int = -1
    key: int = 0  # where it stands in its list: the highest is the head
    under_reclaim: bool = False


class NaiveZsmalloc:
    """Objects are (zspage, index). `zspages` has them all, `lru` those that a reclaim may take, newest first."""

    def __init__(self, chain: int) -> None:
        self.chain = chain
        self.zspages: list[NaiveZspage] = []
        self.lru: list[NaiveZspage] = []
        self.made = 0
        self.time = 0

    def group(self, zspage: NaiveZspage) -> int:
        used, objects = len(zspage.used), zspage.shape[2]
        if used in (0, objects):
            return 0 if used == 0 else 99
        if self.chain == 4:
            return 2 if 4 * used > 3 * objects - 3 * objects % 4 else 1
        return used * 100 // objects // 10 + 1

    def sort_in(self, zspage: NaiveZspage) -> None:
        group = self.group(zspage)
        if group == zspage.group:
            return
        zspage.group = group
        same = [z for z in self.zspages if z is not zspage and z.shape == zspage.shape and z.group == group]
        same.sort(key=lambda z: -z.key)
        self.time += 1
        zspage.key = self.time
        if self.chain == 4 and same and len(same[0].used) > len(zspage.used):
            zspage.key, same[0].key = same[0].key, self.time

    def malloc(self, size: int) -> tuple[NaiveZspage, int] | int:
        if size <= 0 or size > 4096:
            return -EINVAL
        wanted = shape(size, self.chain)
        partial = [z for z in self.zspages if z.shape == wanted and z.free and z.used and not z.under_reclaim]
        if partial:
            zspage = max(partial, key=lambda z: (z.group, z.key))
        else:
            zspage = NaiveZspage(self.made, wanted, free=list(range(wanted[2])))
            self.made += 1
            self.zspages.append(zspage)
        index = zspage.free.pop(0)
        zspage.used[index] = size
        self.sort_in(zspage)
        self.lru = [zspage, *(z for z in self.lru if z is not zspage)]
        return zspage, index

    def free(self, zspage: NaiveZspage, index: int) -> None:
        del zspage.used[index]
        if zspage.under_reclaim:
            return
        zspage.free.insert(0, index)
        self.sort_in(zspage)
        if not zspage.used:
            self.zspages.remove(zspage)
            self.lru.remove(zspage)

    def shrink(self, evict: Callable[[NaiveZspage, int], int]) -> int:
        if not self.lru:
            return -EINVAL
        for _ in range(8):
            zspage = self.lru.pop()
            zspage.under_reclaim, zspage.group = True, -1
            for index in range(zspage.shape[2]):
                if index in zspage.used and evict(zspage, index):
                    break
            zspage.under_reclaim = False
            if not zspage.used:
                self.zspages.remove(zspage)
                return 0
            zspage.free = [index for index in range(zspage.shape[2]) if index not in zspage.used]
            self.sort_in(zspage)
            self.lru.insert(0, zspage)
        return -EAGAIN

    def picture(self) -> dict[int, tuple[int, set[int]]]:
        """Number of each zspage -> size of its class, indexes used."""
        return {z.number: (z.shape[0], set(z.used)) for z in self.zspages}

    @property
    def pages(self) -> int:
        return sum(z.shape[1] for z in self.zspages)
