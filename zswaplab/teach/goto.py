"""`goto`: the state of a stop of a notebook, for whoever comes late or got lost.

A stop is a paragraph of a notebook that begins with **Stop 1.**: there a class waits for each other.
"""

from __future__ import annotations

import io
import json
import linecache
import re
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, redirect_stdout
from pathlib import Path
from typing import Any

from ..model.errors import BadInput, choose

_STOP = re.compile(r"\*\*Stop (\d+)\.\*\*\s*(.*)", re.DOTALL)


def goto(notebook: str, stop: int, *, folder: str | Path | None = None) -> None:
    """Run what stands before a stop of a notebook, and say what everybody has seen by then.

    `notebook` is its number, like "06", `stop` the number of the stop. The code cells before it run one after the
    other in your own notebook, and show nothing: afterwards each name has the value that it has there. `folder` is
    where the notebooks are: by default that of the notebook you are in, or else a clone's. Raises BadInput for a
    notebook or a stop that is not there, and if one of its cells fails.

    >>> goto("06", 1)
    06 Patch 1, stop 1: The patch adds a list, and asks before each use of it whether it is used at all.
    What stands before it has run: go on there.
    """
    path = _file_of(notebook, folder)
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    stops = _stops(cells)
    numbers = " and ".join(map(str, stops)) if len(stops) < 3 else f"1 to {len(stops)}"
    if isinstance(stop, bool) or stop not in stops:
        raise BadInput(f"stop={stop!r}: notebook {notebook} has " + (f"stops {numbers}" if stops else "no stop"))
    place, text = stops[stop]
    for number, source in _code(cells[:place]):
        _run(path.name, number, source)
    title = "".join(cells[0]["source"]).partition("\n")[0].lstrip("# ").partition(":")[0]
    print(f"{notebook} {title}, stop {stop}: {text}\nWhat stands before it has run: go on there.")


def _file_of(notebook: object, folder: str | Path | None) -> Path:
    """The file of a notebook, by its number."""
    if not isinstance(notebook, str):
        raise BadInput(f'notebook={notebook!r} cannot be: give its number as a text, like "06"')
    folders = [Path.cwd(), Path(__file__).resolve().parents[2] / "notebooks"] if folder is None else [Path(folder)]
    for place in folders:
        found = {path.name[:2]: path for path in sorted(place.glob("[0-9][0-9]-*.ipynb"))}
        if found:
            choose("notebook", notebook, found)
            return found[notebook]
    raise BadInput(f"there are no notebooks in {folders[0]}: give the folder that has them, folder=...")


def _stops(cells: list[dict[str, Any]]) -> dict[int, tuple[int, str]]:
    """Number -> the place of its cell, and what it says in plain words."""
    found = {}
    for place, cell in enumerate(cells):
        if cell["cell_type"] == "markdown" and (match := _STOP.match("".join(cell["source"]))):
            words = re.sub(r"\[([^]]*)\]\([^)]*\)|<!--.*?-->", r"\1", match[2])
            found[int(match[1])] = place, " ".join(re.sub(r"[*`]", "", words).split())
    return found


def _code(cells: list[dict[str, Any]]) -> Iterator[tuple[int, str]]:
    """The code cells among some: the place of each, and its text."""
    for place, cell in enumerate(cells):
        if cell["cell_type"] == "code":
            yield place, "".join(cell["source"])


def _run(name: str, place: int, source: str) -> None:
    """Run a cell in the reader's own notebook, and show nothing."""
    file = f"<{name}, cell {place}>"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)  # its functions can be read
    try:
        with _quiet():
            exec(compile(source, file, "exec"), vars(sys.modules["__main__"]))
    except Exception as error:
        raise BadInput(
            f"cell {place} of {name} fails with {type(error).__name__}: {error}; "
            "restart the kernel and call goto again, or take a fresh copy of the notebook"
        ) from error


def _quiet() -> AbstractContextManager[Any]:
    """In it nothing is shown, neither text nor pictures."""
    if "IPython" in sys.modules:
        from IPython.utils.capture import capture_output

        return capture_output()
    return redirect_stdout(io.StringIO())
