"""zsmalloc against worked examples, real kernels' class sizes, and a plain second implementation."""

import csv
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.model.kit import Checked, page_of, until
from tests.model.naive_zsmalloc import NaiveZsmalloc, NaiveZspage
from tests.trace.altered import SHARED
from zswaplab.model.errors import EAGAIN, EEXIST, EINVAL, ENOMEM, DataLost
from zswaplab.model.stages import STAGES
from zswaplab.model.steps import Hook, Kernel, run
from zswaplab.model.swap import Frame
from zswaplab.model.zpool import Handle
from zswaplab.model.zpool.size_classes import SizeClass, class_index, size_classes
from zswaplab.model.zpool.zsmalloc import Zsmalloc

CHAINS = (4, 8)
STAGE_OF = {4: "v6.1", 8: "base"}  # a stage with zspages of up to so many pages


def fresh(chain: int = 8) -> Zsmalloc:
    return Zsmalloc(Hook(), STAGES[STAGE_OF[chain]])


def place(handle: Any) -> tuple[int, int]:
    return handle.page.number, handle.place


def lists(zsmalloc: Zsmalloc) -> dict[int, list[int]]:
    """Fullness group -> numbers of the zspages listed there in any class, head first."""
    found: dict[int, list[int]] = {}
    for size_class in dict.fromkeys(zsmalloc.classes):
        for group, zspages in enumerate(size_class.lists):
            if zspages:
                found.setdefault(group, []).extend(zspage.number for zspage in reversed(zspages))
    return found


# -- size classes ------------------------------------------------------------------------------------

TABLES = {
    8: """
    32/1/128 48/3/256 64/1/64 80/5/256 96/3/128 112/7/256 128/1/32 144/7/199 160/5/128 176/4/93 192/3/64
    208/3/59 224/7/128 240/1/17 256/1/16 272/1/15 288/5/71 304/7/94 320/5/64 336/6/73 352/8/93 368/8/89 384/3/32
    400/5/51 416/6/59 432/7/66 448/7/64 464/5/44 480/2/17 496/4/33 512/1/8 528/4/31 544/2/15 560/7/51 576/1/7
    592/8/55 608/7/47 624/2/13 640/5/32 656/5/31 672/1/6 688/8/47 704/5/29 720/3/17 736/2/11 752/7/38 768/3/16
    784/5/26 816/1/5 832/8/39 848/5/24 864/7/33 880/8/37 896/7/32 912/7/31 928/5/22 944/3/13 960/4/17 976/6/25
    992/8/33 1024/1/4 1056/8/31 1072/5/19 1088/4/15 1104/3/11 1120/8/29 1136/5/18 1168/2/7 1184/7/24 1200/5/17
    1216/3/10 1232/7/23 1248/4/13 1280/5/16 1296/7/22 1360/1/3 1424/8/23 1440/6/17 1456/5/14 1488/4/11 1504/7/19
    1536/3/8 1552/8/21 1568/5/13 1584/7/18 1632/2/5 1680/7/17 1696/5/12 1712/8/19 1744/3/7 1792/7/16 1808/4/9
    1856/5/11 1888/6/13 1904/7/15 1920/8/17 2048/1/2 2176/8/15 2192/7/13 2224/6/11 2272/5/9 2336/4/7 2384/7/12
    2448/3/5 2512/8/13 2560/5/8 2592/7/11 2720/2/3 2864/7/10 2912/5/7 2976/8/11 3072/3/4 3184/7/9 3264/4/5
    3408/5/6 3504/6/7 3584/7/8 3632/8/9 4096/1/1
    """,
    4: """
    32/1/128 48/3/256 64/1/64 80/1/51 96/3/128 112/2/73 128/1/32 144/3/85 160/2/51 176/4/93 192/3/64 208/2/39
    224/4/73 240/1/17 256/1/16 272/1/15 288/1/14 304/3/40 320/4/51 336/1/12 352/2/23 368/1/11 384/3/32 400/1/10
    416/4/39 432/3/28 448/1/9 464/4/35 480/2/17 496/4/33 512/1/8 528/4/31 544/2/15 560/4/29 576/1/7 592/4/27
    608/3/20 624/2/13 640/3/19 672/1/6 704/4/23 720/3/17 736/2/11 768/3/16 816/1/5 848/4/19 864/3/14 896/2/9
    944/3/13 960/4/17 1024/1/4 1088/4/15 1104/3/11 1168/2/7 1216/3/10 1248/4/13 1360/1/3 1488/4/11 1536/3/8
    1632/2/5 1744/3/7 1808/4/9 2048/1/2 2336/4/7 2448/3/5 2720/2/3 3072/3/4 3264/4/5 4096/1/1
    """,
}  # size/pages/objects


def shape(size_class: SizeClass) -> str:
    return f"{size_class.size}/{size_class.pages}/{size_class.objects}"


@pytest.mark.parametrize("chain", CHAINS)
def test_the_size_classes_are_the_kernels(chain: int) -> None:
    assert [shape(size_class) for size_class in dict.fromkeys(size_classes(chain))] == TABLES[chain].split()


@pytest.mark.parametrize(("chain", "distinct", "longest"), [(4, 69, 3256), (8, 119, 3624)])
def test_how_many_there_are_and_from_where_an_object_takes_a_page(chain: int, distinct: int, longest: int) -> None:
    classes = size_classes(chain)
    assert len(set(classes)) == distinct
    assert [classes[class_index(size)].huge for size in (longest, longest + 1, 4096)] == [False, True, True]


@pytest.mark.parametrize(
    ("size", "index"), [(1, 0), (24, 0), (25, 1), (40, 1), (41, 2), (4088, 254), (4089, 254), (4096, 254)]
)
def test_an_object_and_its_handle_are_rounded_up_to_a_class(size: int, index: int) -> None:
    assert class_index(size) == index


@pytest.mark.parametrize(("kernel", "chain"), [("6.1", 4), ("6.12", 8)])
def test_real_kernels_grew_by_as_many_pages(kernel: str, chain: int) -> None:
    path = SHARED / "zsmalloc-growth.csv"
    if not path.is_file():
        pytest.skip("the measured growth is not here")
    with open(path, newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["kernel"] == kernel and row["times_it_grew"] != "0"]
    grown = {int(row["size_plus_handle_rounded_up"]): int(row["pages_added_when_it_grew"]) for row in rows}
    assert len(grown) > 50
    assert {size: size_classes(chain)[class_index(size - 8)].pages for size in grown} == grown


# -- worked examples ---------------------------------------------------------------------------------

# sizes in bytes as asked of the backend -> the pool's pages after each, by the longest zspage
GROWTH: dict[str, tuple[list[int], dict[int, list[int]]]] = {
    "one byte takes a page": ([1], {8: [1], 4: [1]}),
    "a handle comes on top": ([24, 25], {8: [1, 4], 4: [1, 4]}),
    "four share a page": ([1000] * 4, {8: [1] * 4, 4: [1] * 4}),
    "the fifth takes another": ([1016] * 5, {8: [1, 1, 1, 1, 2], 4: [1, 1, 1, 1, 2]}),
    "two share a page": ([2000] * 3, {8: [1, 1, 2], 4: [1, 1, 2]}),
    "four in three pages": ([3000] * 9, {8: [3] * 4 + [6] * 4 + [9], 4: [3] * 4 + [6] * 4 + [9]}),
    "nine in eight pages": ([3624] * 9, {8: [8] * 9, 4: [1, 2, 3, 4, 5, 6, 7, 8, 9]}),
    "a page each": ([3625] * 9, {8: [1, 2, 3, 4, 5, 6, 7, 8, 9], 4: [1, 2, 3, 4, 5, 6, 7, 8, 9]}),
    "up to a whole page": ([4096, 4088, 4089], {8: [1, 2, 3], 4: [1, 2, 3]}),
    "two classes": ([1365] * 3 + [1352] * 4, {8: [8, 8, 8, 9, 9, 9, 10], 4: [4, 4, 4, 5, 5, 5, 6]}),
    "five classes": ([100, 500, 1000, 2000, 3000], {8: [7, 8, 9, 10, 13], 4: [2, 3, 4, 5, 8]}),
}


@pytest.mark.parametrize("chain", CHAINS)
@pytest.mark.parametrize("example", GROWTH)
def test_the_pool_grows_as_worked_out(example: str, chain: int) -> None:
    sizes, pages = GROWTH[example]
    zsmalloc = fresh(chain)
    grown = []
    for size in sizes:
        assert isinstance(zsmalloc.malloc(size), Handle)
        zsmalloc.check()
        grown.append(zsmalloc.pages)
    assert grown == pages[chain]


@pytest.mark.parametrize("size", [4097, 0, -1])
def test_sizes_that_zsmalloc_refuses(size: int) -> None:
    zsmalloc = fresh()
    assert zsmalloc.malloc(size) == -EINVAL
    assert zsmalloc.pages == 0


@pytest.mark.parametrize("chain", CHAINS)
def test_a_zspage_is_given_back_as_a_whole_with_its_last_object(chain: int) -> None:
    zsmalloc = fresh(chain)
    handles = [zsmalloc.malloc(3000) for _ in range(5)]
    pages = []
    for handle in handles:
        zsmalloc.free(handle)
        zsmalloc.check()
        pages.append(zsmalloc.pages)
    assert pages == [6, 6, 6, 3, 0]


def test_the_place_given_back_last_is_taken_first() -> None:
    zsmalloc = fresh()
    handles = [zsmalloc.malloc(1000) for _ in range(4)]
    other = [zsmalloc.malloc(1000)]
    for index in (1, 3):
        zsmalloc.free(handles[index])
    assert [place(zsmalloc.malloc(1000)) for _ in range(3)] == [(0, 3), (0, 1), (1, 1)]
    assert place(other[0]) == (1, 0)


def test_the_fullest_zspage_is_taken_and_of_equal_ones_the_last_to_become_so() -> None:
    zsmalloc = fresh()
    handles = [zsmalloc.malloc(500) for _ in range(24)]  # class 512: eight in a page
    for index in (0, 8, 9, 16, 17):
        zsmalloc.free(handles[index])
    assert lists(zsmalloc) == {9: [0], 8: [2, 1]}
    assert [place(zsmalloc.malloc(500))[0] for _ in range(4)] == [0, 2, 2, 1]


def test_a_zspage_moves_only_when_its_group_changes() -> None:
    zsmalloc = fresh()
    handles = [zsmalloc.malloc(24) for _ in range(256)]  # class 32: 128 in a page
    for index in (0, 1, 128):
        zsmalloc.free(handles[index])
    assert lists(zsmalloc) == {10: [1, 0]}
    zsmalloc.free(handles[2])  # 125 of 128 are still over 90 %
    assert lists(zsmalloc) == {10: [1, 0]}


def test_in_linux_6_1_there_are_four_groups() -> None:
    zsmalloc = fresh(4)
    handles = [zsmalloc.malloc(500) for _ in range(24)]  # eight in a page: up to six are almost empty
    for index in (0, 8, 9):
        zsmalloc.free(handles[index])
    assert lists(zsmalloc) == {2: [0], 1: [1], 3: [2]}
    for index in (1, 16, 17):
        zsmalloc.free(handles[index])
    assert lists(zsmalloc) == {1: [2, 0, 1]}, "as full as the head: in front of it"


def test_in_linux_6_1_a_fuller_head_stays_the_head() -> None:
    zsmalloc = fresh(4)
    handles = [zsmalloc.malloc(500) for _ in range(24)]
    for index in (0, 1, 2, 3, 8, 9, 16, 17, 18):  # 4, 6 and 5 are left
        zsmalloc.free(handles[index])
    zspages = [zsmalloc.numbered[number] for number in range(3)]
    for zspage in zspages:
        zsmalloc.remove_zspage(zspage)
    seen = []
    for number in (1, 0, 2):
        zsmalloc.relist(zspages[number])
        seen.append(lists(zsmalloc)[1])
    assert seen == [[1], [1, 0], [1, 2, 0]]


def test_the_layout_says_where_each_object_lies() -> None:
    zsmalloc = fresh()
    a, b, c = (zsmalloc.malloc(3000) for _ in range(3))
    zsmalloc.free(b)
    assert zsmalloc.layout() == {0: [(a, 0, 192), (c, 384, 192)]}
    assert [zsmalloc.address(handle) for handle in (a, c)] == [0, 6144]
    assert zsmalloc.page_units * zsmalloc.unit == 8 * 4096


# -- compaction --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "objects", "freed", "before", "compacted"),
    [(2712, 6, (0, 1, 3), 4, 2), (3064, 8, (0, 1, 4, 5), 6, 3), (1000, 12, (0, 4, 5, 8), 3, 2)],
    ids=["one", "two", "into two"],
)
def test_compaction_empties_the_emptiest_into_the_fullest(
    size: int, objects: int, freed: tuple[int, ...], before: int, compacted: int
) -> None:
    zsmalloc = fresh()
    handles = [zsmalloc.malloc(size) for _ in range(objects)]
    for index, handle in enumerate(handles):
        handle.data = index
        if index in freed:
            zsmalloc.free(handle)
    assert zsmalloc.pages == before
    assert zsmalloc.compact() == before - compacted
    zsmalloc.check()
    left = [handle for index, handle in enumerate(handles) if index not in freed]
    assert zsmalloc.pages == compacted
    assert len({place(handle) for handle in left}) == len(left)
    assert {handle.page.objects[handle.place] for handle in left} == set(left)


def test_compaction_leaves_alone_what_would_not_empty_a_zspage() -> None:
    zsmalloc = fresh()
    handles = [zsmalloc.malloc(2712) for _ in range(6)]
    zsmalloc.free(handles[0])
    before = zsmalloc.layout()
    assert (zsmalloc.compact(), zsmalloc.layout()) == (0, before)


# -- reclaim -----------------------------------------------------------------------------------------


class Evictions:
    """The callback of a reclaim: frees what it is given, or fails where it was told to."""

    def __init__(self, zsmalloc: Zsmalloc, *fail: Any) -> None:
        self.zsmalloc, self.fail = zsmalloc, fail
        self.asked: list[Handle] = []

    def __call__(self, handle: Handle) -> Kernel:
        self.asked.append(handle)
        if handle in self.fail:
            return -EEXIST
        self.zsmalloc.free(handle)
        return 0
        yield


def test_reclaim_empties_the_zspage_allocated_into_least_recently_in_address_order() -> None:
    zsmalloc = fresh()
    handles = [zsmalloc.malloc(1000) for _ in range(8)]
    zsmalloc.free(handles[1])
    second = zsmalloc.malloc(1000)  # into the hole: now zspage 0 is the newest
    evictions = Evictions(zsmalloc)
    assert run(zsmalloc.shrink(evictions)) == 0
    assert (evictions.asked, zsmalloc.pages) == (handles[4:], 1)
    assert run(zsmalloc.shrink(evictions)) == 0
    assert evictions.asked[4:] == [handles[0], second, handles[2], handles[3]]
    assert (zsmalloc.pages, zsmalloc.layout()) == (0, {})


def test_the_first_failure_ends_a_zspage_and_its_free_places_are_sorted() -> None:
    zsmalloc = fresh()
    handles = [zsmalloc.malloc(1000) for _ in range(4)] + [zsmalloc.malloc(2000)]
    zsmalloc.free(handles[3])
    zsmalloc.lru.move_to_end(handles[4].page)
    evictions = Evictions(zsmalloc, handles[2])
    assert run(zsmalloc.shrink(evictions)) == 0
    assert evictions.asked == [*handles[:3], handles[4]]
    zsmalloc.check()
    assert [place(zsmalloc.malloc(1000)) for _ in range(3)] == [(0, 0), (0, 1), (0, 3)]


def test_reclaim_gives_up_after_eight_zspages() -> None:
    zsmalloc = fresh()
    handles = [zsmalloc.malloc(4000) for _ in range(10)]
    evictions = Evictions(zsmalloc, *handles)
    assert run(zsmalloc.shrink(evictions)) == -EAGAIN
    assert evictions.asked == handles[:8]
    assert [zspage.number for zspage in zsmalloc.lru] == [8, 9, 0, 1, 2, 3, 4, 5, 6, 7], "oldest first"


def test_there_is_nothing_to_reclaim_in_an_empty_pool() -> None:
    assert run(fresh().shrink(Evictions(fresh()))) == -EINVAL


def test_what_is_freed_under_reclaim_keeps_its_handle_until_its_end() -> None:
    zsmalloc = fresh()
    handles = [zsmalloc.malloc(1000) for _ in range(3)]
    seen = []

    def evict(handle: Handle) -> Kernel:
        zsmalloc.free(handle)
        zsmalloc.free(handles[1])  # somebody else gives its neighbour up
        seen.append((dict(handle.page.deferred), place(zsmalloc.malloc(1000))))
        zsmalloc.check()
        return -EEXIST
        yield

    first = zsmalloc.isolate_zspage()
    run(evict(handles[0]))
    assert seen == [({0: handles[0], 1: handles[1]}, (1, 0))], "a zspage under reclaim takes no object"
    assert not zsmalloc.put_back(first)
    assert (first.deferred, [place(zsmalloc.malloc(1000)) for _ in range(3)]) == ({}, [(0, 0), (0, 1), (0, 3)])
    zsmalloc.check()


def test_under_zswap_a_slot_in_the_swap_cache_keeps_its_zspage() -> None:
    machine = Checked("base", "zsmalloc", ram_pages=200)
    machine.put_out(1, 2, 3, content=page_of(1900))  # two in a page
    machine.swap.add_to_cache(machine.slots[2], Frame(machine.written[2]))
    run(machine.worker())
    assert machine.results("writeback_entry") == [0, -EEXIST, 0]
    assert machine.results("zpool_shrink") == [0]
    assert set(machine.swap.disk) == {machine.slots[1], machine.slots[3]}


# -- mapping -----------------------------------------------------------------------------------------


def kinds_of_steps(operation: Kernel) -> list[str]:
    return [step.kind for step in operation if step.kind in ("map", "unmap", "decompress")]


@pytest.mark.parametrize(
    ("zpool", "kinds"),
    [("zbud", ["map", "decompress", "unmap"]), ("zsmalloc", ["map", "unmap", "decompress"])],
)
def test_nobody_sleeps_while_zsmalloc_has_an_object_mapped(zpool: str, kinds: list[str]) -> None:
    machine = Checked("rfc2-7", zpool)
    machine.put_out(1, content=page_of(1000))
    assert kinds_of_steps(machine.zswap.load(0, machine.slots[1], Frame())) == kinds
    assert kinds_of_steps(machine.zswap.reclaim_entry(machine.zswap.pool)) == kinds


def test_an_object_that_spans_two_pages_is_mapped_in_the_buffer_of_its_cpu() -> None:
    zsmalloc = fresh()
    a, b, c = (zsmalloc.malloc(2700) for _ in range(3))  # class 2720: two pages hold three, the second spans
    d = zsmalloc.malloc(3000)
    e = zsmalloc.malloc(3000)  # class 3072: the second of four spans too
    for number, handle in enumerate((a, b, c, d, e)):
        handle.header = (0, number)
    assert [zsmalloc.map_handle(handle) is handle for handle in (a, b, c, d, e)] == [True, False, True, True, False]
    mapped = zsmalloc.map_handle(b)
    zsmalloc.map_handle(a)
    assert mapped.header == (0, 1), "what lies within a page needs no buffer"
    zsmalloc.hook.cpu = 1
    zsmalloc.map_handle(e)
    assert mapped.header == (0, 1), "another CPU has another buffer"
    zsmalloc.hook.cpu = 0
    zsmalloc.map_handle(e)
    assert mapped.header == (0, 4)


def test_all_pools_of_a_cpu_share_its_buffer() -> None:
    hook = Hook()
    pools = [Zsmalloc(hook, STAGES["6"]) for _ in range(2)]
    spanning = [[pool.malloc(2700) for _ in range(2)][1] for pool in pools]
    assert pools[0].map_handle(spanning[0]) is pools[1].map_handle(spanning[1])


# -- patch 6 reads a header that is no longer mapped -------------------------------------------------

SPANS, WITHIN = page_of(2650), page_of(1000)


def oldest_and_another(stage: str, content: bytes, other: bytes) -> tuple[Checked, int, int]:
    """A machine whose oldest entry has `content`, that entry's page, and a page with `other`: each spans two
    pages of its zspage if objects of that size ever do.
    """
    machine = Checked(stage, "zsmalloc", ram_pages=1000)
    machine.put_out(0, 1, 2, content=content)
    machine.put_out(10, 11, 12, content=other)
    zpool, handles = machine.zswap.pool.zpool, {page: machine.entry(page).handle for page in machine.slots}
    spanning = [page for page, handle in handles.items() if zpool.map_handle(handle) is not handle]
    oldest = next((page for page in spanning if page < 10), 0)
    for page in handles:
        if page != oldest:
            machine.zswap.pool.lru.move(machine.entry(page))
    return machine, oldest, next((page for page in spanning if page >= 10), 10)


def about_to_write_back(machine: Checked) -> Kernel:
    """The worker, which has found the oldest entry, holds no lock, and is about to begin its writeback."""
    worker = machine.worker()
    for _ in range(2):  # it drops the lru lock, then the tree lock
        until(worker, "release")
    return worker


def interrupted(stage: str, content: bytes, other: bytes) -> tuple[Checked, int]:
    """The worker is about to write the oldest page back; the same CPU then reads another; the worker goes on."""
    machine, oldest, another = oldest_and_another(stage, content, other)
    worker = about_to_write_back(machine)
    run(machine.read_fault(another))
    machine.zswap.max_pool_percent = 100  # then one writeback is enough
    run(worker)
    return machine, oldest


@pytest.mark.parametrize("stage", ["rfc2-6", "6"])
def test_the_header_in_the_buffer_is_that_of_the_page_read_meanwhile(stage: str) -> None:
    machine, _ = interrupted(stage, SPANS, SPANS)
    assert machine.results("writeback_entry")[0] == -EEXIST, "the page just read is in the swap cache"


@pytest.mark.parametrize("stage", ["rfc2-6", "6"])
def test_so_a_page_can_be_written_to_the_slot_of_another(stage: str) -> None:
    machine, oldest, another = oldest_and_another(stage, SPANS, page_of(2650, seed=1))
    worker = about_to_write_back(machine)
    run(machine.zswap.load(0, machine.slots[another], Frame()))  # read ahead, and dropped from the swap cache since
    run(worker)
    assert machine.swap.disk == {machine.slots[another]: SPANS}
    machine.settle()
    assert machine.entry(oldest) is None
    with pytest.raises(DataLost, match=f"page {oldest} "):
        machine.read(oldest)


@pytest.mark.parametrize("stage", ["rfc2-4", "rfc2-5", "rfc2-7", "4", "5", "7", "v6.5"])
def test_before_and_after_patch_6_the_slot_is_right(stage: str) -> None:
    machine, oldest = interrupted(stage, SPANS, SPANS)
    assert machine.swap.disk == {machine.slots[oldest]: SPANS}


@pytest.mark.parametrize(("content", "other"), [(WITHIN, SPANS), (SPANS, WITHIN)], ids=["own", "other"])
@pytest.mark.parametrize("stage", ["rfc2-6", "6"])
def test_an_object_within_a_page_neither_suffers_nor_harms(stage: str, content: bytes, other: bytes) -> None:
    machine, oldest = interrupted(stage, content, other)
    assert machine.swap.disk == {machine.slots[oldest]: content}


def test_a_store_takes_the_buffer_too() -> None:
    machine, *_ = oldest_and_another("6", SPANS, SPANS)
    worker = about_to_write_back(machine)
    for offset in (100, 101, 102):  # one of three spans
        run(machine.zswap.store(0, offset, SPANS))
    run(worker)
    assert machine.results("writeback_entry")[0] == -ENOMEM, "nobody has those slots"
    assert machine.swap.disk == {}


# -- against the oracle ------------------------------------------------------------------------------

# What becomes of an object that is to be evicted: written and freed, refused, already gone (freed by
# somebody else, who is found out only later), or written after others of its zspage were freed too.
verdicts = st.sampled_from(["written", "written", "written", "refused", "gone", "both"])
sizes = st.one_of(st.sampled_from([500, 1000, 2000, 2700, 3000, 3624]), st.integers(-1, 4100))
actions = st.one_of(
    st.tuples(st.just("malloc"), sizes),
    st.tuples(st.just("malloc"), sizes),
    st.tuples(st.just("burst"), st.tuples(st.sampled_from([24, 88, 500, 1000, 2700]), st.integers(1, 40))),
    st.tuples(st.just("free"), st.integers(0, 1000)),
    st.tuples(st.just("free"), st.integers(0, 1000)),
    st.tuples(st.just("shrink"), st.lists(verdicts, min_size=1, max_size=8)),
)
Place = tuple[int, int]


class Both:
    """zsmalloc and the oracle side by side; an object is known by (number of its zspage, index) in both."""

    def __init__(self, chain: int) -> None:
        self.zsmalloc, self.naive = fresh(chain), NaiveZsmalloc(chain)
        self.evicts = self.zsmalloc.stage.evicts("zsmalloc")
        self.handles: dict[Place, tuple[Any, NaiveZspage]] = {}

    def malloc(self, size: int) -> None:
        handle, naive = self.zsmalloc.malloc(size), self.naive.malloc(size)
        if isinstance(handle, int) or isinstance(naive, int):
            assert handle == naive
            return
        zspage, index = naive
        assert place(handle) == (zspage.number, index)
        self.handles[place(handle)] = handle, zspage

    def burst(self, what: tuple[int, int]) -> None:
        size, count = what
        for _ in range(count):
            self.malloc(size)

    def free(self, number: int) -> None:
        if self.handles:
            handle, zspage = self.handles.pop(sorted(self.handles)[number % len(self.handles)])
            self.zsmalloc.free(handle)
            self.naive.free(zspage, handle.place)

    def shrink(self, script: list[str]) -> None:
        """Both reclaim, and each eviction of either goes by the same script."""
        if not self.evicts:
            return
        asked: list[list[Place]] = [[], []]
        freed: list[set[Place]] = [set(), set()]

        def verdict(who: int, which: Place, free: Any) -> int:
            fate = script[len(asked[who]) % len(script)]
            asked[who].append(which)
            if fate == "refused":
                return -EEXIST
            number, index = which
            others = [(number, index - 1), (number, index + 1), (number, index + 2)] if fate == "both" else []
            for one in [] if fate == "gone" else [which, *others]:
                if one in self.handles and one not in freed[who]:
                    freed[who].add(one)
                    free(one)
            return 0

        def evict(handle: Handle) -> Kernel:
            return verdict(0, place(handle), lambda one: self.zsmalloc.free(self.handles[one][0]))
            yield

        def naive_evict(zspage: NaiveZspage, index: int) -> int:
            free = lambda one: self.naive.free(self.handles[one][1], one[1])  # noqa: E731
            return verdict(1, (zspage.number, index), free)

        assert run(self.zsmalloc.shrink(evict)) == self.naive.shrink(naive_evict)
        assert asked[0] == asked[1], "victims and their order"
        for one in freed[0]:
            del self.handles[one]

    def compare(self) -> None:
        assert self.zsmalloc.pages == self.naive.pages
        if self.evicts:
            assert [zspage.number for zspage in self.zsmalloc.lru] == [z.number for z in reversed(self.naive.lru)]
        picture = {
            number: (zspage.size_class.size, set(zspage.objects)) for number, zspage in self.zsmalloc.numbered.items()
        }
        assert picture == self.naive.picture()


def both_agree(chain: int, sequence: list[tuple[str, Any]], every: int = 1) -> None:
    """The same after each action; every so many the model's own check, which takes longer than all the rest."""
    both = Both(chain)
    for number, (action, value) in enumerate(sequence, start=1):
        getattr(both, action)(value)
        both.compare()
        if number % every == 0 or number == len(sequence):
            both.zsmalloc.check()


@pytest.mark.slow
@pytest.mark.parametrize("chain", CHAINS)
@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.lists(actions, min_size=10, max_size=60))
def test_zsmalloc_does_what_the_oracle_does(chain: int, sequence: list[tuple[str, Any]]) -> None:
    both_agree(chain, sequence)


@pytest.mark.slow
@pytest.mark.parametrize("chain", CHAINS)
@settings(max_examples=200, deadline=None)
@given(st.lists(actions, min_size=30, max_size=150))
def test_zsmalloc_does_what_the_oracle_does_at_length(chain: int, sequence: list[tuple[str, Any]]) -> None:
    both_agree(chain, sequence, every=10)


@pytest.mark.slow
@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(actions, min_size=10, max_size=40))
def test_after_compaction_no_class_wastes_a_zspage_and_no_object_is_lost(sequence: list[tuple[str, Any]]) -> None:
    both = Both(8)
    for action, value in sequence:
        getattr(both, action)(value)
    handles = [handle for handle, _ in both.handles.values()]
    zsmalloc = both.zsmalloc
    before = zsmalloc.pages
    assert zsmalloc.compact() == before - zsmalloc.pages
    zsmalloc.check()
    assert sorted(map(id, handles)) == sorted(
        id(handle) for zspage in zsmalloc.numbered.values() for handle in zspage.objects.values()
    )
    for size_class in dict.fromkeys(zsmalloc.classes):
        zspages = [zspage for zspage in zsmalloc.numbered.values() if zspage.size_class is size_class]
        assert sum(size_class.objects - len(zspage.objects) for zspage in zspages) < size_class.objects
