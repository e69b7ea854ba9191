"""data/recorder, without booting anything: each part on what is made up here; a real recording is opt-in."""

from __future__ import annotations

import gzip
import hashlib
import importlib
import json
import os
import py_compile
import re
import shutil
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from zswaplab.model.limits import MOST_PER_CENT
from zswaplab.model.machine import Machine
from zswaplab.trace.codecs import codec_pages
from zswaplab.trace.conform import conform
from zswaplab.trace.read import read
from zswaplab.trace.shipped import data_dir

pytestmark = pytest.mark.slow

RECORDER = Path(__file__).resolve().parents[1] / "data" / "recorder"
SCRIPTS = sorted(RECORDER.glob("*.py"))
MODULES = [file.stem for file in SCRIPTS]

gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="no gcc")
shell = pytest.mark.skipif(shutil.which("sh") is None, reason="no sh")
posix = pytest.mark.skipif(os.name == "nt", reason="the recorder runs on Linux")


@pytest.fixture(scope="module")
def recorder() -> Iterator[SimpleNamespace]:
    """The recorder's modules, as it imports them itself when it runs as a script."""
    sys.path.insert(0, str(RECORDER))
    before = {name: sys.modules.pop(name) for name in MODULES if name in sys.modules}
    try:
        yield SimpleNamespace(**{name: importlib.import_module(name) for name in MODULES})
    finally:
        sys.path.remove(str(RECORDER))
        for name in MODULES:
            sys.modules.pop(name, None)
        sys.modules.update(before)


# The files


@pytest.mark.parametrize("file", SCRIPTS, ids=lambda file: file.name)
def test_a_script_compiles(file: Path, tmp_path: Path) -> None:
    py_compile.compile(str(file), cfile=str(tmp_path / "compiled"), doraise=True)


@gcc
def test_the_workload_compiles_without_a_warning() -> None:
    warnings = ("-Wall", "-Wextra", "-Werror")
    subprocess.run(["gcc", "-fsyntax-only", *warnings, RECORDER / "workload.c"], check=True)


@shell
def test_the_guests_init_is_shell() -> None:
    subprocess.run(["sh", "-n", RECORDER / "init"], check=True)


def test_it_is_small_and_has_no_binaries() -> None:
    files = [file for file in RECORDER.rglob("*") if file.is_file() and "__pycache__" not in file.parts]
    assert sum(len(file.read_text()) for file in files) < 100_000


# Pages


def test_the_pages_are_those_of_the_shipped_lengths(recorder: SimpleNamespace) -> None:
    made = [recorder.pagegen.page_bytes(1, page, 1 + page % 5) for page in range(len(codec_pages()))]
    assert made == list(codec_pages())


@gcc
def test_c_and_python_make_the_same_pages(recorder: SimpleNamespace, tmp_path: Path) -> None:
    source = """
    #include <stdio.h>
    #include "pagegen.h"
    int main(void)
    {
        uint8_t page[PAGE_BYTES];
        for (uint32_t n = 0; n < 200; n++) {
            fill_page(page, 7, n, 1 + n % 3);
            fwrite(page, 1, PAGE_BYTES, stdout);
        }
        return 0;
    }"""
    program = tmp_path / "pages"
    command = ["gcc", "-O1", "-I", RECORDER, "-x", "c", "-", "-o", program]
    subprocess.run(command, input=source, text=True, check=True)
    in_c = subprocess.run([program], stdout=subprocess.PIPE, check=True).stdout
    kinds = {recorder.pagegen.kind_of(7, page) for page in range(200)}
    assert len(kinds) == 8
    assert in_c == b"".join(recorder.pagegen.page_bytes(7, page, 1 + page % 3) for page in range(200))


# Scripts


def operations(script: bytes) -> list[tuple[str, int, int]]:
    return [(chr(first & 255), first >> 8, argument) for first, argument in struct.iter_unpack("<II", script)]


def test_a_text_becomes_the_records_that_the_workload_reads(recorder: SimpleNamespace) -> None:
    text = "# pages 3 and 0\nwrite 3\nwrite 0\npage_out 3  # goes\n\nread 3\nwrite 3\nfree 0\n"
    script, pages = recorder.script.from_text(text, "text")
    assert pages == 4
    assert operations(script) == [
        ("W", 3, 1), ("W", 0, 1), ("O", 3, 0), ("R", 3, 0), ("W", 3, 2), ("F", 0, 0),
    ]  # fmt: skip


def test_the_counters_are_sampled_now_and_then(recorder: SimpleNamespace) -> None:
    script, _ = recorder.script.from_text("write 1\n" * 600, "text")
    assert [at for at, (op, _, _) in enumerate(operations(script)) if op == "S"] == [250, 500]


def test_every_operation_that_is_written_is_one_that_the_workload_knows(recorder: SimpleNamespace) -> None:
    known = set(re.findall(r"(?:case|op ==) '(.)'(?:\)|:)", (RECORDER / "workload.c").read_text()))
    used = {op for op, _, _ in operations(recorder.script.mixed(300, 20, seed=1, scale=0.05))}
    assert used | {"K"} == known == {*recorder.script.VERBS.values(), "S", "K"}


def test_the_built_in_workload_is_that_of_earlier_recordings(recorder: SimpleNamespace) -> None:
    """The checksum is in the settings of recordings made with this workload; Python's generator must not move it."""
    script = recorder.script.mixed(14000, 500, seed=1)
    assert hashlib.sha256(script).hexdigest() == "b2a0cac140f9e15ab219343a193f17b18141d40cca84496d89286ca83288595f"


@pytest.mark.parametrize(
    "line",
    [
        "page-out 3",
        "write",
        "write three",
        "write 3 0",
        "write 3 4294967296",
        "write 3 4 5",
        "read 3 4",
        "worker 3",
        "store 1 17",
        "read -1",
        "read 16777216",
    ],
)
def test_a_line_that_says_nothing_known_is_named(recorder: SimpleNamespace, line: str) -> None:
    with pytest.raises(SystemExit, match=f"text, line 2: '{line}' is no operation; write one of: write PAGE, read"):
        recorder.script.from_text(f"write 1\n{line}\n", "text")


def test_the_other_words_of_a_workload_are_taken_too(recorder: SimpleNamespace) -> None:
    script, pages = recorder.script.from_text(
        "write 3 17\nwrite 3\nwrite 4 zeros\nworker\ndrop_cache\nswapoff\n", "text"
    )  # fmt: skip
    assert pages == 5
    assert operations(script) == [("W", 3, 17), ("W", 3, 18), ("W", 4, 0), ("K", 0, 0), ("K", 0, 0)]


def test_nothing_comes_after_swapoff(recorder: SimpleNamespace) -> None:
    with pytest.raises(SystemExit, match="text, line 3: 'read 3' comes after swapoff, which ends a recording"):
        recorder.script.from_text("write 3\nswapoff\nread 3\n", "text")


def test_an_empty_text_is_refused(recorder: SimpleNamespace) -> None:
    with pytest.raises(SystemExit, match="has no operation; write lines like"):
        recorder.script.from_text("# nothing\n", "text")


def test_init_reads_the_settings_that_are_written(recorder: SimpleNamespace) -> None:
    options = recorder.record.parser().parse_args(["folder"])
    written = {line.partition("=")[0] for line in recorder.record.settings(options).decode().splitlines()}
    read = set(re.findall(r"\$([A-Z_]+)\b", (RECORDER / "init").read_text()))
    assert written == read - {"PATH"}


# From raw trace to recording

HANDLE = "0xff1100000c790040"
PAGES_BEFORE, PAGES_AFTER = "full=0 sp=0 sf=0 tot=0 pg=0", "full=0 sp=1 sf=0 tot=4096 pg=1"
COUNTERS = "lim=0 wbp=0 rrf=0 rcp=0 raf=0 rkf=0 dup=0"
EVENTS = (  # page 3 of a program is written, paged out, read and freed; then swap is turned off
    ("workload-151", "tracing_mark_write", "m 1000 0"),
    ("workload-151", "tracing_mark_write", "W 3 1"),
    ("workload-151", "tracing_mark_write", "O 3 0"),
    ("workload-151", "swapout", "swp=0x5 idx=1003"),
    ("workload-151", "store_in", f"type=0 off=5 idx=1003 {PAGES_BEFORE}"),
    ("workload-151", "malloc", "size=1348"),
    ("workload-151", "malloc_out", "ret=0 pg=1"),
    ("workload-151", "map", f"h={HANDLE} hv=0x0 mode=2"),
    ("workload-151", "i_unmap", ""),
    ("workload-151", "i_update", "ret=4096"),
    ("workload-151", "store_out", f"ret=0 {PAGES_AFTER} {COUNTERS}"),
    ("workload-151", "tracing_mark_write", "R 3 1"),
    ("workload-151", "rsca", "swp=0x5"),
    ("workload-151", "i_looked", "ret=0xffd40000000a7940"),
    ("workload-151", "swapin", "swp=0x5"),
    ("workload-151", "load_in", "type=0 off=5 pg=1"),
    ("workload-151", "map", f"h={HANDLE} hv=0x5 mode=1"),
    ("workload-151", "i_unmap", ""),
    ("workload-151", "load_out", f"ret=0 {PAGES_AFTER}"),
    ("workload-151", "tracing_mark_write", "F 3 0"),
    ("workload-151", "slot_give", "swp=0x5"),
    ("workload-151", "tracing_mark_write", "S 0 0"),
    ("workload-151", "tracing_mark_write", "e 0 0"),
    ("init-1", "tracing_mark_write", "x swapoff"),
    ("swapoff-171", "slot_free", "type=0 off=5"),
    ("swapoff-171", "inval_in", "type=0 off=5 pg=1"),
    ("swapoff-171", "efree", f"off=5 len=1340 h={HANDLE} pg=1"),
    ("swapoff-171", "i_zfree", f"h={HANDLE} pg=1"),
    ("swapoff-171", "i_zfreed", "pg=0"),
    ("swapoff-171", "i_update", "ret=0"),
    ("swapoff-171", "inval_out", PAGES_BEFORE),
    ("swapoff-171", "area", "type=0"),
)
PROBES = {
    "p": "swapout store_in malloc map i_unmap rsca swapin load_in slot_give slot_free inval_in efree i_zfree area",
    "r": "store_out malloc_out i_update i_looked load_out i_zfreed inval_out",
}


def raw_trace(events: tuple[tuple[str, str, str], ...] = EVENTS) -> bytes:
    """The events as the kernel's trace file has them, and the mark that init writes after it."""
    lines = ["# tracer: nop", "#"]
    for number, (task, name, text) in enumerate(events):
        where = "" if name == "tracing_mark_write" else "(zswap_function+0x0/0x840 <- caller) "
        lines.append(f"{task:>20}     [000] d..2.     7.{number:06}: {name}: {where}{text}")
    return "\n".join([*lines, "#END-OF-TRACE", ""]).encode()


def given_back() -> dict[str, bytes]:
    """The other files of the guest that had that trace."""
    zswap = {"stored_pages": 0, "written_back_pages": 0, "pool_limit_hit": 0}
    start = [*(f"zswap.{name}={value}" for name, value in zswap.items()), "meminfo.SwapTotal=524284 kB"]
    exit = ["zswap.stored_pages=1", "vmstat.zswpout=1", "vmstat.zswpin=1"]
    end = ["zswap.stored_pages=0", "zswap.written_back_pages=0", "vmstat.zswpout=1", "vmstat.zswpin=1"]
    params = [
        "zswap.zpool=zbud", "zswap.compressor=lzo", "zswap.max_pool_percent=1", "zswap.accept_threshold_percent=90",
        "totalram_pages=52174", "kernel=6.1.0-99-amd64", "kernel_build=#1 SMP", "cpus=1",
        "swap=/dev/vda partition 524284 0 -2",
    ]  # fmt: skip
    files = {
        "params.txt": params, "params-end.txt": params, "counters-start.txt": start, "counters-exit.txt": exit,
        "counters-end.txt": end, "ring.txt": ["cpu0.entries: 32", "cpu0.overrun: 0", "cpu0.dropped events: 0"],
        "kprobe_profile.txt": ["  store_in  1  0"], "counters.csv": ["sample,op,monotonic_us,stored_pages"],
        "notes.txt": ["workload: 4 ops, 0 pages with wrong bytes, 0 madvise failures"],
    }  # fmt: skip
    return {name: "".join(f"{line}\n" for line in lines).encode() for name, lines in files.items()}


def recorded(
    recorder: SimpleNamespace, folder: Path, monkeypatch: pytest.MonkeyPatch, given: dict[str, bytes], trace: bytes
) -> dict[str, object]:
    """What record() makes of a guest that gives back just that; returns its checks."""
    kernel = recorder.kernel.Kernel(Path("vmlinuz"), "made-up", [])
    probes = [f"{kind}:z/{name} function" for kind, names in PROBES.items() for name in names.split()]

    def boot(kernel: object, root: bytes, scratch: Path, *sizes: float) -> tuple[str, dict[str, bytes]]:
        recorder.guest.trace_disk(scratch).write_bytes(trace)
        return "the console", given

    monkeypatch.setattr(recorder.record, "initramfs", lambda kernel, scratch: b"")
    monkeypatch.setattr(recorder.record, "learn_probes", lambda *_: probes)
    monkeypatch.setattr(recorder.record, "boot", boot)
    text = folder.with_suffix(".txt")
    text.write_text("write 3\npage_out 3\nread 3\nfree 3\n")
    options = recorder.record.parser().parse_args([str(folder), "--script", str(text)])
    content, options.pages = recorder.record.workload(options)
    with recorder.record.new_folder(folder):
        checks: dict[str, object] = recorder.record.record(kernel, content, options, folder.parent)
    return checks


def test_a_raw_trace_becomes_a_recording_that_conforms(
    recorder: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks = recorded(recorder, tmp_path / "made-up", monkeypatch, given_back(), raw_trace())
    assert all(recorder.record.holds(found) for found in checks.values()), checks
    recording = read(tmp_path / "made-up")
    shown = [(row.op, row.cells.get("page"), row.cells.get("ok")) for row in recording.rows]
    assert shown == [
        ("w:start", None, None), ("w:write", 3, None), ("w:pageout", 3, None), ("swapout", 3, None), ("store", 3, 1),
        ("w:read", 3, None), ("swapin", 3, None), ("load", 3, 1), ("w:free", 3, None), ("slot_give", None, None),
        ("w:sample", None, None), ("w:end", None, None), ("swapoff", None, None), ("slot_free", 3, None),
        ("invalidate", 3, 1), ("free", 3, None), ("invalidate_area", None, None),
    ]  # fmt: skip
    store, free = recording.rows[4], recording.rows[15]
    expected = {
        "offset": 5, "version": 1, "length": 1340, "alloc_size": 1348, "pool_pages_before": 0,
        "pool_pages": 1, "true_pages": 1, "stored_pages": 1, "limit_hit": 0, "handle": int(HANDLE, 16),
    }  # fmt: skip
    assert {name: store.cells.get(name) for name in expected} == expected
    assert (store.seq, store.seq_end) == (4, 10)
    assert [point[1:] for point in store.points] == [
        ("malloc", None), ("malloced", 0), ("map", None), ("unmap", None), ("update", 1),
    ]  # fmt: skip
    assert (free.parent, free.cells["length"]) == (recording.rows[14].seq, 1340)
    verdict = conform(tmp_path / "made-up")
    assert verdict.agrees, verdict.text()
    assert verdict.stage == "v6.1"
    assert sum(verdict.counts["store"].values()) == 1


def test_a_kernel_that_decides_otherwise_is_seen(
    recorder: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace = raw_trace().replace(HANDLE.encode(), b"0xff1100000c790080")  # not where a page's first object lies
    recorded(recorder, tmp_path / "made-up", monkeypatch, given_back(), trace)
    assert not conform(tmp_path / "made-up").agrees


def test_its_recordings_can_be_made_small(
    recorder: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded(recorder, tmp_path / "made-up", monkeypatch, given_back(), raw_trace())
    command = [sys.executable, data_dir() / "slim.py", tmp_path / "made-up", tmp_path / "small"]
    subprocess.run(command, check=True, capture_output=True)
    assert conform(tmp_path / "small").agrees


@pytest.mark.parametrize(
    ("file", "before", "after", "check"),
    [
        ("ring.txt", b"dropped events: 0", b"dropped events: 3", "ring_buffer_lost_events"),
        ("kprobe_profile.txt", b"1  0", b"1  2", "kprobe_missed"),
        ("counters-end.txt", b"zswpin=1", b"zswpin=2", "loads_ok vs vmstat.zswpin"),
        ("notes.txt", b"workload:", b"zpool zbud refused\nworkload:", "guest_refused"),
    ],
)
def test_what_was_lost_or_refused_is_seen(
    recorder: SimpleNamespace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    file: str,
    before: bytes,
    after: bytes,
    check: str,
) -> None:
    given = given_back()
    assert before in given[file]
    given[file] = given[file].replace(before, after)
    checks = recorded(recorder, tmp_path / "made-up", monkeypatch, given, raw_trace())
    assert [what for what, found in checks.items() if not recorder.record.holds(found)] == [check]


def test_what_the_kernel_pages_out_by_itself_is_said(
    recorder: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recorded(recorder, tmp_path / "made-up", monkeypatch, given_back(), raw_trace())
    assert "short of memory" not in capsys.readouterr().out
    trace = raw_trace().replace(b"workload-", b"kswapd0-")
    recorded(recorder, tmp_path / "made-up", monkeypatch, given_back(), trace)
    assert "at least 1 page-outs were the kernel's own" in capsys.readouterr().out


def test_only_a_writebacks_own_disk_write_counts(recorder: SimpleNamespace) -> None:
    rows = [
        {"seq": 1, "parent": None, "op": "writeback", "offset": 7},
        {"seq": 2, "parent": 1, "op": "diskwrite", "offset": 9},  # reclaimed meanwhile
        {"seq": 3, "parent": 1, "op": "diskwrite", "offset": 7},
    ]
    checks = recorder.record.adds_up(rows, {}, {}, {"zswap.written_back_pages": 1})
    assert checks["written_by_writebacks vs written_back_pages"] == [1, 1]


def test_a_trace_that_breaks_off_is_refused(recorder: SimpleNamespace, tmp_path: Path) -> None:
    (tmp_path / "trace.img").write_bytes(raw_trace().partition(b"#END")[0])
    with pytest.raises(SystemExit, match=r"breaks off.*record a shorter script"):
        list(recorder.decode.read_lines(tmp_path / "trace.img"))


def test_a_guest_that_gave_nothing_back_is_named(
    recorder: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SystemExit, match=r"before it had recorded anything.*console\.txt says why"):
        recorded(recorder, tmp_path / "made-up", monkeypatch, {}, b"")
    assert (tmp_path / "made-up" / "console.txt").read_text() == "the console"


def test_what_cannot_be_parsed_or_has_no_end_is_counted(recorder: SimpleNamespace) -> None:
    decoder = recorder.decode.Decoder(4)
    decoder.decode([b"CPU:0 [LOST 12 EVENTS]\n", *raw_trace(EVENTS[:6]).splitlines()[2:-1]])
    assert (decoder.unknown, decoder.unfinished()) == ({"CPU:0 [LOST 12 EVENTS]\n": 1}, {"store": 1})


def test_a_moved_z3fold_object_is_followed(recorder: SimpleNamespace) -> None:
    """The only object of page 0x7000 goes to page 0x9000: its slot, the second, says so when 0x7000 is given back."""
    chunks = "f=0 m=0 l=5 sm=0 fl=0x10"
    events = (
        ("kworker/0:1-9", "z3c_in", f"h=0x7000 lk=0 {chunks} sl=0x400 s0=0x0 s1=0x7002 s2=0x0 s3=0x0 pg=2"),
        ("kworker/0:1-9", "i_move", "ret=0x9000"),
        ("kworker/0:1-9", "z3release", f"h=0x7000 {chunks} sl=0x400 s0=0x0 s1=0x9001 s2=0x0 s3=0x0 pg=2"),
        ("kworker/0:1-9", "z3c_out", "pg=1"),
    )
    compact, release = recorder.decode.Decoder(4).decode(raw_trace(events).splitlines()[2:-1])
    assert (compact["ok"], compact["object"], compact["hval"], compact["chunks"]) == (1, 0x408, 0x9001, "0/0/5/0/1")
    assert (release["parent"], release["object"], release["hval"]) == (0, 0x408, 0x9001)
    assert (compact["true_before"], compact["true_pages"], compact["points"]) == (2, 1, ["move+1=9000"])


def test_an_entry_freed_with_its_tree_keeps_its_points(recorder: SimpleNamespace) -> None:
    """At the end of swapoff no operation is open around the frees; what follows each of them belongs to it."""
    _, free = recorder.decode.Decoder(4).decode(raw_trace((EVENTS[-1], *EVENTS[-6:-2])).splitlines()[2:-1])
    assert (free["op"], free["parent"], free["points"]) == ("free", None, ["zfree+1=1", "zfreed+2=0", "update+3=0"])


def test_a_slot_whose_page_is_another_programs_is_nobodys(recorder: SimpleNamespace) -> None:
    events = (*EVENTS[:4], ("sh-9", "swapout", "swp=0x5 idx=7"), ("sh-9", "swapin", "swp=0x5"))
    rows = recorder.decode.Decoder(4).decode(raw_trace(events).splitlines()[2:-1])
    assert [row.get("page") for row in rows[3:]] == [3, None, None]


# Probes, made from symbols and types

VOID, INT, POINTER, STRUCT, UNION, FUNCTION, PROTOTYPE = 0, 1, 2, 4, 5, 12, 13


class Types:
    """Builds BTF: `add` gives a type its number, `bytes()` is what a kernel would show."""

    def __init__(self, first: int = 1, first_string: int = 0) -> None:
        self.first, self.first_string = first, first_string
        self.types: list[bytes] = []
        self.strings = b"\0" if not first_string else b""

    def name(self, text: str) -> int:
        if not text:
            return 0
        self.strings += text.encode() + b"\0"
        return self.first_string + len(self.strings) - len(text) - 1

    def add(self, kind: int, name: str = "", of: int = 0, members: tuple[tuple[str, int, int], ...] = ()) -> int:
        more = struct.pack("<I", 0) if kind == INT else b""
        for member, type, offset in members:
            more += struct.pack("<II", self.name(member), type)
            more += b"" if kind == PROTOTYPE else struct.pack("<I", offset * 8)
        self.types.append(struct.pack("<III", self.name(name), kind << 24 | len(members), of) + more)
        return self.first + len(self.types) - 1

    def bit_fields(self, name: str, **bits: int) -> None:
        """A struct of one-bit fields; their offsets then are in bits, below a size."""
        members = b"".join(struct.pack("<III", self.name(field), 1, 1 << 24 | at) for field, at in bits.items())
        self.types.append(struct.pack("<III", self.name(name), 1 << 31 | STRUCT << 24 | len(bits), 8) + members)

    def struct(self, name: str, **offsets: int) -> int:
        return self.add(STRUCT, name, 64, tuple((field, 1, offset) for field, offset in offsets.items()))

    def __bytes__(self) -> bytes:
        types = b"".join(self.types)
        head = struct.pack("<HBBIIIII", 0xEB9F, 1, 0, 24, 0, len(types), len(types), len(self.strings))
        return head + types + self.strings


def kernel_types(writeback_takes: str = "zpool") -> Types:
    """The types of a kernel like that of patch 2, zbud built in."""
    types = Types()
    types.add(INT, "long", 8)
    inner = types.add(STRUCT, "", 16, (("private", 1, 8),))
    overlaid = types.add(UNION, "", 16, (("index", 1, 0), ("", inner, 0)))
    types.add(STRUCT, "page", 64, (("flags", 1, 0), ("", overlaid, 32)))
    entry = types.struct("zswap_entry", offset=24, refcount=32, length=36, handle=48)
    types.struct("zswap_pool", zpool=0, list=24)
    zpool = types.struct("zpool", driver=0, pool=8)
    types.struct("zbud_pool", lock=0, pages_nr=1016)
    first = types.add(POINTER, of=entry if writeback_takes == "zswap_entry" else zpool)
    prototype = types.add(PROTOTYPE, of=1, members=(("first", first, 0), ("second", 1, 0)))
    types.add(FUNCTION, "zswap_writeback_entry", prototype)
    return types


def shipped_probes(run: str) -> list[str]:
    settings = json.loads((data_dir() / "recordings" / run / "counters.json").read_text())
    return [str(probe) for probe in settings["probes"]]


def made_probes(recorder: SimpleNamespace, types: Types, zpool: str = "zbud") -> list[str]:
    """For a kernel with the functions that the shipped recording's kernel had."""
    symbols = {probe.split()[1] for probe in shipped_probes("p2-zbud-overflow")}
    symbols |= {"zswap_duplicate_entry", "zswap_pool_total_size"}
    known = recorder.btf.Btf(bytes(types))
    made: list[str] = recorder.probes.probes(symbols, known, known, zpool)
    return made


def test_the_probes_are_those_of_the_shipped_recording(recorder: SimpleNamespace) -> None:
    made = [" ".join(probe.split()[:2]) for probe in made_probes(recorder, kernel_types())]
    assert sorted(made) == sorted(shipped_probes("p2-zbud-overflow"))


def test_a_probe_reads_where_the_kernel_has_its_fields(recorder: SimpleNamespace) -> None:
    made = {probe.split()[0][4:]: probe for probe in made_probes(recorder, kernel_types())}
    assert made["swapout"] == "p:z/swapout swap_writepage swp=+40(%di):x64 idx=+32(%di):u64"
    assert made["load_in"].endswith("type=%di:u32 off=%si:u64 pg=+1016(+8(-24(@zswap_pools))):u64")
    assert "off=+24(%di):u64 len=+36(%di):u32 h=+48(%di):x64" in made["efree"]
    assert made["i_put"].endswith("ref=+32(%si):s32")
    assert made["store_out"].endswith("dup=@zswap_duplicate_entry:u64")
    assert "h=%si:x64 hv=+0(%si):x64" in made["wb_in"]


def test_a_writeback_that_is_given_the_entry_reads_its_offset(recorder: SimpleNamespace) -> None:
    made = {probe.split()[0][4:]: probe for probe in made_probes(recorder, kernel_types("zswap_entry"))}
    assert made["wb_in"].startswith("p:z/wb_in zswap_writeback_entry off=+24(%di):u64 pg=")


def test_a_modules_types_stand_on_its_kernels(recorder: SimpleNamespace) -> None:
    kernel = kernel_types()
    module = Types(1 + len(kernel.types), len(kernel.strings))
    inner = module.add(STRUCT, "", 16, (("pages_allocated", 1, 8),))
    module.add(STRUCT, "zs_pool", 2080, (("", inner, 2056),))
    types = recorder.btf.Btf(bytes(module), recorder.btf.Btf(bytes(kernel)))
    assert types.offset("zs_pool", "pages_allocated") == 2064
    assert not types.has("page")


def test_a_bit_field_is_in_its_byte(recorder: SimpleNamespace) -> None:
    types = Types()
    types.bit_fields("z3fold_header", first_num=16, mapped_count=18, foreign_handles=26)
    known = recorder.btf.Btf(bytes(types))
    fields = ("first_num", "mapped_count", "foreign_handles")
    assert [known.offset("z3fold_header", field) for field in fields] == [2, 2, 3]


def test_a_kernel_that_is_not_meant_is_refused(recorder: SimpleNamespace) -> None:
    known = recorder.btf.Btf(bytes(kernel_types()))
    with pytest.raises(SystemExit, match=r"not the one of Linux 6\.1 to 6\.5"):
        recorder.probes.probes({"zswap_store"}, known, known, "zbud")
    with pytest.raises(SystemExit, match="no BTF for z3fold: build it in"):
        made_probes(recorder, kernel_types(), "z3fold")
    with pytest.raises(SystemExit, match=r"has no zpool\.name"):
        known.offset("zpool", "name")
    with pytest.raises(SystemExit, match="CONFIG_DEBUG_INFO_BTF=y"):
        recorder.btf.Btf(b"")


# The guest's files


def test_modules_come_after_those_they_need(recorder: SimpleNamespace, tmp_path: Path) -> None:
    modules = {"virtio_blk": "virtio,virtio-ring", "virtio-ring": "", "virtio": "virtio-ring", "usb": ""}
    for name, needs in modules.items():
        (tmp_path / f"{name}.ko").write_bytes(b"ELF\0depends=" + needs.encode() + b"\0license=GPL\0")
    (tmp_path / "zstd.ko.gz").write_bytes(gzip.compress(b"\0depends=\0"))
    order = [name for name, _ in recorder.kernel.in_loading_order(tmp_path)]
    assert order == ["virtio_ring.ko", "virtio.ko", "virtio_blk.ko", "zstd.ko"]


@pytest.mark.skipif(shutil.which("cpio") is None, reason="no cpio")
def test_the_root_file_system_is_a_cpio_archive(recorder: SimpleNamespace, tmp_path: Path) -> None:
    files = {"bin/workload": b"12345", "init": b"#!", "modules/order": b""}
    packed = gzip.decompress(recorder.guest.archive(files))
    subprocess.run(["cpio", "-i", "--quiet"], cwd=tmp_path, input=packed, check=True)
    found = {str(path.relative_to(tmp_path)): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert found == files
    assert os.access(tmp_path / "init", os.X_OK)


# What a user does wrong


def run_recorder(*arguments: object, path: Path | None = None) -> str:
    """What the command says on its way to failing; never a traceback."""
    environment = {**os.environ, "PATH": str(path)} if path else dict(os.environ)
    command = [sys.executable, "-B", RECORDER / "record.py", *map(str, arguments)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode in (1, 2)
    assert "Traceback" not in done.stderr
    return done.stderr


def program(folder: Path, name: str, content: str = "#!/bin/sh\nexit 0\n") -> None:
    (folder / name).write_text(content)
    (folder / name).chmod(0o755)


@posix
def test_a_missing_tool_is_named_with_its_package(tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()

    def said() -> str:
        return run_recorder(tmp_path / "new", "--kernel", tmp_path / "none.deb", path=tools)

    all_packages = "sudo apt-get install qemu-system-x86 gcc libc6-dev busybox-static\n"
    assert f"no qemu-system-x86_64, gcc, busybox here; on Debian or Ubuntu: {all_packages}" in said()
    program(tools, "qemu-system-x86_64")
    assert "no gcc, busybox here; on Debian or Ubuntu: sudo apt-get install gcc libc6-dev busybox-static\n" in said()
    program(tools, "gcc")
    assert "apt-get install busybox-static" in said()
    program(tools, "busybox", "/lib64/ld-linux-x86-64.so.2")
    assert "busybox needs shared libraries; on Debian or Ubuntu: sudo apt-get install busybox-static" in said()
    program(tools, "busybox")
    assert "none.deb: no such file; --kernel takes a linux-image-*.deb or a kernel image" in said()
    assert not (tmp_path / "new").exists()


@posix
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_interrupted_run_leaves_nothing(tmp_path: Path, number: int) -> None:
    """No guest that runs on, no temporary files, no empty folder."""
    tools, home = tmp_path / "bin", tmp_path / "home"
    tools.mkdir()
    program(tools, "qemu-system-x86_64", f"#!/bin/sh\necho $$ > {tmp_path}/pid\nexec /bin/sleep 60\n")
    program(tools, "gcc", '#!/bin/sh\n: > "$4"\n')
    program(tools, "busybox")
    (tmp_path / "bzImage").touch()
    command = [sys.executable, "-B", RECORDER / "record.py", tmp_path / "to" / "new", "--kernel", tmp_path / "bzImage"]
    environment = {**os.environ, "PATH": str(tools), "XDG_CACHE_HOME": str(home)}
    recording = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
        assert recording.poll() is None, recording.stderr and recording.stderr.read()
        time.sleep(0.01)
    recording.send_signal(number)
    _, said = recording.communicate(timeout=30)
    assert recording.returncode == (128 + number if number == signal.SIGTERM else 1)
    assert b"Traceback" not in said
    with pytest.raises(ProcessLookupError):
        for _ in range(1000):  # who adopts a process that was killed takes a moment to notice
            os.kill(int((tmp_path / "pid").read_text()), 0)
            time.sleep(0.01)
    assert not (tmp_path / "to").exists()
    assert list((home / "zswaplab" / "recorder").iterdir()) == []


def test_a_console_does_not_set_its_readers_terminal(recorder: SimpleNamespace) -> None:
    console = b"\x1bc\x1b[?7l\x1b[2J\x1b[0mSeaBIOS\r\n\x1b]0;title\x07\x1b(Bbooting\x07\tLinux \xe2\x82\xac\n\x1b["
    assert recorder.guest.plain(console) == "SeaBIOS\nbooting\tLinux €\n"


@posix
def test_a_tool_that_fails_is_quoted_with_what_may_help(
    recorder: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    program(tmp_path, "gcc", "#!/bin/sh\necho cannot find -lc >&2; exit 1\n")
    kernel = recorder.kernel.Kernel(Path("vmlinuz"), "made-up", [])
    with pytest.raises(SystemExit, match=r"gcc failed; .* package libc6-dev\. It said:\ncannot find -lc"):
        recorder.guest.initramfs(kernel, tmp_path)
    program(tmp_path, "apt-get", "#!/bin/sh\necho 404 >&2; exit 100\n")
    program(tmp_path, "apt-cache", "#!/bin/sh\necho linux-image-6.1.0-9-amd64; echo linux-image-6.1.0-10-amd64-dbg\n")
    with pytest.raises(SystemExit, match=r"apt-get failed; try again after `sudo apt-get update`\. It said:\n404"):
        recorder.kernel.find_kernel(None, None, tmp_path)
    assert "fetching linux-image-6.1.0-9-amd64 " in capsys.readouterr().out


@posix
def test_a_package_without_a_kernel_is_refused(
    recorder: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    program(tmp_path, "dpkg-deb", '#!/bin/sh\n/bin/mkdir "$3"\n')
    (tmp_path / "linux-image-amd64.deb").touch()
    with pytest.raises(SystemExit, match="not a meta package"):
        recorder.kernel.find_kernel(tmp_path / "linux-image-amd64.deb", None, tmp_path)


@posix
def test_a_machine_without_apt_is_told_what_to_fetch(
    recorder: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemExit, match=r"this is no Debian: fetch a 6\.1 kernel .* --kernel FILE\.deb"):
        recorder.kernel.find_kernel(None, None, tmp_path)
    program(tmp_path, "apt-get")
    program(tmp_path, "apt-cache")
    with pytest.raises(SystemExit, match=r"apt knows no linux-image.*apt-get update"):
        recorder.kernel.find_kernel(None, None, tmp_path)


def test_a_folder_that_is_not_new_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    assert "is there already, and not empty; name a new folder" in run_recorder(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--script", "absent.txt"], "absent.txt: cannot be read"),
        (["--zpool", "slab"], "invalid choice: 'slab'"),
        (["--max-pool-percent", "4294967296"], "'4294967296' is not a whole number from 0 to 4294967295"),
        (["--accept-threshold-percent", "4294967296"], "'4294967296' is not a whole number from 0 to 4294967295"),
        (["--pages", "-5"], "'-5' is not a whole number"),
        (["--swap", "10"], "3000 pages of 4 KB do not fit on 10 MB of swap; give more with --swap MB"),
        ([], "the following arguments are required: folder"),
    ],
)
def test_bad_input_says_what_is_wrong(tmp_path: Path, arguments: list[str], said: str) -> None:
    assert said in run_recorder(*([tmp_path / "new"] if arguments else []), *arguments)


def test_its_percentages_are_those_of_the_model(recorder: SimpleNamespace) -> None:
    for percent in (0, MOST_PER_CENT):
        words = ["folder", "--max-pool-percent", str(percent), "--accept-threshold-percent", str(percent)]
        options = recorder.record.parser().parse_args(words)
        Machine(
            max_pool_percent=options.max_pool_percent, accept_threshold_percent=options.accept_threshold_percent
        )  # fmt: skip


def test_help_says_how_it_is_used() -> None:
    done = subprocess.run([sys.executable, "-B", RECORDER / "record.py", "--help"], capture_output=True, text=True)
    assert "python data/recorder/record.py my-recording" in done.stdout


# For real


@pytest.mark.slow
@posix
@pytest.mark.skipif(not os.environ.get("ZSWAPLAB_RECORD"), reason="boots a kernel under QEMU if ZSWAPLAB_RECORD is set")
def test_a_real_kernel_is_recorded_and_conforms(tmp_path: Path) -> None:
    command = [sys.executable, "-B", RECORDER / "record.py", tmp_path / "run", "--pages", "1500"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    verdict = conform(tmp_path / "run")
    assert verdict.agrees, verdict.text()
    assert sum(verdict.counts["writeback"].values()) > 100
