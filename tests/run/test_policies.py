"""A policy of one's own leaves what it says, is refused in words that help, and the kernel's own is one of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zswaplab.model.errors import BadInput
from zswaplab.run.history import record
from zswaplab.run.policies import POLICIES, Candidate, least_recently_used, needed_last, policy, policy_named
from zswaplab.run.search import Case, explore
from zswaplab.run.setup import Setup

pytestmark = pytest.mark.slow

DECIDE = [("2", "zbud"), ("3", "z3fold"), ("4", "zsmalloc"), ("v6.5", "zbud"), ("v6.5", "z3fold"), ("v6.5", "zsmalloc")]
DEFAULTS = ("life", "overflow", "loop", "scan", "shift", "revisit")
SIZED = st.one_of(
    st.builds("overflow {}".format, st.integers(1, 24)),
    st.builds("loop {} {}".format, st.integers(1, 14), st.integers(1, 3)),
    st.builds("scan {} {}".format, st.integers(1, 6), st.integers(1, 14)),
    st.builds("shift {} {}".format, st.integers(1, 6), st.integers(1, 5)),
    st.builds("revisit {} {}".format, st.integers(2, 12), st.integers(0, 8)),
)


def setup_of(workload: Any, stage: str = "v6.5", zpool: str = "zbud", **fields: Any) -> Setup:
    return Setup(stage, zpool, workload=workload, compressor="lengths", **{"ram_pages": 30, **fields})


def chosen_by(choice: Any, setup: Setup) -> Setup:
    return setup.but(functions=policy(choice))


def told(history: Any) -> list[Any]:
    """All that happened, and where: the altered functions' own lines do not count."""
    return [(moment.fact, moment.changes, moment.step, moment.cpu, moment.lock) for moment in history.moments]


@pytest.mark.parametrize(("stage", "zpool"), DECIDE)
@pytest.mark.parametrize("workload", DEFAULTS)
def test_lru_as_a_policy_is_the_kernels_lru(stage: str, zpool: str, workload: str) -> None:
    setup = setup_of(workload, stage, zpool)
    kernel, mine = record(setup), record(chosen_by(least_recently_used, setup))
    assert told(mine) == told(kernel)
    assert mine.session.machine.swap.disk == kernel.session.machine.swap.disk


@settings(max_examples=25, deadline=None)
@given(SIZED, st.sampled_from(DECIDE), st.sampled_from(["off", "fixed"]), st.integers(5, 45), st.integers(20, 120))
def test_lru_as_a_policy_is_the_kernels_lru_whatever_the_sizes(
    workload: str, decide: tuple[str, str], exclusive: str, ram_pages: int, threshold: int
) -> None:
    fields: dict[str, Any] = {"exclusive_loads": exclusive, "accept_threshold_percent": threshold}
    setup = setup_of(workload, *decide, ram_pages=ram_pages, load_end="invalidate or move, put", **fields)
    assert told(record(chosen_by(least_recently_used, setup))) == told(record(setup))


@pytest.mark.parametrize("name", ["LRU", "FIFO", "MRU"])
@pytest.mark.parametrize("workload", DEFAULTS)
def test_with_zbud_none_of_the_three_reads_less_on_a_named_workload_than_beladys(workload: str, name: str) -> None:
    setup = setup_of(workload)
    other = record(chosen_by(policy_named(name, setup.lines()), setup)).disk_reads()
    assert record(chosen_by(needed_last(workload), setup)).disk_reads() <= other


def test_beladys_rule_can_be_beaten_in_zswap() -> None:
    """What was written back is read from the device again and again, which the next use alone does not say."""
    for setup in (setup_of("shift 8 4"), setup_of("shift", "3", "z3fold")):
        belady = needed_last(setup.lines())
        assert record(setup).disk_reads() < record(chosen_by(belady, setup)).disk_reads()


def next_needed(lines: Sequence[str], done: int, page: int | None) -> int:
    """The oracle: go on line by line, and see whether the page is read from swap before its copy is worth nothing."""
    out = page is not None and [line for line in lines[:done] if line.endswith(f" {page}")][-1:] == [f"page_out {page}"]
    for number, line in enumerate(lines[done:], done):
        verb, *rest = line.split()
        if rest == [str(page)]:
            if verb == "free" or (verb == "write" and not out):
                return len(lines)
            if verb != "page_out" and out:
                return number
            out = verb == "page_out"
    return len(lines)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["write", "read", "page_out", "free"]), st.integers(0, 5)), max_size=40))
def test_beladys_rule_takes_what_is_needed_last(asked: list[tuple[str, int]]) -> None:
    lines: list[str] = [f"{verb} {page}" for page in range(6) for verb in ("write", "page_out")]
    gone = set[int]()
    for verb, page in asked:
        if verb == "write" or page not in gone:
            lines += [f"{verb} {page}", "worker"]
            gone = gone | {page} if verb == "free" else gone - {page}
    seen: list[tuple[tuple[int | None, ...], int | None]] = []
    belady = needed_last(lines)

    def noted(entries: Sequence[Candidate]) -> Candidate:
        victim = belady(entries)
        able = [entry for entry in entries if entry.can_leave] or entries
        done = 1 + [number for number, line in enumerate(lines) if line == "worker"][len(seen)]
        needs = {entry: next_needed(lines, done, entry.page) for entry in able}
        assert needs[victim] == max(needs.values())
        seen.append((tuple(entry.page for entry in entries), victim.page))
        return victim

    history = record(chosen_by(noted, setup_of(lines, "2", ram_pages=1000, swap_pages=64)))
    assert history.fault is None


def test_a_policy_is_told_what_a_kernel_could_know() -> None:
    heard: list[Candidate] = []

    def listening(entries: Sequence[Candidate]) -> Candidate:
        heard.extend(entries)
        return entries[0]

    lines = ["write 3", "page_out 3", "write 4", "page_out 4", "read 3", "worker"]
    record(chosen_by(listening, setup_of(lines, "2")))
    assert heard == [  # page 3 was read back, and its frame is in the swap cache
        Candidate(3, 1, heard[0].length, stored=1, used=3, loads=1, can_leave=False, now=3),
        Candidate(4, 2, heard[1].length, stored=2, used=2, loads=0, can_leave=True, now=3),
    ]


def nothing(entries: Sequence[Candidate]) -> Any:
    return None


def a_number(entries: Sequence[Candidate]) -> Any:
    return entries[0].page


def broken(entries: Sequence[Candidate]) -> Any:
    return entries[1000]


@pytest.mark.parametrize("choice", [nothing, a_number, broken])
def test_a_policy_that_gives_no_entry_is_refused_with_a_remedy(choice: Any) -> None:
    with pytest.raises(BadInput, match=f"policy {choice.__name__} .*(min\\(entries|mend it)"):
        record(chosen_by(choice, setup_of("overflow")))


def test_where_the_backend_chooses_no_policy_is_asked_and_it_says_so() -> None:
    with pytest.raises(BadInput, match="reclaims by itself"):
        record(chosen_by(least_recently_used, setup_of("overflow", "base")))


@pytest.mark.parametrize("name", ["lru", "optimum"])
def test_an_unknown_policy_is_refused(name: str) -> None:
    with pytest.raises(BadInput, match="LRU"):
        policy_named(name, [])
    with pytest.raises(BadInput, match="no function"):
        policy(name)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", POLICIES)
def test_a_search_with_a_policy_finds_what_the_kernels_finds(name: str) -> None:
    """Two entries, a worker and a load beside it: the times lie in the machine, and are put back with it."""
    setup = setup_of(["write 3", "page_out 3", "write 4", "page_out 4"], "4", cpus=["worker", "read 3"], swap_pages=64)
    mine = chosen_by(policy_named(name, setup.lines()), setup)
    assert explore(Case.of(mine)).fails == explore(Case.of(setup)).fails
