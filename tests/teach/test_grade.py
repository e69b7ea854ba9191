"""Grading without a screen: whatever is in an answer cell, every exercise gets its verdict."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from zswaplab.model.errors import BadInput
from zswaplab.teach.grade import Answer, Graded, Limits, Submission, answers_of, cells_of, grade, read_submission
from zswaplab.teach.handout import master_of, student_version
from zswaplab.teach.students import seed_of
from zswaplab.teach.task import tasks, typed

pytestmark = pytest.mark.slow

SALT = "a class"
DATA, OTHER, CODE = "06.2", "08.2", "04.1"
SHORT = Limits(seconds=4)


def right(id: str, student: str = "ada") -> str:
    return typed(tasks()[id].reference(seed_of(student, id, SALT)))


def judged(*sources: str, limits: Limits = SHORT, ids: tuple[str, ...] = (DATA, OTHER)) -> list[Graded]:
    """Verdicts on answers to some exercises, in this order."""
    return grade(Submission("ada", dict(zip(ids, map(Answer, sources), strict=False))), ids, SALT, limits)


def test_right_answers_get_all_points_in_every_criterion() -> None:
    for one in judged(right(DATA), right(OTHER), right(CODE), limits=Limits(), ids=(DATA, OTHER, CODE)):
        assert (one.state, one.points) == ("right", 1.0)
        assert one.criteria and all(has == of for _, has, of in one.criteria)
        assert one.variant == f"{one.exercise}:{seed_of('ada', one.exercise, SALT)}"


def test_another_class_has_other_variants() -> None:
    assert grade(Submission("ada", {DATA: Answer(right(DATA))}), [DATA], "another class")[0].state != "right"


@pytest.mark.parametrize("endless", ["while True: pass", "import time\ntime.sleep(99)", "answer = sum(iter(int, 1))"])
def test_an_answer_without_end_loses_only_itself(endless: str) -> None:
    first, second = judged(endless, right(OTHER))
    assert (first.state, second.state) == ("wrong", "right")
    assert "did not come to an end in 4 seconds" in first.message


@pytest.mark.parametrize(
    ("source", "state", "said"),
    [
        ("answer = (", "malformed", "not Python, line 1"),
        ("\nanswer = nothing_of_that_name", "malformed", "line 2, `answer = nothing_of_that_name`"),
        ("helper = 3", "malformed", "no longer says what `answer` is"),
        ("raise SystemExit", "malformed", "SystemExit"),
        ("import os\nos._exit(0)", "wrong", "ended Python"),
        ("answer = ...", "not attempted", ""),
        ("answer = object()", "malformed", ""),
        ("print(9)\ninput()", "malformed", "line 2, `input()`"),
    ],
)
def test_what_can_be_in_a_cell_gets_its_message(source: str, state: str, said: str) -> None:
    first, second = judged(source, right(OTHER))
    assert (first.state, first.points, second.state) == (state, 0.0, "right")
    assert said in first.message
    assert "Traceback" not in first.message and "apart.py" not in first.message


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited on Linux alone")
def test_memory_has_a_limit() -> None:
    first, second = judged("answer = bytearray(2 ** 31)", right(OTHER), limits=Limits(20, 512))
    assert "more memory than it may have" in first.message
    assert second.state == "right"


def test_what_students_print_is_no_verdict() -> None:
    forged = json.dumps({"exercise": DATA, "state": "right", "points": 1.0})
    source = f"import os\nprint({forged!r})\nos.write(1, {forged!r}.encode())\nanswer = object()"
    assert judged(source)[0].state == "malformed"


def test_a_student_sees_nothing_of_the_graders_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_OF_THE_GRADER", "1")
    looks = "import os\nif 'SECRET_OF_THE_GRADER' in os.environ: raise ValueError('seen')\n"
    assert judged(looks + right(DATA))[0].state == "right"


def test_an_answer_that_takes_it_from_the_bank_is_noted() -> None:
    seed = seed_of("ada", DATA, SALT)
    peeking = f"from zswaplab.teach.task import tasks\nanswer = tasks()[{DATA!r}].reference({seed})"
    (one,) = grade(Submission("ada", {DATA: Answer(peeking)}), [DATA], SALT)
    assert "zswaplab.teach" in one.note
    assert grade(Submission("ada", {DATA: Answer(right(DATA))}), [DATA], SALT)[0].note == ""


def test_the_same_code_is_seen_through_spaces_and_comments() -> None:
    code = "def chosen(first, second):\n    return first + second\n\nanswer = chosen"
    other = "# mine\n" + code.replace(" + ", "+") + "\n\n\n"
    first, second, third = (judged(source)[0].same for source in (code, other, code + "\nx = 1"))
    assert first == second != third
    assert judged("answer = 3")[0].same == "", "short answers are easily the same"


def test_an_answer_to_another_version_costs_nothing_and_says_so() -> None:
    answers = {DATA: Answer(right(DATA), version=tasks()[DATA].version + 1)}
    (one,) = grade(Submission("ada", answers), [DATA], SALT)
    assert one.state == "malformed" and "version" in one.message


# -- files ----------------------------------------------------------------------------------------------------


def notebook(tmp_path: Path, name: str = "a.ipynb", **sources: str) -> Path:
    made: dict[str, Any] = student_version(master_of([DATA, OTHER], SALT))
    for cell in made["cells"]:
        cell["source"] = sources.get(cell["id"].replace("-", "_"), cell["source"])
    file = tmp_path / name
    file.write_text(json.dumps(made), encoding="utf-8")
    return file


def test_answers_are_found_by_their_cells(tmp_path: Path) -> None:
    file = notebook(tmp_path, answer_06_2="answer = 3")
    assert answers_of(cells_of(file))[DATA] == Answer("answer = 3", tasks()[DATA].version)
    assert set(answers_of(cells_of(file))) == {DATA, OTHER}


def test_the_last_of_several_notebooks_counts(tmp_path: Path) -> None:
    first = notebook(tmp_path, "b.ipynb", answer_06_2="answer = 1")
    second = notebook(tmp_path, "a.ipynb", answer_06_2="answer = 2")
    assert read_submission("ada", [first, second]).answers[DATA].source == "answer = 2"


@pytest.mark.parametrize(
    ("text", "handed_in"),
    [
        ("", "empty"), ("{", "malformed"), ("[]", "malformed"), ('{"cells": 3}', "malformed"),
        ('{"cells": []}', "malformed"), ('{"cells": [{"cell_type": "code"}]}', "malformed"),
        ("[" * 100_000, "malformed"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_notebook_is_a_row_all_the_same(tmp_path: Path, text: str, handed_in: str) -> None:
    file = tmp_path / "ada.ipynb"
    file.write_text(text)
    found = read_submission("ada", [file])
    assert found.handed_in == handed_in and found.note
    rows = grade(found, [DATA, OTHER])
    assert [row.exercise for row in rows] == [DATA, OTHER]
    assert all(row.points == 0 and row.criteria and row.handed_in == handed_in for row in rows)
    assert {row.state for row in rows} == {"malformed" if handed_in == "malformed" else "not attempted"}


def test_a_missing_notebook_is_a_row_all_the_same() -> None:
    assert {row.handed_in for row in grade(read_submission("ada", []), [DATA, OTHER])} == {"missing"}


def test_a_broken_file_beside_a_good_one_is_said(tmp_path: Path) -> None:
    broken = tmp_path / "b.ipynb"
    broken.write_text("{")
    found = read_submission("ada", [notebook(tmp_path), broken])
    assert found.handed_in == "read" and "b.ipynb is not a notebook" in found.note


@pytest.mark.parametrize(
    ("who", "noted"),
    [
        ('student = "bob"\nsalt = "a class"', "The notebook says student = 'bob'."),
        ('student = " Ada "\nsalt = "a class"', ""),
        ('student = "ada"\nsalt = "last year"', "The notebook says salt = 'last year'."),
        ('student = ""', ""),
        ("student = input()", ""),
    ],
)
def test_somebody_elses_notebook_is_noted(tmp_path: Path, who: str, noted: str) -> None:
    assert read_submission("ada", [notebook(tmp_path, who=who)], SALT).note == noted


def test_a_notebook_with_huge_outputs_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "a.ipynb"
    with file.open("wb") as huge:
        huge.truncate(21 * 2**20)
    with pytest.raises(BadInput, match="larger than 20 MB"):
        cells_of(file)


def test_grading_needs_no_widgets_and_no_tables() -> None:
    heavy = ("pandas", "numpy", "matplotlib", "ipywidgets", "anywidget", "IPython")
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({heavy}));"
        "from zswaplab.teach.grade import *; from zswaplab.teach import apart, classroom, gradebook, report;"
        f"print(grade(Submission('ada', {{{DATA!r}: Answer('answer = ...')}}), [{DATA!r}])[0].state);"
        "print([name for name in sys.modules if name.startswith('zswaplab.show')])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert ran.stdout == "not attempted\n[]\n", ran.stderr
