"""Every example in a docstring runs, and comes out as it says."""

from __future__ import annotations

import ast
import doctest
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

import zswaplab

PACKAGE = Path(zswaplab.__file__).parent
HOMES = {f"{module}.{name}": name for name, module in zswaplab._HOMES.items()}
Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def _docstrings(node: ast.AST, name: str) -> Iterator[tuple[str, str]]:
    """The name and docstring of a module and of everything in it."""
    if isinstance(node, Documented) and (text := ast.get_docstring(node)):
        yield name, text
    for child in ast.iter_child_nodes(node):
        yield from _docstrings(child, f"{name}.{child.name}" if hasattr(child, "name") else name)


def _modules() -> Iterator[tuple[str, ast.Module]]:
    for file in sorted(PACKAGE.rglob("*.py")):
        parts = [part for part in file.relative_to(PACKAGE.parent).with_suffix("").parts if part != "__init__"]
        yield ".".join(parts), ast.parse(file.read_text(encoding="utf-8"))


EXAMPLES = [
    (module, name, text)
    for module, tree in _modules()
    for name, text in _docstrings(tree, module)
    if ">>>" in text
]


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # some save a file


@pytest.mark.parametrize(("module", "name", "text"), EXAMPLES, ids=[name for _, name, _ in EXAMPLES])
def test_an_example_runs(module: str, name: str, text: str) -> None:
    """A public name's runs as its reader has it, with the public names alone; another one in its module."""
    if any(f"{name}.".startswith(f"{home}.") for home in HOMES):
        names = {public: getattr(zswaplab, public) for public in zswaplab.__all__}
    else:
        names = dict(vars(importlib.import_module(module)))
    test = doctest.DocTestParser().get_doctest(text, names, name, None, None)
    said: list[str] = []
    ran = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=said.append)
    assert not ran.failed, "".join(said)


def test_an_example_that_comes_out_otherwise_is_seen() -> None:
    with pytest.raises(AssertionError, match=r"Expected:\s+3\s+Got:\s+2"):
        test_an_example_runs("zswaplab", "zswaplab", ">>> 1 + 1\n3\n")


@pytest.mark.parametrize("public", zswaplab.__all__)
def test_every_public_name_has_an_example(public: str) -> None:
    """In its own docstring; that of data, which has none, is its module's."""
    home = zswaplab._HOMES[public]
    places = {f"{home}.{public}"} if callable(getattr(zswaplab, public)) else {home}
    assert any(name in places and public in text for _, name, text in EXAMPLES)
