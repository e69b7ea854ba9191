"""A student's answers, run and judged in a process of their own: `python -m zswaplab.teach.apart`.

It reads what is to be judged from its standard input, as JSON, and writes a line of JSON for each answer. `grade.py`
starts it, watches the clock, and starts another for what is left when this one is lost.
"""

from __future__ import annotations

import ast
import json
import linecache
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from math import ceil
from time import process_time
from typing import Any, TextIO

from .students import seed_of
from .task import Task, tasks
from .variant import Verdict

OUTPUT_MEGABYTES = 10  # what a student's code may write into a file
PLACE = "<answer {}>"  # where a student's code stands, for Python
ALONE = "Grading runs this cell alone: what it needs has to stand in it."


def main() -> None:
    """Judge what standard input asks for."""
    asked = json.load(sys.stdin)
    known = tasks()
    told = kept_apart(asked["megabytes"])
    print("{}", file=told, flush=True)  # the clock starts here
    for id, (source, version) in asked["answers"].items():
        begun = process_time()
        limit_cpu(begun + asked["seconds"])
        verdict = judged(known[id], source, seed_of(asked["student"], id, asked["salt"]), version)
        found = {
            "exercise": id, "state": verdict.state, "points": verdict.points, "criteria": verdict.criteria,
            "message": verdict.message, "belief": verdict.belief, "variant": verdict.variant,
            "seconds": process_time() - begun,
        }  # fmt: skip
        print(json.dumps(found), file=told, flush=True)


def kept_apart(megabytes: int) -> TextIO:
    """Take away what a student's code could do harm with by accident; returns where verdicts are written."""
    told = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):  # what it prints goes nowhere, and it can ask for nothing
        os.dup2(nothing, stream)
    if sys.platform == "linux":
        import resource

        for what, most in ((resource.RLIMIT_AS, megabytes), (resource.RLIMIT_FSIZE, OUTPUT_MEGABYTES)):
            resource.setrlimit(what, (most * 2**20, most * 2**20))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    return told


def limit_cpu(seconds: float) -> None:
    """End this process once it has taken so much of a CPU in all, where a system can do that (Windows cannot)."""
    with suppress(ImportError):
        import resource

        resource.setrlimit(resource.RLIMIT_CPU, (ceil(seconds), resource.RLIM_INFINITY))


def judged(task: Task, source: str, seed: int, version: int | None = None) -> Verdict:
    """What an answer cell with that source comes to. Nothing that goes wrong in it, or in us, gets past here."""
    answer: object = None
    try:
        answer = answer_of(source, PLACE.format(task.id))
    except BaseException as problem:  # a student's code may raise anything, SystemExit too
        return lost(task, seed, "malformed", said(problem, source))
    try:
        return task.judge(answer, seed, version)
    except SystemExit:
        return lost(task, seed, "wrong", "Your code ends Python: take out whatever calls exit.")
    except BaseException as problem:
        return lost(task, seed, "our fault", f"Judging broke: {type(problem).__name__}: {problem}. Please report it.")


def lost(task: Task, seed: int, state: str, message: str) -> Verdict:
    """The verdict on what could not be judged: no points, in each criterion."""
    return Verdict(state, message, variant=f"{task.id}:{seed}")


def answer_of(source: str, name: str) -> object:
    """What a cell with that source calls `answer`, with the names of zswaplab at hand. Python knows it by `name`.

    >>> answer_of("def twice(n): return 2 * n\\nanswer = twice(4)", "<answer 06.2>")
    8
    """
    lines = source.splitlines(keepends=True)
    linecache.cache[name] = len(source), None, lines, name  # here the source of its functions is looked for
    code = compile(source, name, "exec")
    names: dict[str, Any] = {"__name__": "__main__", **at_hand(source)}
    exec(code, names)
    return names["answer"]


def at_hand(source: str) -> Mapping[str, Any]:
    """Those of zswaplab's names that a source uses and that show nothing: grading has no screen."""
    used = {node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)}
    public = sys.modules["zswaplab"]
    silent = {name for name, home in public._HOMES.items() if ".show." not in home}
    return {name: getattr(public, name) for name in used & silent}


def said(problem: BaseException, source: str) -> str:
    """What stopped an answer cell, with the line of the student's own code."""
    if isinstance(problem, KeyError) and problem.args == ("answer",):
        return "The cell no longer says what `answer` is."
    if isinstance(problem, SyntaxError):
        return f"This is not Python, line {problem.lineno}: {problem.msg}."
    if isinstance(problem, MemoryError):
        return "Your code takes more memory than it may have."
    line, trace = 0, problem.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename.startswith(PLACE[:8]):
            line = trace.tb_lineno
        trace = trace.tb_next
    lines = source.splitlines()
    place = f" at line {line}, `{lines[line - 1].strip()}`" if 0 < line <= len(lines) else ""
    alone = f" {ALONE}" if isinstance(problem, NameError) else ""
    return f"Your cell stops{place} with {type(problem).__name__}: {problem}.{alone}"


if __name__ == "__main__":
    main()
