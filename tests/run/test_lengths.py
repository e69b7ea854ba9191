"""Recorded lengths: a run with them is the run with the deflate of the kernel, on whatever system."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zswaplab.model.compressors import Deflate, page_bytes
from zswaplab.model.errors import BadInput
from zswaplab.model.machine import Machine
from zswaplab.model.zpool import ZPOOLS
from zswaplab.run.history import record
from zswaplab.run.lengths import Lengths, recorded
from zswaplab.run.search import explore
from zswaplab.run.setup import Setup
from zswaplab.trace.codecs import matches

ON_A_PAGE = st.builds("{} {}".format, st.sampled_from(["page_out", "read", "free"]), st.integers(0, 5))
OPERATIONS = ON_A_PAGE | st.just("worker")


@pytest.fixture(scope="module")
def exact() -> None:
    """Skips where deflate does not give the lengths that kernels gave: some systems have zlib-ng."""
    same, known = matches(Deflate(), "deflate", "6.1")
    if same < known:
        pytest.skip(f"deflate here gives {same} of {known} recorded lengths")


def test_every_length_is_what_deflate_gives(exact: None) -> None:
    deflate = Deflate()
    assert len(recorded()) == 1000
    for seed, (page, length) in enumerate(recorded().items()):
        compressed = deflate.compress(page)
        assert page == page_bytes(seed) and compressed is not None and len(compressed) == length, seed


@pytest.mark.slow
@pytest.mark.parametrize("zpool", sorted(ZPOOLS))
@settings(max_examples=15, deadline=None)
@given(st.lists(OPERATIONS, max_size=25), st.lists(st.integers(0, 999), min_size=6, max_size=6))
def test_a_run_is_the_same_as_with_deflate(exact: None, zpool: str, operations: list[str], seeds: list[int]) -> None:
    workload = [f"write {page} {seed}" for page, seed in enumerate(seeds)]
    gone = set()
    for line in operations:
        page = line.split()[-1]
        if page not in gone:
            workload.append(line)
        if line.startswith("free"):
            gone.add(page)
    setup = Setup(zpool=zpool, ram_pages=10, workload=workload)
    assert record(setup).first_difference(record(setup.but(compressor="lengths"))) is None


def test_a_setup_holds_it_by_its_name() -> None:
    setup = Setup(compressor="lengths", workload=["write 3", "page_out 3", "read 3"])
    assert Setup.from_text(setup.to_text(), setup.lines()) == setup
    assert record(setup).count("load") == 1
    assert explore(compressor="lengths", cpus=["read 3", "free 3"], device="synchronous", stage="1").schedule == "a7b3a"


def test_a_page_of_zeros_needs_no_length() -> None:
    history = record(Setup(compressor="lengths", workload=["write 3 zeros", "page_out 3", "read 3"]))
    assert history.at(-1).counters["same_filled_pages"] == 1


@pytest.mark.parametrize("line", ["write 1000", "write 3 1000"])
def test_a_page_that_was_not_recorded_is_not_guessed(line: str) -> None:
    page = line.split()[1]
    with pytest.raises(BadInput, match="seeds below 1,000"):
        record(Setup(compressor="lengths", workload=[line, f"page_out {page}"]))


def test_a_machine_can_have_it_too() -> None:
    machine = Machine(compressor=Lengths())
    machine.write(3)
    machine.page_out(3)
    assert machine.read(3) == page_bytes(3)
