"""z3fold against worked examples, and against a plain second implementation on random sequences."""

import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.model.kit import Checked, page_of, until
from tests.model.naive_z3fold import NaiveZ3fold
from zswaplab.model.compressors import RecordedPage
from zswaplab.model.errors import EAGAIN, EEXIST, EINVAL, ENOSPC
from zswaplab.model.stages import STAGES
from zswaplab.model.steps import Hook, Kernel, run
from zswaplab.model.swap import Frame
from zswaplab.model.zpool import Handle
from zswaplab.model.zpool.z3fold import Z3fold


class Tried(Z3fold):
    """A z3fold that checks itself, on which compaction runs at once unless it `defers`."""

    def __init__(self, defers: bool = False, stage: str = "base") -> None:
        super().__init__(Hook(), STAGES[stage])
        self.defers = defers

    def store(self, *sizes: int) -> list[Any]:
        handles = []
        for size in sizes:
            handles.append(self.malloc(size))
            self.check()
        return handles

    def drop(self, *handles: Handle) -> None:
        for handle in handles:
            self.free(handle)
            self.check()

    def kworkers(self) -> None:
        while self.pending:
            run(self.work())
            self.check()


def where(handle: Handle) -> tuple[int, str]:
    return handle.page.number, handle.place


def free_lists(z3fold: Z3fold) -> dict[int, list[int]]:
    """Free chunks -> numbers of the pages listed there, oldest first."""
    return {free: [page.number for page in pages] for free, pages in enumerate(z3fold.unbuddied.of(0)) if pages}


def drawn(z3fold: Z3fold) -> dict[int, list[tuple[str, int, int]]]:
    """Page number -> (place, first chunk, chunks) from left to right."""
    return {
        number: [(handle.place, begin, chunks) for handle, begin, chunks in objects]
        for number, objects in z3fold.layout().items()
    }


# -- worked examples: a page has 62 chunks of 64 bytes -----------------------------------------------

GROWTH: dict[str, tuple[list[int], list[int], dict[int, list[int]]]] = {
    "one byte takes a page": ([1], [1], {61: [0]}),
    "two share a page": ([1000, 2000], [1, 1], {14: [0]}),
    "three share a page": ([1000, 1000, 1000], [1, 1, 1], {}),
    "22 + 22 leave 18": ([1365, 1365, 1200], [1, 1, 2], {18: [0], 43: [1]}),
    "three equal ones do not fit": ([1365] * 3, [1, 1, 2], {18: [0], 40: [1]}),
    "20 chunks are the longest of three": ([1280] * 3, [1, 1, 1], {}),
    "21 chunks are not": ([1281] * 3, [1, 1, 2], {20: [0], 41: [1]}),
    "61 chunks leave one": ([3904, 64, 3905], [1, 1, 2], {0: [0]}),
    "a whole page is headless": ([4096, 64], [1, 2], {61: [1]}),
    "no third object in no room": ([3904, 64, 1], [1, 1, 2], {0: [0], 61: [1]}),
    "best fit": ([2500, 2600, 500, 500], [1, 2, 2, 2], {22: [0]}),
    "an exact fit before a larger hole": ([2500, 2600, 2600, 21 * 64], [1, 2, 3, 3], {0: [2], 21: [1], 22: [0]}),
    "64 bytes are one chunk, 65 two": ([64, 65], [1, 1], {59: [0]}),
}


@pytest.mark.parametrize("example", GROWTH)
def test_the_pool_grows_as_worked_out(example: str) -> None:
    sizes, pages, lists = GROWTH[example]
    z3fold = Tried()
    grown = []
    for size in sizes:
        assert isinstance(z3fold.malloc(size), Handle)
        z3fold.check()
        grown.append(z3fold.pages)
    assert (grown, free_lists(z3fold)) == (pages, lists)


@pytest.mark.parametrize(("size", "error"), [(4097, -ENOSPC), (0, -EINVAL), (-1, -EINVAL)])
def test_sizes_that_z3fold_refuses(size: int, error: int) -> None:
    z3fold = Tried()
    assert z3fold.malloc(size) == error
    assert z3fold.pages == 0


def test_objects_come_first_then_last_then_middle() -> None:
    z3fold = Tried()
    handles = z3fold.store(1000, 1000, 1000)
    assert drawn(z3fold) == {0: [("first", 2, 16), ("middle", 18, 16), ("last", 48, 16)]}
    assert [handle.place for handle in handles] == ["first", "last", "middle"]
    assert [z3fold.address(handle) for handle in handles] == [128, 48 * 64, 18 * 64]


def test_a_long_object_has_a_page_alone() -> None:
    z3fold = Tried()
    handles = z3fold.store(3905, 4096)
    assert z3fold.layout() == {0: [(handles[0], 0, 64)], 1: [(handles[1], 0, 64)]}
    assert [z3fold.address(handle) for handle in handles] == [0, 0]
    z3fold.drop(*handles)
    assert z3fold.pages == 0


def test_of_equal_pages_the_newest_is_joined() -> None:
    z3fold = Tried()
    z3fold.store(2500, 2500, 2500)
    assert [where(handle) for handle in z3fold.store(1400, 1400, 1400)] == [(2, "last"), (1, "last"), (0, "last")]


def test_a_page_is_given_back_with_its_last_object() -> None:
    z3fold = Tried()
    a, b = z3fold.store(2500, 2600)
    c, d = z3fold.store(500, 500)
    assert [where(handle) for handle in (c, d)] == [(1, "last"), (1, "middle")]
    z3fold.drop(a)
    assert z3fold.pages == 1
    z3fold.drop(c, b, d)
    assert (z3fold.pages, free_lists(z3fold)) == (0, {})


def test_another_cpus_page_is_taken_only_if_the_hole_is_exactly_as_long() -> None:
    z3fold = Tried()
    z3fold.store(2000, 1000)  # 14 chunks are left
    z3fold.hook.cpu = 1
    handles = [z3fold.malloc(13 * 64), z3fold.malloc(14 * 64), z3fold.malloc(14 * 64)]
    z3fold.check()
    assert [where(handle) for handle in handles] == [(1, "first"), (1, "last"), (1, "middle")]
    z3fold.hook.cpu = 2
    assert [where(z3fold.malloc(14 * 64)) for _ in range(2)] == [(0, "middle"), (2, "first")]
    z3fold.check()


# -- compaction --------------------------------------------------------------------------------------


def test_a_freed_last_object_leaves_its_place_to_the_next() -> None:
    z3fold = Tried()
    _, last, _ = z3fold.store(1000, 1000, 1000)
    z3fold.drop(last)
    (handle,) = z3fold.store(900)
    assert (where(handle), z3fold.pages) == ((0, "last"), 1)
    assert drawn(z3fold)[0] == [("first", 2, 16), ("middle", 18, 16), ("last", 49, 15)]


def test_the_middle_object_slides_right_against_the_last() -> None:
    z3fold = Tried()
    first, _, middle = z3fold.store(1000, 1000, 1000)
    z3fold.drop(first)
    assert drawn(z3fold) == {0: [("middle", 32, 16), ("last", 48, 16)]}
    assert z3fold.address(middle) == 32 * 64
    (handle,) = z3fold.store(1100)
    assert (where(handle), z3fold.pages) == ((0, "first"), 1)
    z3fold.drop(handle)
    (handle,) = z3fold.store(30 * 64)
    assert (where(handle), z3fold.pages) == ((0, "first"), 1), "all of the hole"


def test_beside_a_first_object_only_the_hole_behind_the_middle_counts() -> None:
    z3fold = Tried()
    _, last, _ = z3fold.store(30 * 64, 64, 20 * 64)
    z3fold.drop(last)
    assert free_lists(z3fold) == {12: [0]}


def test_the_middle_object_slides_left_against_the_first() -> None:
    z3fold = Tried()
    first, last, middle = z3fold.store(1000, 640, 640)
    z3fold.drop(first)  # middle goes right: 44..54
    (short,) = z3fold.store(640)
    assert drawn(z3fold)[0] == [("first", 2, 10), ("middle", 44, 10), ("last", 54, 10)]
    z3fold.drop(last)
    assert drawn(z3fold)[0] == [("first", 2, 10), ("middle", 12, 10)]
    assert where(middle) == (0, "middle") and where(short) == (0, "first")


@pytest.mark.parametrize(("gap", "start"), [(2, 18), (3, 21)])
def test_a_gap_of_less_than_three_chunks_is_left(gap: int, start: int) -> None:
    z3fold = Tried()
    last = 64 * (62 - 16 - 16 - gap)
    first, _, _ = z3fold.store(1000, last, 1000)
    z3fold.drop(first)
    assert drawn(z3fold)[0][0] == ("middle", start, 16)


def test_a_lone_middle_object_becomes_the_first() -> None:
    z3fold = Tried()
    first, last, middle = z3fold.store(1000, 1000, 1000)
    z3fold.drop(first, last)
    assert drawn(z3fold) == {0: [("first", 2, 16)]}
    assert where(middle) == (0, "first")
    assert free_lists(z3fold) == {46: [0]}


def test_a_lone_object_moves_where_it_fits() -> None:
    z3fold = Tried()
    first, last, _ = z3fold.store(2000, 900, 3000)
    last.data = b"its bytes"
    z3fold.drop(first)
    assert (z3fold.pages, drawn(z3fold)) == (1, {1: [("first", 2, 47), ("last", 49, 15)]})
    assert (where(last), last.data) == ((1, "last"), b"its bytes")
    assert z3fold.numbered[1].foreign == 1
    z3fold.drop(last)
    assert z3fold.numbered[1].foreign == 0


def test_no_move_where_another_object_took_the_room() -> None:
    z3fold = Tried()
    first, last, _ = z3fold.store(2100, 1800, 3000)
    assert free_lists(z3fold) == {0: [0], 15: [1]}
    (taker,) = z3fold.store(900)
    assert where(taker) == (1, "last")
    z3fold.drop(first)
    assert (z3fold.pages, where(last)) == (2, (0, "last"))


def test_an_object_moves_once() -> None:
    z3fold = Tried()
    first, moved, host = z3fold.store(2000, 900, 3000)
    z3fold.drop(first)
    z3fold.store(2900)
    z3fold.drop(host)
    assert free_lists(z3fold) == {16: [2], 47: [1]}
    assert where(moved) == (1, "last"), "its 15 chunks would fit beside the other"


def test_beside_a_foreign_object_a_lone_one_may_come() -> None:
    z3fold = Tried()
    a, guest, _ = z3fold.store(2000, 500, 2900)
    z3fold.drop(a)
    b, second, _ = z3fold.store(3300, 400, 64)
    assert where(second) == (1, "middle")
    z3fold.drop(b)
    assert z3fold.numbered[1].foreign == 1 and where(guest) == (1, "last")


def test_an_object_that_is_mapped_is_not_moved() -> None:
    z3fold = Tried()
    first, last, _ = z3fold.store(2000, 900, 3000)
    last.mapped = 1
    z3fold.drop(first)
    assert where(last) == (0, "last")


def test_a_mapped_middle_object_does_not_slide() -> None:
    z3fold = Tried()
    first, _, middle = z3fold.store(1000, 1000, 1000)
    middle.mapped = 1
    z3fold.drop(first)
    assert drawn(z3fold)[0][0] == ("middle", 18, 16)


# -- compaction that waits for a kworker -------------------------------------------------------------


def test_a_page_with_room_waits_and_a_full_one_does_not() -> None:
    z3fold = Tried(defers=True)
    first, last, middle = z3fold.store(1000, 1000, 1000)
    z3fold.drop(first)
    assert not z3fold.pending and drawn(z3fold)[0][0] == ("middle", 32, 16)
    z3fold.drop(last)
    assert [page.number for page in z3fold.pending] == [0]
    assert where(middle) == (0, "middle")
    z3fold.kworkers()
    assert where(middle) == (0, "first")


def test_until_it_is_compacted_a_page_takes_no_object() -> None:
    z3fold = Tried(defers=True)
    first, _ = z3fold.store(1000, 1000)
    z3fold.drop(first)
    (handle,) = z3fold.store(1000)
    assert where(handle) == (1, "first")
    assert free_lists(z3fold) == {46: [1]}, "who met it took it off its list"
    z3fold.kworkers()
    assert z3fold.pages == 1, "then its lone object moves"


def test_an_emptied_page_that_waits_is_counted_until_it_is_compacted() -> None:
    z3fold = Tried(defers=True)
    z3fold.drop(*z3fold.store(1000, 2000))
    assert (z3fold.pages, drawn(z3fold)) == (1, {0: []})
    z3fold.kworkers()
    assert (z3fold.pages, free_lists(z3fold), len(z3fold.lru)) == (0, {}, 0)


def test_pages_are_compacted_in_the_order_in_which_they_were_queued() -> None:
    z3fold = Tried(defers=True)
    firsts = [z3fold.store(2000, 1900)[0] for _ in range(3)]
    for which in (1, 0, 2):
        z3fold.drop(firsts[which])
    assert [page.number for page in z3fold.pending] == [1, 0, 2]
    run(z3fold.work())
    assert [page.number for page in z3fold.pending] == [0, 2]
    z3fold.kworkers()
    assert z3fold.pages == 2


def test_the_last_objects_move_is_seen_in_the_count_only_at_its_end() -> None:
    z3fold = Tried(defers=True)
    first, _, _ = z3fold.store(2000, 900, 3000)
    z3fold.drop(first)
    work = z3fold.work()
    until(work, "unlocked")
    until(work, "unlocked")
    assert (len(z3fold.numbered), z3fold.pages) == (1, 2)
    run(work)
    assert z3fold.pages == 1


def test_on_a_machine_compaction_runs_when_the_cpu_is_free() -> None:
    machine = Checked("v6.5", zpool="z3fold", swap_pages=64)
    machine.put_out(1, content=page_of(2000))
    machine.put_out(2, content=page_of(800))
    machine.put_out(3, content=page_of(3000))
    run(machine.zap(1))
    zpool = machine.zswap.pool.zpool
    assert (zpool.pages, len(zpool.pending)) == (2, 1)
    machine.settle()
    assert (zpool.pages, len(zpool.pending)) == (1, 0)
    assert machine.zswap.size == 2, "zswap does not learn of it before its next store or free"
    assert machine.read(2) == page_of(800)


def test_a_page_being_read_is_not_moved() -> None:
    machine = Checked("v6.5", zpool="z3fold", swap_pages=64)
    for page, noise in [(1, 2000), (2, 800), (3, 3000)]:
        machine.put_out(page, content=page_of(noise))
    load = machine.read_fault(2)
    until(load, "decompress")
    run(machine.zap(1))
    run(machine.kworker())
    handle = machine.entry(2).handle
    assert where(handle) == (0, "last") and handle.mapped == 1
    run(load)
    assert handle.mapped == 0
    run(machine.zswap.pool.zpool.compact_page(handle.page))
    assert where(handle) == (1, "last")


# -- reclaim -----------------------------------------------------------------------------------------


class Evictions:
    """The callback of a reclaim: frees what it is given, or fails where it was told to."""

    def __init__(self, z3fold: Z3fold, *fail: Handle) -> None:
        self.z3fold, self.fail = z3fold, fail
        self.asked: list[Handle] = []

    def __call__(self, handle: Handle) -> Kernel:
        self.asked.append(handle)
        if handle in self.fail:
            return -EEXIST
        self.z3fold.free(handle)
        return 0
        yield


def shrunk(z3fold: Tried, *fail: Handle) -> tuple[int, list[Handle]]:
    evictions = Evictions(z3fold, *fail)
    result = run(z3fold.shrink(evictions))
    z3fold.check()
    return result, evictions.asked


def test_a_page_is_emptied_middle_first_last() -> None:
    z3fold = Tried()
    first, last, middle = z3fold.store(1000, 1000, 1000)
    assert shrunk(z3fold) == (0, [middle, first, last])
    assert z3fold.pages == 0


def test_reclaim_takes_the_page_allocated_into_least_recently() -> None:
    z3fold = Tried()
    _, b, _ = z3fold.store(2500, 3000, 1000)  # the third joins the second's page: no, it fits the first's
    assert shrunk(z3fold) == (0, [b])


def test_headless_pages_are_reclaimed_too() -> None:
    z3fold = Tried()
    long, _ = z3fold.store(4096, 100)
    assert shrunk(z3fold) == (0, [long])
    assert z3fold.pages == 1


def test_a_headless_page_that_cannot_be_evicted_becomes_the_newest() -> None:
    z3fold = Tried()
    long, short = z3fold.store(4096, 100)
    assert shrunk(z3fold, long) == (0, [long, short])
    assert [page.number for page in z3fold.lru] == [0]


def test_where_one_object_fails_the_rest_stays_and_the_next_page_is_tried() -> None:
    z3fold = Tried()
    first, last, middle, other = z3fold.store(1000, 1000, 1000, 3500)
    assert shrunk(z3fold, first) == (0, [middle, first, other])
    assert drawn(z3fold) == {0: [("first", 2, 16), ("last", 48, 16)]}
    assert free_lists(z3fold) == {30: [0]}
    assert where(last) == (0, "last")


def test_a_page_with_a_foreign_object_is_passed_over() -> None:
    z3fold = Tried()
    first, guest, _ = z3fold.store(2000, 900, 3000)
    (newer,) = z3fold.store(3500)
    z3fold.drop(first)
    assert shrunk(z3fold) == (0, [newer])
    assert shrunk(z3fold) == (-EAGAIN, []), "now all pages have one"
    z3fold.drop(guest)
    assert shrunk(z3fold)[0] == 0, "until it is gone"


def test_a_move_does_not_make_its_target_newer() -> None:
    z3fold = Tried()
    first, _, host = z3fold.store(2000, 900, 3000)
    z3fold.store(3500)
    z3fold.drop(first)
    assert [page.number for page in z3fold.lru] == [host.page.number, 2], "oldest first"


def test_reclaim_gives_up_after_eight_pages() -> None:
    z3fold = Tried()
    handles = z3fold.store(*[3000] * 10)
    assert shrunk(z3fold, *handles) == (-EAGAIN, handles[:8])
    assert [page.number for page in z3fold.lru] == [8, 9, 0, 1, 2, 3, 4, 5, 6, 7], "oldest first"


def test_the_oldest_page_is_known_after_any_number_of_allocations() -> None:
    z3fold = Tried()
    oldest, *_ = z3fold.store(3900, 1000)
    for _ in range(100):
        z3fold.drop(*z3fold.store(1000))
    assert len(z3fold.lru.heap) < 100
    assert shrunk(z3fold) == (0, [oldest])


def test_there_is_nothing_to_reclaim_in_an_empty_pool() -> None:
    assert shrunk(Tried()) == (-EINVAL, [])


def test_an_emptied_page_that_waits_for_compaction_is_not_given_back_by_reclaim() -> None:
    z3fold = Tried(defers=True)
    first, last, other = z3fold.store(1000, 1000, 3500)
    z3fold.drop(first)
    assert shrunk(z3fold) == (0, [last, other]), "so the next page is emptied as well"
    assert (z3fold.pages, drawn(z3fold)) == (1, {0: []})
    z3fold.kworkers()
    assert z3fold.pages == 0


def test_a_page_under_reclaim_is_left_alone_by_the_kworker() -> None:
    z3fold = Tried(defers=True)
    first, last = z3fold.store(1000, 1000)
    z3fold.drop(first)

    def evict(handle: Handle) -> Kernel:
        if z3fold.pending:
            run(z3fold.work())
            z3fold.check()
            assert where(last) == (0, "last")
            assert z3fold.malloc(500).page.number == 1, "nor does anybody take it"
        return -EEXIST
        yield

    assert run(z3fold.shrink(evict)) == -EAGAIN
    assert free_lists(z3fold)[46] == [0], "reclaim lists it again"
    z3fold.check()


def test_the_count_falls_after_the_page_is_gone() -> None:
    z3fold = Tried()
    z3fold.store(1000)
    reclaim = z3fold.shrink(Evictions(z3fold))
    until(reclaim, "unlocked")
    assert (len(z3fold.numbered), z3fold.pages) == (0, 1)
    run(reclaim)
    assert z3fold.pages == 0


@pytest.mark.parametrize("stage", ["rfc2-3", "v6.5"])
def test_where_it_cannot_evict_it_keeps_no_lru(stage: str) -> None:
    z3fold = Tried(stage=stage)
    z3fold.drop(*z3fold.store(1000, 4096)[:1])
    assert len(z3fold.lru) == 0
    assert shrunk(z3fold) == (-EINVAL, [])


def test_under_zswap_a_failed_writeback_leaves_the_rest_of_the_page() -> None:
    machine = Checked("base", zpool="z3fold")
    for page in (1, 2, 3):
        machine.put_out(page, content=page_of(900))
    machine.put_out(4, content=page_of(2900))
    machine.swap.add_to_cache(1, Frame(machine.written[1]))
    run(machine.worker())
    assert machine.results("writeback_entry") == [0, -EEXIST, 0], "middle, first; then the next page"
    assert set(machine.swap.disk) == {3, 4}


# -- against the oracle ------------------------------------------------------------------------------

# What becomes of an object that is to be evicted: written and freed, refused, already gone, written after
# what lies beside it was freed too, or written after a kworker ran.
verdicts = st.sampled_from(["written", "written", "refused", "gone", "all", "kworker"])
sizes = st.one_of(
    st.integers(-1, 4100), st.integers(1, 1500), st.integers(1, 1500), st.sampled_from([64, 65, 1280, 3904, 3905])
)
actions = st.one_of(
    *[st.tuples(st.just("malloc"), sizes)] * 3,
    *[st.tuples(st.just("free"), st.integers(0, 1000))] * 3,
    st.tuples(st.just("kworker"), st.integers(1, 3)),
    st.tuples(st.just("shrink"), st.lists(verdicts, min_size=1, max_size=8)),
)


class Both:
    """z3fold and the oracle side by side; an object is known by the oracle's number."""

    def __init__(self, defers: bool) -> None:
        self.z3fold, self.naive = Tried(defers), NaiveZ3fold()
        self.handles: dict[int, Handle] = {}

    def malloc(self, size: int) -> None:
        handle, who = self.z3fold.malloc(size), self.naive.malloc(size)
        if isinstance(handle, int) or who < 0:
            assert handle == who
            return
        self.handles[who] = handle

    def free(self, number: int) -> None:
        if self.handles:
            who = sorted(self.handles)[number % len(self.handles)]
            self.z3fold.free(self.handles.pop(who))
            self.naive.free(who)
            self.at_once()

    def at_once(self) -> None:
        while self.naive.queue and not self.z3fold.defers:
            self.naive.work()

    def kworker(self, times: int) -> None:
        for _ in range(min(times, len(self.naive.queue))):
            run(self.z3fold.work())
            self.naive.work()

    def shrink(self, script: list[str]) -> None:
        """Both reclaim, and each eviction of either goes by the same script."""
        asked: list[list[int]] = [[], []]
        gone: list[set[int]] = [set(), set()]

        def verdict(side: int, who: int, free: Callable[[int], None], work: Callable[[], None]) -> int:
            fate = script[len(asked[side]) % len(script)]
            asked[side].append(who)
            if fate == "refused":
                return -EEXIST
            if fate == "kworker":
                work()
            page = self.handles[who].page
            beside = [one for one, handle in self.handles.items() if handle.page is page]
            left = fate == "gone" and not page.headless  # somebody has freed a headless one, which changes nothing
            for one in beside if fate == "all" else [] if left else [who]:
                if one not in gone[side]:
                    gone[side].add(one)
                    free(one)
            return 0

        def evict(handle: Handle) -> Kernel:
            who = next(who for who, one in self.handles.items() if one is handle)
            pending = self.z3fold.pending
            return verdict(0, who, lambda one: self.z3fold.free(self.handles[one]),
                           lambda: run(self.z3fold.work()) if pending else None)
            yield

        def naive_evict(who: int) -> int:
            return verdict(1, who, self.naive.free, lambda: self.naive.work() if self.naive.queue else None)

        assert run(self.z3fold.shrink(evict)) == self.naive.shrink(naive_evict)
        assert asked[0] == asked[1], "victims and their order"
        for one in gone[0]:
            del self.handles[one]

    def compare(self) -> None:
        self.z3fold.check()
        names = {handle: who for who, handle in self.handles.items()}
        picture = {
            number: [(names[handle], begin, chunks) for handle, begin, chunks in objects]
            for number, objects in self.z3fold.layout().items()
        }
        assert picture == self.naive.picture()
        assert self.z3fold.pages == self.naive.pages
        assert [page.number for page in self.z3fold.lru] == [page.number for page in reversed(self.naive.lru)]
        assert [page.number for page in self.z3fold.pending] == [page.number for page in self.naive.queue]
        for page in self.naive.lru:
            assert self.z3fold.numbered[page.number].foreign == len(page.guests)


def both_agree(sequence: list[tuple[str, Any]], defers: bool) -> None:
    both = Both(defers)
    for action, value in sequence:
        getattr(both, action)(value)
        both.compare()


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.lists(actions, min_size=10, max_size=80), st.sampled_from([True, True, False]))
def test_z3fold_does_what_the_oracle_does(sequence: list[tuple[str, Any]], defers: bool) -> None:
    both_agree(sequence, defers)


@pytest.mark.slow
def test_z3fold_does_what_the_oracle_does_in_a_long_run() -> None:
    """Pages with every kind of history, which short sequences hardly get."""
    for seed in range(12):
        dice = random.Random(seed)
        fates = ["written", "written", "refused", "gone", "all", "kworker"]
        sequence: list[tuple[str, Any]] = []
        for _ in range(500):
            action = dice.choices(["malloc", "free", "kworker", "shrink"], [12, 10, 4, 1])[0]
            value: Any = dice.choices([dice.randrange(1, 1600), dice.randrange(1, 4097)], [3, 1])[0]
            if action == "shrink":
                value = dice.choices(fates, k=5)
            sequence.append((action, value % 3 + 1 if action == "kworker" else value))
        both_agree(sequence, defers=seed != 0)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(st.lists(actions, min_size=30, max_size=250), st.sampled_from([True, True, False]))
def test_z3fold_does_what_the_oracle_does_at_length(sequence: list[tuple[str, Any]], defers: bool) -> None:
    both_agree(sequence, defers)


# -- what check() finds ------------------------------------------------------------------------------


def spoil_overlap(z3fold: Z3fold) -> None:
    z3fold.numbered[0].start_middle = 3


def spoil_foreign(z3fold: Z3fold) -> None:
    z3fold.numbered[0].foreign = 1


def spoil_lists(z3fold: Z3fold) -> None:
    z3fold.unbuddied.remove(z3fold.numbered[1])


def spoil_free_chunks(z3fold: Z3fold) -> None:
    page = z3fold.numbered[1]
    z3fold.unbuddied.remove(page)
    page.listed = z3fold.unbuddied.of(0)[5]
    page.listed[page] = None


def spoil_lru(z3fold: Z3fold) -> None:
    z3fold.lru.remove(z3fold.numbered[0])


def spoil_count(z3fold: Z3fold) -> None:
    z3fold.pages += 1


def spoil_queue(z3fold: Z3fold) -> None:
    z3fold.pending.append(z3fold.numbered[1])


@pytest.mark.parametrize(
    "spoil",
    [spoil_overlap, spoil_foreign, spoil_lists, spoil_free_chunks, spoil_lru, spoil_count, spoil_queue],
)
def test_a_broken_invariant_is_found_and_the_whole_structure_shown(spoil: Callable[[Z3fold], None]) -> None:
    z3fold = Tried()
    z3fold.store(1000, 1000, 1000, 2000)
    z3fold.check()
    spoil(z3fold)
    with pytest.raises(AssertionError, match=r"<z3fold: . pages: .*z3fold page 0: first 16, .*LRU .*unbuddied"):
        z3fold.check()


def test_a_headers_eight_bytes_make_a_page_headless() -> None:
    machine = Checked("base", zpool="z3fold", compressor="recorded")
    for offset, length in enumerate([3896, 3897]):
        run(machine.zswap.store(0, offset, RecordedPage(length)))
    assert [page.headless for page in machine.zswap.pool.zpool.numbered.values()] == [False, True]
