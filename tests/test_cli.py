"""The zswaplab command: what it prints, and how it ends."""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from zswaplab import __version__
from zswaplab.cli import main
from zswaplab.trace.conform import conform_all
from zswaplab.trace.shipped import data_dir
from zswaplab.trace.tables import runs as table_of_runs

SHIPPED = "p2-zbud-overflow"


@pytest.fixture(autouse=True)
def no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """No width is known, whatever started the tests."""
    monkeypatch.delenv("COLUMNS", raising=False)



def short(folder: Path, lines: int = 3000) -> Path:
    """The first rows of the shipped recording, as a folder; its last counters are of no use then."""
    folder.mkdir()
    settings = json.loads((data_dir() / "recordings" / SHIPPED / "counters.json").read_text())
    settings.pop("counters_end", None)
    (folder / "counters.json").write_text(json.dumps(settings))
    with gzip.open(data_dir() / "recordings" / SHIPPED / "trace.csv.gz", "rt") as file:
        rows = [next(file) for _ in range(lines)]
    with gzip.open(folder / "trace.csv.gz", "wt") as file:
        file.writelines(rows)
    return folder


def test_a_shipped_run_agrees(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["conform", "f65-zbud-exact-on"]) == 0
    printed = capsys.readouterr()
    assert "held against stage v6.5" in printed.out
    assert "store" in printed.out
    assert printed.err == ""


@pytest.mark.slow
def test_another_stage_disagrees_at_a_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["conform", str(short(tmp_path / "run", 12_000)), "--stage", "v6.5"]) == 1
    printed = capsys.readouterr().out
    assert "first disagreement:" in printed
    assert "  > " in printed


@pytest.mark.slow
def test_one_that_disagrees_is_enough(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, two = short(tmp_path / "one"), short(tmp_path / "two")
    with gzip.open(two / "trace.csv.gz", "rt") as file:
        rows = file.read().replace("insert+6=0", "insert+6=-17", 1)
    with gzip.open(two / "trace.csv.gz", "wt") as file:
        file.write(rows)
    assert main(["conform", str(one), str(two)]) == 1
    assert "first disagreement: store at line 7" in capsys.readouterr().out
    assert main(["conform", "--json", str(two), str(one)]) == 1
    verdicts = json.loads(capsys.readouterr().out)
    assert [(verdict["run"], verdict["agrees"]) for verdict in verdicts] == [("two", False), ("one", True)]
    assert verdicts[0]["problems"][0]["line"] == 7


def test_nothing_is_printed_if_one_of_the_runs_cannot_be_held(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["conform", str(short(tmp_path / "one")), "gone"]) == 2
    assert capsys.readouterr().out == ""


def test_json_is_for_programs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["conform", "--json", str(short(tmp_path / "one")), str(short(tmp_path / "two"))]) == 0
    verdicts = json.loads(capsys.readouterr().out)
    assert [(verdict["run"], verdict["agrees"]) for verdict in verdicts] == [("one", True), ("two", True)]
    assert verdicts[0]["classes"]["disagrees"] == 0
    assert verdicts[0]["operations"] == sum(verdicts[0]["classes"].values())


def test_several_runs_end_in_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["conform", str(short(tmp_path / "one")), str(short(tmp_path / "two"))]) == 0
    table = capsys.readouterr().out.splitlines()[-4:]
    assert [line.split()[0] for line in table] == ["run", "one", "two", "all"]


@pytest.mark.parametrize("arguments", [
    ["conform", SHIPPED, "--jobs", "0"],
    ["conform", "no-such-run"], ["conform", "/no/such/folder"], ["conform", SHIPPED, "--stage", "v7"],
])  # fmt: skip
def test_bad_input_is_one_line_and_status_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("zswaplab: ")
    assert "Traceback" not in printed.err
    assert len(printed.err.splitlines()) == 1


def test_a_broken_file_is_named_with_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "broken"
    shutil.copytree(data_dir() / "recordings" / SHIPPED, folder)
    trace = folder / "trace.csv.gz"
    trace.write_bytes(trace.read_bytes()[:50_000])
    assert main(["conform", str(folder)]) == 2
    assert str(trace) in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["conform"], ["fly"], ["conform", "--speed", "x"]])
def test_words_that_are_not_known_end_with_status_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2


def test_the_shipped_runs_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs"]) == 0
    assert SHIPPED in capsys.readouterr().out


def test_the_list_has_the_columns_and_values_of_runs(capsys: pytest.CaptureFixture[str]) -> None:
    shipped = table_of_runs()
    assert main(["runs"]) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split() == " ".join(shipped.columns).split()
    listed = [row.replace(",", "").split() for row in rows]
    assert listed == [[str(cell) for cell in row] for row in shipped.itertuples(index=False)]


@pytest.mark.parametrize("width", [30, 60, 80, 100])
def test_the_list_fits_the_terminal(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["runs"]) == 0
    whole = [line.split() for line in capsys.readouterr().out.splitlines()]
    monkeypatch.setenv("COLUMNS", str(width))
    assert main(["runs"]) == 0
    parts = [part.splitlines() for part in capsys.readouterr().out.strip("\n").split("\n\n")]
    assert max(len(line) for part in parts for line in part) <= max(width, 40), "a name and one column are the least"
    joined = [sum((line.split()[1:] for line in lines), lines[0].split()[:1]) for lines in zip(*parts, strict=True)]
    assert joined == whole, "every column is there once, beside the run's name"


def test_the_list_is_one_table_where_it_fits(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["runs"]) == 0
    whole = capsys.readouterr().out
    widest = max(len(line) for line in whole.splitlines())
    for width, tables in ((widest, 1), (widest - 1, 2)):
        monkeypatch.setenv("COLUMNS", str(width))
        assert main(["runs"]) == 0
        printed = capsys.readouterr().out
        assert (printed == whole, printed.count("run ")) == (tables == 1, tables)


def test_the_list_needs_no_pandas() -> None:
    code = "import sys; from zswaplab.cli import main; main(['runs']); print('pandas' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"


def test_the_installed_command_knows_its_version() -> None:
    code = "import sys; from zswaplab.cli import main; sys.exit(main(['--version']))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"zswaplab {__version__}"


@pytest.mark.slow
def test_recordings_side_by_side_give_the_same_verdicts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = [str(short(tmp_path / "one")), str(short(tmp_path / "longer", 6000)), str(short(tmp_path / "two"))]
    printed = []
    for jobs in ("1", "2"):
        assert main(["conform", "--json", "--jobs", jobs, *runs]) == 0
        verdicts = json.loads(capsys.readouterr().out)
        printed.append([{**verdict, "seconds": 0} for verdict in verdicts])
    assert printed[0] == printed[1]
    assert [verdict["run"] for verdict in printed[1]] == ["one", "longer", "two"]


@pytest.mark.slow
def test_any_executor_will_do_and_progress_reaches_the_end(tmp_path: Path) -> None:
    runs = [short(tmp_path / name) for name in ("one", "two")]
    told: list[tuple[int, int]] = []
    with ThreadPoolExecutor(2) as executor:
        verdicts = list(conform_all(runs, executor=executor, progress=lambda *done: told.append(done)))
    assert [verdict.run for verdict in verdicts] == ["one", "two"]
    assert told[-1][0] == told[-1][1] == sum(run.joinpath("trace.csv.gz").stat().st_size for run in runs)
    told.clear()
    list(conform_all(runs, progress=lambda *done: told.append(done)))
    assert told == sorted(told) and told[-1][0] == told[-1][1]


# explore


def test_explore_lists_its_cases(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explore", "--list"]) == 0
    printed = capsys.readouterr().out
    assert "rfc2-4-off" in printed and "measured" in printed and "read" in printed


def test_explore_ends_with_1_where_a_schedule_fails(capsys: pytest.CaptureFixture[str]) -> None:
    two = ["--cpu", "read 3", "--cpu", "read 3", "--cpu", "free 3"]
    assert main(["explore", "--stage", "4", "--device", "synchronous", *two]) == 1
    printed = capsys.readouterr().out
    assert "schedule a7c3a3" in printed and "BUG: KASAN: slab-use-after-free in zswap_frontswap_load" in printed


def test_explore_ends_with_0_where_none_does(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explore", "--stage", "v6.5", "--exclusive", "off", "--cpu", "read 3", "--cpu", "free 3"]) == 0
    assert "no schedule fails" in capsys.readouterr().out


def test_explore_ends_with_2_at_a_bound(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explore", "v6.5-off", "--max-states", "20"]) == 2
    assert "no schedule fails" not in capsys.readouterr().out


@pytest.mark.parametrize(
    "wrong", [[], ["no-such-case"], ["--cpu", "fly 3"], ["--stage", "9", "--cpu", "read 3"], ["K", "--cpu", "read 3"]]
)
def test_explore_ends_with_2_for_bad_input(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explore", *wrong]) == 2
    assert capsys.readouterr().err.startswith("zswaplab: ")


@pytest.mark.slow
def test_several_cases_are_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explore", "C-base", "C-unchecked"]) == 1
    rows = capsys.readouterr().out.splitlines()
    assert len(rows) == 3 and "no" in rows[1] and "yes" in rows[2] and "read" in rows[2]
