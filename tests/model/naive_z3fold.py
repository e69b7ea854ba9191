"""A z3fold that is slow and plain: each page is a strip of 64 chunks, drawn and searched. The oracle of test_z3fold."""

from collections.abc import Callable
from itertools import count

from zswaplab.model.errors import EAGAIN, EINVAL, ENOSPC


class NaivePage:
    """`strip[i]` says who has chunk i: "header", a place ("first", "middle", "last"), or None."""

    def __init__(self, number: int, headless: bool) -> None:
        self.number = number
        self.headless = headless
        self.strip: list[str | None] = [None] * 64 if headless else ["header"] * 2 + [None] * 62
        self.places: dict[str, int] = {}  # place -> object
        self.guests: set[int] = set()  # objects that were allocated elsewhere
        self.listed_at = 0
        self.waits = False  # for compaction
        self.claimed = False  # by reclaim

    def draw(self, place: str, chunks: int) -> None:
        start = {"first": 2, "last": 64 - chunks, "middle": 2 + self.strip.count("first")}[place]
        assert self.strip[start : start + chunks] == [None] * chunks, "drawn over another object"
        self.strip[start : start + chunks] = [place] * chunks

    def wipe(self, place: str) -> int:
        chunks = self.strip.count(place)
        self.strip = [None if who == place else who for who in self.strip]
        return chunks

    def gap(self, after: str, before: str | None) -> int:
        """Chunks between the end of one and the beginning of another (None: the end of the page)."""
        left = 64 - self.strip[::-1].index(after)
        return (self.strip.index(before) if before else 64) - left

    def room(self) -> dict[str, int]:
        """Place that an object could get -> how long it may be; the kernel asks in this order."""
        if "middle" in self.places:
            sides = {"first": ("header", "middle"), "last": ("middle", None)}
            return {side: self.gap(*around) for side, around in sides.items() if side not in self.places}
        free = [place for place in ("first", "last", "middle") if place not in self.places]
        return {free[0]: self.strip.count(None)} if not self.headless else {}

    def place_for(self, chunks: int) -> str:
        return next(place for place, long in self.room().items() if chunks <= long)

    def add(self, who: int, chunks: int) -> None:
        place = self.place_for(chunks)
        self.draw(place, chunks)
        self.places[place] = who

    def close_up(self) -> None:
        """What compaction does with two objects or a lone one in the middle."""
        if "middle" not in self.places or len(self.places) == 3:
            return
        gap = self.gap("first", "middle") if "first" in self.places else None
        gap = self.gap("middle", "last") if "last" in self.places else gap
        if gap is None:
            chunks = self.wipe("middle")
            self.places = {"first": self.places["middle"]}
            self.draw("first", chunks)
        elif gap >= 3:
            chunks = self.wipe("middle")
            start = 2 + self.strip.count("first") if "first" in self.places else self.strip.index("last") - chunks
            self.strip[start : start + chunks] = ["middle"] * chunks


class NaiveZ3fold:
    """Objects are numbers. `lru` holds every page, newest allocation first; time is a count."""

    def __init__(self) -> None:
        self.lru: list[NaivePage] = []
        self.at: dict[int, NaivePage] = {}  # object -> page
        self.queue: list[NaivePage] = []
        self.page_numbers, self.objects, self.time = count(), count(), count(1)

    def malloc(self, size: int) -> int:
        """The object, or a negative errno."""
        if size <= 0:
            return -EINVAL
        if size > 4096:
            return -ENOSPC
        who = next(self.objects)
        if size > 61 * 64:
            page = NaivePage(next(self.page_numbers), headless=True)
            page.places["first"] = who
        else:
            chunks = -(-size // 64)
            page = self.best(chunks) or NaivePage(next(self.page_numbers), headless=False)
            page.add(who, chunks)
            page.listed_at = next(self.time)
        self.lru = [page, *(other for other in self.lru if other is not page)]
        self.at[who] = page
        return who

    def best(self, chunks: int, but: NaivePage | None = None) -> NaivePage | None:
        """The page with the smallest hole that is long enough; of equal ones that listed last."""
        open = [page for page in self.lru if page.room() and not (page is but or page.waits or page.claimed)]
        holes = [(max(page.room().values()), -page.listed_at, page) for page in open]
        fitting = [found for found in holes if found[0] >= chunks]
        return min(fitting, key=lambda found: found[:2])[2] if fitting else None

    def free(self, who: int) -> None:
        page = self.at.pop(who)
        if page.headless:
            if not page.claimed:
                self.lru.remove(page)
            return
        was_full = len(page.places) == 3
        place = next(place for place, other in page.places.items() if other == who)
        page.wipe(place)
        del page.places[place]
        page.guests.discard(who)
        if page.waits or page.claimed:
            return
        if not page.places:
            self.lru.remove(page)
        elif was_full:
            self.compact(page)
        else:
            page.waits = True
            self.queue.append(page)

    def work(self) -> None:
        page = self.queue.pop(0)
        page.waits = False
        self.compact(page)

    def compact(self, page: NaivePage) -> None:
        if page.claimed:
            return
        if not page.places:
            self.lru.remove(page)
            return
        if len(page.places) == 1 and not page.guests:
            (place, who), = page.places.items()
            chunks = page.strip.count(place)
            target = self.best(chunks, but=page)
            if target:
                target.add(who, chunks)
                target.guests.add(who)
                target.listed_at = next(self.time)
                self.at[who] = target
                self.lru.remove(page)
                return
        page.close_up()
        page.listed_at = next(self.time)

    def shrink(self, evict: Callable[[int], int]) -> int:
        if not self.lru:
            return -EINVAL
        for _ in range(8):
            page = next((page for page in reversed(self.lru) if not page.guests), None)
            if page is None:
                break
            page.claimed = True
            failed = 0
            for who in [page.places[place] for place in ("middle", "first", "last") if place in page.places]:
                failed = evict(who)
                if failed:
                    break
            page.claimed = False
            self.lru.remove(page)
            if not failed if page.headless else not page.places and not page.waits:
                return 0
            self.lru.insert(0, page)
            page.listed_at = next(self.time)
        return -EAGAIN

    def picture(self) -> dict[int, list[tuple[int, int, int]]]:
        """Page number -> (object, first chunk, chunks) from left to right."""
        return {
            page.number: sorted(
                ((who, *((0, 64) if page.headless else (page.strip.index(place), page.strip.count(place))))
                 for place, who in page.places.items()),
                key=lambda drawn: drawn[1],
            )
            for page in self.lru
        }  # fmt: skip

    @property
    def pages(self) -> int:
        return len(self.lru)

    def __repr__(self) -> str:
        return f"<naive z3fold: {self.picture()}, waiting {[page.number for page in self.queue]}>"
