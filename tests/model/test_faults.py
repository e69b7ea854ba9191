"""What crashes: the bug of the review and its relatives, and how the model says so."""

from typing import Any

import pytest

from tests.model.kit import (
    REMEDIES,
    SAME_FILLED,
    Checked,
    crashes,
    kernels,
    name,
    page_of,
    sound_kernels,
    until,
)
from zswaplab.model.entry import Entry, FreedEntry
from zswaplab.model.errors import EAGAIN, ENOSPC, Bug, DataLost, Fault, ListCorruption, UseAfterFree
from zswaplab.model.freed import LAYOUT, poison
from zswaplab.model.lru import Lru
from zswaplab.model.steps import Hook, run
from zswaplab.model.swap import Frame
from zswaplab.run.cpus import Cpus

PAGE = page_of(1000)
V1 = {"stage": "rfc2-2", "exclusive_loads": "v1"}


def access(fault: Any) -> tuple[str, str, int, int]:
    return fault.access, fault.field, fault.offset, fault.size


READS_LENGTH = ("read", "length", 36, 4)
READS_REFCOUNT = ("read", "refcount", 32, 4)


# -- the bug of the review, on one CPU ---------------------------------------------------------------


@pytest.mark.parametrize("content", [PAGE, SAME_FILLED], ids=["compressed", "same-filled"])
@pytest.mark.parametrize("touch", ["read", "write"])
@pytest.mark.parametrize("evictable", [None, False])
@pytest.mark.parametrize("kernel", [kernel for kernel in kernels() if crashes(kernel)], ids=name)
def test_the_first_load_reads_the_freed_length(
    kernel: dict[str, Any], evictable: bool | None, content: bytes, touch: str
) -> None:
    machine = Checked(**kernel, evictable=evictable)
    machine.put_out(1, content=content)
    with pytest.raises(UseAfterFree) as crash:
        getattr(machine, touch)(1)
    assert access(crash.value) == READS_LENGTH


def test_the_stages_of_the_review_are_those_that_crash() -> None:
    assert {kernel["stage"] for kernel in kernels() if crashes(kernel)} >= {"rfc2-1", "rfc2-2"}
    assert {kernel["exclusive_loads"] for kernel in kernels() if crashes(kernel)} == {"v1"}


@pytest.mark.parametrize("content", [PAGE, SAME_FILLED], ids=["compressed", "same-filled"])
@pytest.mark.parametrize("kernel", list(sound_kernels()), ids=name)
def test_every_other_kernel_and_each_remedy_is_clean(kernel: dict[str, Any], content: bytes) -> None:
    machine = Checked(**kernel)
    for _ in range(2):
        machine.put_out(1, content=content)
        assert machine.read(1) == content


def test_the_entry_is_gone_by_then() -> None:
    machine = Checked(**V1)
    machine.put_out(1, content=PAGE)
    entry = machine.entry(1)
    with pytest.raises(UseAfterFree, match=r"^slab-use-after-free: read of 4 bytes at offset 36 .*'length'"):
        machine.read(1)
    assert type(entry) is FreedEntry
    assert machine.zswap.pool.zpool.pages == 0 and machine.listed() == []


# -- two loads of one page, which a synchronous device allows ----------------------------------------

IMMEDIATE, BATCHED = 64, 1024  # pages of swap: a slot given up is freed at once, or waits in the slot cache


def two_loads(stage: str, exclusive_loads: str, swap_pages: int, load_end: str | None = None) -> None:
    """Two read faults of a page both decompress its entry before either ends its load."""
    machine = Checked(
        stage, exclusive_loads=exclusive_loads, load_end=load_end, device="synchronous", swap_pages=swap_pages
    )
    machine.put_out(3, content=PAGE)
    first, second = machine.read_fault(3), machine.read_fault(3)
    until(first, "decompress")
    until(second, "decompress")
    assert machine.zswap.trees[0].entries[1].refcount == 3
    run(first)
    assert run(second) == PAGE


@pytest.mark.parametrize("stage", ["base", "rfc2-2"])
def test_a_double_invalidation_drops_the_last_reference_twice(stage: str) -> None:
    with pytest.raises(UseAfterFree) as crash:
        two_loads(stage, "v1", BATCHED, load_end="move, invalidate, put" if stage == "rfc2-2" else None)
    assert access(crash.value) == READS_REFCOUNT


@pytest.mark.parametrize("stage", ["base", "1", "4"])
def test_the_order_of_the_reviews_snippet_invalidates_what_it_has_freed(stage: str) -> None:
    with pytest.raises(UseAfterFree) as crash:
        two_loads(stage, "v2", BATCHED)
    assert (crash.value.access, crash.value.field) == ("read", "linked")


@pytest.mark.parametrize("stage", ["rfc2-2", "rfc2-4", "2", "4"])
def test_without_exclusive_loads_too_a_slot_freed_between_two_loads_is_enough(stage: str) -> None:
    with pytest.raises(UseAfterFree) as crash:
        two_loads(stage, "off", IMMEDIATE)
    assert access(crash.value) == READS_LENGTH


@pytest.mark.parametrize("swap_pages", [IMMEDIATE, BATCHED])
@pytest.mark.parametrize("stage", ["base", "v6.5"])
def test_before_and_after_the_series_two_loads_are_clean(stage: str, swap_pages: int) -> None:
    two_loads(stage, "off", swap_pages)


@pytest.mark.parametrize(("stage", "waits"), [("v6.1", True), ("v6.4", False), ("v6.5", False)])
def test_a_second_fault_waits_where_the_first_has_claimed_the_slot(stage: str, waits: bool) -> None:
    machine = Checked(stage, device="synchronous", swap_pages=IMMEDIATE)
    machine.put_out(3, content=PAGE)
    cpus = Cpus(machine, ["read 3", "read 3"])
    for cpu in (0, 1):
        while not cpus.waits(cpu) and getattr(cpus.pending[cpu], "kind", "") != "decompress":
            cpus.step(cpu)
    assert machine.zswap.trees[0].entries[1].refcount == (2 if waits else 3)
    assert str(cpus.waits(1)) == ("swap slot" if waits else "None")
    while ready := cpus.ready():
        cpus.step(ready[0])
    assert cpus.results == [PAGE, PAGE] and not machine.swap.claimed
    assert 1 not in machine.swap.in_use and machine.swap.free_slots == IMMEDIATE - 1
    machine.settle()


def test_a_claimed_slot_that_is_given_up_goes_with_the_claim() -> None:
    machine = Checked("v6.1", device="synchronous", swap_pages=2)
    machine.put_out(3, content=PAGE)
    machine.write(4)
    read = machine.read_fault(3)
    until(read, "decompress")
    run(machine.zap(3))
    assert machine.swap.is_leaving(1) and run(machine.pageout(4)) == -ENOSPC
    assert run(read) == bytes(4096), "the page is given up by now"
    machine.settle()
    assert run(machine.pageout(4)) == 0


def test_writeback_waits_for_a_claimed_slot() -> None:
    machine = Checked("v6.1", device="synchronous", swap_pages=IMMEDIATE)
    machine.put_out(3, content=PAGE)
    cpus = Cpus(machine, ["read 3", "worker"])
    while getattr(cpus.pending[0], "kind", "") != "decompress":
        cpus.step(0)
    while not cpus.waits(1):
        cpus.step(1)
    assert str(cpus.waits(1)) == "swap slot"


def test_in_linux_6_5_a_second_invalidation_does_nothing() -> None:
    machine = Checked("v6.5", exclusive_loads="fixed")
    machine.put_out(1, content=PAGE)
    frames = [Frame(), Frame()]
    loads = [machine.zswap.load(0, 1, frame) for frame in frames]
    for load in loads:
        until(load, "decompress")
    assert [run(load) for load in loads] == [0, 0]
    assert [(frame.data, frame.exclusive) for frame in frames] == [(PAGE, True)] * 2
    machine.settle()


def test_in_linux_6_5_an_exclusive_load_loses_the_page_to_a_faster_fault() -> None:
    machine = Checked("v6.5", exclusive_loads="fixed", device="synchronous")
    machine.put_out(3, content=PAGE)
    first = machine.read_fault(3)
    for kind in ("decompress", "acquire", "release"):
        until(first, kind)
    with pytest.raises(DataLost):
        run(machine.read_fault(3))
    assert machine.frames[3].data == bytes(4096), "what the device holds, to which nothing was written"


# -- a reclaim that somebody overtakes ---------------------------------------------------------------


def isolated(stage: str = "2") -> tuple[Checked, Any]:
    """A machine whose worker has taken the only entry off the LRU and holds no lock."""
    machine = Checked(stage, swap_pages=IMMEDIATE)
    machine.put_out(1, content=PAGE)
    worker = machine.worker()
    until(worker, "acquire")
    until(worker, "release")
    assert machine.listed() == []
    return machine, worker


@pytest.mark.parametrize("stage", ["rfc2-2", "2", "6", "v6.5"])
def test_an_entry_freed_while_isolated_is_left_alone(stage: str) -> None:
    machine, worker = isolated(stage)
    machine.free(1)
    run(worker)
    assert machine.results("reclaim_entry") == [-EAGAIN]
    assert machine.swap.disk == {} and machine.listed() == []
    machine.settle()


@pytest.mark.parametrize("stage", ["rfc2-2", "2", "6", "v6.5"])
def test_an_entry_loaded_while_isolated_is_listed_again_and_not_lost(stage: str) -> None:
    machine, worker = isolated(stage)
    run(machine.read_fault(1))
    assert machine.listed() == [1]
    run(worker)
    machine.settle()
    assert machine.read(1) == PAGE


def test_a_slot_used_again_while_its_entry_is_isolated_keeps_its_new_page() -> None:
    machine, worker = isolated()
    machine.free(1)
    machine.swap.in_use.discard(1)
    machine.next_slot = 0
    machine.put_out(2, content=page_of(2000))
    assert machine.slots[2] == 1
    run(worker)
    machine.settle()
    assert machine.read(2) == page_of(2000)


# -- what is left of a freed entry -------------------------------------------------------------------


def freed() -> Any:
    entry: Any = Entry(0, 5)
    poison(entry, Hook())
    return entry


@pytest.mark.parametrize("field", Entry.__slots__)
def test_reading_a_freed_field_is_a_fault(field: str) -> None:
    with pytest.raises(UseAfterFree) as fault:
        getattr(freed(), field)
    assert access(fault.value) == ("read", field, *LAYOUT[field])


@pytest.mark.parametrize("field", Entry.__slots__)
def test_writing_a_freed_field_is_a_fault(field: str) -> None:
    with pytest.raises(UseAfterFree) as fault:
        setattr(freed(), field, 0)
    assert access(fault.value) == ("write", field, *LAYOUT[field])


def test_the_fields_lie_where_the_kernels_lie() -> None:
    measured = {"refcount": (32, 4), "length": (36, 4), "pool": (40, 8), "handle": (48, 8)}
    assert {field: LAYOUT[field] for field in measured} == measured
    assert (LAYOUT["next"], LAYOUT["prev"]) == ((64, 8), (72, 8))
    assert max(offset + size for offset, size in LAYOUT.values()) == 80


def test_a_freed_entry_can_still_be_shown_and_compared() -> None:
    entry = freed()
    assert "freed" in repr(entry) and "5" in repr(entry)
    assert entry is entry and entry != Entry(0, 5)


# -- the list ----------------------------------------------------------------------------------------


@pytest.fixture
def lru() -> Lru:
    return Lru(Hook())


def added(lru: Lru, *offsets: int) -> list[Entry]:
    entries = [Entry(0, offset) for offset in offsets]
    for entry in entries:
        lru.add(entry)
    return entries


def offsets(lru: Lru) -> list[int]:
    return [entry.offset for entry in lru]


def test_the_head_is_the_newest_and_the_tail_the_oldest(lru: Lru) -> None:
    first, *_ = added(lru, 1, 2, 3)
    assert offsets(lru) == [3, 2, 1]
    assert lru.tail is first and len(lru) == 3


def test_an_empty_list_has_no_tail(lru: Lru) -> None:
    assert lru.tail is None and len(lru) == 0


@pytest.mark.parametrize("which", [0, 1, 2])
def test_move_puts_an_entry_at_the_head_from_anywhere(lru: Lru, which: int) -> None:
    entries = added(lru, 0, 1, 2)
    lru.move(entries[which])
    assert offsets(lru) == [which, *(o for o in (2, 1, 0) if o != which)]


def test_a_second_delete_finds_poison(lru: Lru) -> None:
    _, entry, _ = added(lru, 1, 2, 3)
    lru.delete(entry)
    assert offsets(lru) == [3, 1]
    with pytest.raises(ListCorruption, match="LIST_POISON"):
        lru.delete(entry)
    assert offsets(lru) == [3, 1]


def test_a_move_after_a_delete_finds_poison(lru: Lru) -> None:
    (entry,) = added(lru, 1)
    lru.delete(entry)
    with pytest.raises(ListCorruption, match="LIST_POISON"):
        lru.move(entry)


def test_reading_through_poison_is_a_fault(lru: Lru) -> None:
    (entry,) = added(lru, 1)
    lru.delete(entry)
    for link in (entry.next, entry.prev):
        with pytest.raises(ListCorruption, match="LIST_POISON"):
            _ = link.offset


def test_a_delete_after_isolation_is_harmless(lru: Lru) -> None:
    _, entry, _ = added(lru, 1, 2, 3)
    lru.isolate(entry)
    assert offsets(lru) == [3, 1]
    lru.delete(entry)
    assert offsets(lru) == [3, 1]


def test_a_move_after_isolation_lists_the_entry_again(lru: Lru) -> None:
    _, entry, _ = added(lru, 1, 2, 3)
    lru.isolate(entry)
    lru.move(entry)
    assert offsets(lru) == [2, 3, 1]


# -- other faults ------------------------------------------------------------------------------------


def test_a_reference_count_below_zero_is_a_bug() -> None:
    machine = Checked()
    machine.put_out(1, content=PAGE)
    entry = machine.entry(1)
    entry.refcount = 0
    with pytest.raises(Bug, match="refcount -1"):
        run(machine.zswap.entry_put(machine.zswap.trees[0], entry))


def test_a_page_that_comes_back_changed_is_reported() -> None:
    machine = Checked(swap_pages=IMMEDIATE)
    machine.put_out(1, content=PAGE)
    machine.zswap.trees[0].erase(machine.entry(1))
    with pytest.raises(DataLost, match="page 1 "):
        machine.read(1)


@pytest.mark.parametrize("fault", [UseAfterFree, ListCorruption, Bug, DataLost])
def test_every_fault_is_a_fault(fault: type[Exception]) -> None:
    assert issubclass(fault, Fault)


@pytest.mark.parametrize("load_end", [*REMEDIES, "invalidate, put, move", "invalidate or move, put"])
def test_no_order_at_a_loads_end_moves_an_entry_before_there_is_an_lru(load_end: str) -> None:
    machine = Checked("base", evictable=False, load_end=load_end)
    machine.put_out(1, content=PAGE)
    assert machine.read(1) == PAGE
