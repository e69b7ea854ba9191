"""What the recorded program did, as a workload of the model, and the settings of the kernel on which it ran."""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from ..model.errors import BadInput
from .read import read_head
from .shipped import find_run
from .variants import SYNCHRONOUS, variant_of

_VERBS = {"w:write": "write", "w:read": "read", "w:pageout": "page_out", "w:free": "free"}


def first_operations(run: str | Path, count: int) -> list[str]:
    """The first `count` operations of a recorded program, as lines of a workload; fewer where it has no more.

    `run` is the name of a shipped recording or a recording's folder. The bytes of a page are not recorded: the model
    makes them from the page's number. What is done with a page that holds nothing is left out: no swap is needed for
    it. Raises BadInput for a run that is not there, or whose rows cannot be read.

    >>> first_operations("p4-zbud-overflow", 3)
    ['write 0', 'page_out 0', 'write 1']
    """
    path = find_run(run) / "trace.csv.gz"
    try:
        with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
            return list(islice(_operations(csv.DictReader(file)), count))
    except (EOFError, zlib.error, OSError, ValueError, KeyError, csv.Error) as error:
        raise BadInput(f"{path}: cannot be read ({error!r}); fetch it again") from None


def _operations(rows: Iterable[dict[str, str]]) -> Iterator[str]:
    written: set[int] = set()
    for row in rows:
        if (verb := _VERBS.get(row["op"])) is None:
            continue
        page = int(row["page"])
        if verb == "write":
            written.add(page)
        if page in written:
            yield f"{verb} {page}"
        if verb == "free":
            written.discard(page)


def settings_of(run: str | Path) -> dict[str, Any]:
    """The settings with which a run was recorded, as arguments of Machine. Raises BadInput for a run that is not there.

    >>> settings = settings_of("p4-zbud-overflow")
    >>> settings["stage"], settings["zpool"], settings["max_pool_percent"]
    ('rfc2-4', 'zbud', 1)
    """
    recording = read_head(find_run(run))
    parameters = recording.parameters
    stage, form, load_end = variant_of(recording, None)
    return {
        "stage": stage, "zpool": parameters["zswap.zpool"], "exclusive_loads": form, "load_end": load_end,
        "device": "synchronous" if recording.device.startswith(SYNCHRONOUS) else "ordinary",
        "ram_pages": parameters["totalram_pages"], "swap_pages": recording.swap_pages,
        "max_pool_percent": int(parameters["zswap.max_pool_percent"]),
        "accept_threshold_percent": int(parameters["zswap.accept_threshold_percent"]),
    }  # fmt: skip
