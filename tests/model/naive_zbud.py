"""A zbud that is slow and plain: one list of pages, searched from end to end. The oracle of test_zbud."""

from collections.abc import Callable
from dataclasses import dataclass, field

from zswaplab.model.errors import EAGAIN, EINVAL, ENOSPC


@dataclass(eq=False)
class NaivePage:
    number: int
    sides: dict[str, int] = field(default_factory=dict)  # "first" or "last" -> chunks
    listed_at: int = 0
    under_reclaim: bool = False

    @property
    def free(self) -> int:
        return 63 - sum(self.sides.values())


class NaiveZbud:
    """Objects are (page, side). `lru` holds every page, newest allocation first; time is a count."""

    def __init__(self) -> None:
        self.lru: list[NaivePage] = []
        self.made = 0
        self.time = 0

    def malloc(self, size: int) -> tuple[NaivePage, str] | int:
        if size <= 0:
            return -EINVAL
        if size > 3968:
            return -ENOSPC
        chunks = -(-size // 64)
        fitting = [p for p in self.lru if len(p.sides) == 1 and p.free >= chunks and not p.under_reclaim]
        if fitting:
            page = min(fitting, key=lambda p: (p.free, -p.listed_at))
            self.lru.remove(page)
        else:
            page = NaivePage(self.made)
            self.made += 1
        side = "last" if "first" in page.sides else "first"
        page.sides[side] = chunks
        self.lru.insert(0, page)
        self.list_again(page)
        return page, side

    def free(self, page: NaivePage, side: str) -> None:
        del page.sides[side]
        if page.under_reclaim:
            return
        if page.sides:
            self.list_again(page)
        else:
            self.lru.remove(page)

    def list_again(self, page: NaivePage) -> None:
        self.time += 1
        page.listed_at = self.time

    def shrink(self, evict: Callable[[NaivePage, str], int]) -> int:
        if not self.lru:
            return -EINVAL
        for _ in range(8):
            page = self.lru[-1]
            page.under_reclaim = True
            for side in [side for side in ("first", "last") if side in page.sides]:
                if evict(page, side):
                    break
            page.under_reclaim = False
            self.lru.remove(page)
            if not page.sides:
                return 0
            self.lru.insert(0, page)
            self.list_again(page)
        return -EAGAIN

    def picture(self) -> dict[int, dict[str, int]]:
        return {page.number: dict(page.sides) for page in self.lru}

    @property
    def pages(self) -> int:
        return len(self.lru)

    def __repr__(self) -> str:
        return f"<naive zbud: {self.picture()}>"
