"""zbud against worked examples, and against a plain second implementation on random sequences."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.model.kit import Checked, page_of
from tests.model.naive_zbud import NaivePage, NaiveZbud
from zswaplab.model.errors import EAGAIN, EEXIST, EINVAL, ENOSPC
from zswaplab.model.stages import STAGES
from zswaplab.model.steps import Hook, Kernel, run
from zswaplab.model.swap import Frame
from zswaplab.model.zpool import Handle
from zswaplab.model.zpool.zbud import Zbud


def fresh() -> Zbud:
    return Zbud(Hook(), STAGES["base"])


def place(handle: Handle) -> tuple[int, str]:
    return handle.page.number, handle.place


def free_lists(zbud: Zbud) -> dict[int, list[int]]:
    """Free chunks -> numbers of the pages listed there, oldest first."""
    return {free: [page.number for page in pages] for free, pages in enumerate(zbud.unbuddied) if pages}


def test_an_object_freed_under_reclaim_keeps_its_address() -> None:
    """A handle is a number that its malloc fixed: reclaim of a page goes on with it, whoever freed the object."""
    zbud = fresh()
    first, last = zbud.malloc(1000), zbud.malloc(1600)
    assert isinstance(first, Handle) and isinstance(last, Handle)
    zbud.isolate_page()
    zbud.free(last)
    assert (zbud.address(first), zbud.address(last)) == (64, 4096 - 1600)


# -- worked examples ---------------------------------------------------------------------------------

# sizes in bytes as asked of the backend -> the pool's pages after each, and the free lists at the end
GROWTH: dict[str, tuple[list[int], list[int], dict[int, list[int]]]] = {
    "one byte takes a page": ([1], [1], {62: [0]}),
    "two share a page": ([1000, 2000], [1, 1], {}),
    "63 chunks fill it": ([1000, 3000], [1, 1], {}),
    "31 + 32 chunks fill it": ([1984, 1985, 1984], [1, 1, 2], {32: [1]}),
    "the longest leaves one chunk": ([3968, 64], [1, 1], {}),
    "32 + 32 do not fit": ([2000] * 4, [1, 2, 3, 4], {31: [0, 1, 2, 3]}),
    "best fit": ([3000, 2000, 1000, 1000], [1, 2, 2, 2], {}),
    "best fit of three": ([2500, 2400, 2300, 1500, 1500], [1, 2, 3, 3, 3], {23: [0]}),
    "three equal ones": ([1365] * 3, [1, 1, 2], {41: [1]}),
    "64 bytes are one chunk": ([64, 3968], [1, 1], {}),
    "65 bytes are two": ([65, 3968], [1, 2], {1: [1], 61: [0]}),
}


@pytest.mark.parametrize("example", GROWTH)
def test_the_pool_grows_as_worked_out(example: str) -> None:
    sizes, pages, lists = GROWTH[example]
    zbud = fresh()
    grown = []
    for size in sizes:
        assert isinstance(zbud.malloc(size), Handle)
        zbud.check()
        grown.append(zbud.pages)
    assert (grown, free_lists(zbud)) == (pages, lists)


@pytest.mark.parametrize(
    ("size", "error"), [(3969, -ENOSPC), (4096, -ENOSPC), (4097, -ENOSPC), (0, -EINVAL), (-1, -EINVAL)]
)
def test_sizes_that_zbud_refuses(size: int, error: int) -> None:
    zbud = fresh()
    assert zbud.malloc(size) == error
    assert zbud.pages == 0


def test_best_fit_joins_the_page_with_least_room() -> None:
    zbud = fresh()
    handles = [zbud.malloc(size) for size in (3000, 2000, 1000, 1000)]
    assert [place(handle) for handle in handles] == [
        (0, "first"),
        (1, "first"),
        (0, "last"),
        (1, "last"),
    ]


def test_of_equal_pages_the_newest_is_joined() -> None:
    zbud = fresh()
    for _ in range(3):
        zbud.malloc(2000)
    assert [place(zbud.malloc(1900)) for _ in range(3)] == [(2, "last"), (1, "last"), (0, "last")]


def test_a_page_is_given_back_with_its_last_object() -> None:
    zbud = fresh()
    a, b = zbud.malloc(2000), zbud.malloc(2000)
    pages = [zbud.pages]
    zbud.free(a)
    pages.append(zbud.pages)
    c = zbud.malloc(1500)
    assert place(c) == (1, "last")
    for handle in (b, c):
        zbud.free(handle)
        pages.append(zbud.pages)
    assert pages == [2, 1, 1, 0]
    zbud.check()


def test_a_hole_on_the_left_is_filled_first() -> None:
    zbud = fresh()
    a, b = zbud.malloc(3000), zbud.malloc(900)
    zbud.free(a)
    assert free_lists(zbud) == {48: [0]}
    assert place(zbud.malloc(3100)) == (1, "first")
    assert place(zbud.malloc(3000)) == (0, "first")
    assert place(b) == (0, "last")
    assert zbud.pages == 2


def test_the_layout_says_where_each_object_lies() -> None:
    zbud = fresh()
    a, b = zbud.malloc(1000), zbud.malloc(2000)
    assert zbud.layout() == {0: [(a, 1, 16), (b, 32, 32)]}
    assert [zbud.address(handle) for handle in (a, b)] == [64, 2048]


# -- reclaim -----------------------------------------------------------------------------------------


class Evictions:
    """The callback of a reclaim: frees what it is given, or fails where it was told to."""

    def __init__(self, zbud: Zbud, *fail: Handle) -> None:
        self.zbud, self.fail = zbud, fail
        self.asked: list[Handle] = []

    def __call__(self, handle: Handle) -> Kernel:
        self.asked.append(handle)
        if handle in self.fail:
            return -EEXIST
        self.zbud.free(handle)
        return 0
        yield


def test_reclaim_takes_the_page_allocated_into_least_recently() -> None:
    zbud = fresh()
    handles = [zbud.malloc(2000) for _ in range(4)]
    evictions = Evictions(zbud)
    assert run(zbud.shrink(evictions)) == 0
    assert (evictions.asked, zbud.pages) == (handles[:1], 3)


def test_a_second_object_makes_its_page_the_newest() -> None:
    zbud = fresh()
    _, b, _ = zbud.malloc(2000), zbud.malloc(3000), zbud.malloc(1500)
    evictions = Evictions(zbud)
    run(zbud.shrink(evictions))
    assert evictions.asked == [b]


def test_a_free_does_not_make_its_page_newer() -> None:
    zbud = fresh()
    a, b, _ = zbud.malloc(1000), zbud.malloc(2000), zbud.malloc(3000)
    zbud.free(b)
    evictions = Evictions(zbud)
    run(zbud.shrink(evictions))
    assert evictions.asked == [a]


def test_both_objects_of_the_page_go_first_then_last() -> None:
    zbud = fresh()
    handles = [zbud.malloc(1000), zbud.malloc(2000)]
    evictions = Evictions(zbud)
    assert run(zbud.shrink(evictions)) == 0
    assert (evictions.asked, zbud.pages) == (handles, 0)


def test_where_the_second_object_fails_the_page_goes_to_the_head_and_the_next_is_tried() -> None:
    zbud = fresh()
    a, b, c = zbud.malloc(1000), zbud.malloc(2000), zbud.malloc(2500)
    evictions = Evictions(zbud, b)
    assert run(zbud.shrink(evictions)) == 0
    assert evictions.asked == [a, b, c], "the first object stays written"
    assert zbud.layout() == {0: [(b, 32, 32)]}
    assert free_lists(zbud) == {31: [0]}


def test_where_the_first_object_fails_the_second_is_not_asked() -> None:
    zbud = fresh()
    a, _, c = zbud.malloc(1000), zbud.malloc(2000), zbud.malloc(2500)
    evictions = Evictions(zbud, a)
    assert run(zbud.shrink(evictions)) == 0
    assert evictions.asked == [a, c]


def test_reclaim_gives_up_after_eight_pages() -> None:
    zbud = fresh()
    handles = [zbud.malloc(2000) for _ in range(10)]
    evictions = Evictions(zbud, *handles)
    assert run(zbud.shrink(evictions)) == -EAGAIN
    assert evictions.asked == handles[:8]
    assert [page.number for page in zbud.lru] == [8, 9, 0, 1, 2, 3, 4, 5, 6, 7], "oldest first"


def test_a_lone_page_that_fails_is_tried_eight_times() -> None:
    zbud = fresh()
    handle = zbud.malloc(2000)
    evictions = Evictions(zbud, handle)
    assert run(zbud.shrink(evictions)) == -EAGAIN
    assert evictions.asked == [handle] * 8


def test_there_is_nothing_to_reclaim_in_an_empty_pool() -> None:
    assert run(fresh().shrink(Evictions(fresh()))) == -EINVAL


def test_a_page_under_reclaim_takes_no_object_and_is_still_counted() -> None:
    zbud = fresh()
    zbud.malloc(1000)
    seen = []

    def evict(handle: Handle) -> Kernel:
        zbud.free(handle)
        seen.append((place(zbud.malloc(500)), zbud.pages))
        zbud.check()
        return 0
        yield

    assert run(zbud.shrink(evict)) == 0
    assert (seen, zbud.pages) == ([((1, "first"), 2)], 1)


def test_under_zswap_a_load_changes_nothing_in_zbuds_order() -> None:
    machine = Checked("base")
    machine.put_out(1, content=page_of(2500))
    machine.put_out(2, content=page_of(2900))
    machine.put_out(3, content=page_of(1300))  # joins page 1, the only one with room
    machine.read(2)
    assert [page.number for page in machine.zswap.pool.zpool.lru] == [1, 0], "oldest first"


def test_under_zswap_a_page_whose_second_slot_is_cached_keeps_that_object() -> None:
    machine = Checked("base")
    for page, noise in [(1, 900), (2, 1900), (3, 2500)]:
        machine.put_out(page, content=page_of(noise))
    machine.swap.add_to_cache(2, Frame(machine.written[2]))
    run(machine.worker())
    assert machine.results("writeback_entry") == [0, -EEXIST, 0]
    assert machine.results("zpool_shrink") == [0]
    assert set(machine.swap.disk) == {1, 3}


# -- against the oracle ------------------------------------------------------------------------------

# What becomes of an object that is to be evicted: written and freed, refused, already gone (freed by
# somebody else, who is found out only later), or written after the object beside it was freed too.
verdicts = st.sampled_from(["written", "refused", "refused", "gone", "both"])
sizes = st.one_of(st.integers(-1, 4100), st.sampled_from([64, 65, 1984, 1985, 3968, 3969]))
actions = st.one_of(
    st.tuples(st.just("malloc"), sizes),
    st.tuples(st.just("malloc"), sizes),
    st.tuples(st.just("free"), st.integers(0, 1000)),
    st.tuples(st.just("shrink"), st.lists(verdicts, min_size=1, max_size=8)),
)


class Both:
    """zbud and the oracle side by side; an object is known by (page number, side) in both."""

    def __init__(self) -> None:
        self.zbud, self.naive = fresh(), NaiveZbud()
        self.handles: dict[tuple[int, str], tuple[Handle, NaivePage]] = {}

    def malloc(self, size: int) -> None:
        handle, naive = self.zbud.malloc(size), self.naive.malloc(size)
        if isinstance(handle, int) or isinstance(naive, int):
            assert handle == naive
            return
        page, side = naive
        assert place(handle) == (page.number, side)
        self.handles[place(handle)] = handle, page

    def free(self, number: int) -> None:
        if self.handles:
            handle, page = self.handles.pop(sorted(self.handles)[number % len(self.handles)])
            self.zbud.free(handle)
            self.naive.free(page, handle.place)

    def shrink(self, script: list[str]) -> None:
        """Both reclaim, and each eviction of either goes by the same script."""
        asked: list[list[Any]] = [[], []]
        freed: list[set[tuple[int, str]]] = [set(), set()]

        def verdict(who: int, which: tuple[int, str], free: Any) -> int:
            fate = script[len(asked[who]) % len(script)]
            asked[who].append(which)
            if fate == "refused":
                return -EEXIST
            if fate != "gone":
                beside = (which[0], "last" if which[1] == "first" else "first")
                for one in (which, beside) if fate == "both" else (which,):
                    if one in self.handles and one not in freed[who]:
                        freed[who].add(one)
                        free(one)
            return 0

        def evict(handle: Handle) -> Kernel:
            return verdict(0, place(handle), lambda one: self.zbud.free(self.handles[one][0]))
            yield

        def naive_evict(page: NaivePage, side: str) -> int:
            free = lambda one: self.naive.free(self.handles[one][1], one[1])  # noqa: E731
            return verdict(1, (page.number, side), free)

        assert run(self.zbud.shrink(evict)) == self.naive.shrink(naive_evict)
        assert asked[0] == asked[1], "victims and their order"
        for one in freed[0]:
            del self.handles[one]

    def compare(self) -> None:
        self.zbud.check()
        assert self.zbud.pages == self.naive.pages
        assert [page.number for page in self.zbud.lru] == [page.number for page in reversed(self.naive.lru)]
        picture = {
            number: {handle.place: chunks for handle, _, chunks in objects}
            for number, objects in self.zbud.layout().items()
        }
        assert picture == self.naive.picture()


def both_agree(sequence: list[tuple[str, Any]]) -> None:
    both = Both()
    for action, value in sequence:
        getattr(both, action)(value)
        both.compare()


@settings(max_examples=120, deadline=None, derandomize=True)
@given(st.lists(actions, min_size=10, max_size=60))
def test_zbud_does_what_the_oracle_does(sequence: list[tuple[str, Any]]) -> None:
    both_agree(sequence)


@pytest.mark.slow
@settings(max_examples=250, deadline=None)
@given(st.lists(actions, min_size=30, max_size=200))
def test_zbud_does_what_the_oracle_does_at_length(sequence: list[tuple[str, Any]]) -> None:
    both_agree(sequence)
