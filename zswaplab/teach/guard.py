"""Student code runs here: an endless loop ends, a print goes nowhere, an exception names the student's own line.

Nothing but Python's own tracing is used, so that it works in a notebook's main thread on every system. It stops what
loops by mistake; it is no wall against somebody who wants to get out.
"""

from __future__ import annotations

import ast
import contextlib
import dis
import functools
import inspect
import io
import itertools
import linecache
import sys
import textwrap
from collections.abc import Callable, Generator, Iterable, Iterator
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from ..model.errors import BadInput, Broken, Fault

STEPS = 4_000_000  # lines of student code and calls, of which a right answer needs less than a tenth
STEPS_OF_CALLS, STEPS_OF_A_CALL = 3_000_000, 30  # of a fenced function; what each call costs besides
KEPT = 200  # characters of what is printed
_counter = itertools.count(1)
_OURS = str(Path(__file__).resolve().parents[1])


class Endless(BaseException):
    """Student code has taken more steps than any right answer needs. No `except Exception` stops it."""


class StudentError(Exception):
    """Student code has raised something: the message says what, and in which of its own lines."""


class Printed(io.TextIOBase):
    """Takes what is printed, and keeps its beginning and how many lines there were."""

    def __init__(self) -> None:
        self.text, self.lines = "", 0

    def write(self, text: str) -> int:
        self.lines += text.count("\n")
        self.text += text[: KEPT - len(self.text)]
        return len(text)

    @property
    def said(self) -> str:
        """What is told of it, or nothing."""
        if not self.text:
            return ""
        first = self.text.splitlines()[0]
        return (
            f"(Your code prints: {first!r}{' and more' if self.lines > 1 else ''}. That is kept off the page: it runs "
            "many times over here. It does not count against you.)"
        )


@contextlib.contextmanager
def student_code(functions: Iterable[Callable[..., Any]], steps: int | None = STEPS) -> Iterator[None]:
    """Run what is inside with student functions in it: at most so many steps, and with errors that name their lines.

    The steps are counted for functions that give steps, and not where they are None: then the functions are `fenced`.
    Raises Endless when the steps are used up, StudentError for an exception. What the model says by itself (a Fault, a
    rule that is broken, bad input) passes through.
    """
    own = [inspect.unwrap(function) for function in functions]
    codes = {code for function in own for code in codes_of(function.__code__)}
    counts = steps is not None and any(map(inspect.isgeneratorfunction, own))
    try:
        with Limit(steps or 0) if counts else contextlib.nullcontext():
            yield
    except (Fault, Broken, BadInput, StudentError):
        raise
    except RecursionError:
        raise Endless("it calls itself without end") from None
    except SystemExit:
        raise StudentError("it ends Python itself; leave exit() out") from None
    except Exception as problem:
        raise StudentError(told(problem, codes)) from problem


def codes_of(code: CodeType) -> Iterator[CodeType]:
    """A function's code and that of the functions inside it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from codes_of(constant)


def told(problem: Exception, codes: set[CodeType]) -> str:
    """An exception in words, with the last line of student code on the way to it."""
    what = f"{type(problem).__name__}: {problem}" if str(problem) else f"it raises {type(problem).__name__}"
    traceback, place = problem.__traceback__, None
    while traceback is not None:
        if traceback.tb_frame.f_code in codes:
            place = traceback.tb_frame.f_code, traceback.tb_lineno
        traceback = traceback.tb_next
    if place is None:
        return f"what your function gives cannot be used: {what}"
    code, number = place
    line = number - code.co_firstlineno + 1
    return f"line {line} of {code.co_name}, `{line_of(code, line)}`: {what}"


def line_of(code: CodeType, line: int) -> str:
    """The text of a line of a function, counted from its first."""
    with contextlib.suppress(OSError, IndexError):
        return inspect.getsourcelines(code)[0][line - 1].strip()
    return "..."


class Limit:
    """In a `with`: at most so many lines of code that is not ours, and calls of any, all times together.

    Then Endless is raised where it stands. Nested limits do not see each other's steps.
    """

    def __init__(self, steps: int) -> None:
        self.left = steps

    def __enter__(self) -> None:
        self.before = sys.gettrace()
        sys.settrace(self.count)

    def __exit__(self, *problem: object) -> None:
        sys.settrace(self.before)

    def count(self, frame: FrameType, event: str, argument: Any) -> Any:
        self.left -= 1
        if self.left < 0:
            raise Endless("it goes on and on")
        if frame.f_code.co_filename.startswith(_OURS):
            return None
        if turns_on_the_spot(frame.f_code):
            frame.f_trace_opcodes = True
        return self.count


@functools.lru_cache(maxsize=1000)
def turns_on_the_spot(code: CodeType) -> bool:
    """Whether it has a loop of a single instruction, `while True: pass`: that never comes to another line."""
    return any(step.argval == step.offset for step in dis.get_instructions(code) if step.opname.startswith("JUMP"))


@contextlib.contextmanager
def uncounted() -> Iterator[None]:
    """In a `with`: what is ours, called by student code, and counts for no limit."""
    before = sys.gettrace()
    sys.settrace(None)
    try:
        yield
    finally:
        sys.settrace(before)


def fenced(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function with a limit for all its calls together: what is around it runs at full speed.

    A call costs something even if it does nothing, so that the model cannot call it for ever. For a search and a
    recorded history, which look at the frames of a function that gives steps, it is not made.
    """
    limit = Limit(STEPS_OF_CALLS)
    if inspect.isgeneratorfunction(function):

        @functools.wraps(function)
        def steps(*arguments: Any) -> Generator[Any, None, Any]:
            operation = function(*arguments)
            while True:
                limit.left -= STEPS_OF_A_CALL
                try:
                    with limit:
                        step = next(operation)
                except StopIteration as end:
                    return end.value
                yield step

        return steps

    @functools.wraps(function)
    def call(*arguments: Any) -> Any:
        limit.left -= STEPS_OF_A_CALL
        with limit:
            return function(*arguments)

    return call


# -- before it runs ------------------------------------------------------------------------------------------


def tree_of(function: Callable[..., Any]) -> ast.AST | None:
    """A function's source, parsed; None where it cannot be read."""
    try:
        return ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        return None


def has_gap(function: Callable[..., Any]) -> bool:
    """Whether a line of a function is still `...`, or there is none but `pass` and texts."""
    tree = tree_of(function)
    found = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)] if tree else []
    lines = [node for node in (ast.walk(found[0]) if found else ()) if isinstance(node, ast.stmt)][1:]
    texts = [ast.unparse(node) for node in lines if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)]
    passes = sum(isinstance(node, ast.Pass) for node in lines)
    return bool(found) and ("..." in texts or len(texts) + passes == len(lines))


def readable(source: str, name: str = "answer") -> CodeType:
    """Code from a source that can be read again, as that of a notebook's cell can: errors and checks name its lines."""
    file = f"<{name} {next(_counter)}>"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    return compile(source, file, "exec")


def need_function(name: str, given: object, like: Callable[..., Any]) -> Callable[..., Any]:
    """Raise BadInput unless it is a function that takes what `like` takes, and lets the guard through."""
    if not inspect.isfunction(given):
        raise BadInput(f"{name} is {given!r}: give the function itself, by its name and without brackets")
    wanted, own = (list(inspect.signature(function).parameters.values()) for function in (like, given))
    plain = all(one.kind is one.POSITIONAL_OR_KEYWORD for one in own)
    if not plain or len(own) != len(wanted):
        takes = ", ".join(one.name for one in wanted)
        has = ", ".join(map(str, own)) or "nothing"
        raise BadInput(f"{name} takes ({takes}), and yours takes ({has}): write `def {name}({takes}):`")
    tree = tree_of(given)
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, ast.ExceptHandler) and (
            node.type is None or "BaseException" in ast.unparse(node.type)
        ):  # fmt: skip
            raise BadInput(f"{name}: an `except` that catches everything hides what goes wrong; name the exception")
    return given
