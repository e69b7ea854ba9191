"""What lies above zswap and is not recorded row by row: slots that are given up, and threads that sleep."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.trace.altered import Line, Raw, load
from zswaplab.trace.conform import conform
from zswaplab.trace.nested import apart
from zswaplab.trace.program import again
from zswaplab.trace.read import Row, read
from zswaplab.trace.replay import Replay
from zswaplab.trace.variants import machine_for

RECORDED = Path(__file__).parent / "recorded"
RUNS = ("small-swap", "half-full-swap")
ASIDE = 63  # slots that the kernel had set aside when the device was nearly full


@pytest.fixture
def small() -> Raw:
    return load(RECORDED / "small-swap")


@pytest.mark.parametrize("run", RUNS)
def test_a_small_device_agrees(run: str) -> None:
    verdict = conform(RECORDED / run)
    assert verdict.agrees, verdict.text()
    assert verdict.total("order inferred") == 0
    assert verdict.total("not determined") <= ASIDE


@pytest.mark.slow
@pytest.mark.parametrize("run", RUNS)
def test_it_runs_again_without_the_recording(run: str) -> None:
    recording = read(RECORDED / run)
    replay = Replay(recording).run()
    machine = again(replay.program, machine_for(recording))
    assert dict(machine.zswap.counters) == dict(replay.machine.zswap.counters)
    assert machine.swap.bitmap == replay.machine.swap.bitmap


def test_with_many_free_slots_the_same_rows_disagree(small: Raw, tmp_path: Path) -> None:
    """Whether slots wait follows from how many are free: a recording may not do as it likes."""
    small.settings["counters_start"]["meminfo.SwapTotal"] = "8188 kB"
    verdict = conform(small.write(tmp_path / "run"))
    assert "a slot is freed that was not given up" in verdict.first_problem()


def test_a_slot_that_is_freed_later_is_caught(small: Raw, tmp_path: Path) -> None:
    lines = small.lines
    frees = [index for index, line in enumerate(lines) if line["op"] == "slot_free"]
    gives = [index for index, line in enumerate(lines) if line["op"] == "slot_give"]
    assert lines[frees[ASIDE]]["offset"] == lines[gives[0]]["offset"], "the first that is freed at once"
    missing = [*lines[: frees[ASIDE]], *lines[frees[ASIDE] + 1 :]]
    assert not conform(small.with_lines(missing).write(tmp_path / "run")).agrees


# -- a thread that sleeps in a store


def numbers(line: Line, **changed: int) -> Line:
    return line | {name: str(value) for name, value in changed.items()}


def asleep(raw: Raw) -> list[Line]:
    """The first lines, as if kswapd had begun the store of a same-filled page and slept until after the next store.

    It sleeps where it gets its entry: the limit is checked, nothing is counted.
    """
    lines = raw.lines
    first = next(i for i, line in enumerate(lines) if line["op"] == "store" and line["length"] == "0")
    swapout, filled, *between, second = lines[first - 1 : first + 5]
    assert second["op"] == "store" and int(second["length"]) > 0 and filled["inner"].startswith("update+1=")
    start, length = int(filled["seq"]), int(second["seq_end"]) - int(second["seq"])
    moved = int(second["seq"]) - 1  # the end of the first one now comes after it
    stored, same = int(second["stored_pages"]), int(second["same_filled"])
    kswapd = {"tid": "38"}
    filled = filled | kswapd | {
        name: second[name] for name in ("pool_pages", "true_pages", "stored_pages", "reject_compress_poor")
    }
    filled = filled | {"seq_end": second["seq_end"], "inner": f"update+{moved + length - start}={second['pool_pages']}"}
    second = numbers(second, seq=moved - 1, seq_end=moved - 1 + length, stored_pages=stored - 1, same_filled=same - 1)
    begun = [numbers(line, seq=int(line["seq"]) - 2, seq_end=int(line["seq_end"]) - 2) for line in between]
    return [*lines[: first - 1], swapout | kswapd, filled, *begun, second]


def test_a_store_may_sleep_while_it_gets_its_entry(small: Raw, tmp_path: Path) -> None:
    small.settings.pop("counters_end"), small.settings.pop("counters_workload_exit")
    verdict = conform(small.with_lines(asleep(small)).write(tmp_path / "run"))
    assert verdict.agrees, verdict.text()


# -- pages that are reclaimed in the middle of a writeback


def row(line: int, **cells: Any) -> Row:
    seq, parent, points = cells.pop("seq"), cells.pop("parent", None), cells.pop("points", ())
    return Row(line, seq, cells.pop("seq_end", seq), 17, parent, cells.pop("op"), cells, points)


def test_what_a_writeback_reclaims_is_a_thread_of_its_own() -> None:
    rows = [
        row(2, seq=1, seq_end=30, op="worker"),
        row(3, seq=2, seq_end=29, parent=1, op="shrink"),
        row(
            4, seq=3, seq_end=20, parent=2, op="writeback", offset=7,
            points=(
                (1, "map", None), (2, "lookup", None), (5, "submit", None), (9, "submitted", 0), (10, "looked", 1),
                (12, "submit", None), (13, "submitted", 1),
            ),
        ),
        row(5, seq=6, parent=3, op="swapout", offset=9),
        row(6, seq=7, parent=3, op="store", offset=9, ret=-12, ok=0),
        row(7, seq=8, parent=3, op="diskwrite", offset=9),
        row(8, seq=15, parent=3, op="diskwrite", offset=7),
        row(9, seq=18, parent=3, op="free", offset=7),
        row(10, seq=31, op="w:end"),
    ]  # fmt: skip
    before = [(one.tid, one.parent, one.points) for one in rows]
    found = apart(rows)
    assert [one.tid for one in found] == [17, 17, 17, -17, -17, -17, 17, 17, 17]
    assert [one.parent for one in found] == [None, 1, 2, None, None, None, 3, 3, None]
    assert [name for _, name, _ in found[2].points] == ["map", "lookup", "looked", "submit", "submitted"]
    assert found[2].points[3] == (12, "submit", None), "its own"
    assert [(one.tid, one.parent, one.points) for one in rows] == before, "the recording itself stays"


def test_what_is_inside_a_reclaimed_pages_store_goes_with_it() -> None:
    rows = [
        row(2, seq=1, seq_end=20, op="writeback", offset=7),
        row(3, seq=2, parent=1, op="swapout", offset=9),
        row(4, seq=3, seq_end=9, parent=1, op="store", offset=9, ret=0, ok=1),
        row(5, seq=5, parent=3, op="free", offset=9),
    ]
    assert [(one.tid, one.parent) for one in apart(rows)] == [(17, None), (-17, None), (-17, None), (-17, 3)]
