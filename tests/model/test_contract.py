"""What every kernel keeps: each backend, at each stage, with each form of exclusive loads that existed.

Where a load crashes (the review's bug) the kernel takes part with each of the review's remedies.
"""

import random
from collections import Counter
from typing import Any

import pytest

from tests.model.kit import (
    INCOMPRESSIBLE,
    LONGEST,
    SAME_FILLED,
    TOO_LONG,
    TOO_LONG_SAYS,
    Checked,
    page_of,
)
from zswaplab.model.compressors import RecordedPage
from zswaplab.model.errors import EAGAIN, EEXIST, EINVAL, ENOMEM, ENOSPC
from zswaplab.model.steps import run
from zswaplab.model.swap import Frame

SMALL_DEVICE = 321  # the largest, in pages, for which a slot that is given up is freed at once

ALONE = [page_of(3700, seed) for seed in range(40)]  # so long that none shares a page with another


def churn(machine: Checked, operations: int = 250) -> dict[int, bytes]:
    """A random workload that overflows a small pool; returns what must be in each page at the end."""
    dice = random.Random(1)
    contents: dict[int, bytes] = {}
    for _ in range(operations):
        page = dice.randrange(40)
        verb = dice.choices(["write", "page out", "read", "free"], [4, 7, 3, 1])[0]
        if verb == "write":
            kinds = [page_of(dice.randrange(200, 3800), dice.randrange(99)), SAME_FILLED, INCOMPRESSIBLE, TOO_LONG]
            contents[page] = dice.choices(kinds, [30, 2, 1, 1])[0]
            machine.write(page, contents[page])
        elif page in contents:
            if verb == "page out":
                machine.page_out(page)
            elif verb == "read":
                assert machine.read(page) == contents[page]
            else:
                machine.free(page)
                del contents[page]
    return contents


def fill_up(machine: Checked) -> int:
    """Page pages out, the worker never running, until zswap refuses one; returns that page."""
    for page, content in enumerate(ALONE):
        machine.write(page, content)
        run(machine.pageout(page))
        if machine.zswap.reached_full:
            return page
    raise AssertionError("the pool never got full")


def that_evicts(machine: Checked) -> Checked:
    """The machine, for a test of what eviction does; others are skipped (what they do has a test of its own)."""
    if not machine.evicts:
        pytest.skip("nothing is ever evicted here")
    return machine


def shrinks(machine: Checked) -> list[int]:
    """What each try of the worker to make room came to."""
    return machine.results("reclaim_entry" if machine.lists_entries else "zpool_shrink")


# -- bytes and counters ------------------------------------------------------------------------------


@pytest.mark.parametrize(("device", "swap_pages"), [("ordinary", SMALL_DEVICE), ("synchronous", 1024)])
def test_every_byte_comes_back(kernel: dict[str, Any], device: str, swap_pages: int) -> None:
    machine = Checked(**kernel, device=device, swap_pages=swap_pages)
    contents = churn(machine)
    assert machine.zswap.counters.pool_limit_hit > 0, "the workload was meant to overflow the pool"
    assert (machine.zswap.counters.written_back_pages > 0) is machine.evicts
    assert {page: machine.read(page) for page in contents} == contents


def test_counters_say_what_an_observer_saw(kernel: dict[str, Any]) -> None:
    machine = Checked(**kernel)
    machine.put_out(40, content=INCOMPRESSIBLE)
    churn(machine)
    counters, stores = machine.zswap.counters, Counter(machine.results("store"))
    assert {0, -ENOMEM, -EINVAL} <= set(stores) <= {0, -ENOMEM, -EINVAL, -ENOSPC}
    freed = [length for _, _, (length, _) in machine.seen("free")]
    assert counters.stored_pages == stores[0] - len(freed)
    stored = [object.__getattribute__(entry, "length") for _, entry, _ in machine.seen("insert")]
    assert counters.same_filled_pages == stored.count(0) - freed.count(0)
    asked = [handle for _, _, handle in machine.seen("malloced")]
    assert counters.reject_compress_poor == asked.count(-ENOSPC)
    assert counters.reject_alloc_fail == asked.count(-EINVAL)
    assert counters.pool_limit_hit == sum(full for _, _, full in machine.seen("full"))
    assert counters.written_back_pages == machine.results("writeback_entry").count(0)
    assert counters.reject_reclaim_fail == sum(result != 0 for result in shrinks(machine))
    assert counters.duplicate_entry == counters.reject_kmemcache_fail == 0


def test_pool_total_size_is_a_cache_that_stores_and_frees_rewrite(kernel: dict[str, Any]) -> None:
    machine = Checked(**kernel, swap_pages=SMALL_DEVICE)
    machine.put_out(1, 2, content=ALONE[0])
    assert machine.zswap.counters.pool_total_size == 4096 * machine.zswap.pool.zpool.pages
    machine.free(1)
    assert machine.zswap.counters.pool_total_size == 4096 * machine.zswap.pool.zpool.pages


def test_a_backend_that_evicts_leaves_the_cached_size_one_page_too_high(kernel: dict[str, Any]) -> None:
    machine = Checked(**kernel)
    machine.put_out(1, 2, content=ALONE[0])
    run(machine.worker())
    lag = machine.zswap.size - machine.zswap.pool.zpool.pages
    assert lag == (1 if machine.zswap.pool.evictable else 0)


# -- the LRU -----------------------------------------------------------------------------------------


def test_a_store_adds_at_the_head(kernel: dict[str, Any]) -> None:
    machine = Checked(**kernel)
    machine.put_out(1, 2, 3, content=ALONE[0])
    assert machine.listed() == ([3, 2, 1] if machine.lists_entries else [])


def test_a_load_moves_to_the_head_what_it_does_not_drop(kernel: dict[str, Any]) -> None:
    machine = Checked(**kernel)
    machine.put_out(1, 2, 3, content=ALONE[0])
    machine.read(1)
    after = [3, 2] if machine.zswap.exclusive_loads else [1, 3, 2]
    assert machine.listed() == (after if machine.lists_entries else [])


def test_same_filled_pages_are_never_listed(kernel: dict[str, Any]) -> None:
    machine = Checked(**kernel)
    machine.put_out(1, 2, content=SAME_FILLED)
    machine.read(1)
    assert machine.listed() == []
    assert machine.entry(2).length == 0


def test_the_worker_writes_back_the_oldest(kernel: dict[str, Any]) -> None:
    machine = that_evicts(Checked(**kernel))
    for page in (1, 2, 3):
        machine.put_out(page, content=ALONE[page])
    run(machine.worker())
    assert machine.swap.disk == {1: ALONE[1]}
    assert machine.listed() == ([3, 2] if machine.lists_entries else [])


# -- writeback that fails ----------------------------------------------------------------------------


def test_a_page_in_the_swap_cache_is_not_written_back(kernel: dict[str, Any]) -> None:
    machine = that_evicts(Checked(**kernel))
    machine.put_out(1, content=ALONE[1])
    machine.swap.add_to_cache(1, Frame(ALONE[1]))
    run(machine.worker())
    tries = 1 if machine.lists_entries else 8
    assert machine.results("writeback_entry") == [-EEXIST] * tries
    _nothing_happened_to(machine, 1)


def test_a_slot_that_waits_in_the_slot_cache_is_not_written_back(kernel: dict[str, Any]) -> None:
    machine = that_evicts(Checked(**kernel))
    machine.put_out(1, content=ALONE[1])
    machine.free(1)
    run(machine.worker())
    tries = 1 if machine.lists_entries else 8
    assert machine.results("writeback_entry") == [-ENOMEM] * tries
    _nothing_happened_to(machine, 1)


def _nothing_happened_to(machine: Checked, slot: int) -> None:
    counters, entry = machine.zswap.counters, machine.zswap.trees[0].entries[slot]
    assert (entry.linked, entry.refcount) == (True, 1)
    assert (counters.written_back_pages, counters.reject_reclaim_fail, counters.stored_pages) == (0, 1, 1)
    assert machine.swap.disk == {}
    machine.settle()


def test_an_entry_that_could_not_be_written_goes_to_the_head(kernel: dict[str, Any]) -> None:
    machine = Checked(**kernel)
    machine.put_out(1, 2, 3, content=ALONE[0])
    machine.free(1)
    run(machine.worker())
    assert machine.listed() == ([1, 3, 2] if machine.lists_entries else [])


# -- references --------------------------------------------------------------------------------------


def test_a_pool_at_rest_has_one_reference_and_one_an_object(kernel: dict[str, Any]) -> None:
    machine = Checked(**kernel, device="synchronous", swap_pages=SMALL_DEVICE)
    churn(machine)
    entries = machine.zswap.trees[0].entries.values()
    assert machine.zswap.pool.refcount == 1 + sum(entry.length > 0 for entry in entries)


def test_a_kick_while_the_worker_is_queued_leaks_a_reference(kernel: dict[str, Any]) -> None:
    machine = Checked(**kernel)
    page = fill_up(machine)
    for later in (page + 1, page + 2):
        run(machine.write_fault(later, ALONE[later]))
        run(machine.pageout(later))
    machine.settle()
    held = machine.zswap.pool.refcount - sum(e.length > 0 for e in machine.zswap.trees[0].entries.values())
    assert held == 1 + 2


@pytest.mark.parametrize(
    ("stage", "references"),
    [
        ("base", [2, 1]),
        ("rfc2-2", [3, 2, 1]),
        ("2", [3, 2, 1]),
        ("rfc2-6", [2, 1]),
        ("6", [2, 1]),
        ("v6.5", [2, 1]),
    ],
)
def test_writeback_drops_references_as_the_stage_does(stage: str, references: list[int]) -> None:
    machine = Checked(stage)
    machine.put_out(1)
    run(machine.worker())
    assert [count for _, _, count in machine.seen("put")] == references


# -- limits ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("max_pool", "accept", "limit", "threshold"),
    [
        (0, 0, 0, 0), (1, 2000, 521, 10434), (200, 90, 104348, 93912),
        (100, 2**32 - 1, 52174, 2240856236493), (2**32 - 1, 2**32 - 1, 2240856236493, 136505861315441044),
    ],
)  # fmt: skip
def test_percentages_are_any_unsigned_int(max_pool: int, accept: int, limit: int, threshold: int) -> None:
    """The last threshold has wrapped at 64 bits, as `totalram_pages() * 4294967295 / 100 * 4294967295` does in C."""
    zswap = Checked(ram_pages=52174, max_pool_percent=max_pool, accept_threshold_percent=accept).zswap
    assert (zswap.limit, zswap.accept_threshold) == (limit, threshold)


@pytest.mark.parametrize(
    ("ram_pages", "full_from", "accepts_up_to"), [(1000, 201, 179), (1009, 202, 180)], ids=["1000", "1009"]
)
def test_limits_are_the_kernels_integers(
    kernel: dict[str, Any], ram_pages: int, full_from: int, accepts_up_to: int
) -> None:
    zswap = Checked(**kernel, ram_pages=ram_pages).zswap

    def at(pages: int) -> tuple[bool, bool]:
        zswap.counters.pool_total_size = pages * 4096
        return zswap.is_full(), zswap.can_accept()

    assert at(full_from)[0] and not at(full_from - 1)[0]
    assert at(accepts_up_to)[1] and not at(accepts_up_to + 1)[1]


def test_part_of_a_page_counts_as_one(kernel: dict[str, Any]) -> None:
    zswap = Checked(**kernel).zswap
    zswap.counters.pool_total_size = 4097
    assert zswap.size == 2


def test_a_full_pool_refuses_and_kicks_the_worker(kernel: dict[str, Any]) -> None:
    machine = Checked(**kernel)
    refused = fill_up(machine)
    assert machine.zswap.size == machine.zswap.limit + 1
    assert machine.results("store")[-1] == -ENOMEM
    assert machine.zswap.counters.pool_limit_hit == 1
    assert machine.zswap.pool.work_pending
    assert machine.swap.disk == {machine.slots[refused]: ALONE[refused]}


def test_same_filled_pages_are_refused_too_when_full(kernel: dict[str, Any]) -> None:
    machine = Checked(**kernel)
    page = fill_up(machine) + 1
    run(machine.write_fault(page, SAME_FILLED))
    run(machine.pageout(page))
    assert machine.entry(page) is None


def test_once_full_it_refuses_until_under_the_accept_threshold(kernel: dict[str, Any]) -> None:
    machine = Checked(**kernel, ram_pages=100, swap_pages=SMALL_DEVICE)
    zswap = machine.zswap
    fill_up(machine)
    assert (zswap.size, zswap.limit, zswap.accept_threshold) == (21, 20, 18)
    for page, size in [(0, 20), (1, 19), (2, 18)]:
        zswap.pool.work_pending = False
        machine.free(page)
        assert zswap.size == size
        run(machine.write_fault(100, ALONE[30]))
        run(machine.pageout(100))
        assert machine.results("store")[-1] == -ENOMEM
        assert zswap.pool.work_pending is machine.stage.until_accept, "whether waiting, too, kicks the worker"
    assert zswap.counters.pool_limit_hit == 1, "only a pool above the limit counts"
    zswap.pool.work_pending = False
    machine.free(3)
    machine.put_out(101, content=ALONE[31])
    assert machine.entry(101)
    assert not zswap.reached_full


# -- the worker --------------------------------------------------------------------------------------


def test_the_worker_shrinks_at_least_once(kernel: dict[str, Any]) -> None:
    machine = that_evicts(Checked(**kernel, ram_pages=1000))
    machine.put_out(1, 2)
    assert machine.zswap.can_accept()
    run(machine.worker())
    assert machine.zswap.counters.written_back_pages == len(machine.swap.disk) >= 1


def test_the_worker_goes_on_until_zswap_can_accept(kernel: dict[str, Any]) -> None:
    machine = that_evicts(Checked(**kernel, ram_pages=100))
    fill_up(machine)
    machine.settle()
    if machine.stage.until_accept:
        assert machine.zswap.size == machine.zswap.accept_threshold - 1
    else:
        assert machine.results("zpool_shrink") == [0]


def test_sixteen_failures_end_the_worker(kernel: dict[str, Any]) -> None:
    machine = that_evicts(Checked(**kernel))
    fill_up(machine)
    for page in list(machine.written):
        run(machine.zap(page))
    machine.settle()
    tries = 16 if machine.stage.until_accept else 1
    assert shrinks(machine) == [-EAGAIN] * tries
    assert machine.zswap.counters.reject_reclaim_fail == tries
    assert not machine.zswap.can_accept()


def test_failures_count_in_total_not_in_a_row(kernel: dict[str, Any]) -> None:
    machine = that_evicts(Checked(**kernel, ram_pages=1000, accept_threshold_percent=0))
    machine.put_out(*range(150), content=ALONE[0])
    for page in range(150):
        if page % 9 != 8:  # eight that cannot be written back before each that can
            machine.swap.add_to_cache(machine.slots[page], Frame(ALONE[0]))
    run(machine.worker())
    if machine.stage.until_accept:
        assert shrinks(machine).count(-EAGAIN) == 16
        assert 0 in shrinks(machine)[-16:]
    else:
        assert shrinks(machine) == [-EAGAIN]


def test_an_empty_pool_ends_the_worker_with_one_failure(kernel: dict[str, Any]) -> None:
    machine = Checked(**kernel, max_pool_percent=0)
    run(machine.worker())
    assert shrinks(machine) == [-EINVAL]
    assert machine.zswap.counters.reject_reclaim_fail == 1


def test_the_worker_fails_at_once_where_nothing_evicts(kernel: dict[str, Any]) -> None:
    machine = Checked(**{**kernel, "evictable": False})
    if machine.evicts:
        pytest.skip("zswap evicts by itself")
    fill_up(machine)
    machine.settle()
    assert machine.results("zpool_shrink") == [-EINVAL]
    assert (machine.zswap.counters.reject_reclaim_fail, machine.zswap.counters.written_back_pages) == (1, 0)


# -- the swap layer ----------------------------------------------------------------------------------


def test_frontswaps_bit_says_that_zswap_took_the_page(kernel: dict[str, Any]) -> None:
    machine = Checked(**kernel)
    machine.put_out(1, content=ALONE[1])
    machine.put_out(2, content=INCOMPRESSIBLE)
    assert machine.swap.bitmap == {machine.slots[1]}


def test_a_refused_store_clears_the_bit_and_drops_the_old_page(kernel: dict[str, Any]) -> None:
    machine = Checked(**kernel)
    for content in (ALONE[1], INCOMPRESSIBLE):
        run(machine.swap.frontswap_store(5, Frame(content)))
    assert machine.swap.bitmap == set()
    assert len(machine.zswap.trees[0]) == 0


def test_zswap_is_not_asked_for_what_it_refused(kernel: dict[str, Any]) -> None:
    machine = Checked(**kernel)
    machine.put_out(1, content=INCOMPRESSIBLE)
    assert machine.read(1) == INCOMPRESSIBLE
    assert machine.results("load") == []


def test_writeback_leaves_the_bit_and_a_load_then_finds_nothing(kernel: dict[str, Any]) -> None:
    machine = that_evicts(Checked(**kernel))
    machine.put_out(1, content=ALONE[1])
    run(machine.worker())
    machine.settle()
    assert machine.entry(1) is None
    assert machine.swap.bitmap == {1}
    assert machine.read(1) == ALONE[1]
    assert machine.results("load") == [-1]


def test_a_store_where_the_bit_is_set_invalidates_first(kernel: dict[str, Any]) -> None:
    machine = Checked(**kernel)
    for content in (ALONE[1], ALONE[2]):
        run(machine.swap.frontswap_store(5, Frame(content)))
    assert machine.results("invalidate_page") == [None]
    assert machine.zswap.counters.duplicate_entry == 0
    assert machine.zswap.counters.stored_pages == 1


def test_writing_to_a_page_that_was_read_keeps_its_slot(kernel: dict[str, Any]) -> None:
    machine = Checked(**kernel)
    machine.put_out(1, content=ALONE[1])
    machine.read(1)
    machine.put_out(1, content=ALONE[2])
    assert machine.slots == {1: 1}
    assert len(machine.results("invalidate_page")) == (0 if machine.zswap.exclusive_loads else 1)
    assert machine.zswap.counters.duplicate_entry == 0
    assert machine.read(1) == ALONE[2]


def test_a_store_that_finds_its_slot_taken_replaces_the_entry(kernel: dict[str, Any]) -> None:
    machine = Checked(**kernel)
    for content in (ALONE[1], ALONE[2]):
        assert run(machine.zswap.store(0, 5, content)) == 0
    frame = Frame()
    assert run(machine.zswap.load(0, 5, frame)) == 0
    assert frame.data == ALONE[2]
    assert machine.zswap.counters.duplicate_entry == 1
    assert machine.zswap.pool.zpool.pages == machine.zswap.size
    left = 0 if machine.zswap.exclusive_loads else 1  # the entry that was there before is gone, and its object
    assert (machine.zswap.counters.stored_pages, machine.zswap.pool.zpool.pages) == (left, left)


def test_a_freed_slot_waits_for_sixty_four(kernel: dict[str, Any]) -> None:
    machine = Checked(**kernel, swap_pages=SMALL_DEVICE + 1, ram_pages=1000)
    machine.put_out(*range(66), content=page_of(300))
    for page in range(64):
        machine.free(page)
    assert machine.results("invalidate_page") == []
    assert machine.zswap.counters.stored_pages == 66
    machine.free(64)
    assert len(machine.results("invalidate_page")) == 64
    assert machine.swap.given == [65]
    assert sorted(machine.zswap.trees[0].entries) == [65, 66]


def test_few_free_slots_empty_the_slot_cache_and_many_fill_it_again() -> None:
    machine = Checked(swap_pages=SMALL_DEVICE + 80, ram_pages=10_000)  # 400 slots
    machine.put_out(*range(272), content=page_of(100))
    machine.free(0)
    assert machine.swap.given == [1] and machine.swap.free_slots == 128
    machine.put_out(300, content=page_of(100))
    assert machine.swap.given == [1] and machine.swap.free_slots == 127
    machine.put_out(301, content=page_of(100))
    assert machine.swap.given == [] and machine.results("invalidate_page") == [None]
    for page in range(1, 194):
        machine.free(page)
    assert machine.swap.given == [] and machine.swap.free_slots == 320
    machine.put_out(302, content=page_of(100))
    machine.free(194)
    machine.free(195)
    assert machine.swap.given == [] and machine.swap.free_slots == 321
    machine.put_out(303, content=page_of(100))
    machine.free(196)
    assert len(machine.swap.given) == 1


def test_a_small_device_frees_a_slot_at_once(kernel: dict[str, Any]) -> None:
    machine = Checked(**kernel, swap_pages=SMALL_DEVICE)
    machine.put_out(1, 2)
    machine.free(1)
    assert list(machine.zswap.trees[0].entries) == [2]
    assert machine.swap.bitmap == {2}


def test_a_full_device_keeps_the_page_in_ram_and_says_so(kernel: dict[str, Any]) -> None:
    machine = Checked(**kernel, swap_pages=3)
    machine.put_out(1, 2)
    machine.write(3)
    with pytest.raises(ValueError, match="swap_pages=3"):
        machine.page_out(3)
    machine.settle()
    assert [machine.read(page) for page in (1, 2, 3)] == [machine.written[page] for page in (1, 2, 3)]


# -- loads -------------------------------------------------------------------------------------------


def test_a_load_keeps_the_entry_unless_loads_are_exclusive(kernel: dict[str, Any]) -> None:
    machine = Checked(**kernel)
    machine.put_out(1, content=ALONE[1])
    machine.read(1)
    exclusive = machine.zswap.exclusive_loads
    assert (machine.entry(1) is None) is exclusive
    assert machine.frames[1].dirty is exclusive
    assert (1 in machine.swap.bitmap) is not exclusive


def test_only_an_exclusive_load_has_an_unchanged_page_stored_again(kernel: dict[str, Any]) -> None:
    machine = Checked(**kernel)
    machine.put_out(1, content=ALONE[1])
    slot = machine.slots[1]
    machine.read(1)
    machine.page_out(1)
    assert machine.slots[1] == slot
    assert len(machine.results("store")) == (2 if machine.zswap.exclusive_loads else 1)
    assert machine.read(1) == ALONE[1]


def test_the_parameter_switches_exclusive_loads_off_at_run_time(kernel: dict[str, Any]) -> None:
    machine = Checked(**kernel)
    machine.zswap.exclusive_loads = False
    machine.put_out(1, content=ALONE[1])
    assert machine.read(1) == ALONE[1]
    assert machine.entry(1).refcount == 1


def test_writing_to_a_page_in_swap_gives_its_slot_up(kernel: dict[str, Any]) -> None:
    machine = Checked(**kernel, swap_pages=SMALL_DEVICE)
    machine.put_out(1, content=ALONE[1])
    machine.write(1, ALONE[2])
    assert machine.slots == {} and machine.zswap.counters.stored_pages == 0
    machine.page_out(1)
    assert machine.read(1) == ALONE[2]


def test_a_synchronous_device_gives_the_slot_up_at_a_read(kernel: dict[str, Any]) -> None:
    machine = Checked(**kernel, device="synchronous", swap_pages=SMALL_DEVICE)
    machine.put_out(1, content=ALONE[1])
    assert machine.read(1) == ALONE[1]
    assert machine.slots == {} and machine.swap.cache == {} and machine.zswap.counters.stored_pages == 0


# -- what a store does with a page -------------------------------------------------------------------


def test_a_same_filled_page_takes_no_room_in_the_pool(kernel: dict[str, Any]) -> None:
    machine = Checked(**kernel)
    machine.put_out(1, content=SAME_FILLED)
    assert machine.zswap.pool.zpool.pages == 0
    assert machine.zswap.counters.same_filled_pages == machine.zswap.counters.stored_pages == 1
    assert machine.read(1) == SAME_FILLED


def test_a_page_that_is_the_same_at_both_ends_only_is_compressed(kernel: dict[str, Any]) -> None:
    machine = Checked(**kernel)
    content = bytes(2000) + b"x" + bytes(2095)
    machine.put_out(1, content=content)
    assert machine.entry(1).length > 0
    assert machine.read(1) == content


def test_same_filled_pages_are_compressed_if_the_parameter_says_so(kernel: dict[str, Any]) -> None:
    machine = Checked(**kernel)
    machine.zswap.same_filled_pages_enabled = False
    machine.put_out(1, content=SAME_FILLED)
    assert machine.entry(1).length > 0
    assert machine.zswap.counters.same_filled_pages == 0


def test_other_pages_are_refused_if_the_parameter_says_so(kernel: dict[str, Any]) -> None:
    machine = Checked(**kernel)
    machine.zswap.non_same_filled_pages_enabled = False
    machine.put_out(1, content=ALONE[1])
    assert machine.results("store") == [-EINVAL]
    assert machine.read(1) == ALONE[1]


def test_a_disabled_zswap_takes_nothing_and_keeps_what_it_has(kernel: dict[str, Any]) -> None:
    machine = Checked(**kernel)
    machine.put_out(1, content=ALONE[1])
    machine.zswap.enabled = False
    machine.put_out(2, content=ALONE[2])
    assert machine.entry(2) is None
    assert (machine.read(1), machine.read(2)) == (ALONE[1], ALONE[2])


def test_a_page_too_long_for_the_backend_is_refused_and_counted(kernel: dict[str, Any]) -> None:
    machine = Checked(**kernel)
    if LONGEST[kernel["zpool"]] == 4096 and not machine.zswap.pool.header_bytes:
        pytest.skip("it takes whatever fits into a page")
    machine.put_out(1, content=TOO_LONG)
    says, counters = TOO_LONG_SAYS[kernel["zpool"]], machine.zswap.counters
    assert machine.results("store") == [says]
    assert (counters.reject_compress_poor, counters.reject_alloc_fail) == ((1, 0) if says == -ENOSPC else (0, 1))
    assert machine.swap.disk == {1: TOO_LONG}
    assert machine.zswap.pool.refcount == 1


def test_noise_is_refused_by_the_compressor_itself(kernel: dict[str, Any]) -> None:
    machine = Checked(**kernel)
    machine.put_out(1, content=INCOMPRESSIBLE)
    assert machine.results("store") == [-EINVAL]
    assert machine.zswap.counters.reject_compress_poor == machine.zswap.counters.reject_alloc_fail == 0
    assert machine.swap.disk == {1: INCOMPRESSIBLE}
    assert machine.zswap.pool.refcount == 1


def test_a_page_that_the_compressor_refuses_counts_nowhere(kernel: dict[str, Any]) -> None:
    machine = Checked(**kernel, compressor="recorded")
    before = dict(machine.zswap.counters)
    assert run(machine.zswap.store(0, 1, RecordedPage(None))) == -EINVAL
    assert dict(machine.zswap.counters) == before
    assert machine.zswap.pool.refcount == 1


def test_the_header_takes_eight_bytes_of_what_a_page_may_have(kernel: dict[str, Any]) -> None:
    machine = Checked(**kernel, compressor="recorded")
    header = machine.stage.header and (machine.zswap.pool.evictable or machine.stage.header_always)
    longest = LONGEST[kernel["zpool"]] - (8 if header else 0)
    assert run(machine.zswap.store(0, 1, RecordedPage(longest))) == 0
    assert run(machine.zswap.store(0, 2, RecordedPage(longest + 1))) == TOO_LONG_SAYS[kernel["zpool"]]


def test_swapoff_frees_every_entry(kernel: dict[str, Any]) -> None:
    machine = Checked(**kernel)
    machine.put_out(1, 2, 3)
    machine.put_out(4, content=SAME_FILLED)
    run(machine.zswap.invalidate_area(0))
    assert machine.zswap.trees == {}
    machine.settle()
    assert machine.zswap.pool.zpool.pages == machine.zswap.counters.stored_pages == 0
    assert machine.zswap.counters.same_filled_pages == 0 and machine.listed() == []
    assert machine.zswap.pool.refcount == 1
