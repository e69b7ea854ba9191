"""A sweep is a table, the same whoever makes its runs; a recorded kernel's choices are those of its LRU."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pandas as pd
import pytest

from zswaplab.model.errors import BadInput
from zswaplab.run.policies import Candidate
from zswaplab.run.setup import Setup
from zswaplab.show.sweep_plots import MARKS, plot_sweep
from zswaplab.show.sweeps import sweep
from zswaplab.show.victims import victims

pytestmark = pytest.mark.slow

SCAN = Setup(workload="scan", ram_pages=30, compressor="lengths")


def test_a_table_has_a_row_for_each_combination_and_a_column_for_each_value() -> None:
    values: dict[str, list[Any]] = {"zpool": ["zbud", "zsmalloc"], "policy": ["LRU", None]}
    table = sweep(SCAN, **values)
    assert table[["zpool", "policy"]].values.tolist() == [
        ["zbud", "LRU"], ["zbud", "the kernel's"], ["zsmalloc", "LRU"], ["zsmalloc", "the kernel's"],
    ]  # fmt: skip
    rest = table.drop(columns="policy")
    assert rest[table["policy"] == "LRU"].reset_index(drop=True).equals(
        rest[table["policy"] != "LRU"].reset_index(drop=True))  # fmt: skip
    assert (table["faults"] == table["from zswap"] + table["disk reads"]).all()
    with ThreadPoolExecutor(2) as executor:
        pd.testing.assert_frame_equal(sweep(SCAN, executor, **values), table)


def never_loaded_first(entries: Sequence[Candidate]) -> Candidate:
    return min(entries, key=lambda entry: (entry.loads > 0, entry.used))


def test_in_a_recorded_kernel_the_lru_chooses_as_the_kernel_did_and_others_do_not() -> None:
    table = victims("p4-zbud-overflow", ["LRU", "FIFO", never_loaded_first])
    assert list(table.columns) == ["kernel", "LRU", "FIFO", "never_loaded_first"]
    assert (table["LRU"] == table["kernel"]).all()
    for other in ("FIFO", "never_loaded_first"):
        assert 0 < (table[other] == table["kernel"]).sum() < len(table)


@pytest.mark.parametrize(
    ("run", "policy", "said"),
    [("base-zbud-overflow", "LRU", "chose by itself"), ("p4-zbud-overflow", "Belady", "leave it out"),
     ("p4-zbud-overflow", "clock", "choose one of"), ("no-such-run", "LRU", "no-such-run")],
)  # fmt: skip
def test_what_cannot_be_asked_of_a_recording_is_refused(run: str, policy: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        victims(run, [policy])


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_plot_of_a_sweep_has_a_line_for_each_value_and_says_what_is_on_it(theme: str) -> None:
    table = sweep(SCAN, max_pool_percent=[20, 30], policy=["LRU", "MRU"])
    figure = plot_sweep(table, "max_pool_percent", by="policy", theme=theme)
    (axes,) = figure.axes
    assert {line.get_label(): list(line.get_ydata()) for line in axes.lines} == {"LRU": [4, 0], "MRU": [0, 0]}
    assert len({(line.get_marker(), line.get_linestyle(), line.get_color()) for line in axes.lines}) == 2
    assert "LRU: 4, 0. MRU: 0, 0." in figure.alt  # type: ignore[attr-defined]


def test_a_plot_of_a_sweep_takes_one_row_a_place() -> None:
    table = sweep(SCAN, max_pool_percent=[20, 30], policy=["LRU", "MRU"])
    with pytest.raises(BadInput, match="tells the rows apart"):
        plot_sweep(table, "max_pool_percent")
    with pytest.raises(BadInput, match="choose one of"):
        plot_sweep(table, "limit")
    many = sweep(SCAN, max_pool_percent=[*range(20, 21 + len(MARKS))])
    with pytest.raises(BadInput, match="take fewer"):
        plot_sweep(many, "refused", by="max_pool_percent")
