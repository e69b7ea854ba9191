"""What a class's grades say to its teacher: a page, and the same in a few lines."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from statistics import median
from typing import NamedTuple

from ..model.errors import BadInput
from .classroom import Class
from .misconceptions import MISCONCEPTIONS
from .task import tasks
from .variant import STATES

Row = Mapping[str, str]  # of grades/exercises.csv
GRADE_FIRST = "There are no grades in {}: first `zswaplab class grade {}`."
SLOWEST = 10
STYLE = """body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; } th, td { text-align: left; vertical-align: top; padding: .2rem .8rem .2rem 0; }
th, td { border-bottom: 1px solid #8888; } td.number, th.number { text-align: right; }
:root { color-scheme: light dark; }"""


class Part(NamedTuple):
    """One part of a report: a heading, what is said of it, and a table, which may be empty."""

    heading: str
    said: str
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[object]] = ()


def read(own: Class) -> list[Row]:
    """The class's grades, a row for each exercise of each student. Raises BadInput where there are none."""
    file = own.grades / "exercises.csv"
    if not file.is_file():
        raise BadInput(GRADE_FIRST.format(own.folder, own.folder))
    with file.open(encoding="utf-8-sig", newline="") as lines:
        return [*csv.DictReader(lines)]


def parts(rows: Sequence[Row]) -> list[Part]:
    """All parts of the report, in the order in which a teacher needs them.

    >>> [part.heading for part in parts([])]
    ['Handed in', 'Exercises', 'Wrong rules', 'Slowest', 'Alike', 'To look at', 'Our faults']
    """
    return [who(rows), exercises(rows), beliefs(rows), slowest(rows), alike(rows), to_look_at(rows), our_faults(rows)]


def who(rows: Sequence[Row]) -> Part:
    """How many handed something in, and who did not."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for row in rows:
        found[row["handed in"]][row["student"]] = row["note"]
    lines = [(what, len(found[what]), shortened(found[what]) if what != "read" else "") for what in found]
    said = "Who is not among those read has no points yet: ask for the file once more."
    return Part("Handed in", said, ("what", "students", "who"), lines)


def exercises(rows: Sequence[Row]) -> Part:
    """Each exercise, and how many of its answers are in each state."""
    lines = []
    for id, own in grouped(rows, "exercise").items():
        states = Counter(row["state"] for row in own)
        tried = sum(states[state] for state in ("wrong", "partly right", "right"))
        share = f"{100 * states['right'] / tried:.0f} %" if tried else ""
        lines.append((id, tasks()[id].title if id in tasks() else "", share, *(states[state] for state in STATES)))
    said = "Right: of those who tried. Between 35 and 70 % it is worth a discussion in pairs."
    return Part("Exercises", said, ("exercise", "title", "share right", *STATES), lines)


def beliefs(rows: Sequence[Row]) -> Part:
    """The wrong rules behind the answers, the most frequent first."""
    students: dict[str, set[str]] = defaultdict(set)
    where: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        if row["belief"]:
            students[row["belief"]].add(row["student"])
            where[row["belief"]].add(row["exercise"])
    ranked = sorted(students, key=lambda belief: (-len(students[belief]), belief))
    lines = [(one, rule(one, where[one]), len(students[one]), ", ".join(sorted(where[one]))) for one in ranked]
    return Part("Wrong rules", "", ("rule", "in a sentence", "students", "exercises"), lines)


def rule(belief: str, where: Iterable[str]) -> str:
    """A belief in a sentence: that of the misconception, or what the exercise says of it."""
    if belief in MISCONCEPTIONS:
        return MISCONCEPTIONS[belief].rule
    said = [tasks()[id].mistakes.get(belief, "") for id in sorted(where) if id in tasks()]
    return next(filter(None, said), "")


def slowest(rows: Sequence[Row]) -> Part:
    """Which exercises took longest to judge: where a class waits, and where code does not end."""
    lines = []
    for id, own in grouped(rows, "exercise").items():
        seconds = [float(row["seconds"]) for row in own if row["state"] != "not attempted"]
        if seconds:
            worst = max(own, key=lambda row: float(row["seconds"]))
            lines.append((id, f"{median(seconds):.2f}", f"{max(seconds):.2f}", worst["student"]))
    lines.sort(key=lambda line: -float(line[2]))
    columns = ("exercise", "half of them under", "longest", "whose")
    return Part("Slowest", "Seconds that judging an answer took.", columns, lines[:SLOWEST])


def alike(rows: Sequence[Row]) -> Part:
    """Answers that are the same but for spaces and comments; where many are, that may be what the task suggests."""
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in rows:
        if row["same"]:
            groups[row["exercise"], row["same"]].append(row["student"])
    lines = [(id, len(who), ", ".join(who)) for (id, _), who in sorted(groups.items()) if len(who) > 1]
    said = "The same code but for spaces and comments. It proves nothing: ask for a step to be explained."
    return Part("Alike", said, ("exercise", "students", "who"), lines)


def to_look_at(rows: Sequence[Row]) -> Part:
    """What was noted besides."""
    noted: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in rows:
        if row["note"] and row["handed in"] == "read":
            noted[row["student"], row["note"]].append(row["exercise"])
    lines = [(student, note, ", ".join(where)) for (student, note), where in noted.items()]
    return Part("To look at", "", ("student", "note", "exercises"), lines)


def our_faults(rows: Sequence[Row]) -> Part:
    """What zswaplab could not judge: no student is to blame."""
    lines = [(row["student"], row["variant"], row["message"]) for row in rows if row["state"] == "our fault"]
    said = "Please report the variant. In what Canvas and Moodle import these are left empty, for you to fill in."
    return Part("Our faults", said, ("student", "variant", "what happened"), lines)


def grouped(rows: Sequence[Row], name: str) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[row[name]].append(row)
    return found


def shortened(noted: Mapping[str, str]) -> str:
    return "; ".join(f"{student} ({note})" if note else student for student, note in noted.items())


# -- as a page, and as a text -------------------------------------------------------------------------------


def write(own: Class, found: Sequence[Part]) -> Path:
    """The report as a page that stands alone."""
    file = own.grades / "report.html"
    body = "\n".join(line for part in found if part.rows for line in as_html(part))
    head = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(own.folder.name)}</title>'
    file.write_text(f"{head}<style>{STYLE}</style><h1>{escape(own.folder.name)}</h1>\n{body}\n", encoding="utf-8")
    return file


def as_html(part: Part) -> Iterator[str]:
    yield f"<h2>{escape(part.heading)}</h2><p>{escape(part.said)}</p>"
    yield "<table><tr>" + "".join(f'<th scope="col">{escape(name)}</th>' for name in part.columns) + "</tr>"
    for row in part.rows:
        yield "<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>"
    yield "</table>"


def as_text(found: Sequence[Part]) -> str:
    """The report in lines for a terminal; what is empty is left out."""
    said = []
    for part in found:
        if part.rows:
            said.append(f"{part.heading}\n" + "\n".join("  " + line(part, row) for row in part.rows))
    return "\n\n".join(said)


def line(part: Part, row: Sequence[object]) -> str:
    """A row as a line: what its columns are called stands with the numbers."""
    cells = [f"{cell} {name}" if isinstance(cell, int) else str(cell)
             for name, cell in zip(part.columns, row, strict=True) if cell not in ("", 0)]  # fmt: skip
    return ", ".join(cells)
