"""The zswaplab command: what the shell can ask of recordings, and of every interleaving of a few operations.

Exit status: 0 if nothing disagrees or fails, 1 if something does, 2 for bad input or a search that is not complete.
Then as elsewhere: 70 if zswaplab itself breaks, 130 if it is interrupted, 141 if its output is no longer read.
"""

from __future__ import annotations

import argparse
import codecs
import io
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from traceback import format_exc
from typing import TYPE_CHECKING, Any

from . import __version__
from .model.errors import BadInput, require

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from .run.cases import Named
    from .run.search import Found
    from .trace.conform import Verdict

CLEAR_LINE = "\r\033[K"  # of a terminal
IN_ASCII = {"·": ".", "×": "x", "…": "...", "→": "->", "█": "#", "░": "."}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    open_streams()
    try:
        options = parser().parse_args(arguments)
        status: int = options.run(options)
        sys.stdout.flush()
        return status
    except BadInput as problem:
        return complain(str(problem), 2)
    except KeyboardInterrupt:
        return complain("interrupted", 130)
    except BrokenPipeError:  # whoever read our output has seen enough
        return 141
    except OSError as problem:  # a full disk, an installation that has lost its recordings
        return complain(str(problem), 2)
    except Exception:  # with Python's own 1 it would say that something disagrees
        return complain(format_exc(), 70)
    finally:
        close_streams()


def complain(problem: str, status: int) -> int:
    with suppress(OSError):  # nobody listens: the status says it
        print(f"{CLEAR_LINE if sys.stderr.isatty() else ''}zswaplab: {problem}", file=sys.stderr)
    return status


def open_streams() -> None:
    """Let every character be printed, in whatever encoding, and also where the shell has closed a stream (`>&-`)."""
    codecs.register_error("zswaplab", in_ascii)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name) or os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="zswaplab")
        setattr(sys, name, stream)


def in_ascii(error: Any) -> tuple[str, int]:
    """An error handler for encoding: ASCII in place of characters that the encoding does not have."""
    lost = error.object[error.start : error.end]
    return "".join(IN_ASCII.get(character) or ascii(character)[1:-1] for character in lost), error.end


def close_streams() -> None:
    """Drop what can no longer be written, or Python would fail on it once more at its end."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


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
    look = commands.add_parser(
        "doctor", help="say whether all that a class needs is there, and what to do where it is not",
        description="Exit status: 0 if all that a class needs is there, 1 if something is missing.",
    )  # fmt: skip
    look.set_defaults(run=doctor)
    add_explore(commands)
    add_class(commands)
    return top


def add_explore(commands: Any) -> None:
    search = commands.add_parser(
        "explore", help="search every interleaving of what several CPUs do",
        description="Exit status: 1 if a schedule fails, 0 if none does, 2 for bad input or a bound reached.",
    )  # fmt: skip
    search.add_argument("case", nargs="*", metavar="CASE", help="a named case (see --list); several give a table")
    search.add_argument("--list", action="store_true", help="list the named cases")
    search.add_argument("--all", action="store_true", help="search every named case")
    search.add_argument("--cpu", action="append", metavar="OPERATIONS", help="what one CPU does: 'free 3; page_out 4'")
    search.add_argument("--before", action="append", metavar="OPERATION", help="what has happened before, in order")
    search.add_argument("--stage", default="v6.5")
    search.add_argument("--exclusive", default="off", metavar="FORM", help="off, v1, v2 or fixed")
    search.add_argument("--load-end", metavar="ORDER", help="the order at a load's end")
    search.add_argument("--device", default="ordinary", help="ordinary or synchronous")
    search.add_argument("--zpool", default="zbud")
    search.add_argument("--swap-pages", type=int, default=64)
    search.add_argument(
        "--worker-failures", type=int, default=2, metavar="N", help="the worker gives up then (the kernel's: after 16)"
    )
    search.add_argument("--every", action="store_true", help="go on after the first failure")
    search.add_argument("--max-states", type=int, metavar="N", help="stop there")
    search.add_argument("--seconds", type=float, metavar="S", help="stop after so many seconds")
    search.set_defaults(run=explore)


CONTAINER = """Students' code runs in a process of its own, with limits of time and, on Linux, of memory. This deters;
it does not secure: that code can read what you can read. Where it matters, grade in a container, which has no
network and nothing but the class's folder:

  docker run --rm --network none --memory 4g --cpus 2 --pids-limit 512 --read-only --tmpfs /tmp \\
    --user "$(id -u)" --volume "$PWD/my-class:/class" zswaplab zswaplab class grade /class
"""


def add_class(commands: Any) -> None:
    """`class`, and what can be done with one."""
    those = commands.add_parser("class", help="exercises for a class: hand out, collect, grade, report")
    steps = those.add_subparsers(required=True, metavar="STEP")
    first = steps.add_parser("new", help="make a class's folder, and the notebook to hand out")
    first.add_argument("folder", type=Path, metavar="CLASS")
    first.add_argument("--roster", type=Path, required=True, metavar="FILE", help="CSV from Canvas or Moodle, or ids")
    first.add_argument("--exercises", nargs="+", required=True, metavar="ID", help="like 01.1 06.2")
    first.set_defaults(run=class_new)
    second = steps.add_parser("collect", help="copy what was handed in, from a folder or a zip")
    second.add_argument("folder", type=Path, metavar="CLASS")
    second.add_argument("source", type=Path, metavar="FOLDER|ZIP")
    second.set_defaults(run=class_collect)
    third = steps.add_parser(
        "grade", help="judge every answer, and write grades/*.csv", epilog=CONTAINER,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    third.add_argument("folder", type=Path, metavar="CLASS")
    third.add_argument("--jobs", type=int, default=1, metavar="N", help="work on N students at once (default 1)")
    third.add_argument("--seconds", type=float, default=30, metavar="S", help="of CPU for an exercise (default 30)")
    third.add_argument("--megabytes", type=int, default=1024, metavar="M", help="for a student (default 1024; Linux)")
    third.set_defaults(run=class_grade)
    last = steps.add_parser("report", help="what the grades say, for the teacher: grades/report.html")
    last.add_argument("folder", type=Path, metavar="CLASS")
    last.set_defaults(run=class_report)


def class_new(options: argparse.Namespace) -> int:
    from .teach import classroom

    made = classroom.new(options.folder, options.exercises, options.roster)
    print(f"{made.folder}: {len(made.students)} students, exercises {' '.join(made.exercises)}")
    print(f"The seed for votes: {made.seed}")
    print(f"To hand out: {made.folder / 'handout' / 'exercises.ipynb'}")
    print(f"Then: zswaplab class collect {made.folder} FOLDER|ZIP")
    return 0


def class_collect(options: argparse.Namespace) -> int:
    from .teach import classroom

    own = classroom.opened(options.folder)
    found = classroom.collect(own, options.source)
    missing = [student for student in own.students if not own.files(student)]
    print(f"{sum(found.files.values())} notebooks of {sum(map(bool, found.files.values()))} students.")
    if missing:
        print(f"Nothing yet from {len(missing)}: {' '.join(missing)}")
    for name in found.nobodys:
        print(f"Not collected: {name} has no student's id in its name, or several. Rename it, and collect again.")
    return 1 if found.nobodys else 0


def class_grade(options: argparse.Namespace) -> int:
    from .teach import classroom, gradebook
    from .teach.grade import Limits

    own = classroom.opened(options.folder)
    limits = Limits(options.seconds, options.megabytes)
    grades = classroom.grade_class(own, options.jobs, limits, progress(len(own.students), "students"))
    for file in gradebook.write(own, grades):
        print(file)
    print(f"Then: zswaplab class report {own.folder}")
    return 0


def class_report(options: argparse.Namespace) -> int:
    from .teach import classroom, report

    own = classroom.opened(options.folder)
    found = report.parts(report.read(own))
    print(report.as_text(found))
    print(f"\nThe same to read in a browser: {report.write(own, found)}")
    return 0


def explore(options: argparse.Namespace) -> int:
    from .run.cases import case_named, table

    if options.list:
        for named in table():
            print(f"{named.name:30}{named.case.machine['stage']:9}{named.what} ({named.known})")
        return 0
    if options.all or len(options.case) > 1:
        return explore_table([case_named(name, table()) for name in options.case] or table())
    return explore_one(options)


def explore_table(cases: Sequence[Named]) -> int:
    """One line a case, as it comes; what is not as known is marked."""
    print(f"{'case':30}{'stage':9}{'found':7}{'steps':>6}{'states':>9}{'seconds':>9}  known")
    found = False
    for named in cases:
        result = named.run()
        row = result.row()
        found = found or row["found"]
        also = f"; also {', '.join(row['also'])}" if row["also"] else ""
        otherwise = "" if result.as_known else "; NOT as known"
        print(f"{row['case']:30}{row['stage']:9}{'yes' if row['found'] else 'no':7}{row['steps'] or '':>6}"
              f"{row['states']:>9,}{row['seconds']:>9.2f}  {row['known']}{also}{otherwise}", flush=True)  # fmt: skip
    return 1 if found else 0


def explore_one(options: argparse.Namespace) -> int:
    from .run.cases import case_named, table
    from .run.search import MAX_STATES, Search
    from .run.search import explore as search

    most = MAX_STATES if options.max_states is None else options.max_states
    if options.case:
        if options.cpu:
            raise BadInput("--cpu makes a case of its own: leave the name of a case out, or --cpu")
        case = case_named(options.case[0], table()).case
        explored = Search(case, every=options.every, max_states=most, seconds=options.seconds).run()
    else:
        explored = search(
            cpus=options.cpu, before=options.before, every=options.every, max_states=most, seconds=options.seconds,
            stage=options.stage, exclusive_loads=options.exclusive, load_end=options.load_end, device=options.device,
            zpool=options.zpool, swap_pages=options.swap_pages, worker_failures=options.worker_failures,
        )  # fmt: skip
    print(explored)
    if explored.fails:
        print(f"\n{explored.report}")
        for other in explored.failures[1:]:
            print(f"\nalso, schedule {packed_of(other)}: {other.fault}")
        return 1
    return 2 if explored.bound else 0


def packed_of(found: Found) -> str:
    from .run.cpus import packed

    return packed(found.schedule)


def conform(options: argparse.Namespace) -> int:
    from .trace.conform import conform_all

    require("jobs", options.jobs, 1, 1024, "processes")
    verdicts = []
    with side_by_side(options.jobs) as executor:
        for verdict in conform_all(options.runs, options.stage, executor, progress(len(options.runs), "recordings")):
            verdicts.append(verdict)
            if not options.json:
                print(verdict.text(), flush=True)
    if options.json:
        print(json.dumps([verdict.as_json() for verdict in verdicts], indent=1))
    elif len(verdicts) > 1:
        print(summary(verdicts))
    if any(verdict.doubts for verdict in verdicts):  # what its recorder did not trust is bad input
        return 2
    return 0 if all(verdict.agrees for verdict in verdicts) else 1


@contextmanager
def side_by_side(jobs: int) -> Iterator[Executor | None]:
    """An executor of that many processes; none for a single job, which needs no other process."""
    if jobs == 1:
        yield None
        return
    from concurrent.futures import ProcessPoolExecutor

    with ProcessPoolExecutor(jobs) as executor:
        yield executor


def progress(number: int, what: str) -> Callable[[int, int], None] | None:
    """Shows on a terminal, and only there, how far that many of something have got."""
    if not sys.stderr.isatty():
        return None

    def show(done: int, of: int) -> None:
        bar = "█" * (done * 30 // of)
        sys.stderr.write(f"\r{bar:░<30} {done * 100 // of:3} % of {number} {what}" if done < of else CLEAR_LINE)
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
    from .trace.shipped import clone_runs, shipped_runs
    from .trace.tables import rows_of_runs

    ours, more = rows_of_runs(shipped_runs()), rows_of_runs(clone_runs())
    rows = [{**row, "in": "data/recordings"} for row in ours] + [{**row, "in": "recordings"} for row in more]
    print("\n\n".join(folded(rows, shutil.get_terminal_size((0, 0)).columns)))
    if sys.stdout.isatty():  # the table alone for programs
        print("\n" + (IN_A_CLONE if more else NOT_IN_A_CLONE))
    return 0


IN_A_CLONE = "Those in recordings/ come with a clone only; their checksums are in its MANIFEST."
NOT_IN_A_CLONE = "These come with zswaplab. A clone of its repository has more, in the folder recordings/."


def doctor(options: argparse.Namespace) -> int:
    from .doctor import findings, report

    found = list(findings())
    print(report(found))
    return 0 if all(one.good or not one.needed for one in found) else 1


def folded(rows: list[dict[str, Any]], width: int) -> Iterator[str]:
    """A table as text; where it is wider than `width`, in several, each beginning with the first column (0: one)."""
    first, *others = (aligned(name, [row[name] for row in rows]) for name in rows[0])
    part = [first]
    for column in others:
        if width and len(part) > 1 and sum(len(each[0]) + 1 for each in part) + len(column[0]) > width:
            yield joined(part)
            part = [first]
        part.append(column)
    yield joined(part)


def aligned(name: str, values: list[Any]) -> list[str]:
    """A column's lines, its name first; numbers to the right."""
    number = isinstance(values[0], int)
    lines = [name, *(f"{value:,}" if number else str(value) for value in values)]
    width = max(map(len, lines))
    return [line.rjust(width) if number else line.ljust(width) for line in lines]


def joined(columns: list[list[str]]) -> str:
    return "\n".join(" ".join(line).rstrip() for line in zip(*columns, strict=True))


if __name__ == "__main__":
    sys.exit(main())
