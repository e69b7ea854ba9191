"""The bank of exercises: each state has its answer, each mistake its message, and what is shown as evidence is true."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from zswaplab.run.history import record
from zswaplab.teach.task import Task, tasks
from zswaplab.teach.variant import HINTS, KINDS, Verdict

ALL = list(tasks())
SEEDED = [id for id, task in tasks().items() if task.seeded]
CODE = [id for id, task in tasks().items() if task.kind == "write kernel code"]
EXACT = [id for id in SEEDED if tasks()[id].kind in ("be the kernel", "read evidence")]
SEEDS = (0, 1, 7)
every_exercise = pytest.mark.parametrize("id", ALL)


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZSWAPLAB_DATA", str(tmp_path / "data"))


def seeds_of(id: str) -> tuple[int, ...]:
    return SEEDS if tasks()[id].seeded else (0,)


def answers() -> Iterator[Any]:
    """Every wrong answer of the bank: exercise, seed, mistake, answer."""
    for id, task in tasks().items():
        for seed in seeds_of(id):
            for name, answer in task.wrong(seed).items():
                yield pytest.param(task, seed, name, answer, id=f"{id}-{seed}-{name}")


# The bank


@every_exercise
def test_an_exercise_is_whole(id: str) -> None:
    task = tasks()[id]
    assert task.kind in KINDS and task.minutes > 0 and task.goals and task.why and task.title
    assert len(task.hints) == HINTS == len(set(task.hints)) and all(len(hint) > 20 for hint in task.hints)
    assert len(task.mistakes) >= 3 and all(text[-1] in ".?!" for text in task.mistakes.values())
    for seed in seeds_of(id):
        assert not re.search(r"\{[a-z]+\}", task.words(seed) + task.cell(seed))
        compile(task.cell(seed), id, "exec")


def test_at_least_two_of_each_kind() -> None:
    assert all(sum(task.kind == kind for task in tasks().values()) >= 2 for kind in KINDS)


@every_exercise
def test_every_mistake_has_an_answer_that_makes_it(id: str) -> None:
    made: set[str] = set()
    for seed in range(40 if tasks()[id].seeded else 1):
        made |= set(tasks()[id].wrong(seed))
        if made == set(tasks()[id].mistakes):
            return
    assert made == set(tasks()[id].mistakes)


@every_exercise
def test_an_untouched_cell_is_not_attempted(id: str) -> None:
    for seed in seeds_of(id):
        names: dict[str, Any] = {}
        exec(compiled(tasks()[id].cell(seed)), names)
        verdict = tasks()[id].judge(names["answer"], seed)
        assert verdict.state == "not attempted" and verdict.points == 0


@every_exercise
def test_the_reference_is_right(id: str) -> None:
    for seed in seeds_of(id):
        verdict = tasks()[id].judge(tasks()[id].reference(seed), seed)
        assert (verdict.state, verdict.points, verdict.belief) == ("right", 1.0, ""), verdict
        assert verdict.variant == f"{id}:{seed}"


@pytest.mark.parametrize(("task", "seed", "name", "answer"), list(answers()))
def test_a_wrong_answer_gets_its_message(task: Task, seed: int, name: str, answer: Any) -> None:
    verdict = task.judge(answer, seed)
    assert verdict.state in ("wrong", "partly right") and verdict.points < 1
    assert verdict.belief == name and verdict.message.startswith(task.mistakes[name])
    assert sum(points for _, points, _ in verdict.criteria) == pytest.approx(verdict.points)
    assert {name: of for name, _, of in verdict.criteria} == dict(task.rubric)
    assert "Traceback" not in verdict.message
    evidence_is_true(verdict)


def evidence_is_true(verdict: Verdict) -> None:
    """What is to be played runs, and parts from the student's where it says."""
    if verdict.setup is None:
        assert verdict.mine is None and verdict.step is None
        return
    kernel = record(verdict.setup)
    assert verdict.step is None or 0 <= verdict.step < len(kernel)
    if verdict.mine is not None and verdict.step is not None:
        assert kernel.first_difference(record(verdict.mine)) == verdict.step


def compiled(source: str) -> Any:
    """Code whose source can be read, as in a notebook."""
    from zswaplab.teach.guard import readable

    return readable(source)
