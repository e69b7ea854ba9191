"""`source` and `diff`: the model's own source as of a stage, every test of the stage decided.

This file stands above the model: it reads the text of the others, and none of them knows it.
"""

from __future__ import annotations

import ast
import difflib
import inspect
import textwrap
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from .errors import BadInput
from .faults import Faults
from .stages import Stage, make_stage
from .swap import Swap
from .zpool import ZPOOLS
from .zswap import Zswap

OWNERS: tuple[type, ...] = (Zswap, Swap, Faults, *ZPOOLS.values())  # of functions; the first that has a name is meant


def source(function: str, stage: str = "v6.5", exclusive_loads: str = "off", load_end: str | None = None) -> str:
    """The Python source of a kernel function of the model, as one stage of the kernel has it.

    `function` is the model's name: of zswap ("store", "load", "reclaim_entry"), of the swap layer ("frontswap_load"),
    of page faults and page-out ("swap_in"), or of a backend ("malloc"). `stage`, `exclusive_loads` and `load_end` are
    as for Machine. Lines that belong to other stages are left out. Raises BadInput for an unknown function or stage,
    and where the file was edited after it was loaded.

    >>> print(source("on_lru", stage="1"))
    def on_lru(self, entry):
        \"\"\"Whether zswap itself lists the entry: not if it is same-filled, nor if its backend evicts.\"\"\"
        return entry.length > 0 and not entry.pool.evictable
    """
    rows = resolved(kernel_function(function), make_stage(stage, exclusive_loads, load_end))
    return "\n".join(text for _, text in rows)


def diff(function: str, before: str, after: str, exclusive_loads: str = "off") -> str:
    """What a patch changes in a kernel function of the model: a unified diff of its source at two stages.

    Empty where both have the same. `exclusive_loads` is as for Machine, "on" being each stage's own form. Raises
    BadInput as `source` does.

    >>> print(diff("on_lru", "4", "5"))
    --- on_lru at 4
    +++ on_lru at 5
    @@ -1,3 +1,3 @@
     def on_lru(self, entry):
         \"\"\"Whether zswap itself lists the entry: not if it is same-filled, nor if its backend evicts.\"\"\"
    -    return entry.length > 0 and not entry.pool.evictable
    +    return entry.length > 0
    """
    old, new = (source(function, stage, exclusive_loads).splitlines() for stage in (before, after))
    return "\n".join(difflib.unified_diff(old, new, f"{function} at {before}", f"{function} at {after}", lineterm=""))


def kernel_function(name: str) -> Callable[..., Any]:
    """The model's function of that name: of zswap, the swap layer, page faults and page-out, or a backend."""
    if isinstance(name, str) and not name.startswith("_"):
        for owner in OWNERS:
            if hasattr(owner, name):
                function: Callable[..., Any] = inspect.unwrap(getattr(owner, name))
                return function
    known = {
        name for owner in OWNERS for name, function in inspect.getmembers(owner, inspect.isfunction)
        if inspect.unwrap(function).__annotations__.get("return") == "Kernel"
    }  # fmt: skip
    raise BadInput(f"function={name!r} is not one of the model's; choose one of {', '.join(sorted(known))}")


def resolved(function: Callable[..., Any], stage: Stage) -> list[tuple[int, str]]:
    """(line number in its file, text) of the lines that remain of `function` once `stage` is known.

    What serves the model's machinery (annotations, the observer, fetching the stage) is left out.
    """
    definition, rows, first = definition_of(function)
    shift = dict.fromkeys(range(definition.body[0].lineno, len(rows) + 1), 0)
    for node in ast.walk(definition):
        if isinstance(node, ast.If):
            decide(node, stage, rows, shift)
    for argument in definition.args.args:
        argument.annotation = None
    result = [(first + definition.lineno - 1, f"def {definition.name}({ast.unparse(definition.args)}):")]
    for number, left in shift.items():
        row = rows[number - 1].split("  # type: ignore")[0]
        if row.strip() != "stage = self.stage":
            result.append((first + number - 1, row[left:] if row.strip() else ""))
    return result


def definition_of(function: Callable[..., Any]) -> tuple[ast.FunctionDef, list[str], int]:
    """A function parsed, its lines, and the number of the first in its file.

    Raises BadInput where the file has something else there by now: a reader has edited it after it was loaded.
    """
    code = function.__code__
    with suppress(OSError, SyntaxError):
        lines, first = inspect.getsourcelines(function)
        text = textwrap.dedent("".join(lines))
        definition = ast.parse(text).body[0]
        if isinstance(definition, ast.FunctionDef) and (first, definition.name) == (code.co_firstlineno, code.co_name):
            return definition, text.splitlines(), first
    raise BadInput(
        f"{code.co_name}: its source cannot be shown, because its file was edited after it was loaded (%autoreload "
        "does not keep up with where the lines are): restart the kernel"
    )


def decide(node: ast.If, stage: Stage, rows: list[str], shift: dict[int, int]) -> None:
    """If the test is about the stage (or the observer, never there), keep only the branch that is taken."""
    test = ast.unparse(node.test)
    about_stage = test.removeprefix("not ").startswith("stage.")
    if node.lineno not in shift or not (about_stage or test == "self.hook.observer"):
        return
    taken = about_stage and bool(eval(test, {"stage": stage}))
    body_end = node.body[-1].end_lineno or 0
    end = node.end_lineno or 0
    branches = [(range(node.lineno + 1, body_end + 1), taken)]
    if node.orelse:
        before_else = next(n for n in range(body_end + 1, end) if rows[n - 1].strip() == "else:")
        branches.append((range(before_else + 1, end + 1), not taken))
        shift.pop(before_else, None)
    shift.pop(node.lineno)
    for branch, kept in branches:
        for number in branch:
            if not kept:
                shift.pop(number, None)
            elif number in shift:
                shift[number] += 4
