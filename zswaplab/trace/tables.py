"""Tables of recordings: which are shipped, and what happened in one, operation by operation."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..model.errors import require
from .conform import can_be_held
from .explain import explain
from .read import Recording, read, read_head
from .replay import Replay
from .shipped import find_run, shipped_runs
from .variants import variant_of

if TYPE_CHECKING:
    import pandas

_OPERATIONS = {  # function of the model -> operation of the table
    "store": "store", "load": "load", "invalidate_page": "invalidate", "writeback_entry": "writeback",
}  # fmt: skip
_KINDS = (*_OPERATIONS.values(), "free")


def runs() -> pandas.DataFrame:
    """The recordings that are shipped: a row each, with its kernel, backend, workload, operations and size in KB.

    >>> table = runs()
    >>> list(table[table["backend"] == "z3fold"]["run"])
    ['61-z3fold-lzo-accept110', 'base-z3fold-overflow', 'p3-z3fold-overflow']
    """
    import pandas

    return pandas.DataFrame(rows_of_runs(shipped_runs()))


def rows_of_runs(folders: Mapping[str, Path]) -> list[dict[str, Any]]:
    """The rows of `runs` for some recordings, by name, without pandas."""
    rows = []
    for name, folder in folders.items():
        recording = read_head(folder)
        settings = recording.settings
        stage, form, _ = variant_of(recording, None)
        counted = dict.fromkeys(_KINDS, 0)
        for key, count in settings["operations"].items():  # like "store:ok"
            kind = key.partition(":")[0]
            counted[kind] = counted.get(kind, 0) + count
        rows.append({
            "run": name, "kernel": settings["params"]["kernel"], "stage": stage,
            "backend": settings["params"]["zswap.zpool"], "compressor": settings["params"]["zswap.compressor"],
            "exclusive loads": form, "workload": settings["workload"],
            "operations": sum(counted[kind] for kind in _KINDS), "writebacks": counted["writeback"],
            "KB": (folder / "trace.csv.gz").stat().st_size // 1000,
        })  # fmt: skip
    return rows


_COUNTED = ("pool_pages", "stored_pages", "written_back", "limit_hit")


def recorded(run: str | Path) -> pandas.DataFrame:
    """What the recorded kernel itself said of its pool: a row at the end of each store, load, invalidate and writeback.

    `seq` is the position in the recording, `pool_pages` zswap's idea of the pool's size in pages, and three
    counters. Raises BadInput as `read` does.
    """
    import pandas

    rows = [
        (row.seq_end, *(row.cells.get(name) for name in _COUNTED))
        for row in read(find_run(run), _COUNTED).rows
        if row.op in ("store", "load", "invalidate", "writeback")
    ]
    table = pandas.DataFrame(rows, columns=["seq", *_COUNTED], dtype="float32").ffill().fillna(0)
    return table.astype("int32").sort_values("seq", ignore_index=True)


class Done:
    """One operation that has ended; its values by name, as in a dict but in a quarter of the room."""

    __slots__ = (
        "operation", "offset", "age", "from_tail", "at", "seq", "page", "length", "ok", "result", *_COUNTED,
    )  # fmt: skip

    def __init__(self, values: dict[str, Any]) -> None:
        for name in Done.__slots__:
            setattr(self, name, values.get(name))

    def __getitem__(self, name: str) -> Any:
        return getattr(self, name)


class Life(NamedTuple):
    """One entry on the LRU: the slot's offset, the operations that put it at the head, and how it ended when."""

    offset: int
    put: list[int]
    ended: int
    written_back: bool


def snapshots(
    changes: Sequence[tuple[int, bool, int]], length: int, every: int
) -> Iterator[tuple[int, list[tuple[int, int]]]]:
    """Every so many of `length` moments what is on the LRU, from head to tail: (what, its age in moments)."""
    order: dict[int, int] = {}  # what is listed -> when it was put at the head; the last is the head
    done = 0
    for moment in range(0, length + 1, every):
        while done < len(changes) and changes[done][0] < moment:
            number, put, what = changes[done]
            order.pop(what, None)
            if put:
                order[what] = number
            done += 1
        yield moment, [(what, moment - since) for what, since in reversed(order.items())]



@dataclass
class Replayed:
    """A replayed recording: what the model did, operation by operation.

    `limit` and `accept_threshold` in pages. `listed` says what the LRU holds: "entries" (zswap's own list,
    by their slot's offset) or the backend's "pages" (by number).
    """

    run: str
    stage: str
    listed: str
    limit: int
    accept_threshold: int
    rows: list[Done] = field(repr=False)
    changes: list[tuple[int, bool, int]] = field(repr=False)  # (operation, put at the head or taken off, what)

    def table(self) -> pandas.DataFrame:
        """A row for each store, load, invalidate, writeback and free, in the order in which they ended.

        `seq` is the recording's position of what led to it, `offset` the swap slot, `page` the program's page
        there, `length` its compressed size in bytes; `result` is what the kernel function returned, 0 or an
        error like -12. `pool_pages`, `stored_pages` and the counters are as it left them. Of a writeback, `age` says
        how many operations ago, when it was taken, the entry was stored or last moved, and `from_tail` for how many
        others that was longer ago.
        """
        import pandas

        types = {
            "seq": "int32", "operation": "category", "offset": "int32", "page": "Int32", "length": "Int16",
            "ok": bool, "result": "int16", "pool_pages": "int32", "stored_pages": "int32", "written_back": "int32",
            "limit_hit": "int32", "age": "Int32", "from_tail": "Int32",
        }  # fmt: skip
        columns = {name: [row[name] for row in self.rows] for name in types}
        return pandas.DataFrame(columns).astype(types).rename_axis("number")

    def lru(self, every: int = 100) -> list[tuple[int, list[tuple[int, int]]]]:
        """Every so many operations the LRU from head to tail: (operation, [(what, age in operations), ...]).

        Raises BadInput if `every` is no number of operations.
        """
        require("every", every, 1, 10**9, "operations")
        return list(snapshots(self.changes, len(self.rows), every))

    def lives(self) -> list[Life]:
        """Every entry that was on zswap's LRU, in the order of their ends; none where the backend lists pages."""
        put: dict[int, list[int]] = {}
        written: set[int] = set()
        ended = []
        changes = iter(self.changes if self.listed == "entries" else [])
        change = next(changes, None)
        for number, row in enumerate(self.rows):
            while change and change[0] <= number:
                if change[1]:
                    put.setdefault(change[2], []).append(change[0])
                change = next(changes, None)
            offset = row["offset"]
            if row["operation"] == "writeback" and row["ok"]:
                written.add(offset)
            elif row["operation"] == "free" and offset in put:
                ended.append(Life(offset, put.pop(offset), number, offset in written))
                written.discard(offset)
        return ended

    def __repr__(self) -> str:
        return f"<{self.run} replayed at stage {self.stage}: {len(self.rows):,} operations>"


def replay(run: str | Path, stage: str | None = None) -> Replayed:
    """Replay a recording, shipped or in a folder, and keep what the model did.

    With `stage` another kernel is given what came to the recorded one. Raises BadInput if there is no such
    recording or stage, or it cannot be read.

    >>> replayed = replay("f65-zbud-exact-on")
    >>> replayed
    <f65-zbud-exact-on replayed at stage v6.5: 353 operations>
    >>> replayed.table()["operation"].value_counts().to_dict()
    {'store': 121, 'free': 116, 'invalidate': 58, 'load': 58}
    """
    recording = read(can_be_held(run, stage))
    watch = _watched(recording, stage, {})
    better = explain(watch.replay)
    if better is not watch.replay:
        watch = _watched(recording, stage, better.choices)
    machine = watch.replay.machine
    zswap = machine.zswap
    replayed = Replayed(
        recording.name, machine.stage.id, "pages" if zswap.pool.evictable else "entries", zswap.limit,
        zswap.accept_threshold, watch.rows, watch.changes,
    )  # fmt: skip
    del recording, watch, better, machine, zswap
    gc.collect()  # the recording's rows and the machine refer to each other, and are large
    return replayed


def _watched(recording: Recording, stage: str | None, choices: dict[tuple[int, int], int]) -> _Watch:
    watch = _Watch(Replay(recording, stage, choices))
    watch.replay.run()
    return watch


class _Watch:
    """Watches a replay: notes each operation's end, and what happens to the LRU."""

    def __init__(self, replay: Replay) -> None:
        self.replay = replay
        self.rows: list[Done] = []
        self.changes: list[tuple[int, bool, int]] = []
        self._newest: dict[int, int] = {}  # offset of an entry -> when it was stored or moved, the oldest first
        self._begun: dict[int, list[dict[str, Any]]] = {}  # thread -> the operations it is in
        self._zswap = replay.machine.zswap
        replay.machine.hook.subscribe(self._observe)

    def _observe(self, event: str, subject: Any, value: Any) -> None:
        if event == "begin" and subject in _OPERATIONS:
            self._note_begin(_slot_of(value), _OPERATIONS[subject])
        elif event == "end" and subject in _OPERATIONS:
            self._note_end(self._operations().pop(), value or 0)
        elif event == "free":
            self._operations().append({"operation": "free", "offset": subject.offset})
        elif event == "update" and self._operations() and self._operations()[-1]["operation"] == "free":
            self._note_end(self._operations().pop(), 0)
        if self._zswap.pool.evictable:
            self._watch_pages(event, subject, value)
        elif event.startswith("lru "):
            self._watch_entries(event, object.__getattribute__(subject, "offset"))

    def _watch_entries(self, event: str, offset: int) -> None:
        """zswap's own LRU; an entry that is isolated for writeback keeps its age."""
        put = event in ("lru add", "lru move")
        self.changes.append((len(self.rows), put, offset))
        if event != "lru isolate":
            self._used(offset, put)

    def _watch_pages(self, event: str, subject: Any, value: Any) -> None:
        """The LRU of the backend's pages; entries age from their store on."""
        if event in ("pagefree", "page isolate") or (event == "page" and value == "lru"):
            self.changes.append((len(self.rows), event == "page", subject.number))
        elif event == "insert" and value == 0:
            self._used(subject.offset, put=subject.length > 0)
        elif event == "free":
            self._used(subject.offset, put=False)

    def _used(self, offset: int, put: bool) -> None:
        self._newest.pop(offset, None)
        if put:
            self._newest[offset] = len(self.rows)

    def _operations(self) -> list[dict[str, Any]]:
        thread = self.replay.drive.current
        return self._begun.setdefault(thread.tid if thread else -1, [])

    def _note_begin(self, offset: int, operation: str) -> None:
        began: dict[str, Any] = {"operation": operation, "offset": offset}
        if operation == "writeback" and offset in self._newest:
            began["age"] = len(self.rows) - self._newest[offset]
            began["from_tail"] = next(place for place, other in enumerate(self._newest) if other == offset)
        self._operations().append(began)

    def _note_end(self, row: dict[str, Any], result: int) -> None:
        zswap, offset = self._zswap, row["offset"]
        thread, comparison = self.replay.drive.current, self.replay.comparison
        known = comparison.pages.get(offset)
        self.rows.append(Done({
            **row, "at": self.replay.findings.position, "seq": thread.origin if thread else 0,
            "page": comparison.owners.slots[offset][1] if offset in comparison.owners.slots else None,
            "length": known.length if known is not None else None, "ok": not result, "result": result,
            "pool_pages": zswap.size, "stored_pages": zswap.counters.stored_pages,
            "written_back": zswap.counters.written_back_pages, "limit_hit": zswap.counters.pool_limit_hit,
        }))  # fmt: skip


def _slot_of(arguments: tuple[Any, ...]) -> int:
    """The slot's offset, of the arguments of a store, load, invalidate (type, offset, ...) or writeback."""
    pool, second, *rest = arguments
    if isinstance(pool, int):
        return int(second)
    return int(second.header[1] if second.header else rest[0].offset)
