"""The prose of the notebooks: their cells in order, and what a sentence of them says, without code and addresses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"
PATHS = sorted(FOLDER.glob("*.ipynb"))
LINK = re.compile(r"\[([^\]]*)\]\(([^)]*)\)")
MARK = re.compile(r"<!--.*?-->", re.DOTALL)


def is_heading(cell: Any) -> bool:
    return bool(cell.cell_type == "markdown" and re.match(r"#{1,3} ", cell.source))


def before_the_exercises(notebook: Any) -> Iterator[tuple[int, Any]]:
    """The cells of a notebook with their places; exercises ask and claim nothing."""
    for place, cell in enumerate(notebook.cells):
        if cell.source.startswith("## Exercises"):
            return
        yield place, cell


def paragraphs(source: str) -> Iterator[str]:
    """A markdown cell's paragraphs and list items; headings, tables, blocks of code and the estimate are left out."""
    text = re.sub(r"```.*?```|^ {4}.*$", "", source, flags=re.DOTALL | re.MULTILINE)
    for block in re.split(r"\n\s*\n|\n(?=\s*(?:[*-]|\d+\.) )|</?(?:details|summary)>", text):
        lines = [line.strip() for line in block.splitlines() if not re.match(r"\s*(#|\|)", line)]
        if any(lines) and not block.strip().startswith("*Estimated"):
            yield re.sub(r"^(?:[*-]|\d+\.) ", "", " ".join(lines).strip())


def sentences(source: str) -> Iterator[str]:
    """The sentences of a markdown cell; a mark behind a full stop belongs to the sentence before it."""
    for paragraph in paragraphs(source):
        kept = re.sub(r"([.!?])(\*{0,2})\s*(<!--.*?-->)", r" \3\1\2", paragraph)
        yield from (one for one in re.split(r"(?<=[.!?])\*{0,2}\s+(?=[^a-z])", kept) if one.strip())


def words_of(text: str) -> str:
    """A text as it is read: no code, no marks, and of a link what can be read of it."""
    return re.sub(r"`[^`]*`", " ", LINK.sub(r"\1", MARK.sub("", text)))
