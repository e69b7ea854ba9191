"""What the notebooks claim, and what proves it: `python -m tests.notebooks.claims [NOTEBOOK...]` lists all of it.

A claim is a sentence with a number, a version, or one of always, never, only, every. It is proven in one of three ways:

* a code cell with an `assert`, after it and before the next heading, has each of its numbers;
* it names a recording that ships, in `code`, or links to its card, or to what a kernel printed (data/consoles);
* it carries a mark, which nobody sees: `<!-- § 2.1 -->` says which section of the notes on the kernel's behaviour
  shows it, `<!-- commit:path:lines#symbol -->` which part of the kernel.

Numbers that only name something, as in "page 3" and "patch 1", are no claim; a question is none either.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat

from tests.notebooks.prose import PATHS, before_the_exercises, is_heading, sentences, words_of
from zswaplab.trace.shipped import shipped_runs

NAMED = re.compile(
    r"\b(?:pages?|patch(?:es)?|notebooks?|sections?|steps?|stops?|exercises?|predictions?|CPU|slots?|stage|line)\s+"
    r"\d+(?:\.\d+)*(?:(?:, | and | to | or |, and |-|–)\d+)*",
    re.IGNORECASE,
)
COMMIT = re.compile(r"\b(?=[0-9a-f]*[0-9])(?=[0-9a-f]*[a-f])[0-9a-f]{7,40}\b")
NUMBER = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)*")
STRONG = re.compile(r"\b(?:always|never|only|every)\b", re.IGNORECASE)
SHOWN = re.compile(r"<!-- (?:§ \d+(?:\.\d+)*(?:-\w+)?|[0-9a-f]{7,40}:[\w/.-]+(?::\d+(?:-\d+)?)?#\w+) -->")


@dataclass(frozen=True)
class Claim:
    """A sentence that claims something, in which cell, and what proves it; nothing does if `proof` is empty."""

    notebook: str
    cell: str
    sentence: str
    proof: str

    def __str__(self) -> str:
        return f"{self.notebook} {self.cell}: {self.sentence}\n    {self.proof or 'NOTHING PROVES IT'}"


def numbers(text: str) -> set[str]:
    """The numbers and versions of a text that are more than the name of something."""
    plain = COMMIT.sub(" ", NAMED.sub(" ", text.replace("z3fold", "")))
    return {number.replace(",", "") for number in NUMBER.findall(plain)}


def is_claim(sentence: str) -> bool:
    said = words_of(sentence)
    return not said.rstrip(" *_").endswith("?") and bool(STRONG.search(said) or numbers(said))


def proof(sentence: str, asserting: str) -> str:
    """What proves a sentence: a mark, a recording, or the asserting cells after it; nothing if nothing does."""
    if mark := SHOWN.search(sentence):
        return mark[0]
    if cited := next((run for run in shipped_runs() if f"`{run}`" in sentence), ""):
        return f"recording {cited}"
    if "data/consoles/" in sentence or "data/recordings/" in sentence:
        return "what a kernel printed, or a recording's card"
    there = {number for text in re.findall(r"[\d_.]+", asserting) for number in (text.replace("_", "").strip("."),)}
    return "asserted below" if asserting and numbers(words_of(sentence)) <= there else ""


def claims(path: Path, notebook: Any) -> Iterator[Claim]:
    """What a notebook claims before its exercises."""
    for place, cell in before_the_exercises(notebook):
        if cell.cell_type == "markdown":
            asserting = "\n".join(asserted(notebook.cells[place + 1 :]))
            for sentence in filter(is_claim, sentences(cell.source)):
                yield Claim(path.stem, cell.id, sentence, proof(sentence, asserting))


def asserted(cells: list[Any]) -> Iterator[str]:
    """The code with an assertion in it, up to the next heading."""
    for cell in cells:
        if is_heading(cell):
            return
        if cell.cell_type == "code" and "assert " in cell.source:
            yield cell.source


if __name__ == "__main__":
    for path in [Path(name) for name in sys.argv[1:]] or PATHS:
        print(*claims(path, nbformat.read(path, as_version=4)), sep="\n")
