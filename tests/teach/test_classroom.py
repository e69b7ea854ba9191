"""A class from nothing to CSV, as a teacher does it with the four commands, on whatever students hand in."""

from __future__ import annotations

import csv
import json
import os
import re
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from benchmarks import classroom as made_up
from zswaplab.cli import main
from zswaplab.model.errors import BadInput
from zswaplab.teach import classroom, gradebook, report
from zswaplab.teach.classroom import Class, collect, new, opened, owners_of
from zswaplab.teach.grade import HANDED_IN, Graded
from zswaplab.teach.variant import STATES

pytestmark = pytest.mark.slow

IDS = ["06.2", "08.2"]
CANVAS = """Student,ID,SIS User ID,SIS Login ID,Section,Old homework (17)
    Points Possible,,,,,10
"Lovelace, Ada",4711,u1,ada.l,A,7
"Babbage, Charles",4712,u2,cbabbage,A,8
"""
MOODLE = """First name;Last name;ID number;Email address
Ada;Lovelace;1815;ada@example.org
Zoë;Ångström;1816;zoe@example.org
"""


def roster(tmp_path: Path, text: str | bytes = "student\nada\nbob\ncleo\n", name: str = "roster.csv") -> Path:
    file = tmp_path / name
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


@pytest.fixture
def own(tmp_path: Path) -> Class:
    return new(tmp_path / "class", IDS, roster(tmp_path))


def table(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8-sig", newline="") as lines:
        return [*csv.DictReader(lines)]


# -- all of it ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A class of twenty, one of each odd sort in it, after all four commands."""
    folder = tmp_path_factory.mktemp("made up")
    grade_quickly = made_up.zswaplab

    def quicker(options: list[str]) -> int:
        return grade_quickly([*options, "--seconds", "6"] if options[1] == "grade" else options)

    made_up.zswaplab = quicker
    try:
        made_up.run(folder, 20, IDS, jobs=2)
    finally:
        made_up.zswaplab = grade_quickly
    return folder / "class"


def test_everybody_has_a_row_for_every_exercise(graded: Path) -> None:
    rows = table(graded / "grades" / "exercises.csv")
    assert [(row["student"], row["exercise"]) for row in rows] == [(s, id) for s in made_up.kinds(20) for id in IDS]
    assert {row["state"] for row in rows} <= set(STATES)
    found = {row["student"]: row["handed in"] for row in rows}
    wanted = {student: kind if kind in HANDED_IN else "read" for student, kind in made_up.kinds(20).items()}
    assert found == wanted


def test_the_endless_one_loses_that_exercise_alone(graded: Path) -> None:
    first, *others = (row for row in table(graded / "grades" / "exercises.csv") if row["student"] == "s000")
    assert first["state"] == "wrong" and "did not come to an end" in first["message"]
    assert all("did not come to an end" not in row["message"] for row in others)


def test_criteria_add_up_to_the_exercise(graded: Path) -> None:
    sums: Counter[tuple[str, str]] = Counter()
    for row in table(graded / "grades" / "criteria.csv"):
        assert float(row["of"]) > 0
        sums[row["student"], row["exercise"]] += float(row["points"])
    for row in table(graded / "grades" / "exercises.csv"):
        assert sums[row["student"], row["exercise"]] == pytest.approx(float(row["points"]), abs=2e-3)


def test_some_are_right_and_some_are_wrong(graded: Path) -> None:
    states = Counter(row["state"] for row in table(graded / "grades" / "exercises.csv"))
    assert states["right"] and states["wrong"] + states["partly right"] and not states["our fault"]


def test_the_report_ranks_rules_and_names_who_is_missing(graded: Path) -> None:
    page = (graded / "grades" / "report.html").read_text(encoding="utf-8")
    for heading in ("Handed in", "Exercises", "Wrong rules", "Slowest"):
        assert f"<h2>{heading}</h2>" in page
    assert "missing" in page and "s003" in page
    found = {part.heading: part for part in report.parts(report.read(opened(graded)))}
    counts = [row[2] for row in found["Wrong rules"].rows]
    assert counts and counts == sorted(counts, reverse=True)


def test_the_commands_say_what_comes_next(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(tmp_path / "class")
    assert main(["class", "new", folder, "--roster", str(roster(tmp_path)), "--exercises", *IDS]) == 0
    assert "3 students" in capsys.readouterr().out
    assert main(["class", "report", folder]) == 2
    assert "first `zswaplab class grade" in capsys.readouterr().err
    handed = tmp_path / "handed in"
    handed.mkdir()
    (handed / "nobody.ipynb").write_text("{}")
    assert main(["class", "collect", folder, str(handed)]) == 1
    printed = capsys.readouterr().out
    assert "Nothing yet from 3: ada bob cleo" in printed and "Not collected: nobody.ipynb" in printed


# -- the roster -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("student\nada\nbob\n", ["ada", "bob"]),
        ("ada\r\nbob\r\n\r\n", ["ada", "bob"]),
        (CANVAS, ["ada.l", "cbabbage"]),
        (MOODLE, ["1815", "1816"]),
        (MOODLE.encode("cp1252"), ["1815", "1816"]),
        ("\ufeffstudent,name\nada,Ada\n", ["ada"]),
    ],
    ids=["ours", "ids alone", "Canvas", "Moodle", "Windows", "with a mark"],
)
def test_a_roster_is_read_as_it_is_exported(tmp_path: Path, text: str | bytes, ids: list[str]) -> None:
    made = new(tmp_path / "class", IDS, roster(tmp_path, text))
    assert [*made.students] == ids
    assert opened(made.folder) == made


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "nobody in it"),
        ("student\n", "nobody in it"),
        ("name,mail\nAda,a@b\n", "none of the columns 'student'"),
        ("student\nada\nADA\n", "'ADA' is there twice"),
        ("student\n../ada\n", "the id '../ada' cannot be"),
        ("student\nCON\n", "the id 'CON' cannot be"),
        ("student\nada \nada/\n", "the id 'ada/' cannot be"),
        (b"\x81\x8d\x9d", "not a text"),
    ],
)
def test_a_roster_that_cannot_be_says_why(tmp_path: Path, text: str | bytes, said: str) -> None:
    with pytest.raises(BadInput, match=re.escape(said)):
        new(tmp_path / "class", IDS, roster(tmp_path, text))
    assert not (tmp_path / "class").exists()


def test_a_class_is_not_made_twice_and_not_of_what_is_not_there(own: Class, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="There is a class in"):
        new(own.folder, IDS, roster(tmp_path))
    with pytest.raises(BadInput, match=r"exercise='99\.9' is not known"):
        new(tmp_path / "other", ["99.9"], roster(tmp_path))
    with pytest.raises(BadInput, match=r"no-roster\.csv cannot be read"):
        new(tmp_path / "other", IDS, tmp_path / "no-roster.csv")
    with pytest.raises(BadInput, match="There is no class in"):
        opened(tmp_path)


def test_two_classes_have_salts_and_seeds_of_their_own(own: Class, tmp_path: Path) -> None:
    other = new(tmp_path / "other", IDS, roster(tmp_path))
    assert own.salt != other.salt and own.seed != other.seed


def test_the_handout_has_the_salt_and_no_solution(own: Class) -> None:
    text = (own.folder / "handout" / "exercises.ipynb").read_text(encoding="utf-8")
    assert own.salt in text and "SOLUTION" not in text and "HIDDEN" not in text
    made = json.loads(text)
    assert not any(cell.get("outputs") for cell in made["cells"])


# -- collecting -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "owners"),
    [
        ("ada.ipynb", ["ada"]),
        ("06-patch-1 ada.ipynb", ["ada"]),
        ("ADA_exercises-1.ipynb", ["ada"]),
        ("lovelaceada_12_34_exercises.ipynb", []),
        ("ada.l.ipynb", ["ada.l"]),
        ("Ada Lovelace_4711_assignsubmission_file/exercises.ipynb", ["ada"]),
        ("Somebody_bob_assignsubmission_file/exercises.ipynb", ["bob"]),
        ("bob/ada.ipynb", ["ada"]),
        ("ada-bob.ipynb", ["ada", "bob"]),
        ("exercises.ipynb", []),
    ],
)
def test_whose_a_file_is_says_its_name(name: str, owners: list[str]) -> None:
    assert owners_of(name, dict.fromkeys(("ada", "ada.l", "bob"))) == owners


@pytest.mark.parametrize("packed", [False, True], ids=["folder", "zip"])
def test_a_folder_and_a_zip_are_collected_alike(own: Class, tmp_path: Path, packed: bool) -> None:
    files = {
        "ada.ipynb": "1", "bob_4_/exercises.ipynb": "2", "x/.ipynb_checkpoints/readme.txt": "3", "who.ipynb": "4",
        "ada-bob.ipynb": "5",
    }  # fmt: skip
    source = tmp_path / "handed in.zip" if packed else tmp_path / "handed in"
    if packed:
        with zipfile.ZipFile(source, "w") as archive:
            for name, text in files.items():
                archive.writestr(name, text)
    else:
        for name, text in files.items():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_text(text)
    found = collect(own, source)
    assert found.files == {"ada": 1, "bob": 1, "cleo": 0}
    assert sorted(found.nobodys) == ["ada-bob.ipynb", "who.ipynb"]
    assert [path.read_text() for path in own.files("ada") + own.files("bob")] == ["1", "2"]


def test_a_zip_writes_nowhere_else(own: Class, tmp_path: Path) -> None:
    source = tmp_path / "evil.zip"
    with zipfile.ZipFile(source, "w") as archive:
        archive.writestr("../../ada.ipynb", "1")
        archive.writestr("/bob.ipynb", "2")
        archive.writestr("C:\\cleo.ipynb", "3")
    collect(own, source)
    written = [path for path in tmp_path.rglob("*.ipynb") if "handout" not in path.parts]
    assert written and all(own.submissions in path.parents for path in written)


def test_what_was_changed_last_counts(own: Class, tmp_path: Path) -> None:
    for number, name in enumerate(("b ada.ipynb", "a ada.ipynb")):
        (tmp_path / name).write_text("{}")
        os.utime(tmp_path / name, (number, number))
        collected = tmp_path / f"in {number}"
        collected.mkdir()
        (tmp_path / name).rename(collected / name)
        collect(own, collected)
    assert [path.name for path in own.files("ada")] == ["b ada.ipynb", "a ada.ipynb"]


def test_neither_a_folder_nor_a_zip(own: Class, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="neither a folder nor a zip"):
        collect(own, roster(tmp_path))


# -- what is written --------------------------------------------------------------------------------------------


def row(student: str, **changed: Any) -> Graded:
    made: dict[str, Any] = {
        "student": student, "exercise": IDS[0], "state": "right", "points": 1.0, "criteria": (("all", 1.0, 1.0),),
        "message": "", "belief": "", "variant": f"{IDS[0]}:1", "seconds": 0.1, "handed_in": "read",
    }  # fmt: skip
    return Graded(**{**made, **changed})


def test_canvas_gets_its_own_columns_back(tmp_path: Path) -> None:
    own = new(tmp_path / "class", IDS[:1], roster(tmp_path, CANVAS))
    gradebook.write(own, [row("ada.l", points=0.25), row("cbabbage")])
    possible, ada, charles = table(own.grades / "canvas.csv")
    assert possible["Student"] == "    Points Possible" and possible[f"zswaplab {IDS[0]}"] == "10.0"
    assert [*ada.values()][:5] == ["Lovelace, Ada", "4711", "u1", "ada.l", "A"]
    assert (ada[f"zswaplab {IDS[0]}"], charles[f"zswaplab {IDS[0]}"]) == ("2.5", "10.0")
    assert "Old homework (17)" not in ada, "importing it would set it again"


def test_moodle_gets_its_own_columns_back(tmp_path: Path) -> None:
    own = new(tmp_path / "class", IDS[:1], roster(tmp_path, MOODLE))
    gradebook.write(own, [row("1815", state="wrong", points=0.0, message="Not here."), row("1816")])
    ada, zoe = table(own.grades / "moodle.csv")
    assert (ada["ID number"], ada["Email address"], ada["Total"]) == ("1815", "ada@example.org", "0.0")
    assert ada["Feedback"] == f"{IDS[0]}: wrong. Not here." and zoe["Total"] == "10.0"


def test_what_we_could_not_judge_is_no_nought(tmp_path: Path) -> None:
    own = new(tmp_path / "class", IDS[:1], roster(tmp_path))
    gradebook.write(own, [row("ada", state="our fault", points=0.0), row("bob", state="wrong", points=0.0)])
    for name, skipped in (("canvas.csv", 1), ("moodle.csv", 0)):
        ada, bob, _ = table(own.grades / name)[skipped:]
        assert (ada[f"zswaplab {IDS[0]}"], bob[f"zswaplab {IDS[0]}"]) == ("", "0.0")


def test_a_spreadsheet_takes_no_students_text_for_a_formula(own: Class) -> None:
    gradebook.write(own, [row("ada", message='=HYPERLINK("http://example.org")')])
    assert table(own.grades / "exercises.csv")[0]["message"].startswith("'=")


def test_the_report_of_a_class(own: Class) -> None:
    alike = {"same": "abc"}
    gradebook.write(own, [
        row("ada", state="wrong", points=0.0, belief="loads-move-nothing", seconds=9.0, **alike),
        row("bob", state="our fault", message="It broke.", note="The notebook says student = 'ada'.", **alike),
        row("cleo", state="right"),
    ])  # fmt: skip
    found = {part.heading: part.rows for part in report.parts(report.read(own))}
    assert found["Wrong rules"] == [("loads-move-nothing", "A load moves nothing on the LRU.", 1, IDS[0])]
    assert found["Slowest"] == [(IDS[0], "0.10", "9.00", "ada")]
    assert found["Alike"] == [(IDS[0], 2, "ada, bob")]
    assert found["Our faults"] == [("bob", f"{IDS[0]}:1", "It broke.")]
    assert found["To look at"] == [("bob", "The notebook says student = 'ada'.", IDS[0])]
    (exercise,) = found["Exercises"]
    assert exercise[2] == "50 %"
    page = report.write(own, report.parts(report.read(own))).read_text(encoding="utf-8")
    assert "&#x27;ada&#x27;" in page and "<script" not in page


@pytest.mark.parametrize("jobs", [0, True, 1.5])
def test_jobs_that_cannot_be(own: Class, jobs: Any) -> None:
    with pytest.raises(BadInput, match="jobs="):
        classroom.grade_class(own, jobs, classroom.Limits())
