"""Named workloads show what they say on a machine of 30 pages; a workload of one's own comes from a CSV file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zswaplab.model.errors import BadInput
from zswaplab.model.machine import Machine
from zswaplab.model.stages import STAGES
from zswaplab.model.zpool import ZPOOLS
from zswaplab.run.history import History, record
from zswaplab.run.setup import Setup
from zswaplab.run.workloads import (
    TITLES,
    WORKLOADS,
    life,
    lines_of,
    loop,
    overflow,
    read_csv,
    revisit,
    scan,
    shift,
    sizes_of,
    write_csv,
)


def run(workload: str, stage: str = "v6.5", **more: Any) -> History:
    return record(Setup(stage, ram_pages=30, workload=workload, **more))


def reads(history: History) -> list[tuple[int, str]]:
    """Of each read fault that needed swap: the page, and whether it came from zswap or from the disk."""
    found = []
    for moment in history.moments:
        operation = history.operations[moment.operation]
        if moment.step == "read":
            found.append((operation.pages[0], "disk"))
        elif moment.event == "load":
            found.append((operation.pages[0], "zswap"))
    return found


# What they show


def test_one_page_through_its_life() -> None:
    history = run("life")
    assert history.written_back() == [1, 2, 0], "the page that was used again goes last"
    assert run("life", "base").written_back() == [0, 1, 2], "zbud did not see that it was used"
    assert [where for page, where in reads(history) if page == 0] == ["zswap", "disk"]
    assert 0 not in history.at(-1).lru.get(0, {}) and history.at(-1).ram[0] == "freed"


def test_fill_and_overflow() -> None:
    history = run("overflow")
    reasons = [moment.reason for moment in history.moments if moment.event == "refuse"]
    sizes = [change[1] for moment in history.moments for change in moment.changes if change[0] == "size"]
    assert reasons == ["limit"] and max(sizes) == history.limit + 1
    shrunk = sizes[sizes.index(max(sizes)) :]
    assert min(shrunk) == history.accept - 1, "the worker goes on until zswap accepts again"
    assert [where for _, where in reads(history)].count("disk") == len(history.written_back()) + len(reasons) == 7


def test_a_loop_larger_than_the_pool() -> None:
    again = reads(run("loop"))
    assert len(again) == 14 and [where for _, where in again].count("disk") == 13
    fits = reads(run("loop 6 2", swap_pages=64))
    assert [where for _, where in fits] == ["zswap"] * 6, "one that the pool holds is all in zswap"


def test_a_hot_set_with_a_scan_through_it() -> None:
    assert [where for _, where in reads(run("scan"))] == ["zswap"] * 4 + ["disk"] * 4
    assert [where for _, where in reads(run("scan 4 3"))] == ["zswap"] * 8, "a short scan does no harm"


def test_a_working_set_that_shifts() -> None:
    history = run("shift")
    gone: set[int] = set()
    for moment in history.moments:
        operation = history.operations[moment.operation]
        assert operation.queued or operation.kind != "read" or operation.pages[0] not in gone
        gone.update(change[1] for change in moment.changes if change[0] == "disk" and moment.event == "writeback")
    assert len(gone) == 6, "and yet the pool was full"


def test_two_old_pages_used_again() -> None:
    assert run("revisit").disk_reads() == 0
    assert run("revisit", "base").disk_reads() == 2


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(WORKLOADS))
def test_a_workload_is_the_same_every_time_and_takes_its_sizes(name: str) -> None:
    most = list(sizes_of(name).values())
    assert lines_of(name) == lines_of(name) == lines_of(" ".join([name, *map(str, most)])) == WORKLOADS[name]()
    for place, size in enumerate(most):
        other = [*most[:place], size + 3, *most[place + 1 :]]
        assert lines_of(" ".join([name, *map(str, other)])) != lines_of(name)
        assert record(Setup(ram_pages=30, workload=" ".join([name, *map(str, other)]))).fault is None
    assert TITLES[name] and WORKLOADS[name].__doc__ and ">>>" in WORKLOADS[name].__doc__


@pytest.mark.slow
@pytest.mark.slow
@pytest.mark.parametrize("zpool", sorted(ZPOOLS))
@pytest.mark.parametrize("stage", sorted(STAGES))
def test_every_kernel_takes_every_workload(stage: str, zpool: str) -> None:
    for name in WORKLOADS:
        assert run(name, stage, zpool=zpool).fault is None


# Sizes that cannot be


@pytest.mark.parametrize("wrong", [
    "loop 0", "loop -1", "loop 1.5", "loop x", "loop 10001", "loop 3 3 3", "life 1 2", "revisit 1", "overflow 0",
    "loop 10000 10000", "fly", "loop 14 rounds", "loop " + "9" * 5000, "loop ²", "",
])  # fmt: skip
def test_sizes_that_cannot_be_are_refused_in_words(wrong: str) -> None:
    with pytest.raises(BadInput):
        lines_of(wrong)


def test_the_refusal_names_value_rule_and_remedy() -> None:
    with pytest.raises(BadInput, match=r"^pages=0 cannot be: give a whole number of pages from 1 to 10,000$"):
        overflow(pages=0)
    with pytest.raises(BadInput, match=r"^rounds='x' cannot be: give a whole number of rounds"):
        loop(3, "x")  # type: ignore[arg-type]
    with pytest.raises(BadInput, match=r"^pages=1 cannot be: give a whole number of pages from 2"):
        revisit(1)
    with pytest.raises(BadInput, match=r"'loop 1 2 3' cannot be: loop takes pages and rounds, like 'loop 14 2'"):
        lines_of("loop 1 2 3")
    with pytest.raises(BadInput, match=r"^loop\(pages=10000, rounds=10000\) has more than 100,000 operations"):
        loop(10000, 10000)


def test_what_was_possible_still_is() -> None:
    assert revisit(10, 0)[-2:] == ["read 0", "read 1"]
    assert life(0).count("worker") == 1
    assert len(shift(1, 3)) == 2 * 2 * 4, "a set of one page shifts by one"
    assert len(scan(2, 3)) == 2 * (2 + 2 + 3 + 2)


# A workload of one's own

MINE = "operation,page,seed\nwrite,3,17\npage_out,3,\n\nread,3\nworker,,\nfree,3,\n"
LINES = st.one_of(
    st.builds("{} {}".format, st.sampled_from(["write", "page_out", "read", "free"]), st.integers(0, 2**40)),
    st.builds("write {} {}".format, st.integers(0, 99), st.integers(0, 2**40)),
    st.sampled_from(["worker", "swapoff", "drop_cache", "store 1 17", "load 1"]),
)


def test_a_workload_comes_from_a_file_or_a_text(tmp_path: Path) -> None:
    wanted = ["write 3 17", "page_out 3", "read 3", "worker", "free 3"]
    assert read_csv(MINE) == wanted
    for number, text in enumerate([MINE, "\ufeff" + MINE, MINE.replace("\n", "\r\n"), MINE.replace(",", " , ")]):
        path = tmp_path / f"{number}.csv"
        path.write_bytes(text.encode())
        assert read_csv(path) == read_csv(str(path)) == wanted
    assert read_csv("operation,page\nwrite,3\n") == ["write 3"]
    assert record(Machine(), read_csv(MINE)).count("store") == 1


@settings(max_examples=60, deadline=None, suppress_health_check=[*HealthCheck])
@given(lines=st.lists(LINES, min_size=1, max_size=20))
def test_what_is_written_is_read_again(lines: list[str], tmp_path: Path) -> None:
    assert read_csv(write_csv(lines, tmp_path / "mine.csv")) == lines


def test_a_named_workload_can_be_written_down_and_changed(tmp_path: Path) -> None:
    path = write_csv("revisit 10 6", tmp_path / "mine.csv")
    assert path.read_text().splitlines()[:2] == ["operation,page", "write,0"]
    assert read_csv(path) == revisit(10, 6)


@pytest.mark.parametrize(("text", "said"), [
    ("operation,page\nfly,3\n", r"line 2, 'fly,3': operation 'fly 3' is not known; write 'read 3'"),
    ("operation,page\nwrite,3\n\nread\n", r"line 4, 'read': operation 'read' is not known"),
    ("operation,page\nread,-1\n", r"line 2, 'read,-1': page '-1' cannot be; give a whole number from 0 to 1,099,"),
    ("operation,page\nread,3.0\n", "line 2, 'read,3.0': page '3.0' cannot be"),
    ("operation,page\nread," + "9" * 5000 + "\n", "line 2, .*: page '9+' cannot be"),
    ("operation,page,seed\nwrite,3,x\n", "line 2, 'write,3,x': seed 'x' cannot be"),
    ("operation,page,seed\nwrite,,7\n", "line 2, 'write,,7': page '' cannot be"),
    ("operation,page\nwrite,3,7\n", "line 2, 'write,3,7': 3 cells, and there are 2 columns; leave out"),
    ("operation,page,seed\nread,3,7\n", "line 2, 'read,3,7': operation 'read 3 7' is not known"),
    ("write,3\npage_out,3\n", "line 1, 'write,3': the first line names the columns: write operation,page,seed"),
    ("operation;page\nwrite;3\n", "line 1, 'operation;page': the first line names the columns: .* with commas"),
    ("operation,page\n", "no operations: write operation,page and below it"),
    ("\n\n", "no operations"),
    ('operation,page\n"write,3\n', "line 2 cannot be read .*: write words and numbers, no quotes"),
])  # fmt: skip
def test_a_line_that_cannot_be_is_named_with_the_rule(text: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        read_csv(text)


@pytest.mark.slow
def test_too_much_is_refused() -> None:
    with pytest.raises(BadInput, match="at most 100,000 operations; leave some out"):
        read_csv("operation,page\n" + "worker,\n" * 100_001)


@pytest.mark.parametrize("wrong", [None, 3, ["write 3"], "", "gone.csv", "operation,page", "a\0b"])
def test_what_is_no_file_and_no_text_is_refused(wrong: Any, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"source=.* cannot be read.*give the path of a CSV file, or its text"):
        read_csv(wrong)


def test_files_that_cannot_be_read_or_written(tmp_path: Path) -> None:
    for wrong in (tmp_path, tmp_path / "gone" / "mine.csv"):
        with pytest.raises(BadInput, match="give the path"):
            read_csv(wrong)
        with pytest.raises(BadInput, match="name a file in a folder that is there"):
            write_csv(["write 3"], wrong)
    (tmp_path / "latin.csv").write_bytes(b"operation,page\n\xe9,3\n")
    with pytest.raises(BadInput, match="not in UTF-8: save it as CSV in UTF-8"):
        read_csv(tmp_path / "latin.csv")
    with pytest.raises(BadInput, match="operation 2, 'fly 3': operation 'fly 3' is not known"):
        write_csv(["write 3", "fly 3"], tmp_path / "mine.csv")
    assert not (tmp_path / "mine.csv").exists()
