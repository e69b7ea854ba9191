"""Functions that take the place of the model's: checked by the rules without which a search would lie."""

from __future__ import annotations

import ast
import inspect
import itertools
import linecache
import textwrap
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

from ..model.errors import BadInput
from ..model.machine import Machine
from ..model.source import source
from ..model.steps import kernel
from ..model.swap import Swap
from ..model.zpool import ZPOOLS
from ..model.zswap import Zswap

_ITERATORS = {"iter", "enumerate", "zip", "map", "filter", "reversed", "next"}
Function = Callable[..., Any]
_counter = itertools.count()


def replaced(owner: type, functions: Mapping[str, Function]) -> type:
    """A class like `owner` in which those functions take the place of its own.

    Raises BadInput, in words for whoever wrote it, for a function that `owner` does not have, or one that breaks a
    rule: every call that gives steps stands under `yield from`; nothing but locals lives across a `yield`.
    """
    methods = {}
    for name, function in functions.items():
        original = getattr(owner, name, None)
        if original is None or not inspect.isfunction(original):
            own = sorted(name for name, _ in inspect.getmembers(owner, inspect.isfunction) if name[0] != "_")
            raise BadInput(f"functions={{{name!r}: ...}}: zswap has no such function; it has {', '.join(own)}")
        check(name, function, inspect.isgeneratorfunction(inspect.unwrap(original)))
        mark = getattr(original, "kernel", None)
        methods[name] = kernel(mark)(function) if mark else function
    return type(owner.__name__, (owner,), methods)


def check(name: str, function: Function, gives_steps: bool) -> None:
    """Raise BadInput if `function` cannot stand in for the kernel function `name`."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError) as problem:
        raise BadInput(f"{name}: its source cannot be read ({problem}); define it in a file or a cell") from None
    if gives_steps and not inspect.isgeneratorfunction(function):
        raise BadInput(f"{name}: it never yields; write `yield` at locks and `yield from` at calls that give steps")
    problems = [*undriven(tree, step_functions()), *hidden_state(tree)]
    if problems:
        raise BadInput(f"{name}: " + "; ".join(problems))


def nodes(tree: ast.AST) -> Iterator[tuple[ast.AST, list[ast.AST]]]:
    """Every node below `tree` with its ancestors, nearest first."""

    def visit(node: ast.AST, above: list[ast.AST]) -> Iterator[tuple[ast.AST, list[ast.AST]]]:
        for child in ast.iter_child_nodes(node):
            yield child, [node, *above]
            yield from visit(child, [node, *above])

    return visit(tree, [])


@cache
def step_functions() -> frozenset[str]:
    """The names of the model's functions that give steps."""
    return frozenset(
        name
        for owner in (Zswap, Swap, Machine, *ZPOOLS.values())
        for name, function in inspect.getmembers(owner, inspect.isfunction)
        if inspect.unwrap(function).__annotations__.get("return") == "Kernel"
    )


def undriven(tree: ast.AST, names: frozenset[str]) -> Iterator[str]:
    """Calls that give steps which go nowhere."""
    for node, above in nodes(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or node.func.attr not in names:
            continue
        if ast.unparse(node.func.value).endswith(".lru") or isinstance(above[0], (ast.YieldFrom, ast.Lambda)):
            continue
        text = ast.unparse(node)
        yield f"line {node.lineno}: `{text}` only makes the steps and takes none; write `yield from {text}`"


def hidden_state(tree: ast.AST) -> Iterator[str]:
    """Yields at which something is neither the model's data nor a local: a place in a `for`, half an expression."""
    for node, above in nodes(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _ITERATORS:
            yield f"line {node.lineno}: an iterator keeps a place that the search cannot see; use `while` and a local"
        if not isinstance(node, (ast.Yield, ast.YieldFrom)):
            continue
        if any(isinstance(other, (ast.For, ast.With, ast.ExceptHandler)) for other in above):
            yield f"line {node.lineno}: a `yield` inside `for`, `with` or `except` hides a place; use `while`, a local"
        elif not stands_alone(above[0]):
            yield f"line {node.lineno}: a `yield` in the middle of an expression; give it a line of its own"


def stands_alone(statement: ast.AST) -> bool:
    """`yield x`, `name = yield x`, `return (yield x)`: nothing else is half evaluated."""
    if isinstance(statement, ast.Assign):
        return all(isinstance(target, ast.Name) for target in statement.targets)
    return isinstance(statement, (ast.Expr, ast.Return))


def altered(name: str, stage: str, *changes: tuple[str, str]) -> Function:
    """The model's function `name` as that stage has it, with each (text, other text) put in place once.

    Raises BadInput where a text is not there exactly once.
    """
    text = source(name, stage)
    for old, new in changes:
        if text.count(old) != 1:
            raise BadInput(f"{name} at stage {stage} has {old!r} {text.count(old)} times, and must have it once")
        text = text.replace(old, new)
    file = f"<{name} at {stage}, altered {next(_counter)}>"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    found: dict[str, Any] = {}
    original = inspect.unwrap(getattr(Zswap, name))
    exec(compile(text, file, "exec"), original.__globals__, found)
    function: Function = found[name]
    return function
