"""Functions that take the place of the model's: checked by the rules without which a search would lie."""

from __future__ import annotations

import ast
import inspect
import itertools
import linecache
import textwrap
from collections.abc import Callable, Iterator, Mapping
from functools import cache, lru_cache
from typing import Any

from ..model.errors import BadInput, choose
from ..model.machine import Machine
from ..model.source import kernel_function, resolved
from ..model.stages import make_stage
from ..model.steps import kernel
from ..model.swap import Swap
from ..model.zpool import ZPOOLS
from ..model.zswap import Zswap

_ITERATORS = {"iter", "enumerate", "zip", "map", "filter", "reversed", "next"}
Function = Callable[..., Any]
_counter = itertools.count()
OWNERS: dict[str, type] = {owner.__name__: owner for owner in (Zswap, Swap, Machine, *ZPOOLS.values())}


def take_place(machine: Machine, functions: Mapping[str, Function]) -> None:
    """Put functions in the place of a machine's own, of whichever part of it has one of that name.

    The parts are asked in the order Zswap, Swap, Machine, the backend; "Zbud.shrink" says whose is meant.
    Raises BadInput as `replaced` does, and where no part has such a function.
    """
    own: dict[str, dict[str, Function]] = {}
    parts = parts_of(machine)
    for name, function in functions.items():
        whose, plain = owner_of(name, parts)
        own.setdefault(whose, {})[plain] = function
    for whose, its in own.items():
        parts[whose].__class__ = replaced(type(parts[whose]), its)


def parts_of(machine: Machine) -> dict[str, Any]:
    """What a machine is made of that has functions, by the name of its class."""
    parts = (machine.zswap, machine.swap, machine, machine.zswap.pool.zpool)
    return {type(part).__name__: part for part in parts}


def owner_of(name: str, parts: Mapping[str, Any]) -> tuple[str, str]:
    """The part of a machine that has the function of that name, and the name without the part's."""
    whose, _, plain = name.rpartition(".")
    if whose:
        choose(f"functions={{{name!r}: ...}}: part of the machine", whose, parts)
    known: dict[str, list[str]] = {part: functions_of(type(parts[part])) for part in ([whose] if whose else parts)}
    for part, functions in known.items():
        if plain in functions:
            return part, plain
    every = ", ".join(sorted({function for functions in known.values() for function in functions}))
    raise BadInput(f"functions={{{name!r}: ...}}: the machine has no such function; it has {every}")


def functions_of(owner: type) -> list[str]:
    """The names of a class's functions, those that are private left out."""
    return sorted(name for name, _ in inspect.getmembers(owner, inspect.isfunction) if name[0] != "_")


def replaced(owner: type, functions: Mapping[str, Function]) -> type:
    """A class like `owner` in which those functions take the place of its own.

    Raises BadInput, in words for whoever wrote it, for a function that `owner` does not have, or one that breaks a
    rule: every call that gives steps stands under `yield from`; nothing but locals lives across a `yield`.
    """
    return class_with(owner, tuple(functions.items()))


@lru_cache(maxsize=256)
def class_with(owner: type, functions: tuple[tuple[str, Function], ...]) -> type:
    methods = {}
    for name, function in functions:
        original = getattr(owner, name, None)
        if original is None or not inspect.isfunction(original):
            own = ", ".join(functions_of(owner))
            raise BadInput(f"functions={{{name!r}: ...}}: {owner.__name__} has no such function; it has {own}")
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
    if not gives_steps and inspect.isgeneratorfunction(function):
        raise BadInput(f"{name}: it yields, and the function whose place it takes gives no steps: write it without")
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


def altered(name: str, stage: str | None, *changes: tuple[str, str], **names: Any) -> Function:
    """The model's function `name` as that stage has it, with each (text, other text) put in place once.

    Without a stage it keeps its tests of the stage, and fits any. "Zbud.shrink" says whose function is meant. `names`
    are what the other texts use besides what stands in the function's file.
    Raises BadInput where a text is not there exactly once.
    """
    original = model_function(name)
    if stage is None:
        text = textwrap.dedent(inspect.getsource(original))
        text = text[text.index("def ") :]  # what decorates it is put back where it takes its place
    else:
        text = "\n".join(line for _, line in resolved(original, make_stage(stage)))
    for old, new in changes:
        if text.count(old) != 1:
            at = "" if stage is None else f" at stage {stage}"
            raise BadInput(f"{name}{at} has {old!r} {text.count(old)} times, and must have it once")
        text = text.replace(old, new)
    file = f"<{name} at {stage or 'any stage'}, altered {next(_counter)}>"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    found: dict[str, Any] = {}
    exec(compile(text, file, "exec"), {**original.__globals__, **names}, found)
    function: Function = found[original.__name__]
    return function


def model_function(name: str) -> Function:
    """A function of the model by its name, or by its owner's and its own, like "Zbud.shrink"."""
    whose, _, plain = name.rpartition(".")
    if not whose:
        return kernel_function(name)
    choose("owner of a function", whose, OWNERS)
    choose(f"function of {whose}", plain, functions_of(OWNERS[whose]))
    function: Function = inspect.unwrap(getattr(OWNERS[whose], plain))
    return function
