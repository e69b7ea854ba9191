"""A recording that is broken, or says what cannot be, is refused: which file, which line, which rule, what to do."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.trace.altered import SHIPPED, Line, Raw, load
from zswaplab.model.errors import BadInput
from zswaplab.trace.conform import conform
from zswaplab.trace.read import read
from zswaplab.trace.variants import machine_for

SHORT = load(SHIPPED, 400)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return SHORT.write(tmp_path / "run")


def refused(folder: Path, *words: str) -> None:
    """The message names the file, and says `words`: the line, the value, the rule, the remedy."""
    with pytest.raises(BadInput) as problem:
        conform(folder)
    for word in (str(folder), *words):
        assert word in str(problem.value), str(problem.value)


def test_what_is_written_here_can_be_read(folder: Path) -> None:
    recording = read(folder)
    assert len(recording.rows) == 400
    assert recording.name == "run"
    assert conform(folder).agrees


def test_only_the_columns_asked_for_are_kept(folder: Path) -> None:
    row = next(row for row in read(folder, columns=("offset",)).rows if row.op == "store")
    assert set(row.cells) == {"offset"}
    assert row.points


# The folder and its files


def test_no_folder(tmp_path: Path) -> None:
    refused(tmp_path / "gone", "no such folder", "give a run's folder", "counters.json", "trace.csv.gz")


@pytest.mark.parametrize("name", ["trace.csv.gz", "counters.json"])
def test_a_file_is_missing(folder: Path, name: str) -> None:
    (folder / name).unlink()
    refused(folder, name, "no such file", "a run's folder has")


def test_a_file_is_cut_off(folder: Path) -> None:
    path = folder / "trace.csv.gz"
    path.write_bytes(path.read_bytes()[:-2000])
    refused(folder, "trace.csv.gz", "broken off or damaged after line", "fetch it again")


def test_a_byte_is_flipped(folder: Path) -> None:
    path = folder / "trace.csv.gz"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x10
    path.write_bytes(bytes(data))
    refused(folder, "trace.csv.gz", "line", "again")


@pytest.mark.parametrize("content", [b"", b"not gzip", gzip.compress(b"\xff\xfe\x00", mtime=0)])
def test_it_is_no_table(folder: Path, content: bytes) -> None:
    (folder / "trace.csv.gz").write_bytes(content)
    refused(folder, "trace.csv.gz", "line 1")


def test_there_are_no_rows(folder: Path) -> None:
    SHORT.with_lines([]).write(folder)
    refused(folder, "trace.csv.gz", "has no rows", "fetch it again")


def test_a_folder_in_the_place_of_a_file(folder: Path) -> None:
    (folder / "counters.json").unlink()
    (folder / "counters.json").mkdir()
    refused(folder, "counters.json", "not a recording's settings", "fetch it again")


@pytest.mark.parametrize("name", ["seq", "tid", "op", "offset", "length", "ret", "ok", "pool_pages", "reached_full"])
def test_a_column_is_absent(folder: Path, name: str) -> None:
    without = [{key: cell for key, cell in line.items() if key != name} for line in SHORT.lines]
    Raw([column for column in SHORT.header if column != name], without, SHORT.settings).write(folder)
    refused(folder, "trace.csv.gz", "line 1", f"no column {name}", "a recording needs")


BROKEN = ["", "[]", "{}", "null", "{broken", '{"params": {}}', '{"params": 3, "counters_start": {}}']


@pytest.mark.parametrize("text", BROKEN)
def test_the_settings_are_broken(folder: Path, text: str) -> None:
    (folder / "counters.json").write_text(text)
    refused(folder, "counters.json", "not a recording's settings", "fetch it again")


def changed(folder: Path, **parameters: object) -> None:
    settings = json.loads((folder / "counters.json").read_text())
    settings["params"] |= {name.replace("__", "."): value for name, value in parameters.items()}
    (folder / "counters.json").write_text(json.dumps(settings))


def test_a_setting_is_no_number(folder: Path) -> None:
    changed(folder, totalram_pages="many")
    refused(folder, "counters.json", "totalram_pages='many'", "not a whole number", "fetch it again")


def test_a_percentage_is_out_of_range(folder: Path) -> None:
    changed(folder, zswap__max_pool_percent=2**32)
    with pytest.raises(BadInput, match=r"max_pool_percent=4294967296 cannot be: give a whole number .* 4,294,967,295"):
        conform(folder)


def test_a_backend_is_not_known(folder: Path) -> None:
    changed(folder, zswap__zpool="zpage")
    with pytest.raises(BadInput, match=r"zpool='zpage' is not known; choose one of"):
        conform(folder)


@pytest.mark.parametrize("variant", ["p9", None, ["p2"], 2])
def test_a_kernel_is_not_known(folder: Path, variant: object) -> None:
    (folder / "counters.json").write_text(json.dumps({**SHORT.settings, "variant": variant}))
    refused(folder, "counters.json", "is not one that a stage models", "--stage")
    assert conform(folder, "rfc2-2").agrees


def test_it_did_not_begin_at_the_beginning(folder: Path) -> None:
    settings = {**SHORT.settings, "counters_start": {**SHORT.settings["counters_start"], "zswap.stored_pages": 3}}
    (folder / "counters.json").write_text(json.dumps(settings))
    refused(folder, "counters.json", "not empty when the recording began", "record from the start")


def test_a_parameter_was_changed_meanwhile(folder: Path) -> None:
    settings = {**SHORT.settings, "params_end": {**SHORT.settings["params"], "zswap.max_pool_percent": 7}}
    (folder / "counters.json").write_text(json.dumps(settings))
    refused(folder, "counters.json", "zswap.max_pool_percent was changed while it was recorded", "to 7", "that stay")


def test_a_machine_with_a_ram_disk_reads_without_the_swap_cache(folder: Path) -> None:
    assert not machine_for(read(folder)).swap.synchronous
    changed(folder, swap="/dev/ram0 partition 65532 0 -2")
    assert machine_for(read(folder)).swap.synchronous


# Lines that cannot be


def first(kind: str) -> int:
    """Index of the first line of that kind."""
    return next(index for index, line in enumerate(SHORT.lines) if line["op"] == kind)


def cell(kind: str, **changes: str) -> Callable[[], tuple[int, Line]]:
    def make() -> tuple[int, Line]:
        index = first(kind)
        return index, {**SHORT.lines[index], **changes}

    return make


def inner(old: str, new: str) -> Callable[[], tuple[int, Line]]:
    def make() -> tuple[int, Line]:
        index = first("store")
        line = SHORT.lines[index]
        assert old in line["inner"]
        return index, {**line, "inner": line["inner"].replace(old, new, 1)}

    return make


IMPOSSIBLE: dict[str, tuple[Callable[[], tuple[int, Line]], str]] = {
    "negative length": (cell("store", length="-5"), "length=-5 is negative"),
    "negative offset": (cell("swapout", offset="-1"), "offset=-1 is negative"),
    "negative page": (cell("w:write", page="-1"), "page=-1 is negative"),
    "length in words": (cell("store", length="long"), "length='long' is not a whole number"),
    "length in parts": (cell("store", length="48.5"), "length='48.5' is not a whole number"),
    "handle in words": (cell("store", handle="here"), "handle='here' is not a hexadecimal number"),
    "another device": (cell("store", type="3"), "type=3 is another swap device than the first (0); record"),
    "ret against ok": (cell("store", ret="-12"), "ret=-12 contradicts ok=1"),
    "ok against ret": (cell("store", ok="0"), "ret=0 contradicts ok=0"),
    "unknown operation": (cell("store", op="stow"), "op='stow' is no operation"),
    "no operation": (cell("store", op=""), "a row needs seq, tid and op"),
    "no thread": (cell("store", tid=""), "a row needs seq, tid and op"),
    "no slot": (cell("store", offset=""), "a store row needs offset"),
    "no result": (cell("store", ret="", ok=""), "a store row needs ret"),
    "no slot to give": (cell("swapcache_add", offset=""), "a swapcache_add row needs offset"),
    "ends before it begins": (cell("store", seq_end="2", inner=""), "seq_end=2 lies before seq=6"),
    "comes too early": (cell("store", seq="1"), "seq=1 does not come after the row before"),
    "a parent that is none": (cell("store", parent="3"), "parent=3, but thread 76 is in operation None"),
    "a point without place": (inner("malloc+2", "malloc"), "inner point 'malloc' is not of the form name+N"),
    "a point at no number": (inner("malloc+2", "malloc+x"), "inner point 'malloc+x' is not of the form name+N"),
    "a point of no value": (inner("full+1=0", "full+1=no"), "inner point 'full+1=no': 'no' is not a number"),
    "points out of order": (inner("malloc+2", "malloc+9"), "does not come after the one before"),
    "a point after the end": (inner("update+7=1", "update+70=1"), "lies after the end of the operation"),
}


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_a_line_that_cannot_be(folder: Path, name: str) -> None:
    make, rule = IMPOSSIBLE[name]
    index, line = make()
    SHORT.with_lines([*SHORT.lines[:index], line, *SHORT.lines[index + 1 :]]).write(folder)
    refused(folder, "trace.csv.gz", f"line {index + 2}: ", rule, "correct the line or fetch the file again")


def test_a_line_is_short(folder: Path) -> None:
    with gzip.open(folder / "trace.csv.gz", "rt") as file:
        lines = file.readlines()
    lines[7] = lines[7].rsplit(",", 3)[0] + "\n"
    with gzip.open(folder / "trace.csv.gz", "wt") as file:
        file.writelines(lines)
    count = len(SHORT.header)
    refused(folder, "line 8", f"{count - 3} columns where the header has {count}", "correct the line or fetch")


def test_a_nested_row_outlasts_its_parent(folder: Path) -> None:
    raw = load(SHIPPED, 9500)
    index = next(i for i, line in enumerate(raw.lines) if line["op"] == "writeback")
    parent = next(line for line in raw.lines if line["seq"] == raw.lines[index]["parent"])
    raw.lines[index]["seq_end"] = str(int(parent["seq_end"]) + 1)
    raw.write(folder)
    refused(folder, f"line {index + 2}", "lies after the end of the operation it is in")


def test_nothing_is_left_behind(folder: Path, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    shutil.copy(folder / "counters.json", folder / "trace.csv.gz")
    with pytest.raises(BadInput):
        conform(folder)
    assert sorted(tmp_path.rglob("*")) == before
