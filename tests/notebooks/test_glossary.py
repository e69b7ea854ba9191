"""One glossary: each term is defined once, and linked where a reader of the notebooks meets it first."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

import nbformat
import pytest

from tests.notebooks.prose import FOLDER, LINK, MARK, PATHS

FILE = FOLDER / "glossary.md"
WRONG = "**What people get wrong:**"


@dataclass(frozen=True)
class Term:
    """A term, other forms of it, the notebook in which it is first used, and all that is said of it."""

    name: str
    forms: tuple[str, ...]
    notebook: str
    text: str

    @property
    def address(self) -> str:
        return f"glossary.md#{self.name.lower().replace(' ', '-')}"

    @property
    def pattern(self) -> re.Pattern[str]:
        forms = "|".join(re.escape(form) + ("e?s?" if form == self.name else "") for form in (self.name, *self.forms))
        return re.compile(rf"(?<![\w-])(?:{forms})(?![\w-])", re.IGNORECASE)


@cache
def terms() -> list[Term]:
    """All of the glossary: under the heading of a notebook the terms that it defines."""
    found = []
    for part in re.split(r"^## ", FILE.read_text(), flags=re.MULTILINE)[1:]:
        number = part.split()[0]
        for text in re.split(r"^### ", part, flags=re.MULTILINE)[1:]:
            name, _, rest = text.partition("\n")
            forms = re.match(r"\s*Also: (.*)\.\n", rest)
            found.append(Term(name.strip(), tuple(forms[1].split(", ")) if forms else (), number, rest))
    return found


every_term = pytest.mark.parametrize("term", terms(), ids=lambda term: term.name)


def number_of(stem: str) -> str:
    return stem.partition("-")[0]


def prose() -> list[tuple[str, str, str]]:
    """(number of the notebook, cell, its text without headings, code and marks) in the order of the course."""
    found = []
    for path in PATHS:
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type == "markdown":
                text = re.sub(r"```.*?```|`[^`]*`", " ", MARK.sub("", cell.source), flags=re.DOTALL)
                found.append((number_of(path.stem), cell.id, re.sub(r"^#.*$", "", text, flags=re.MULTILINE)))
    return found


def test_no_term_is_defined_twice() -> None:
    names = [form.lower() for term in terms() for form in (term.name, *term.forms)]
    assert sorted(set(names)) == sorted(names)


@every_term
def test_a_term_is_defined_and_says_what_people_get_wrong(term: Term) -> None:
    definition, _, wrong = re.sub(r"\A\s*Also: .*\n", "", term.text).partition(WRONG)
    assert len(definition.split()) >= 6 and len(wrong.split()) >= 5


@every_term
def test_a_term_is_linked_where_it_is_first_used(term: Term) -> None:
    if term.notebook not in map(number_of, (path.stem for path in PATHS)):
        pytest.skip("its notebook is not written yet")
    for number, cell, text in prose():
        text = without_longer(term, text)
        if first := term.pattern.search(linked(text)):
            links = [link for link in LINK.finditer(text) if link[2] == term.address]
            assert number == term.notebook, f"{term.name!r} is used in {number}, cell {cell}, before it is defined"
            assert links, f"{term.name!r} is first used in {number}, cell {cell}, without a link to its definition"
            shown = linked(text[: links[0].start()])
            assert not term.pattern.search(shown), f"{first[0]!r} comes before its link in {number}, cell {cell}"
            return
    pytest.fail(f"{term.name!r} is in the glossary, and no notebook uses it")


def without_longer(term: Term, text: str) -> str:
    """A text without the terms that have this one in their name: "exclusive loads" is not about a load."""
    longer = [other for other in terms() if other is not term and term.pattern.search(other.name)]
    return re.sub("|".join(other.pattern.pattern for other in longer), "", text, flags=re.I) if longer else text


def linked(text: str) -> str:
    """A text with what can be read of its links."""
    return LINK.sub(r"\1", text)


def test_every_link_leads_to_a_term() -> None:
    addresses = {term.address for term in terms()}
    there = {link[2] for _, _, text in prose() for link in LINK.finditer(text) if link[2].startswith("glossary")}
    assert there and there <= addresses


def test_the_first_notebook_brings_ten_terms_at_most() -> None:
    assert 0 < sum(term.notebook == "00" for term in terms()) <= 10
