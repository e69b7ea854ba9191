"""Record what a real kernel's zswap does with a program's pages, into a folder that `zswaplab conform` takes.

    python data/recorder/record.py my-recording                            the built-in workload, about a minute
    python data/recorder/record.py my-recording --script my-script.txt     your own: lines like "write 3", "page_out 3"

Boots Debian's Linux 6.1, or a kernel of your own, under QEMU: nothing is installed, no root is needed, and this
machine's swap and zswap are not touched. README.md says what it needs and what the folder then holds.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import os
import re
import shlex
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import script
from btf import Btf
from decode import Decoder, Row, as_csv, count_operations, read_lines
from guest import archive, boot, check_tools, initramfs, trace_disk
from kernel import Kernel, find_kernel
from probes import SIZES, probes

COMPRESSORS = ("lzo", "lzo-rle", "lz4", "lz4hc", "zstd", "deflate")
PATHS = ("folder", "script", "kernel", "modules")  # options that are not kept: they say where, not what
MOST_PER_CENT = 2**32 - 1  # the kernel's parameters are any unsigned int
BOOT_SECONDS, SECONDS_AN_OPERATION = 26, 0.0012  # as measured where README.md says
TRACE_KB_PER_MB = 384  # of the guest's memory, three eighths hold the trace until the end


def main(arguments: list[str] | None = None) -> None:
    options = parser().parse_args(arguments)
    if options.folder.exists() and (not options.folder.is_dir() or any(options.folder.iterdir())):
        sys.exit(f"{options.folder}: is there already, and not empty; name a new folder")
    content, options.pages = workload(options)
    if options.pages > options.swap * 256:
        sys.exit(f"{options.pages} pages of 4 KB do not fit on {options.swap} MB of swap; give more with --swap MB")
    check_tools()
    cache = cache_folder()
    kernel = find_kernel(options.kernel, options.modules, cache)
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, lambda number, _: sys.exit(128 + number))  # so that all is cleared away
    with tempfile.TemporaryDirectory(dir=cache) as scratch, new_folder(options.folder):
        checks = record(kernel, content, options, Path(scratch))
    failed = [f"{what}: {found}" for what, found in checks.items() if not holds(found)]
    if failed:
        sys.exit("\n".join(("do not trust this recording:", *failed)))
    print(f"hold the model against it: zswaplab conform {shlex.quote(str(options.folder))}")


def parser() -> argparse.ArgumentParser:
    what, _, more = (__doc__ or "").partition("\n\n")
    top = argparse.ArgumentParser(description=what, epilog=more, formatter_class=argparse.RawDescriptionHelpFormatter)
    top.add_argument("folder", type=Path, help="where the recording goes: a new folder")
    top.add_argument("--script", type=Path, metavar="FILE", help="record these operations, one a line")
    mixed = top.add_argument_group("the built-in workload")
    mixed.add_argument("--pages", type=number(3, script.MOST_PAGES), default=3000, metavar="N", help="default 3000")
    mixed.add_argument("--resident", type=number(1), default=200, metavar="N", help="pages in memory at a time (200)")
    mixed.add_argument("--scale", type=float, default=0.2, metavar="X", help="1 is about 40,000 accesses (0.2)")
    mixed.add_argument("--seed", type=number(0), default=1, metavar="N", help="of the accesses and of the contents (1)")
    zswap = top.add_argument_group("zswap")
    zswap.add_argument("--zpool", choices=tuple(SIZES), default="zbud", help="the backend (zbud)")
    zswap.add_argument("--compressor", choices=COMPRESSORS, default="lzo", help="(lzo)")
    zswap.add_argument("--max-pool-percent", type=number(0, MOST_PER_CENT), default=1, metavar="N", help="(1)")
    zswap.add_argument(
        "--accept-threshold-percent", type=number(0, MOST_PER_CENT), default=110, metavar="N",
        help="(110: zswap keeps evicting; with its own default, 90, Linux 6.1 gets full and stays so)",
    )  # fmt: skip
    zswap.add_argument("--exclusive-loads", choices=("Y", "N"), help="where the kernel has that parameter")
    machine = top.add_argument_group("the machine")
    machine.add_argument("--kernel", type=Path, metavar="FILE", help="a linux-image-*.deb or a kernel image")
    machine.add_argument("--modules", type=Path, metavar="FOLDER", help="that image's modules, if it needs any")
    machine.add_argument("--memory", type=number(256), default=256, metavar="MB", help="default 256")
    machine.add_argument("--swap", type=number(1), default=512, metavar="MB", help="default 512")
    return top


def number(least: int, most: int = 2**32 - 1) -> Any:
    def whole(text: str) -> int:
        if not text.isdecimal() or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {least} to {most}")
        return int(text)

    return whole


def workload(options: argparse.Namespace) -> tuple[bytes, int]:
    """(the script as workload.c reads it, how many pages it needs)."""
    if options.script is None:
        return script.mixed(options.pages, options.resident, options.seed, options.scale), options.pages
    try:
        text = options.script.read_text()
    except (OSError, UnicodeDecodeError) as error:
        sys.exit(f"{options.script}: cannot be read ({error}); --script takes a text with lines like 'write 3'")
    return script.from_text(text, str(options.script))


def cache_folder() -> Path:
    """Where kernels are kept from one recording to the next, and the guest's disks while it runs."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = home / "zswaplab" / "recorder"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def new_folder(folder: Path) -> Iterator[None]:
    """Make a folder now: a place that cannot be written to is said at once. If nothing comes into it, it goes."""
    made = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    finally:
        with suppress(OSError):  # it holds something
            for each in made:
                each.rmdir()


def record(kernel: Kernel, content: bytes, options: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    """Boot, decode and write the folder; returns the checks."""
    root = initramfs(kernel, scratch)
    print(f"booting {kernel.name}, to learn its symbols ...", flush=True)
    lines = learn_probes(kernel, root, options, scratch)
    print("booting again, and recording ...", flush=True)
    listed = "".join(f"{line}\n" for line in lines).encode()
    extra = {"script": content, "probes": listed, "run.conf": settings(options)}
    estimate = BOOT_SECONDS + len(content) // 8 * SECONDS_AN_OPERATION
    console, given = boot(kernel, root + archive(extra), scratch, options.memory, options.swap, estimate)
    (options.folder / "console.txt").write_text(console)
    if "ring.txt" not in given:
        sys.exit(f"the guest ended before it had recorded anything; {options.folder / 'console.txt'} says why")
    for note in given.get("notes.txt", b"").decode().splitlines():
        print(f"  guest: {note}")
    print("decoding ...", flush=True)
    decoder = Decoder(options.pages)
    rows = decoder.decode(read_lines(trace_disk(scratch)))
    facts = describe(options, given, decoder) | {"probes": lines}
    facts["script_sha256"] = hashlib.sha256(content).hexdigest()
    write(options.folder, as_csv(rows), facts, given["counters.csv"], content)
    said = {"store:ok": "stores", "store:no": "refused", "load:ok": "loads", "writeback:ok": "written back"}
    counted = ", ".join(f"{facts['operations'].get(op, 0)} {words}" for op, words in said.items())
    print(f"{options.folder}: {len(rows)} rows; {counted}")
    if others := sum(row["op"] == "swapout" and row["task"] != "workload" for row in rows):
        print(
            f"at least {others} page-outs were the kernel's own, which was short of memory (those that it makes in the"
        )
        print("workload's own task look like the workload's): give it more with --memory MB")
    checks: dict[str, Any] = facts["checks"]
    return checks


def learn_probes(kernel: Kernel, root: bytes, options: argparse.Namespace, scratch: Path) -> list[str]:
    """Ask the kernel itself which functions it has and where its fields lie; make the probes from that."""
    asked = archive({"run.conf": f"MODE=symbols\nZPOOL={options.zpool}\n".encode()})
    console, given = boot(kernel, root + asked, scratch, options.memory, options.swap, BOOT_SECONDS)
    if "kallsyms" not in given:
        remedy = "" if kernel.modules else "; if its drivers are modules, name their folder with --modules"
        sys.exit(f"the guest did not get as far as to its disks{remedy}. The end of its console:\n{console[-2000:]}")
    symbols = {line.split()[2] for line in given["kallsyms"].decode().splitlines()}
    types = Btf(given.get("vmlinux", b""))
    module = Btf(given[options.zpool], types) if options.zpool in given else types
    return probes(symbols, types, module, options.zpool)


def settings(options: argparse.Namespace) -> bytes:
    """run.conf, which init reads."""
    values = {
        "MODE": "record", "ZPOOL": options.zpool, "COMPRESSOR": options.compressor,
        "MAX_POOL": options.max_pool_percent, "ACCEPT": options.accept_threshold_percent,
        "EXCLUSIVE_LOADS": options.exclusive_loads or "",
        "PAGES": options.pages, "SEED": options.seed, "TRACE_KB": options.memory * TRACE_KB_PER_MB,
    }  # fmt: skip
    return "".join(f"{name}={shlex.quote(str(value))}\n" for name, value in values.items()).encode()


def pairs(text: bytes) -> dict[str, int | str]:
    """name=value lines, with whole numbers as such."""
    split = (line.partition("=") for line in text.decode(errors="replace").splitlines())
    return {name: int(value) if re.fullmatch(r"-?\d+", value) else value for name, equals, value in split if equals}


def describe(options: argparse.Namespace, given: dict[str, bytes], decoder: Decoder) -> dict[str, Any]:
    """counters.json: which kernel and settings, the counters at three moments, and whether anything was lost."""
    parameters = pairs(given["params.txt"])
    start, leave, end = (pairs(given[f"counters-{when}.txt"]) for when in ("start", "exit", "end"))
    release = str(parameters["kernel"])
    debian = re.search(r" Debian (\S+) ", str(parameters["kernel_build"]))
    counted = count_operations(decoder.rows)
    ring = given["ring.txt"].decode().splitlines()
    notes = given.get("notes.txt", b"").decode().splitlines()
    asked = {name: value for name, value in vars(options).items() if name not in PATHS}
    return {
        "run": options.folder.resolve().name,
        "kernel": release + (f", as in Debian: {debian[1]}" if debian else ""),
        "variant": ".".join(release.split(".")[:2]),
        "build": parameters["kernel_build"],
        "config": asked | {"mode": options.script.stem if options.script else "mixed"},
        "qemu": {"smp": "1", "mem": str(options.memory), "swap_kib": options.swap * 1024},
        "params": parameters,
        "params_end": pairs(given["params-end.txt"]),
        "counters_start": start,
        "counters_workload_exit": leave,
        "counters_end": end,
        "operations": counted,
        "checks": {
            "ring_buffer_lost_events": lost_events(ring),
            "kprobe_missed": missed(given["kprobe_profile.txt"]),
            "unparsed": dict(decoder.unknown),
            "unfinished": decoder.unfinished(),
            "guest_refused": [note for note in notes if not note.startswith("workload: ")],
            **adds_up(decoder.rows, counted, start, end),
        },
        "notes": notes,
        "ring": ring,
    }


def lost_events(ring: list[str]) -> int:
    """Events that found no room in the trace buffer."""
    lost = re.compile(r"\.(overrun|commit overrun|dropped events): ")
    return sum(int(line.split(": ")[1]) for line in ring if lost.search(line))


def missed(profile: bytes) -> dict[str, int]:
    """Probe -> how often it was hit and could not run."""
    counts = (line.split() for line in profile.decode().splitlines())
    return {name: int(misses) for name, _, misses in counts if int(misses)}


def adds_up(
    rows: list[Row], counted: dict[str, int], start: dict[str, Any], end: dict[str, Any]
) -> dict[str, list[int]]:
    """What the rows add up to, and what the kernel itself counted; the two must be the same.

    A writeback that finds its entry gone succeeds without writing: so disk writes in writebacks are counted, of
    their own slots; short of memory, the kernel may page others out there.
    """

    def grew(name: str) -> int:
        return int(end.get(name, 0)) - int(start.get(name, 0))

    writebacks = {(row["seq"], row["offset"]) for row in rows if row["op"] == "writeback"}
    written = sum(row["op"] == "diskwrite" and (row["parent"], row["offset"]) in writebacks for row in rows)
    stored, loaded = counted.get("store:ok", 0), counted.get("load:ok", 0)
    return {
        "stores_ok vs vmstat.zswpout": [stored, grew("vmstat.zswpout")],
        "loads_ok vs vmstat.zswpin": [loaded, grew("vmstat.zswpin")],
        "written_by_writebacks vs written_back_pages": [written, grew("zswap.written_back_pages")],
        "entries_freed + left vs stores_ok": [counted.get("free", 0) + end.get("zswap.stored_pages", 0), stored],
    }


def holds(found: Any) -> bool:
    """Whether a check found nothing amiss: no losses, or the same number twice."""
    numbers = isinstance(found, list) and len(found) == 2 and all(isinstance(number, int) for number in found)
    return bool(found[0] == found[1]) if numbers else not found


def write(folder: Path, trace: bytes, facts: dict[str, Any], samples: bytes, content: bytes) -> None:
    (folder / "trace.csv.gz").write_bytes(trace)
    (folder / "counters.json").write_text(json.dumps(facts, indent=1) + "\n")
    (folder / "counters.csv").write_bytes(samples)
    (folder / "script.bin.gz").write_bytes(gzip.compress(content, 9, mtime=0))


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\ninterrupted")
    except OSError as problem:  # a full disk, a place that cannot be written to
        sys.exit(str(problem))
