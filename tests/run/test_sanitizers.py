"""What the sanitizers say: the same accesses as on a real kernel's console, one by one, and where bytes were lost."""

from __future__ import annotations

import inspect
import re
from typing import Any

import pytest

from zswaplab.model.compressors import fill
from zswaplab.model.errors import Bug, Fault, ListCorruption, UseAfterFree
from zswaplab.model.freed import poison
from zswaplab.model.machine import Machine
from zswaplab.model.steps import run
from zswaplab.run.cases import case_named, table
from zswaplab.run.cpus import packed
from zswaplab.run.history import History, record
from zswaplab.run.rules import altered
from zswaplab.run.sanitizers import _PARTS, Report, Sanitizers
from zswaplab.run.setup import Setup, guard_objects
from zswaplab.trace.shipped import data_dir

LOAD, DELETE, ADD, FREE = "zswap_frontswap_load", "__list_del_entry_valid", "__list_add_valid", "zswap_free_entry"
Access = tuple[str, int, int, str]

# The consoles of real kernels (kasan_multi_shot, list debugging, one CPU, three pages out and in): access, size in
# bytes, offset in the freed entry, function. REPORT (a) has the first load's nine as a table.
FIRST_LOAD: list[Access] = [
    ("read", 4, 36, LOAD), ("read", 8, 40, LOAD), ("read", 8, 40, LOAD), ("read", 8, 40, LOAD),
    ("read", 8, 72, DELETE), ("read", 8, 64, DELETE),
    ("write", 8, 64, LOAD), ("write", 8, 72, LOAD), ("read", 8, 40, LOAD),
]  # fmt: skip
LATER_LOAD: list[Access] = [*FIRST_LOAD[:6], ("read", 8, 72, ADD), ("write", 8, 72, LOAD), *FIRST_LOAD[6:]]
NEIGHBOUR: list[Access] = [("read", 8, 64, DELETE), ("write", 8, 64, FREE)]
CONSOLES = {
    "uaf-x1p2-zbud": FIRST_LOAD + LATER_LOAD + NEIGHBOUR + LATER_LOAD,
    "uaf-x1p1-zbud": FIRST_LOAD[:2] * 3,
    "uaf-x1p2-samefilled": FIRST_LOAD[:1],
}
STAGES = {"uaf-x1p2-zbud": "rfc2-2", "uaf-x1p1-zbud": "rfc2-1", "uaf-x1p2-samefilled": "rfc2-2"}


def loads(console: str, **options: Any) -> tuple[Machine, Sanitizers]:
    """The workload of those consoles: some pages out, then each read."""
    machine = Machine(STAGES[console], exclusive_loads="v1")
    watch = Sanitizers(machine, **options)
    contents = [fill(7)] if "samefilled" in console else [None] * 3
    for page, content in enumerate(contents):
        machine.write(page, content)
        machine.page_out(page)
    for page in range(len(contents)):
        machine.read(page)
    return machine, watch


def shortest(name: str, **options: Any) -> History:
    """The shortest failing schedule of a named case, with every sanitizer watching."""
    named = case_named(name, table())
    return named.case.history(packed(named.run().found[0].schedule), **options)


def accesses(reports: list[Report]) -> list[tuple[str, int | None, int | None, str]]:
    return [(r.access, r.size, r.offset, r.function) for r in reports if r.kind == "KASAN"]


@pytest.mark.parametrize("console", CONSOLES)
def test_the_accesses_are_the_real_consoles_one_by_one(console: str) -> None:
    assert accesses(loads(console, multi_shot=True)[1].reports) == CONSOLES[console]


@pytest.mark.parametrize("console", CONSOLES)
def test_these_are_what_the_console_has(console: str) -> None:
    said = (data_dir() / "consoles" / f"{console}.txt").read_text(errors="replace")
    found = re.findall(
        r"KASAN: slab-use-after-free in (\w+)\+.*?^(Read|Write) of size (\d+).*?is located (\d+) bytes inside",
        said, re.DOTALL | re.MULTILINE,
    )  # fmt: skip
    assert [(kind.lower(), int(size), int(at), where) for where, kind, size, at in found] == CONSOLES[console]


def test_list_debugging_finds_the_poison_once_a_load() -> None:
    said = [report.text.split("\n")[0] for report in loads("uaf-x1p2-zbud", multi_shot=True)[1].reports]
    poisoned = [text for text in said if "list_del corruption" in text]
    assert len(poisoned) == 3 and all("->next is LIST_POISON1 (0xdead000000000100)" in text for text in poisoned)


def test_a_report_has_the_kernels_shape() -> None:
    report = loads("uaf-x1p2-zbud", multi_shot=True)[1].reports[0].text
    for part in (
        "BUG: KASAN: slab-use-after-free in zswap_frontswap_load", "Read of size 4", "move_to_head, life.py:",
        "Allocated by the machine:", "zswap_frontswap_store (store, zswap.py:", "Freed by the machine:",
        "zswap_free_entry (free_entry, life.py:", "zswap_entry_put", "located 36 bytes inside of freed 80-byte region",
    ):  # fmt: skip
        assert part in report


def test_before_patch_1_an_entry_has_64_bytes() -> None:
    watch = shortest("base-v1-two-reads")
    assert "located 32 bytes inside of freed 64-byte region" in watch.reports[0].text
    assert "by CPU b (read 3)" in watch.reports[0].text


@pytest.mark.parametrize("name", ["remedy-a-two-reads", "base-v1-two-reads"])
def test_a_double_invalidation_reads_the_freed_refcount_and_then_goes_below_zero(name: str) -> None:
    watch = shortest(name, multi_shot=True)
    assert accesses(watch.reports)[0] == ("read", 4, 32, "zswap_entry_put")
    assert watch.reports[-1].kind == "bug" and "refcount -1" in watch.reports[-1].text


def test_the_snippets_order_looks_at_the_freed_node_first() -> None:
    watch = shortest("4-v2", multi_shot=True)
    assert [access[:3] for access in accesses(watch.reports)][:2] == [("read", 8, 0), ("read", 4, 32)]
    assert watch.reports[-1].kind == "bug"


def test_memory_that_is_given_back_twice_is_a_bug() -> None:
    machine, watch = loads("uaf-x1p1-zbud", multi_shot=True)
    entry = watch.reports[0].thing
    with pytest.raises(Bug, match="double-free of <freed zswap_entry"):
        poison(entry, machine.hook)


def test_without_multi_shot_the_first_access_ends_it() -> None:
    with pytest.raises(UseAfterFree):
        loads("uaf-x1p2-zbud")


def test_a_double_delete_is_named() -> None:
    machine = Machine("2")
    watch = Sanitizers(machine)
    machine.write(1)
    machine.page_out(1)
    entry = machine.zswap.trees[0].entries[1]
    machine.zswap.pool.lru.delete(entry)
    with pytest.raises(ListCorruption, match=r"list_del corruption, .*->next is LIST_POISON1"):
        machine.zswap.pool.lru.delete(entry)
    assert watch.reports[0].kind == "list"


@pytest.mark.parametrize("stage", ["base", "2", "v6.5"])
def test_a_sane_run_has_no_report_and_is_not_changed(stage: str) -> None:
    outcomes = []
    for watched in (False, True):
        machine = Machine(stage, ram_pages=30)
        watch = Sanitizers(machine) if watched else None
        for page in range(14):
            machine.write(page)
            machine.page_out(page)
        for page in range(14):
            machine.read(page)
        outcomes.append((dict(machine.zswap.counters), str(machine.zswap.pool.lru), dict(machine.slots)))
        assert watch is None or watch.reports == []
    assert outcomes[0] == outcomes[1]


def test_a_detached_sanitizer_leaves_nothing_behind() -> None:
    machine, watch = loads("uaf-x1p1-zbud", multi_shot=True)
    watch.detach()
    hook = machine.hook
    assert hook.observer is None and hook.list_debug is None and hook.freed is None
    machine.write(9)
    machine.page_out(9)
    with pytest.raises(UseAfterFree):
        machine.read(9)


def test_lost_bytes_are_followed_to_where_the_last_copy_went() -> None:
    named = case_named("C2-2", table())
    lost = next(found for found in named.run().explored.failures if found.kind == "DataLost")
    report = named.case.history(packed(lost.schedule)).reports[-1]
    assert report.kind == "data"
    assert "page 4 was read back with other bytes" in report.text and "it got the bytes of page 3" in report.text
    assert "of CPU a (worker), its bytes are in no place any more" in report.text


def test_a_freed_pool_a_freed_tree_and_a_freed_object_are_freed_memory_too() -> None:
    machine = Machine("2")
    guard_objects(machine)
    machine.write(1)
    machine.page_out(1)
    pool, tree = machine.zswap.pool, machine.zswap.trees[0]
    handle = tree.entries[1].handle
    machine.swapoff()
    pool.refcount = 1
    machine.zswap.pool_put(pool)
    for thing, field in ((pool, "lru_lock"), (tree, "lock"), (handle, "data")):
        with pytest.raises(UseAfterFree, match=field):
            getattr(thing, field)
    with pytest.raises(UseAfterFree):
        tree.search(1)


def test_a_tree_that_swapoff_has_taken_is_a_null_pointer() -> None:
    machine = Machine("2")
    machine.swapoff()
    with pytest.raises(Fault, match="NULL pointer"):
        run(machine.zswap.load(0, 1, None))  # type: ignore[arg-type]


def test_stacks_name_the_cpu_that_freed_and_the_one_that_touches() -> None:
    report = shortest("rfc2-4-off").reports[0]
    text = report.text
    assert "(field 'length') by CPU a (read 3)" in text
    assert "Allocated by CPU a (page out 3):" in text and "Freed by CPU a (read 3):" in text
    assert report.allocated and report.freed and report.used
    assert report.allocated.step < report.freed.step < report.used.step


@pytest.mark.parametrize(("owner", "parts"), _PARTS.items(), ids=lambda value: getattr(value, "__name__", ""))
def test_a_part_is_named_in_reports_as_its_docstring_names_it(owner: type, parts: dict[str, str]) -> None:
    for name, function in inspect.getmembers(owner, inspect.isfunction):
        told = inspect.unwrap(function).__doc__ or ""
        kernel = "".join(next(iter(re.findall(r"\(`(\w+)`\)|\A(\w+):", told)), ()))
        if name in parts:
            assert parts[name] == kernel, f"{owner.__name__}.{name}"


def test_an_object_that_is_given_back_twice_is_a_bug_and_no_error_of_the_model() -> None:
    out = ["write 3", "page_out 3", "write 4", "page_out 4"]
    setup = Setup("v6.5", workload=out, swap_pages=64, cpus=["worker", "free 3"], schedule="a4b", multi_shot=True)
    blind = altered("reclaim_entry", "v6.5", ("if tree.search(offset) is not entry", "if False"))
    assert record(setup).fault is None
    fault = record(setup.but(functions={"reclaim_entry": blind})).fault
    assert isinstance(fault, Bug) and "double-free of <freed" in str(fault)
