"""The zswaplab command: what the shell can ask of recordings.

Exit status: 0 if nothing disagrees, 1 if something does, 2 for bad input.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

from . import __version__
from .model.errors import BadInput, require

if TYPE_CHECKING:
    from .trace.conform import Verdict


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    options = parser().parse_args(arguments)
    try:
        status: int = options.run(options)
        sys.stdout.flush()
        return status
    except BadInput as problem:
        print(f"zswaplab: {problem}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # whoever read our output has seen enough; nothing is left to flush at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print("\nzswaplab: interrupted", file=sys.stderr)
        return 130


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="zswaplab", description="A laboratory for zswap, Linux's compressed swap cache.")
    top.add_argument("--version", action="version", version=f"zswaplab {__version__}")
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    one = commands.add_parser("conform", help="hold the model against recordings of real kernels")
    one.add_argument("runs", nargs="+", metavar="RUN", help="a recording's folder, or the name of one that is shipped")
    one.add_argument("--stage", help="the stage to hold it against, instead of its own kernel's")
    one.add_argument("--jobs", type=int, default=1, metavar="N", help="work on N recordings side by side (default 1)")
    one.add_argument("--json", action="store_true", help="print a list of verdicts for programs")
    one.set_defaults(run=conform)
    commands.add_parser("runs", help="list the recordings that are shipped").set_defaults(run=runs)
    return top


def conform(options: argparse.Namespace) -> int:
    from .trace.conform import conform_all

    require("jobs", options.jobs, 1, 1024, "processes")
    verdicts = []
    with side_by_side(options.jobs) as executor:
        for verdict in conform_all(options.runs, options.stage, executor, progress(len(options.runs))):
            verdicts.append(verdict)
            if not options.json:
                print(verdict.text(), flush=True)
    if options.json:
        print(json.dumps([verdict.as_json() for verdict in verdicts], indent=1))
    elif len(verdicts) > 1:
        print(summary(verdicts))
    return 0 if all(verdict.agrees for verdict in verdicts) else 1


@contextmanager
def side_by_side(jobs: int) -> Iterator[Executor | None]:
    """An executor of that many processes; none for a single job, which needs no other process."""
    if jobs == 1:
        yield None
        return
    with ProcessPoolExecutor(jobs) as executor:
        yield executor


def progress(runs: int) -> Callable[[int, int], None] | None:
    """Shows on a terminal, and only there, how far the recordings have got."""
    if not sys.stderr.isatty():
        return None

    def show(done: int, of: int) -> None:
        bar = "█" * (done * 30 // of)
        sys.stderr.write(f"\r{bar:░<30} {done * 100 // of:3} % of {runs} recordings" if done < of else "\r\033[K")
        sys.stderr.flush()

    return show


def summary(verdicts: list[Verdict]) -> str:
    """One line a run: operations, classes, seconds; and one for all together."""
    from .trace.conform import CLASSES

    def line(name: str, some: list[Verdict]) -> str:
        counts = [sum(verdict.total(kind) for verdict in some) for kind in CLASSES]
        classes = "".join(f"{f'{count:,}' if count else '·':>16}" for count in counts)
        return f"{name:28}{sum(counts):>11,}{classes}{sum(verdict.seconds for verdict in some):>9.1f}"

    head = f"{'run':28}{'operations':>11}" + "".join(f"{kind:>16}" for kind in CLASSES) + f"{'seconds':>9}"
    return "\n".join([head, *(line(verdict.run, [verdict]) for verdict in verdicts), line("all", verdicts)])


def runs(options: argparse.Namespace) -> int:
    from .trace.tables import runs as shipped

    print(shipped().to_string(index=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
