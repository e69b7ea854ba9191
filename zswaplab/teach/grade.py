"""Grading without a screen: what a student handed in, as a verdict on each exercise.

Each student's answers run in a process of their own, with a limit of time for each exercise and, on Linux, of memory.
An answer that never ends loses only itself: what comes after it is judged in another process. This deters and does not
secure: a student's code runs with the rights of whoever grades, and can read what they can read, or write a verdict
of its own. Where that matters, grade in a container; `zswaplab class grade --help` has an example.
"""

from __future__ import annotations

import ast
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import Any, NamedTuple

from ..model.errors import BadInput
from .students import plain, seed_of
from .task import tasks

LARGEST = 20 * 2**20  # bytes of a notebook that is read
ANSWER = "answer-"  # so begins the id of an answer cell; that of its exercise follows, with a hyphen for its dot
HANDED_IN = ("read", "missing", "empty", "malformed")  # what became of what a student handed in, or did not
SHORT = 40  # characters of source: answers that are shorter are easily the same
WAITS = 4
STARTS = 60.0  # seconds in which a process has begun, on a busy machine too
NOT_STARTED = {"state": "our fault", "message": "Judging did not start: is zswaplab installed for this Python?"}
NEEDED = ("PATH", "SYSTEMROOT", "TEMP", "TMP", "LANG", "LC_ALL")  # by Python, on some system


@dataclass(frozen=True)
class Graded:
    """The verdict on one exercise of one student.

    `state`, `points` (0.0 to 1.0), `criteria`, `message` and `belief` are those of a Verdict, `seconds` is how long
    judging took, `variant` names the instance. `handed_in` is one of HANDED_IN; `note` says what else a teacher should
    know. `same` is equal for answers whose code is the same but for spaces and comments; empty where it is very short.
    """

    student: str
    exercise: str
    state: str
    points: float
    criteria: tuple[tuple[str, float, float], ...]
    message: str
    belief: str
    variant: str
    seconds: float
    handed_in: str
    note: str = ""
    same: str = ""


class Limits(NamedTuple):
    """What an answer may take: seconds of a CPU for each exercise, and megabytes of memory for a student's process.

    A busy machine is nobody's fault, so a clock on the wall is given WAITS times as long. It is all that Windows has;
    memory is limited on Linux alone.
    """

    seconds: float = 30.0
    megabytes: int = 1024


class Answer(NamedTuple):
    """The source of an answer cell, and for which version of the exercise it was made; None where it does not say."""

    source: str
    version: int | None = None


class Submission(NamedTuple):
    """What a student handed in: an answer by its exercise, and what became of the files."""

    student: str
    answers: Mapping[str, Answer]
    handed_in: str = "read"
    note: str = ""


def read_submission(student: str, files: Sequence[Path], salt: str = "") -> Submission:
    """All answers in a student's notebooks. Where an exercise is in several, the file that comes last counts.

    >>> read_submission("ada", [])
    Submission(student='ada', answers={}, handed_in='missing', note='')
    """
    if not files:
        return Submission(student, {}, "missing")
    answers: dict[str, Answer] = {}
    notes, problems = [], []
    for file in files:
        try:
            cells = cells_of(file)
        except BadInput as problem:
            problems.append(str(problem))
        else:
            answers |= answers_of(cells)
            notes += [*strange(cells, {"student": student, "salt": salt})]
    note = " ".join(dict.fromkeys(notes + problems))
    if answers:
        return Submission(student, answers, "read", note)
    empty = not any(file.stat().st_size for file in files)
    return Submission(student, {}, "empty" if empty else "malformed", note or "There is no answer cell in it.")


def cells_of(file: Path) -> list[dict[str, Any]]:
    """The cells of code of a notebook. Raises BadInput for a file that is none."""
    if file.stat().st_size > LARGEST:
        raise BadInput(f"{file.name} is larger than {LARGEST // 2**20} MB: hand in the notebook without its outputs.")
    if file.stat().st_size == 0:
        raise BadInput(f"{file.name} is empty.")
    try:
        cells = json.loads(file.read_text(encoding="utf-8-sig"))["cells"]
        code = [cell for cell in cells if cell["cell_type"] == "code"]
        return [{**cell, "source": "".join(cell["source"])} for cell in code]
    except (ValueError, KeyError, TypeError, RecursionError) as problem:
        raise BadInput(f"{file.name} is not a notebook: {type(problem).__name__}.") from problem


def answers_of(cells: Iterable[Mapping[str, Any]]) -> dict[str, Answer]:
    """The answers in some cells, by their exercises: nbgrader, and we, know a cell by an id in its metadata."""
    found = {}
    for cell in cells:
        id, version = said_of(cell, "nbgrader", "grade_id"), said_of(cell, "zswaplab", "version")
        if isinstance(id, str) and id.startswith(ANSWER):
            known = version if isinstance(version, int) else None
            found[id.removeprefix(ANSWER).replace("-", ".")] = Answer(cell["source"], known)
    return found


def said_of(cell: Mapping[str, Any], whose: str, what: str) -> object:
    """What a cell's metadata say; None where they do not, whatever else they are."""
    metadata = cell.get("metadata")
    own = metadata.get(whose) if isinstance(metadata, dict) else None
    return own.get(what) if isinstance(own, dict) else None


def strange(cells: Iterable[Mapping[str, Any]], expected: Mapping[str, str]) -> Iterator[str]:
    """A note where a notebook says that it is another student's, or another class's: it has other variants then."""
    for cell in cells:
        with suppress(SyntaxError, ValueError):
            for node in ast.parse(cell["source"]).body:
                name = ast.unparse(node.targets[0]) if isinstance(node, ast.Assign) else ""
                said = str(ast.literal_eval(node.value)) if isinstance(node, ast.Assign) and name in expected else ""
                if said.strip() and plain(said) != plain(expected[name] or said):
                    yield f"The notebook says {name} = {said!r}."


# -- judging ------------------------------------------------------------------------------------------------


def grade(
    submission: Submission, exercises: Sequence[str], salt: str = "", limits: Limits = Limits()  # noqa: B008 (frozen)
) -> list[Graded]:
    """A verdict on each of the exercises, in their order, whatever was handed in.

    >>> [graded.state for graded in grade(Submission("ada", {"06.2": Answer("answer = ...")}), ["06.2"])]
    ['not attempted']
    """
    answers = {id: submission.answers[id] for id in exercises if id in submission.answers}
    found = {told["exercise"]: told for told in verdicts(submission.student, answers, salt, limits)}
    return [graded(submission, id, found.get(id), salt) for id in exercises]


def graded(submission: Submission, id: str, told: Mapping[str, Any] | None, salt: str) -> Graded:
    """What was told of one exercise as a row; of one that has no answer too."""
    seed = seed_of(submission.student, id, salt)
    nothing = {"state": "not attempted", "points": 0.0, "criteria": (), "message": "", "belief": "",
               "variant": f"{id}:{seed}", "seconds": 0.0}  # fmt: skip
    if submission.handed_in == "malformed":
        nothing["state"] = "malformed"
    told = {**nothing, **(told or {})}
    criteria = told["criteria"] or [(name, 0.0, of) for name, of in tasks()[id].rubric.items()]
    source = submission.answers[id].source if told["state"] != "not attempted" and id in submission.answers else ""
    return Graded(
        submission.student, id, told["state"], told["points"], tuple((name, has, of) for name, has, of in criteria),
        told["message"], told["belief"], told["variant"], told["seconds"], submission.handed_in,
        " ".join(filter(None, [submission.note, peeked(source)])), same(source),
    )  # fmt: skip


def verdicts(student: str, answers: Mapping[str, Answer], salt: str, limits: Limits) -> Iterator[dict[str, Any]]:
    """What is told of each answer, in their order; of one that takes its process along, it is told here."""
    left = dict(answers)
    while left:
        asked = {"student": student, "salt": salt, "answers": left, **limits._asdict()}
        with tempfile.TemporaryDirectory(prefix="zswaplab-", ignore_cleanup_errors=True) as folder:
            apart = Apart(Path(folder), asked)
            started = apart.told(STARTS) is not None
            while left and started and (told := apart.told(WAITS * limits.seconds)):
                if left.pop(told.get("exercise", ""), None) is None:
                    break  # this is not ours
                yield told
            apart.end()
        if left:
            id = next(iter(left))
            del left[id]
            yield {"exercise": id, **(lost(apart.late, limits.seconds) if started else NOT_STARTED)}


def lost(late: bool, seconds: float) -> dict[str, Any]:
    """What is told of an answer at which a process was lost."""
    if late:
        message = f"Your code did not come to an end in {seconds:g} seconds."
        return {"state": "wrong", "seconds": seconds, "message": message}
    return {"state": "wrong", "message": "Your code ended Python, or took more memory than it may have."}


class Apart:
    """A process in which answers are judged. `late` says, once it has ended, whether it had taken all its time."""

    def __init__(self, folder: Path, asked: Mapping[str, Any]) -> None:
        self.late = False
        self.lines: Queue[str] = Queue()
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "zswaplab.teach.apart"], cwd=folder, env=environment(folder), text=True,
            encoding="utf-8", stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        self.hearing = Thread(target=self.hear, daemon=True)
        self.hearing.start()
        with suppress(OSError):  # it has ended already: nothing will be told
            self.process.stdin.write(json.dumps(asked))  # type: ignore[union-attr]
            self.process.stdin.close()  # type: ignore[union-attr]

    def hear(self) -> None:
        """Take lines as they come: not every system can wait for a pipe so long and no longer."""
        for line in self.process.stdout or ():
            self.lines.put(line)
        self.lines.put("")

    def told(self, seconds: float) -> dict[str, Any] | None:
        """The next line; None if it does not come in time, or none will any more."""
        try:
            told = json.loads(self.lines.get(timeout=seconds))
        except Empty:
            self.late = True
            return None
        except ValueError:
            return None
        return told if isinstance(told, dict) else None

    def end(self) -> None:
        """End the process; on Linux and macOS all that it started, too."""
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(0 if self.late else 1)  # it may just be ending by itself
        with suppress(OSError):
            if hasattr(os, "killpg"):
                os.killpg(self.process.pid, signal.SIGKILL)
            else:
                self.process.kill()
        self.late = self.late or self.process.wait() == -getattr(signal, "SIGXCPU", 0)


def environment(folder: Path) -> dict[str, str]:
    """What a student's code sees of ours: enough for Python to start with the same zswaplab, and no more."""
    ours = {name: os.environ[name] for name in NEEDED if name in os.environ}
    paths = [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
    return {**ours, "PYTHONPATH": os.pathsep.join(filter(None, paths)), "HOME": str(folder), "PYTHONHASHSEED": "0",
            "PYTHONDONTWRITEBYTECODE": "1"}  # fmt: skip


# -- what else a teacher should know --------------------------------------------------------------------------


def peeked(source: str) -> str:
    """A note if an answer takes something from the part of zswaplab that has the answers."""
    try:
        nodes = [*ast.walk(ast.parse(source))]
    except SyntaxError:
        return ""
    named = [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    named += [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    texts = [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    looked = any(name.startswith("zswaplab.teach") for name in named + texts)
    return "The answer takes something from zswaplab.teach." if looked else ""


def same(source: str) -> str:
    """Equal for sources that differ in spaces and comments alone; empty for a short one, which is easily the same."""
    try:
        text = ast.unparse(ast.parse(source))
    except SyntaxError:
        text = source
    return sha256(text.encode("utf-8", "replace")).hexdigest()[:16] if len(text) >= SHORT else ""
