"""What the notebooks claim is proven: by an asserting cell, by a recording, or by a mark. See claims.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest

from tests.notebooks.claims import claims, is_claim, proof
from tests.notebooks.prose import PATHS

every_notebook = pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)


@every_notebook
def test_nothing_is_claimed_without_a_proof(path: Path) -> None:
    found = list(claims(path, nbformat.read(path, as_version=4)))
    assert found
    assert [str(claim) for claim in found if not claim.proof] == []


@pytest.mark.parametrize(
    ("sentence", "claimed"),
    [
        ("Of 4,096 bytes 486 are left.", True), ("Linux 6.5 has it.", True), ("It **never** leaves.", True),
        ("Page 3 leaves before pages 4 and 5.", False), ("Patch 1 came first, f999f38b4e6f.", False),
        ("Does it ever have 7 pages?", False), ("Look at `m.limit == 6` and go on.", False),
        ("[Full](https://example.org/6.5) comes next.", False), ("**Stop 1.** Look around.", False),
    ],
)  # fmt: skip
def test_a_claim_is_known_by_its_words(sentence: str, claimed: bool) -> None:
    assert is_claim(sentence) == claimed


@pytest.mark.parametrize(
    ("sentence", "asserting", "proven"),
    [
        ("It refuses 17,914 stores.", "assert refused == 17914", True),
        ("It refuses 7.", "assert refused == 17914", False),
        ("It always leaves.", "assert left", True), ("It always leaves.", "", False),
        ("It refuses 7, see `61-zsmalloc-lzo`.", "", True), ("It refuses 7, see `61-zsmalloc-none`.", "", False),
        ("Full is *more than* 6. <!-- § 2.1 -->", "", True), ("Full is 6. <!-- trust me -->", "", False),
        ("Full is 6. <!-- f999f38b4e6f:mm/zswap.c:600-640#zswap_reclaim_entry -->", "", True),
    ],
)  # fmt: skip
def test_a_proof_is_one_of_three(sentence: str, asserting: str, proven: bool) -> None:
    assert bool(proof(sentence, asserting)) == proven


def notebook(*cells: tuple[str, str]) -> Any:
    new = {"code": nbformat.v4.new_code_cell, "markdown": nbformat.v4.new_markdown_cell}
    return nbformat.v4.new_notebook(cells=[new[kind](source) for kind, source in cells])


def test_a_proof_stands_before_the_next_heading() -> None:
    said, proven = ("markdown", "There are 7 of them."), ("code", "assert number == 7")
    near = notebook(("markdown", "# One"), said, ("markdown", "More."), proven)
    far = notebook(("markdown", "# One"), said, ("markdown", "## Two"), proven)
    assert [bool(claim.proof) for claim in claims(Path("1"), near)] == [True]
    assert [bool(claim.proof) for claim in claims(Path("1"), far)] == [False]


def test_exercises_and_tables_claim_nothing() -> None:
    book = notebook(("markdown", "| a | 7 |"), ("markdown", "## Exercises\n\n1. Find 7 of them."))
    assert list(claims(Path("1"), book)) == []
