"""The columns of a recording: what each kind of row says, and what a replay does with it. One table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import pandas

PREDICTED = "predicted"  # the model must come to the same, and leave empty what is empty
INPUT = "input"  # it is fed to the model, or says who did what and when
NOT_USED = "not used"  # nothing of the model says the same
ALWAYS = "always"

FORMATS = {
    "series": "kernels at a patch of the series, and 6.4.4 and 6.5 built with them",
    "stock": "Debian's kernels, as first recorded",
    "recorder": "Debian's kernels, by data/recorder",
}


class Column(NamedTuple):
    """What a kind of row has in one column.

    `filled` says where it must be filled, in words; "always" is held as a recording is read, all else by the model's
    own result. `formats` are those whose rows of this kind have the column, if the recording has it at all.
    """

    name: str
    use: str
    filled: str = ALWAYS
    formats: tuple[str, ...] = tuple(FORMATS)


def _all(use: str, *names: str, filled: str = ALWAYS, formats: tuple[str, ...] = tuple(FORMATS)) -> list[Column]:
    return [Column(name, use, filled, formats) for name in names]


_WHERE = [
    *_all(INPUT, "seq", "seq_end", "tid", "op"), *_all(NOT_USED, "ts_us", "ts_end_us", "task"),
    Column("cpu", INPUT, "with several CPUs"), Column("parent", PREDICTED, "inside another operation"),
]  # fmt: skip
_SLOT = _all(INPUT, "type", "offset")
_SAME_SLOT = [Column("type", INPUT), Column("offset", PREDICTED)]
_LABEL = _all(PREDICTED, "mm", "page", "version", filled="where the page is the program's")
_RESULT = _all(PREDICTED, "ret", "ok")
_BEFORE = _all(PREDICTED, "full_before", "pool_pages_before")
_AFTER = _all(PREDICTED, "pool_pages", "stored_pages", "same_filled", "reached_full")
_TRUE = _all(PREDICTED, "true_before", "true_pages")
_COUNTERS = [
    *_all(
        PREDICTED, "limit_hit", "written_back", "reject_reclaim_fail", "reject_compress_poor", "reject_alloc_fail",
        "duplicate_entry",
    ),
    Column("reject_kmemcache_fail", PREDICTED, formats=("stock", "recorder")),
]  # fmt: skip
_POINTS = [Column("inner", PREDICTED, "where anything is recorded inside")]
_PROGRAM = _all(INPUT, "mm", "page")

TABLE: dict[str, list[Column]] = {  # kind of row -> its columns
    "swapout": [*_SLOT, *_all(INPUT, "mm", "page", filled=_LABEL[0].filled), _LABEL[2]],
    "store": [
        *_SAME_SLOT, *_LABEL, *_RESULT, *_BEFORE, *_AFTER, *_TRUE, *_COUNTERS, *_POINTS,
        Column("length", INPUT, "where the page was compressed, or is same-filled (0)"),
        Column("alloc_size", PREDICTED, "where the backend was asked for room"),
        Column("handle", PREDICTED, "where the backend gave room"),
        Column("hval", PREDICTED, "where the backend gave room"),
    ],
    "load": [*_SAME_SLOT, *_LABEL, *_RESULT, *_AFTER, *_TRUE, *_POINTS],
    "invalidate": [*_SAME_SLOT, *_LABEL, Column("ok", PREDICTED), *_AFTER, *_TRUE, *_POINTS],
    "invalidate_area": [Column("type", INPUT)],
    "free": [
        Column("type", INPUT, "where an entry knows it"), Column("offset", PREDICTED), *_LABEL,
        Column("length", PREDICTED), Column("true_before", PREDICTED),
        Column("handle", PREDICTED),
    ],
    "writeback": [
        *_SAME_SLOT, *_LABEL, *_RESULT, *_AFTER, *_TRUE, *_COUNTERS, *_POINTS,
        *_all(PREDICTED, "handle", "hval", filled="up to patch 5, whose writeback is given a handle"),
    ],
    "shrink": [
        *_RESULT, *_all(PREDICTED, *(column.name for column in _BEFORE), formats=("series", "recorder")),
        *_AFTER, *_TRUE, *_POINTS,
    ],
    "lru_shrink": [*_RESULT, *_BEFORE, *_AFTER, *_TRUE, *_POINTS],
    "worker": [*_BEFORE, *_AFTER, *_TRUE, *_COUNTERS, *_POINTS],
    "z3fold_compact": [
        *_all(PREDICTED, "ok", "handle", "chunks"), *_TRUE, *_POINTS,
        *_all(PREDICTED, "hval", "object", filled="where an object was moved"),
    ],
    "z3fold_release": [
        *_all(PREDICTED, "handle", "chunks", "true_before"),
        Column("hval", PREDICTED, "where the word of a handle is left in the page"),
        Column("object", PREDICTED, "where an object was moved"),
    ],
    "diskwrite": [*_SAME_SLOT, *_LABEL],
    "swapin": [*_SLOT, *_LABEL],
    "slot_give": [*_SLOT],
    "slot_free": [*_SAME_SLOT, *_LABEL],
    "swapcache_add": [*_SLOT, *_RESULT],
    "swapcache_del": [*_SLOT],
    "swapoff": [],
    "w:start": [Column("mm", INPUT), Column("handle", NOT_USED)],
    "w:write": [*_PROGRAM, Column("version", INPUT)],
    "w:read": [*_PROGRAM, Column("version", PREDICTED)],
    "w:pageout": [*_PROGRAM],
    "w:free": [*_PROGRAM],
    "w:sample": [Column("length", PREDICTED)],
    "w:end": [],
}  # fmt: skip
EXCEPTIONS = {  # (kind of row, column) -> where it is not what the table says
    ("free", "handle"): "of a same-filled page it is the fill word: input",
    ("store", "hval"): "with zbud, and of an object that has a page of z3fold's for itself: not used",
    ("writeback", "hval"): "of such an object the highest byte, and with a handle that has no header all: not used",
}
LATER = ("shrink_lru", "lru_entry", "shrinker_scan")  # kinds of later kernels, which no stage has
POINTS = {  # point -> whether it has a value
    **dict.fromkeys(("malloc", "map", "unmap", "erase", "lookup", "submit"), False),
    **dict.fromkeys((
        "full", "accept", "malloced", "insert", "update", "find", "search", "put", "zfree", "zfreed", "object",
        "pagefree", "looked", "cached", "submitted", "pick", "list", "move", "slide",
    ), True),
}  # fmt: skip


@cache
def columns_of(kind: str) -> dict[str, Column]:
    """Every column that a row of that kind can have, those that all kinds have included."""
    return {column.name: column for column in (*_WHERE, *TABLE[kind])}


def wrong_columns(kind: str, filled: Iterable[str], header: Iterable[str], format: str) -> Iterator[str]:
    """What is wrong with the columns that are filled in a row: one that must be is not, or one that cannot be is.

    `header` has the recording's columns, `format` is one of FORMATS, or empty where that is not known.
    """
    known, header = columns_of(kind), set(header)
    filled = set(filled)
    for name in filled:
        if name not in known or (format and format not in known[name].formats):
            yield f"a {kind} row has no {name}"
    for column in known.values():
        due = column.filled == ALWAYS and column.name in header and column.name not in filled
        if due and (format in column.formats or column.formats == tuple(FORMATS)) and column.use != NOT_USED:
            yield f"a {kind} row needs {column.name}"


def table() -> pandas.DataFrame:
    """The table, a row for each kind of row and column: its use, where it is filled, in which formats; exceptions.

    >>> free = table().set_index("row").loc["free"]
    >>> list(free["column"])
    ['type', 'offset', 'mm', 'page', 'version', 'length', 'true_before', 'handle']
    """
    import pandas

    return pandas.DataFrame(rows(), columns=["row", "column", "use", "filled", "formats", "but"])


def rows() -> list[tuple[Any, ...]]:
    """The rows of `table`, without pandas; what all kinds of row have comes first."""
    kinds = {"every row": _WHERE, **TABLE}
    return [
        (
            kind,
            name,
            use,
            filled,
            "all" if formats == tuple(FORMATS) else ", ".join(formats),
            EXCEPTIONS.get((kind, name), ""),
        )
        for kind, columns in kinds.items()
        for name, use, filled, formats in columns
    ]
