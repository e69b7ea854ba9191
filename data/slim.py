"""Make a recording small enough to ship: keep the columns and settings that zswaplab reads, and nothing else.

    python data/slim.py FULL-RECORDING data/recordings/NAME ["What happens in it."]

Rows are kept one for one, in their order and with their values. What goes: times, the CPU, the task's name,
columns that are empty in the whole run, with zbud the 8 bytes that lay in the page before a store, and all
settings that only concern the recorder. It also writes the card, README.md; what happens in the run is taken
from the card that is there if it is not given. Running it again on the same recording gives the same files.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import os
import sys
from operator import itemgetter
from pathlib import Path
from typing import Any

COLUMNS = (
    "seq", "seq_end", "tid", "parent", "op", "type", "offset", "mm", "page", "version", "length", "alloc_size", "ret",
    "ok", "handle", "hval", "full_before", "pool_pages_before", "pool_pages", "stored_pages", "same_filled",
    "reached_full", "limit_hit", "written_back", "reject_reclaim_fail", "reject_compress_poor", "reject_alloc_fail",
    "reject_kmemcache_fail", "duplicate_entry", "true_before", "true_pages", "chunks", "object", "inner",
)  # fmt: skip
SETTINGS = ("run", "operations", "checks", "notes")
COUNTERS = ("counters_start", "counters_workload_exit", "counters_end")


def slim_rows(text: io.TextIOBase, zpool: str) -> str:
    """The rows as CSV text with the columns of COLUMNS that hold anything."""
    header, *rows = csv.reader(text)
    place = {name: index for index, name in enumerate(header)}
    if zpool == "zbud" and "hval" in place:  # left over from whatever lay there before; nothing can predict it
        for row in rows:
            if row[place["op"]] == "store":
                row[place["hval"]] = ""
    filled = [name for name in COLUMNS if name in place and any(row[place[name]] for row in rows)]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(filled)
    writer.writerows(map(itemgetter(*(place[name] for name in filled)), rows))
    return out.getvalue()


def slim_settings(settings: dict[str, Any]) -> dict[str, Any]:
    """What a replay needs of counters.json, and what says that the recording is whole."""
    kept = {name: settings[name] for name in SETTINGS}
    kept["variant"] = settings.get("variant") or settings["config"]["kernel"]
    kept["workload"] = settings["config"].get("mode") or settings["run"].split("-")[2]
    kept["machine"] = machine(settings)
    kept |= {name: zswap(settings[name]) for name in COUNTERS}
    kept["counters_start"]["meminfo.SwapTotal"] = settings["counters_start"]["meminfo.SwapTotal"]
    kept["params"] = zswap(settings["params"])
    for name in ("totalram_pages", "cpus", "kernel", "preempt"):
        if name in settings["params"]:
            kept["params"][name] = settings["params"][name]
    ended = zswap(settings.get("params_end", {}))
    if any(kept["params"].get(name, value) != value for name, value in ended.items()):
        kept["params_end"] = ended  # conform refuses it, and says why
    kept["params"]["swap"] = settings["params"]["swap"].partition(" ")[0]
    kept["probes"] = [" ".join(probe.split()[:2]) for probe in settings["probes"]]  # without addresses of fields
    return kept


def machine(settings: dict[str, Any]) -> dict[str, Any]:
    """What was emulated, memory and swap in MiB; a stock kernel's settings have it under "config"."""
    found, config = settings.get("qemu"), settings["config"]
    if isinstance(found, dict):
        return {"memory": int(found["mem"]), "swap": int(found["swap_kib"]) / 1024, "kernel": settings["kernel"]}
    build = settings["params"]["kernel_build"].partition("Debian ")[2].partition(" ")[0]
    return {"memory": config["mem"], "swap": config["swap_mb"], "kernel": f"{config['kernel']}, as in Debian: {build}"}


def zswap(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name.startswith("zswap.")}


def slim(full: Path, folder: Path, story: str = "") -> None:
    """Write trace.csv.gz, counters.json and the card of the recording `full` to `folder`."""
    settings = json.loads((full / "counters.json").read_text())
    with gzip.open(full / "trace.csv.gz", "rt", newline="") as file:
        rows = slim_rows(file, settings["params"]["zswap.zpool"]).encode()
    kept = slim_settings(settings)
    text = json.dumps(kept, indent=1) + "\n"
    card = folder / "README.md"
    if not story and card.is_file():
        story = card.read_text().split("\n\n")[1]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "trace.csv.gz").write_bytes(gzip.compress(rows, 9, mtime=0))
    (folder / "counters.json").write_text(text)
    sums = {"trace.csv`, unpacked": rows, "counters.json`": text.encode()}
    digests = [f"| `{name} | `{hashlib.sha256(data).hexdigest()}` |" for name, data in sums.items()]
    links = {"columns": link(folder, "data/README.md"), "licence": link(folder, "LICENSE-DATA")}
    card.write_text(CARD.format(digests="\n".join(digests), **links, **described(folder.name, kept, story)))


def link(folder: Path, name: str) -> str:
    """A link to a file of this clone from a card in it; from elsewhere its name alone."""
    clone = Path(__file__).resolve().parents[1]
    if clone not in folder.resolve().parents:
        return f"zswaplab's `{name}`"
    return f"[{name}]({Path(os.path.relpath(clone / name, folder.resolve())).as_posix()})"


def described(name: str, settings: dict[str, Any], story: str) -> dict[str, str]:
    """What the card says of a run, worked out from its settings."""
    params, emulated, operations = settings["params"], settings["machine"], settings["operations"]

    def count(*kinds: str) -> int:
        return sum(number for kind, number in operations.items() if kind in kinds)

    pages, accept = params["totalram_pages"], int(params["zswap.accept_threshold_percent"])
    most = int(params["zswap.max_pool_percent"])
    exclusive = {"Y": "; exclusive loads on", "N": "; exclusive loads off"}.get(params.get("zswap.exclusive_loads"), "")
    lost = settings["checks"]["ring_buffer_lost_events"], len(settings["checks"]["kprobe_missed"])
    return {
        "name": name, "story": story, "kernel": emulated["kernel"], "cpus": params["cpus"],
        "memory": emulated["memory"], "swap": f"{emulated['swap']:g}",
        "zswap": f"{params['zswap.zpool']}, {params['zswap.compressor']}, `max_pool_percent={most}` "
        f"({pages * most // 100:,} pages), `accept_threshold_percent={accept}` "
        f"({pages * accept // 100 * most // 100:,} pages){exclusive}",
        "workload": f"{count('w:write'):,} writes, {count('w:pageout'):,} page-outs, {count('w:read'):,} reads, "
        f"{count('w:free'):,} frees of single pages",
        "operations": f"{count('store:ok', 'store:no'):,} stores ({count('store:ok'):,} kept), "
        f"{count('load:ok', 'load:no'):,} loads ({count('load:ok'):,} found), "
        f"{count('invalidate:ok', 'invalidate:no'):,} invalidates, "
        f"{count('writeback:ok', 'writeback:no'):,} writebacks ({count('writeback:no'):,} failed), "
        f"{count('free'):,} frees",
        "losses": f"{lost[0]} events and {lost[1]} probes lost", "bytes": settings["notes"][0].split(", ")[1],
    }  # fmt: skip


CARD = """# {name}

{story}

| | |
|---|---|
| kernel | Linux {kernel}; x86-64 |
| machine | QEMU without KVM (TCG), {cpus} CPU, {memory} MiB, an ordinary swap device of {swap} MiB |
| zswap | {zswap} |
| workload | {workload}, by one program with `madvise` |
| zswap's operations | {operations} |
| losses | {losses}; the rows add up to the kernel's own counters (`checks` in `counters.json`) |
| bytes read back | {bytes} |

## What can be relied on

The order of the rows and of the points inside them, lengths, sizes and counters are exact. When the worker ran is
the kernel scheduler's doing, so a replay takes it from the recording; what it then did is the kernel's decision.

## Columns

As in {columns}. Those that are empty in the whole run are left out.

## What was left out

`data/slim.py` made these files from the full recording. No row is missing. Left out are times (`ts_us`,
`ts_end_us`: an emulator is slow in its own way), the CPU, the task's name, empty columns, the settings that only
concern the recorder, and with zbud, in rows of stores, `hval`: the 8 bytes that happened to lie where the page was
about to be copied. All columns that `zswaplab conform` compares are there, and it finds the same as on the full one.

## Checksums (SHA-256)

| file | |
|---|---|
{digests}

`gzip -dc trace.csv.gz | sha256sum` gives the first.

## Licence

CC0-1.0 ({licence}).
"""

if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    slim(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
