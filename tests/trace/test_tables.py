"""The tables of recordings: what is shipped, and a replayed run's operations and LRU."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.trace.altered import QUIET, SHIPPED, load, shared
from zswaplab.model.errors import BadInput
from zswaplab.trace.read import read
from zswaplab.trace.shipped import find_run, shipped_runs
from zswaplab.trace.tables import Replayed, replay, runs

if TYPE_CHECKING:
    import pandas

COLUMNS = (
    "seq", "operation", "offset", "page", "length", "ok", "result", "pool_pages", "stored_pages",
    "written_back", "limit_hit", "age", "from_tail",
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped run up to the end of its second worker run."""
    return load(SHIPPED, QUIET).write(tmp_path_factory.mktemp("run") / "stretch")


@pytest.fixture(scope="module")
def stretch(folder: Path) -> Replayed:
    return replay(folder)


@pytest.fixture(scope="module")
def table(stretch: Replayed) -> pandas.DataFrame:
    return stretch.table()


# What is shipped


def test_the_shipped_runs() -> None:
    listed = runs().set_index("run")
    assert list(listed.index) == list(shipped_runs())
    row = listed.loc["p2-zbud-overflow"]
    assert (row["kernel"], row["stage"], row["backend"], row["compressor"]) == ("6.4.4-p2", "rfc2-2", "zbud", "lzo")
    assert (row["exclusive loads"], row["workload"]) == ("off", "overflow")
    assert (row["operations"], row["writebacks"]) == (17_076, 2116)
    assert row["KB"] == (SHIPPED / "trace.csv.gz").stat().st_size // 1000


def test_a_run_is_found_by_name_or_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_run("p2-zbud-overflow") == SHIPPED
    assert find_run(str(SHIPPED)) == find_run(SHIPPED) == SHIPPED
    (tmp_path / "p2-zbud-overflow").mkdir()
    monkeypatch.chdir(tmp_path)
    assert find_run("p2-zbud-overflow") == Path("p2-zbud-overflow"), "a folder of one's own comes first"


def test_a_name_that_is_not_known() -> None:
    with pytest.raises(BadInput, match=r"run='p2' is neither a folder nor .* shipped; those are: .*p2-zbud-overflow"):
        replay("p2")
    with pytest.raises(BadInput, match=r"/no/where: no such folder"):
        replay("/no/where")
    with pytest.raises(BadInput, match=r"stage='v7' is not known"):
        replay("p2-zbud-overflow", stage="v7")


# A replayed run


@pytest.mark.slow
def test_its_repr(stretch: Replayed) -> None:
    assert repr(stretch) == f"<stretch replayed at stage rfc2-2: {len(stretch.rows):,} operations>"
    assert (stretch.limit, stretch.accept_threshold, stretch.listed) == (613, 552, "entries")


def test_the_table_is_small_and_complete(table: pandas.DataFrame) -> None:
    assert tuple(table.columns) == COLUMNS
    assert table.memory_usage(deep=True).sum() / len(table) < 60, "bytes a row"
    kinds = table["operation"].value_counts()
    assert dict(kinds) == {"store": 1607, "writeback": 130, "free": 130}


@pytest.mark.slow
def test_the_table_is_what_the_kernel_did(table: pandas.DataFrame, folder: Path) -> None:
    """The model agrees with the recording: so its rows must be the recorded ones, in the order of their ends."""
    rows = [row for row in read(folder).rows if row.op in ("store", "writeback")]
    ours = table[table["operation"].isin(["store", "writeback"])]
    for (_, row), recorded in zip(ours.iterrows(), sorted(rows, key=lambda row: row.seq_end), strict=True):
        cells = recorded.cells
        assert row["operation"] == recorded.op
        assert (row["offset"], row["page"], row["result"]) == (cells["offset"], cells["page"], cells["ret"])
        assert (row["pool_pages"], row["stored_pages"]) == (cells["pool_pages"], cells["stored_pages"])
        assert row["ok"] == (cells["ret"] == 0)
        if "limit_hit" in cells:
            assert (row["written_back"], row["limit_hit"]) == (cells["written_back"], cells["limit_hit"])
        if recorded.op == "store":
            assert row["seq"] == recorded.seq - 1, "the swap-out that led to it"
            if "length" in cells:
                assert row["length"] == cells["length"]


def test_the_oldest_is_written_back(table: pandas.DataFrame) -> None:
    written = table[table["operation"] == "writeback"]
    assert (written["from_tail"] == 0).all()
    stored = table[(table["operation"] == "store") & table["ok"]].reset_index().set_index("offset")["number"]
    meanwhile = written.index - stored[written["offset"]].to_numpy() - written["age"]  # since it was taken
    assert (meanwhile >= 0).all()
    assert (meanwhile == 0).mean() > 0.8, "most were not interrupted"
    assert table[table["operation"] != "writeback"]["age"].isna().all()


def test_the_lru_over_time(stretch: Replayed) -> None:
    snapshots = stretch.lru(every=100)
    assert [moment for moment, _ in snapshots] == list(range(0, len(stretch.rows) + 1, 100))
    for moment, listed in snapshots:
        ages = [age for _, age in listed]
        assert ages == sorted(ages), "newest first"
        assert all(0 < age <= moment for age in ages)
        assert len({offset for offset, _ in listed}) == len(listed)
    _, last = stretch.lru(every=len(stretch.rows))[-1]
    kept = stretch.rows[-1]["stored_pages"]
    same_filled = sum(row["operation"] == "store" and row["ok"] and row["length"] == 0 for row in stretch.rows)
    assert kept - same_filled <= len(last) <= kept


def test_lives_end(stretch: Replayed) -> None:
    lives = stretch.lives()
    assert len(lives) == 130
    assert all(life.written_back and len(life.put) == 1 and life.put[0] < life.ended for life in lives)
    assert [life.ended for life in lives] == [n for n, row in enumerate(stretch.rows) if row["operation"] == "free"]


@pytest.mark.slow
def test_the_whole_shipped_run() -> None:
    replayed = replay("p2-zbud-overflow")
    table = replayed.table()
    assert len(table) == 17_076
    assert dict(table.groupby("operation", observed=True)["ok"].sum()) == {
        "free": 3855, "invalidate": 3855, "load": 2202, "store": 3855, "writeback": 2114,
    }  # fmt: skip
    written = table[(table["operation"] == "writeback") & table["ok"]]
    assert (written["from_tail"] == 0).all(), "true LRU order"
    lives = replayed.lives()
    assert sum(life.written_back for life in lives) == 2114
    assert sum(len(life.put) for life in lives) > 2 * 2114, "loads move entries to the head"
    assert replayed.lru(every=17_076)[-1] == (17_076, [])


@pytest.mark.slow
def test_a_backend_that_evicts_lists_its_pages_and_takes_not_always_the_oldest_entry() -> None:
    replayed = replay(shared("base-zbud-overflow"))
    assert replayed.listed == "pages"
    assert replayed.lives() == []
    assert max(len(listed) for _, listed in replayed.lru()) in (613, 614), "as many as the pool has pages"
    table = replayed.table()
    written = table[(table["operation"] == "writeback") & table["ok"]]
    assert written["age"].notna().all()
    assert written["from_tail"].max() > 10


@pytest.mark.slow
def test_another_kernel_with_the_same_inputs(folder: Path) -> None:
    table = replay(folder, stage="base").table()
    assert (table["operation"] == "store").sum() == 1607
    assert (table["operation"] == "writeback").sum() > 50
