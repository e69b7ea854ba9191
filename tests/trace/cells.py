"""Single cells of a recording altered, one at a time, seeded: to see how many of them conform finds.

Each is of a column that `zswaplab.trace.columns` calls predicted: filled with another value or emptied, or one point
inside an operation, dropped or with another value. What is refused as bad input counts as found.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

from tests.trace.altered import Line, Raw
from zswaplab.model.errors import BadInput
from zswaplab.trace.columns import PREDICTED, TABLE, columns_of
from zswaplab.trace.conform import conform

LONGEST_SHARED = 3904  # bytes: a longer object has a page of z3fold's for itself
HEXADECIMAL = ("handle", "hval", "object")


def alterations(raw: Raw, dice: random.Random) -> Iterator[tuple[str, str, int, Line]]:
    """Endless: (kind of row, what is done to which column, index of the line, the line altered)."""
    places = [
        (index, name)
        for index, line in enumerate(raw.lines)
        if line["op"] in TABLE
        for name, column in columns_of(line["op"]).items()
        if column.use == PREDICTED and line.get(name) and not excepted(raw, line, name)
    ]
    by_column: dict[tuple[str, str], list[int]] = {}
    for index, name in places:
        by_column.setdefault((raw.lines[index]["op"], name), []).append(index)
    while True:
        (op, name), indices = dice.choice(list(by_column.items()))
        index = dice.choice(indices)
        line = raw.lines[index]
        how = dice.choice(["filled", "emptied"])
        yield op, f"{name} {how}", index, line | {name: altered(name, line[name], dice) if how == "filled" else ""}


def excepted(raw: Raw, line: Line, name: str) -> bool:
    """Whether the table says of this very cell that nothing predicts it (`columns.EXCEPTIONS`)."""
    zpool = raw.settings["params"]["zswap.zpool"]
    alone = zpool == "z3fold" and int(line.get("alloc_size") or 0) > LONGEST_SHARED
    return (
        (line["op"] == "free" and name == "handle" and line["length"] == "0")
        or (line["op"] == "store" and name == "hval" and (zpool == "zbud" or alone))
    )  # fmt: skip


def altered(name: str, cell: str, dice: random.Random) -> str:
    """Another value that the column could have."""
    if name == "inner":
        words = cell.split()
        place = dice.randrange(len(words))
        head, equals, value = words[place].partition("=")
        words[place] = f"{head}={altered_point(head, value, dice)}" if equals else ""
        return " ".join(filter(None, words))
    if name in HEXADECIMAL:
        return f"{int(cell, 16) ^ 1 << dice.randrange(3, 40):x}"
    if name == "chunks":
        numbers = cell.split("/")
        place = dice.randrange(len(numbers))
        return "/".join([*numbers[:place], str(int(numbers[place]) + 1), *numbers[place + 1 :]])
    if name in ("ok", "full_before", "reached_full"):
        return str(1 - int(cell))
    return str(int(cell) + dice.choice([-1, 1]) * dice.choice([1, 1, 2, 77]))


def altered_point(head: str, value: str, dice: random.Random) -> str:
    name = head.partition("+")[0]
    page, colon, chunks = value.partition(":")
    if name in ("list", "pick", "move", "object", "pagefree"):
        return f"{int(page, 16) ^ 1 << dice.randrange(12, 40):x}{colon}{chunks}"
    return str(int(value) + dice.choice([-1, 1]))


def found(raw: Raw, index: int, line: Line, folder: Path) -> bool:
    """Whether conform refuses the altered recording, or says that something disagrees."""
    lines = [*raw.lines[:index], line, *raw.lines[index + 1 :]]
    try:
        return not conform(raw.with_lines(lines).write(folder)).agrees
    except BadInput:
        return True
