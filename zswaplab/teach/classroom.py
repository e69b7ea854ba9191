"""A class, as a folder: who is in it, which exercises it does, what was handed in, and what that came to.

    class.json       the class's salt, its seed for votes, its exercises
    roster.csv       a line for each student; the columns that Canvas or Moodle exported stay as they came
    handout/         the notebook that every student gets
    submissions/     a folder for each student, with the notebooks that were handed in
    grades/          what `grade` and `report` write
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
import secrets
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from ..model.errors import BadInput, choose, require
from .grade import LARGEST, Graded, Limits, grade, read_submission
from .handout import master_of, student_version
from .students import plain
from .task import tasks

FORMAT = 1  # of class.json
# Columns that hold what a student's files are named by, as we call it and as Canvas and Moodle do; the first is taken.
IDS = ("student", "SIS Login ID", "Username", "ID number", "SIS User ID", "Email address", "id")
ID = re.compile(r"[^\W_][\w.@+-]{0,63}")
POINTS_POSSIBLE = "points possible"  # begins the second line of a file from Canvas, which is nobody
RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")  # no file of Windows may have these names
NOT_THERE = "There is no class in {}: make one with `zswaplab class new {}`."


@dataclass(frozen=True)
class Class:
    """A class in its folder. `students` is id -> that line of the roster, with all its columns.

    `salt` goes into every student's seeds, so that another class gets other variants; it is no secret from the class.
    `seed` is that of the questions on which all vote.
    """

    folder: Path
    salt: str
    seed: int
    exercises: Sequence[str]
    students: Mapping[str, Mapping[str, str]]

    @property
    def submissions(self) -> Path:
        return self.folder / "submissions"

    @property
    def grades(self) -> Path:
        return self.folder / "grades"

    def files(self, student: str) -> list[Path]:
        """What a student handed in; what was changed last comes last."""
        found = [path for path in (self.submissions / student).glob("*") if path.is_file()]
        return sorted(found, key=lambda path: (path.stat().st_mtime, path.name))


def new(folder: Path, exercises: Sequence[str], roster: Path) -> Class:
    """Make a class: its folder, with a salt and a seed of its own, and the notebook to hand out.

    Raises BadInput where there is one already, for exercises that are not there and for a roster that cannot be read.
    """
    if (folder / "class.json").exists():
        raise BadInput(f"There is a class in {folder} already: name another folder.")
    for id in exercises:
        choose("exercise", id, tasks())
    columns, lines = read_roster(roster)
    folder.mkdir(parents=True, exist_ok=True)
    write_csv(folder / "roster.csv", columns, lines)
    made = {"format": FORMAT, "salt": secrets.token_hex(8), "seed": secrets.randbelow(2**31), "exercises": [*exercises]}
    write_json(folder / "class.json", made)
    found = opened(folder)
    (folder / "handout").mkdir(exist_ok=True)
    write_json(folder / "handout" / "exercises.ipynb", student_version(master_of(exercises, found.salt)))
    return found


def opened(folder: Path) -> Class:
    """The class in a folder. Raises BadInput where there is none, or one that cannot be read."""
    try:
        made = json.loads((folder / "class.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BadInput(NOT_THERE.format(folder, folder)) from None
    except ValueError as problem:
        raise BadInput(f"{folder / 'class.json'} cannot be read: {problem}.") from problem
    if not isinstance(made, dict) or made.get("format") != FORMAT:
        raise BadInput(f"{folder / 'class.json'} is not of a class, or of another version of zswaplab.")
    for id in made["exercises"]:
        choose("exercise", id, tasks())
    columns, lines = read_roster(folder / "roster.csv")
    students = {line[id_column(columns)]: line for line in lines}
    return Class(folder, made["salt"], made["seed"], made["exercises"], students)


# -- who is in it -------------------------------------------------------------------------------------------


def read_roster(file: Path) -> tuple[list[str], list[dict[str, str]]]:
    """The columns of a roster, and its lines: CSV as Canvas or Moodle exports it, or an id on each line.

    Raises BadInput for a file that has no ids, and for ids that cannot be.
    """
    text = read_text(file)
    first = text.partition("\n")[0]
    dialect = ";" if first.count(";") > first.count(",") else "\t" if "\t" in first else ","
    rows = [row for row in csv.reader(io.StringIO(text), delimiter=dialect) if any(cell.strip() for cell in row)]
    if rows and not set(IDS) & set(rows[0]):
        if any(len(row) > 1 for row in rows):
            raise BadInput(f"{file.name} has none of the columns {', '.join(map(repr, IDS))}: call one of its own so.")
        rows = [["student"], *rows]
    columns = rows[0] if rows else []
    lines = [dict(zip(columns, [*map(str.strip, row), *[""] * len(columns)], strict=False)) for row in rows[1:]]
    lines = [line for line in lines if not line[columns[0]].casefold().startswith(POINTS_POSSIBLE)]
    if not lines:
        raise BadInput(f"{file.name} has nobody in it: give it a line for each student.")
    check_ids(file.name, [line[id_column(columns)] for line in lines])
    return columns, lines


def id_column(columns: Sequence[str]) -> str:
    return next(name for name in IDS if name in columns)


def check_ids(name: str, ids: Sequence[str]) -> None:
    """Raise BadInput unless every id can be the name of a folder, here and on Windows, and of one student alone."""
    seen: dict[str, str] = {}
    for id in ids:
        if not ID.fullmatch(id) or RESERVED.fullmatch(id) or id.endswith("."):
            raise BadInput(f"{name}: the id {id!r} cannot be; up to 64 letters, digits and . _ @ + - make one.")
        if plain(id) in seen:
            raise BadInput(f"{name}: {id!r} is there twice; every student needs an id of their own.")
        seen[plain(id)] = id


def read_text(file: Path) -> str:
    """A text as spreadsheets write it, too. Raises BadInput where there is none."""
    try:
        data = file.read_bytes()
    except OSError as problem:
        raise BadInput(f"{file} cannot be read: {problem.strerror}.") from problem
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            pass
    raise BadInput(f"{file} is not a text: save it as CSV, in UTF-8.")


# -- what was handed in -------------------------------------------------------------------------------------


class Collected(NamedTuple):
    """What `collect` found: student -> how many files; and the files that belong to nobody, or to several."""

    files: Mapping[str, int]
    nobodys: Sequence[str]


def collect(own: Class, source: Path) -> Collected:
    """Copy what was handed in into the class's folder, from a folder or from a zip as Canvas and Moodle make it.

    A notebook belongs to the student whose id stands in its name, or in that of its folder; one of the same name that
    was collected before is replaced. Raises BadInput where there is neither a folder nor a zip.
    """
    found, nobodys = dict.fromkeys(own.students, 0), []
    for name, changed, data in handed_in(source):
        owners = owners_of(name, own.students)
        if len(owners) != 1:
            nobodys.append(name)
            continue
        folder = own.submissions / owners[0]
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / safe(PurePosixPath(name).name)
        file.write_bytes(data)
        set_time(file, changed)
        found[owners[0]] += 1
    return Collected(found, nobodys)


def handed_in(source: Path) -> Iterator[tuple[str, float, bytes]]:
    """Every notebook below a folder or in a zip: its name with its folders, when it was changed, and what is in it."""
    if source.is_dir():
        for path in sorted(source.rglob("*.ipynb")):
            if ".ipynb_checkpoints" not in path.parts and path.is_file():
                yield path.relative_to(source).as_posix(), path.stat().st_mtime, head_of(path.open("rb"))
    elif zipfile.is_zipfile(source):
        with zipfile.ZipFile(source) as packed:
            for member in packed.infolist():
                if member.filename.endswith(".ipynb") and not member.is_dir():
                    yield member.filename, time_of(member), head_of(packed.open(member))
    else:
        raise BadInput(f"{source} is neither a folder nor a zip: give what students handed in as one of the two.")


def head_of(file: Any) -> bytes:
    """What is in a file; of one that is too large so much that its size can be seen."""
    with file:
        return bytes(file.read(LARGEST + 1))


def time_of(member: zipfile.ZipInfo) -> float:
    try:
        return datetime(*member.date_time).timestamp()
    except (ValueError, OverflowError, OSError):  # a zip may say anything
        return 0.0


def set_time(file: Path, changed: float) -> None:
    os.utime(file, (changed, changed))


def owners_of(name: str, students: Mapping[str, Any]) -> list[str]:
    """The students whose id stands in a file's name, or, where none does, in the names of its folders.

    >>> owners_of("lovelaceada_4711_815_exercises-1.ipynb", {"4711": {}, "815": {}})
    ['4711', '815']
    >>> owners_of("Ada Lovelace_4711_assignsubmission_file/ada.ipynb", {"4711": {}, "ada.l": {}})
    ['4711']
    """
    *folders, file = PurePosixPath(name.removesuffix(".ipynb")).parts
    for part in (file, *reversed(folders)):
        found = [id for id in students if re.search(rf"(?<![^\W_]){re.escape(id)}(?![^\W_])", part, re.IGNORECASE)]
        longest = [id for id in found if not any(id != other and id in other for other in found)]
        if longest:
            return longest
    return []


def safe(name: str) -> str:
    """A file's name without what one system or another does not let stand in it."""
    return re.sub(r"[^\w.@+ -]", "_", name)[-120:]


# -- grading it -----------------------------------------------------------------------------------------------


def grade_class(
    own: Class, jobs: int, limits: Limits, progress: Callable[[int, int], None] | None = None
) -> list[Graded]:
    """A verdict on every exercise of every student, in the order of the roster; `jobs` students at a time."""
    require("jobs", jobs, 1, 1024, "processes")

    def graded(student: str) -> list[Graded]:
        return grade(read_submission(student, own.files(student), own.salt), own.exercises, own.salt, limits)

    with ThreadPoolExecutor(jobs) as pool:  # each has a process of its own
        asked = [pool.submit(graded, student) for student in own.students]
        try:
            for done, _ in enumerate(as_completed(asked), start=1):
                if progress:
                    progress(done, len(asked))
        except KeyboardInterrupt:  # else it would go on to the last of them
            pool.shutdown(cancel_futures=True)
            raise
        return [row for one in asked for row in one.result()]


# -- files --------------------------------------------------------------------------------------------------


def write_json(file: Path, value: object) -> None:
    file.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def write_csv(file: Path, columns: Sequence[str], lines: Sequence[Mapping[str, object]]) -> None:
    """A table, as spreadsheets on every system read it."""
    with file.open("w", encoding="utf-8-sig", newline="") as table:
        writer = csv.DictWriter(table, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows({name: harmless(value) for name, value in line.items()} for line in lines)


def harmless(value: object) -> object:
    """A text that a spreadsheet would take for a formula, as a text: students write some of these."""
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t")) else value
