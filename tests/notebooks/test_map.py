"""The pages beside the notebooks: the map has each with its minutes, errata have dates, the glossary can be printed."""

from __future__ import annotations

import re
from typing import Any

import nbformat
import pytest

from notebooks import publish
from tests.notebooks.prose import FOLDER, LINK, PATHS

MAP, ERRATA, GLOSSARY = (FOLDER / f"{name}.md" for name in ("map", "errata", "glossary"))
COURSE = [path for path in PATHS if not path.name.startswith("9")]


def rows(text: str) -> list[list[str]]:
    """The cells of a page's first table."""
    table = re.search(r"^\|.*?(?=\n\n|\Z)", text, re.DOTALL | re.MULTILINE)
    assert table
    return [[cell.strip() for cell in line.strip("| \n").split("|")] for line in table[0].splitlines()[2:]]


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_a_notebook_is_on_the_map_with_its_minutes_and_what_it_needs(path: Any) -> None:
    first = nbformat.read(path, as_version=4).cells[0].source
    (row,) = [row for row in rows(MAP.read_text()) if f"({path.name})" in row[0]]
    needed = {target[:2] for _, target in LINK.findall(first.partition("*Estimated")[2]) if target.endswith(".ipynb")}
    minutes = re.search(r"Estimated: (\d+) minutes", first)
    assert minutes and row[2] == minutes[1]
    assert set(row[3].split(", ")) - {""} == needed if len(row) > 3 else not needed
    assert row[0].startswith(f"[{path.name[:2]} ") and row[1].endswith("?")


def test_the_map_has_a_way_for_each_length_of_time_and_says_what_to_skip() -> None:
    parts = re.split(r"^## ", MAP.read_text(), flags=re.MULTILINE)[1:]
    assert [part.splitlines()[0] for part in parts] == ["Twenty minutes", "Ninety minutes", "Two weeks"]
    assert all(re.search(r"late", part) and re.search(r"Keep|Do not", part) for part in parts)
    read = set(re.findall(r"\b\d\d\b", parts[2].partition("A teacher")[0]))
    assert {path.name[:2] for path in COURSE} <= read


@pytest.mark.parametrize("page", [MAP, ERRATA, GLOSSARY], ids=lambda page: page.stem)
def test_what_a_page_links_to_is_there(page: Any) -> None:
    for _, target in LINK.findall(page.read_text()):
        if not target.startswith(("http", "#")):
            assert (page.parent / target.partition("#")[0]).exists(), target


def test_every_erratum_has_its_date_its_place_and_what_is_right() -> None:
    for date, where, said, right in rows(ERRATA.read_text()):
        assert re.fullmatch(r"\d{1,2} [A-Z][a-z]+ 20\d\d", date) and said.endswith(".") and right
        assert any(path.name.startswith(where) for path in PATHS)


def test_the_glossary_to_be_printed_is_the_glossary() -> None:
    page = GLOSSARY.with_suffix(".html").read_text()
    assert plain(page) == plain(publish.printed(GLOSSARY.read_text()))
    names = re.findall(r"^### (.+)$", GLOSSARY.read_text(), re.MULTILINE)
    assert [plain(name) for name in re.findall(r"<h2.*?</h2>", page)] == sorted(names, key=str.lower)


def plain(page: str) -> str:
    """What is read of a page, whatever its tags."""
    return " ".join(re.sub("<[^>]*>", "", page).split())
