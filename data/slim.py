"""Make a recording small enough to ship: keep the columns and settings that zswaplab reads, and nothing else.

    python data/slim.py FULL-RECORDING data/recordings/NAME

Rows are kept one for one, in their order and with their values. What goes: times, the CPU, the task's name,
columns that are empty in the whole run, the 8 bytes that lay in the allocator's memory before a store, and all
settings that only concern the recorder. Running it again on the same recording gives the same files.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import sys
from pathlib import Path
from typing import Any

COLUMNS = (
    "seq", "seq_end", "tid", "parent", "op", "type", "offset", "mm", "page", "version", "length", "alloc_size", "ret",
    "ok", "handle", "hval", "full_before", "pool_pages_before", "pool_pages", "stored_pages", "same_filled",
    "reached_full", "limit_hit", "written_back", "reject_reclaim_fail", "reject_compress_poor", "reject_alloc_fail",
    "reject_kmemcache_fail", "duplicate_entry", "true_before", "true_pages", "inner",
)  # fmt: skip
SETTINGS = ("run", "kernel", "variant", "build", "qemu", "operations", "checks", "notes")
COUNTERS = ("counters_start", "counters_workload_exit", "counters_end")


def slim_rows(text: io.TextIOBase) -> str:
    """The rows as CSV text with the columns of COLUMNS that hold anything."""
    rows = list(csv.DictReader(text))
    for row in rows:
        if row["op"] == "store":  # left over from whatever lay there before; nothing can predict it
            row["hval"] = ""
    filled = [name for name in COLUMNS if any(row.get(name) for row in rows)]
    out = io.StringIO()
    writer = csv.DictWriter(out, filled, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def slim_settings(settings: dict[str, Any]) -> dict[str, Any]:
    """What a replay needs of counters.json, and what says that the recording is whole."""
    kept = {name: settings[name] for name in SETTINGS}
    kept |= {name: zswap(settings[name]) for name in COUNTERS}
    kept["counters_start"]["meminfo.SwapTotal"] = settings["counters_start"]["meminfo.SwapTotal"]
    kept["params"] = zswap(settings["params"])
    for name in ("totalram_pages", "cpus", "kernel"):
        kept["params"][name] = settings["params"][name]
    kept["params"]["swap"] = settings["params"]["swap"].partition(" ")[0]
    kept["probes"] = [" ".join(probe.split()[:2]) for probe in settings["probes"]]  # without addresses of fields
    return kept


def zswap(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name.startswith("zswap.")}


def slim(full: Path, folder: Path) -> None:
    """Write trace.csv.gz and counters.json of the recording `full` to `folder`; print their checksums."""
    with gzip.open(full / "trace.csv.gz", "rt", newline="") as file:
        rows = slim_rows(file).encode()
    settings = json.dumps(slim_settings(json.loads((full / "counters.json").read_text())), indent=1) + "\n"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "trace.csv.gz").write_bytes(gzip.compress(rows, 9, mtime=0))
    (folder / "counters.json").write_text(settings)
    print(f"{hashlib.sha256(rows).hexdigest()}  trace.csv")
    print(f"{hashlib.sha256(settings.encode()).hexdigest()}  counters.json")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    slim(Path(sys.argv[1]), Path(sys.argv[2]))
