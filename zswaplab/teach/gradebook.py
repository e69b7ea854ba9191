"""Grades as CSV: a row for each criterion, a row for each exercise, and what Canvas and Moodle import."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .classroom import Class, write_csv
from .grade import Graded

CRITERIA = ("student", "exercise", "variant", "handed in", "state", "criterion", "points", "of")
EXERCISES = (
    "student", "exercise", "variant", "handed in", "state", "points", "of", "belief", "message", "seconds", "note",
    "same",
)  # fmt: skip
CANVAS = ("Student", "ID", "SIS User ID", "SIS Login ID", "Section")  # Canvas wants these, in this order
POSSIBLE = "    Points Possible"  # Canvas knows its second line by this
POINTS = 10.0  # of each exercise, in what Canvas and Moodle get


def write(own: Class, grades: Sequence[Graded]) -> list[Path]:
    """Write all four into the class's folder; returns the files."""
    own.grades.mkdir(parents=True, exist_ok=True)
    tables = {
        "criteria.csv": (CRITERIA, by_criterion(grades)),
        "exercises.csv": (EXERCISES, by_exercise(grades)),
        "canvas.csv": ((*CANVAS, *map(title, own.exercises)), for_canvas(own, grades)),
        "moodle.csv": ((*known_by(own), *map(title, own.exercises), "Total", "Feedback"), for_moodle(own, grades)),
    }  # fmt: skip
    for name, (columns, lines) in tables.items():
        write_csv(own.grades / name, columns, lines)
    return [own.grades / name for name in tables]


def by_criterion(grades: Sequence[Graded]) -> list[dict[str, object]]:
    return [
        {"student": one.student, "exercise": one.exercise, "variant": one.variant, "handed in": one.handed_in,
         "state": one.state, "criterion": name, "points": has, "of": of}
        for one in grades for name, has, of in one.criteria
    ]  # fmt: skip


def by_exercise(grades: Sequence[Graded]) -> list[dict[str, object]]:
    return [
        {"student": one.student, "exercise": one.exercise, "variant": one.variant, "handed in": one.handed_in,
         "state": one.state, "points": one.points, "of": 1.0, "belief": one.belief, "message": one.message,
         "seconds": round(one.seconds, 3), "note": one.note, "same": one.same}
        for one in grades
    ]  # fmt: skip


def title(exercise: str) -> str:
    """What a column of a grade book is called."""
    return f"zswaplab {exercise}"


def points_of(grades: Sequence[Graded], student: str) -> dict[str, object]:
    """A student's points, as they stand in a grade book: each exercise, and all together; empty where we failed."""
    own = {title(one.exercise): round(POINTS * one.points, 2)
           for one in grades if one.student == student and one.state != "our fault"}  # fmt: skip
    return {**own, "Total": round(sum(own.values()), 2)}


def for_canvas(own: Class, grades: Sequence[Graded]) -> list[dict[str, object]]:
    """A line for each student with the columns by which Canvas knows them, as its own export had them."""
    possible: dict[str, object] = {"Student": POSSIBLE, **{title(id): POINTS for id in own.exercises}}
    lines = [possible]
    for id, line in own.students.items():
        exported = {name: line[name] for name in CANVAS if line.get(name)}
        lines.append({"Student": id, "SIS Login ID": id, **exported, **points_of(grades, id)})
    return lines


def known_by(own: Class) -> list[str]:
    """The columns by which Moodle can know a student: those that the roster has, or else the id as a user name."""
    columns = next(iter(own.students.values()))
    return [name for name in ("Username", "ID number", "Email address") if name in columns] or ["Username"]


def for_moodle(own: Class, grades: Sequence[Graded]) -> list[dict[str, object]]:
    """A line for each student with the columns by which Moodle knows them, and what is said of each exercise."""
    return [
        {"Username": id, **line, **points_of(grades, id), "Feedback": feedback(grades, id)}
        for id, line in own.students.items()
    ]


def feedback(grades: Sequence[Graded], student: str) -> str:
    return "\n".join(f"{one.exercise}: {one.state}. {one.message}" for one in grades if one.student == student)
