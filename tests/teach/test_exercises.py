"""The bank of exercises: each state has its answer, each mistake its message, and what is shown as evidence is true."""

from __future__ import annotations

import inspect
import json
import re
import sys
import textwrap
from collections.abc import Iterator, Sequence
from itertools import combinations_with_replacement, product
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from zswaplab import exercise
from zswaplab.model.errors import BadInput
from zswaplab.model.machine import Machine
from zswaplab.run.cpus import unpacked
from zswaplab.run.search import Case, Search, explore
from zswaplab.teach.evidence import recorded, shortest
from zswaplab.teach.guard import readable
from zswaplab.teach.misconceptions import MISCONCEPTIONS
from zswaplab.teach.outcome import Outcome
from zswaplab.teach.students import seed_of
from zswaplab.teach.task import Task, tasks, typed
from zswaplab.teach.tasks import VARIANTS
from zswaplab.teach.tasks.code import Code
from zswaplab.teach.tasks.notebook01 import FEWEST
from zswaplab.teach.tasks.rows import Rows
from zswaplab.teach.variant import HINTS, KINDS, STATES, Feedback, Verdict

pytestmark = pytest.mark.slow

ALL = list(tasks())
SEEDED = [id for id, task in tasks().items() if task.seeded]
CODE = [id for id in ALL if issubclass(VARIANTS[id], Code)]
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
        assert not re.search(r"\{[a-z]+\}", task.words(seed))
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
        exec(readable(tasks()[id].cell(seed)), names)
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
    """What is to be played runs, and parts from the student's where it says; a schedule fails at its last step."""
    if verdict.setup is None:
        assert verdict.mine is None and verdict.step is None
        return
    kernel = recorded(verdict.setup)
    assert verdict.step is None or 0 <= verdict.step < len(kernel)
    if verdict.mine is None:
        return
    mine = recorded(verdict.mine)
    assert kernel.first_difference(mine) == verdict.step
    assert verdict.mine.workload == verdict.setup.workload
    if verdict.mine.schedule is not None:
        assert mine.fault is not None and kernel.fault is None
        assert f"{verdict.mine.schedule} (" in verdict.message
        assert len(mine.session.cpus.taken) == len(unpacked(verdict.mine.schedule, len(verdict.mine.cpus)))


def test_feedback_has_its_order() -> None:
    """The contract, the smallest example, the shortest run, the recorded kernel."""
    verdict = tasks()["04.1"].judge(tasks()["04.1"].wrong(0)["lowest-page"], 0)
    parts = ("zbud does not go", "The shortest workload", "The recorded kernel")
    places = [verdict.message.index(text) for text in parts]
    assert places == sorted(places)
    assert str(Feedback("1", "2", "3", "4")).split() == ["1", "2", "3", "4"]


# No shorter one


OWN = [(id, name) for id, made in VARIANTS.items() if issubclass(made, Rows) for name in made.own]


@pytest.mark.slow
@pytest.mark.parametrize(("id", "name"), OWN)
def test_no_shorter_workload_shows_a_mistake_of_a_tasks_own(id: str, name: str) -> None:
    rows = tasks()[id].variant(0)
    assert isinstance(rows, Rows)
    setup, mine = rows.smallest(name)
    lines = setup.lines()
    pages = sorted({int(line.split()[1]) for line in lines if line.startswith("write")})
    units = [["worker"], *([f"{verb} {page}"] for verb in ("read", "page_out", "free") for page in pages)]
    units += [[f"write {page}", f"page_out {page}"] for page in pages]
    assert shortest(setup, mine, units, len(lines) - 1, watched) is None
    found = shortest(setup, mine, units, len(lines), watched)
    assert found is not None and len(found.lines()) == len(lines)


def watched(machine: Machine) -> Any:
    """Where each object lies, and what has reached the disk."""
    entries = machine.zswap.trees[0].entries
    return list(machine.swap.disk), sorted((slot, entry.handle.page.number) for slot, entry in entries.items())


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted({name for task in tasks().values() for name in task.misconceptions}))
def test_no_shorter_workload_shows_a_misconception(name: str) -> None:
    """Of all that its situation is made of: the same units in another order, or fewer of them."""
    wrong = MISCONCEPTIONS[name]
    setup, mine = wrong.situation, wrong.applied(wrong.situation)
    lines = setup.lines()
    if setup.cpus:
        pytest.skip("about schedules")
    units = [list(unit) for unit in dict.fromkeys(units_of(lines))]
    for shorter in all_of(units, len(lines) - 1):
        try:
            one, other = (Outcome(run.but(workload=shorter)).answer(wrong.asks) for run in (setup, mine))
        except BadInput:
            continue
        assert one == other, shorter
    assert Outcome(setup).answer(wrong.asks) != Outcome(mine).answer(wrong.asks)


def units_of(lines: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Lines that belong together: a write and the page-out after it."""
    rest = list(lines)
    while rest:
        first = rest.pop(0)
        if first.startswith("write") and rest and rest[0] == f"page_out {first.split()[1]}":
            yield first, rest.pop(0)
        else:
            yield (first,)


def all_of(units: Sequence[Sequence[str]], longest: int) -> Iterator[list[str]]:
    """Every workload of those units with so many lines at most."""
    for count in range(1, longest + 1):
        for chosen in product(units, repeat=count):
            lines = [line for unit in chosen for line in unit]
            if len(lines) <= longest:
                yield lines


def test_no_shorter_workload_tells_the_three_apart() -> None:
    task = tasks()["01.1"]
    page = task.reference(0)[0].split()[1]
    verbs = ("write", "page_out", "read", "free")
    for count in range(1, FEWEST):
        for chosen in product(verbs, repeat=count - 1):
            verdict = task.judge([f"write {page}", *(f"{verb} {page}" for verb in chosen)], 0)
            assert verdict.state in ("wrong", "partly right", "malformed"), chosen


@pytest.mark.slow
def test_no_shorter_schedule_breaks_patch_1() -> None:
    """Neither of other operations on that page, nor of the same two, states told apart or not."""
    task = tasks()["06.1"]
    stage, page = task.variant(0).stage, task.variant(0).page  # type: ignore[attr-defined]
    steps = len(unpacked(task.reference(0)["schedule"], 2))
    verbs = [f"{verb} {page}" for verb in ("read", "write", "page_out", "free")]
    for device, cpus in product(("synchronous", "ordinary"), combinations_with_replacement([*verbs, "worker"], 2)):
        before = [f"write {page}", f"page_out {page}"]
        found = explore(stage=stage, device=device, cpus=list(cpus), before=before, max_states=3000)
        assert found.length is None or found.length >= steps
    brute = Search(Case((verbs[0], verbs[3]), {"stage": stage, "device": "synchronous"}), merge=False).run()
    assert brute.length == steps


# A neighbour's answer


@pytest.mark.parametrize("id", EXACT)
def test_a_neighbours_answer_is_refused(id: str) -> None:
    task = tasks()[id]
    seeds = [seed_of(f"student {number}", id) for number in range(30)]
    assert len(set(seeds)) == len(seeds)
    right = {seed: task.reference(seed) for seed in seeds}
    pairs = [(one, other) for one in seeds for other in seeds if one != other]
    assert sum(right[one] == right[other] for one, other in pairs) <= 0.05 * len(pairs)
    judged = pairs[::11]
    assert sum(task.judge(right[other], one).state == "right" for one, other in judged) <= 0.05 * len(judged)


def test_a_class_seed_is_the_same_for_all() -> None:
    assert exercise("06.2", seed=7).words() == exercise("06.2", student="ada", seed=7).words()
    assert exercise("06.2", student="ada").seed != exercise("06.2", student="bob").seed
    assert exercise("06.2", student="ada").seed == exercise("06.2", student=" ADA ").seed
    assert exercise("06.2", student="ada", salt="2027").seed != exercise("06.2", student="ada").seed


# Student code


def written(task: Task, body: str) -> Any:
    """An answer to a task whose first function has that body; the others are right."""
    asks = task.variant(0).asks  # type: ignore[attr-defined]
    name, like = next(iter(asks.items()))
    arguments = ", ".join(inspect.signature(like).parameters)
    names: dict[str, Any] = {}
    source = "from zswaplab.model.steps import UNLOCKED\n\n"
    exec(readable(f"{source}def {name}({arguments}):\n{textwrap.indent(textwrap.dedent(body), '    ')}"), names)
    right = task.reference(0)
    return [names[name], *right[1:]] if isinstance(right, list) else names[name]


def steps_of(task: Task) -> bool:
    """Whether the task's first function gives steps."""
    return inspect.isgeneratorfunction(next(iter(task.variant(0).asks.values())))  # type: ignore[attr-defined]


@pytest.mark.parametrize("id", CODE)
def test_an_endless_loop_is_ended(id: str) -> None:
    task = tasks()[id]
    bodies = ["while True:\n    pass", "number = 0\nwhile True:\n    number += 1"]
    if steps_of(task):
        bodies = ["yield UNLOCKED\n" + bodies[1], "while True:\n    yield UNLOCKED"]
    if id == CODE[0]:
        bodies.append(bodies[0].replace("while True:\n    pass", "while True: pass"))
    for body in bodies:
        verdict = task.judge(written(task, body), 0)
        assert verdict.state == "wrong" and verdict.belief == "endless"
        assert "does not come to an end" in verdict.message
    assert sys.gettrace() is None or "coverage" in sys.modules


@pytest.mark.parametrize("id", CODE)
def test_an_exception_names_the_students_own_line(id: str) -> None:
    task = tasks()[id]
    before = "yield UNLOCKED\n" if steps_of(task) else ""
    verdict = task.judge(written(task, f"{before}nothing = None\nreturn nothing.there"), 0)
    assert verdict.state == "wrong" and verdict.belief == "exception"
    assert "`return nothing.there`: AttributeError: 'NoneType' object has no attribute 'there'" in verdict.message
    assert "Traceback" not in verdict.message and ".py" not in verdict.message


@pytest.mark.parametrize("id", CODE)
def test_a_wrong_signature_costs_nothing(id: str) -> None:
    task = tasks()[id]
    names: dict[str, Any] = {}
    exec(readable("def mine(one, two, three, four, five, six):\n    return one"), names)
    right = task.reference(0)
    verdict = task.judge([names["mine"], *right[1:]] if isinstance(right, list) else names["mine"], 0)
    assert verdict.state == "malformed" and re.search(r"takes \([a-z, ]+\), and yours takes", verdict.message)


@pytest.mark.parametrize("id", CODE)
def test_what_is_no_function_costs_nothing(id: str) -> None:
    for answer in (3, "a text", [1, 2], {"a": 1}, print, len):
        assert tasks()[id].judge(answer, 0).state == "malformed"


@pytest.mark.parametrize("id", [id for id in CODE if id in ("03.1", "08.1", "10.1", "11.1")])
def test_a_forgotten_yield_from_costs_nothing(id: str) -> None:
    task = tasks()[id]
    calls = {"03.1": "self.shrink(pool)", "10.1": "self.writeback_entry(pool, None)"}
    call = calls.get(id, "self.entry_put(tree, entry)")
    verdict = task.judge(written(task, f"yield UNLOCKED\n{call}"), 0)
    assert verdict.state == "malformed" and f"write `yield from {call}`" in verdict.message
    verdict = task.judge(written(task, call), 0)
    assert verdict.state == "malformed" and "never yields" in verdict.message


@pytest.mark.parametrize("id", CODE)
def test_a_print_is_told_and_kept_off_the_page(id: str, capsys: pytest.CaptureFixture[str]) -> None:
    task = tasks()[id]
    before = "yield UNLOCKED\n" if steps_of(task) else ""
    verdict = task.judge(written(task, f"{before}print('here I am')\nreturn 0"), 0)
    assert "Your code prints: 'here I am'" in verdict.message and capsys.readouterr().out == ""


def test_a_right_answer_that_prints_is_right() -> None:
    names: dict[str, Any] = {}
    exec(readable("def stored(lru, slot):\n    print(slot)\n    lru.insert(0, slot)"), names)
    verdict = tasks()["09.1"].judge([names["stored"], *tasks()["09.1"].reference(0)[1:]], 0)
    assert verdict.state == "right" and "Your code prints" in verdict.message


def test_what_catches_everything_and_what_ends_python_are_refused() -> None:
    task = tasks()["09.1"]
    swallowed = "while True:\n    try:\n        lru.append(slot)\n    except:\n        pass"
    assert "hides what goes wrong" in task.judge(written(task, swallowed), 0).message
    assert "leave exit() out" in task.judge(written(task, "raise SystemExit"), 0).message


# States and bad input


NO_ANSWERS = (3, 2.5, "a text", {"a": 1}, {1, 2}, object(), [object()], b"bytes", True, [1] * 50)


@every_exercise
@pytest.mark.parametrize("answer", NO_ANSWERS)
def test_an_answer_of_the_wrong_type_costs_nothing(id: str, answer: Any) -> None:
    verdict = tasks()[id].judge(answer, 0)
    assert verdict.state == "malformed" and "costs nothing" in verdict.message and verdict.points == 0


@every_exercise
def test_a_failure_of_ours_is_told_with_the_variant(id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: Any, answer: Any) -> Verdict:
        raise KeyError("ours")

    monkeypatch.setattr(VARIANTS[id], "judge", broken)
    verdict = tasks()[id].judge(tasks()[id].reference(0), 0)
    assert verdict.state == "our fault" and f"{id}:0" in verdict.message and verdict.variant == f"{id}:0"


def test_all_six_states_are_met() -> None:
    assert set(STATES) == {"not attempted", "malformed", "wrong", "partly right", "right", "our fault"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"id": "99.9"}, "exercise='99.9' is not known; choose one of '01.1'"),
        ({"id": 6.2}, 'like exercise("06.2")'),
        ({"id": "06.2:x"}, "after the colon stands the seed"),
        ({"id": "06.2", "student": ""}, "give your id as a text"),
        ({"id": "06.2", "student": 12}, "give your id as a text"), ({"id": "06.2", "seed": -1}, "0 or more"),
        ({"id": "06.2", "seed": "3"}, "0 or more"), ({"id": "06.2", "seed": True}, "0 or more"),
    ],
)  # fmt: skip
def test_what_is_no_exercise_is_refused_in_words(given: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInput, match=re.escape(said)):
        exercise(**given)


def test_an_answer_to_another_seed_is_known_as_that() -> None:
    first = exercise("06.2", student="ada")
    second = first.new()
    verdict = second.check(first.task.reference(first.seed))
    assert verdict.state == "malformed"
    assert first.variant in verdict.message and second.variant in verdict.message
    assert second.check(second.task.reference(second.seed)).state == "right"


def test_an_answer_to_another_version_is_known_as_that() -> None:
    old = exercise("06.2", seed=1, version=99)
    assert "version 99 of exercise 06.2" in old.check(old.task.reference(1)).message


@every_exercise
def test_nothing_of_the_answer_is_shown(id: str) -> None:
    held = exercise(id, seed=1)
    held.check(["wrong"])
    right = typed(held.task.reference(1)).removeprefix("answer = ")
    texts = repr(held), held.words(), held._repr_markdown_(), held.task.cell(1), repr(held.task), repr(vars(held))
    for shown in texts:
        assert right not in shown


# Progress


def test_progress_survives_a_restart_and_knows_the_best_try() -> None:
    first = exercise("06.2", student="ada")
    right = first.task.reference(first.seed)
    first.hint()
    first.check(right)
    first.check(right[:3])
    again = exercise("06.2", student="ada")  # as after a restart, in whatever notebook
    known = again.progress.of(again.variant)
    assert (known["state"], known["points"], known["tries"], known["hints"]) == ("right", 1.0, 2, 1)
    assert again.hint().startswith("2 of 3: ") and repr(again).endswith("right>")
    assert exercise("06.2", student="bob").progress.variants("06.2") != again.progress.variants("06.2")


def test_reset_forgets_this_exercise_alone() -> None:
    one, other = exercise("06.2", student="ada"), exercise("01.1", student="ada")
    for held in (one, other):
        held.check(held.task.reference(held.seed))
    one = one.reset()
    assert one.progress.of(one.variant)["state"] == "not attempted"
    assert exercise("01.1", student="ada").progress.of(other.variant)["state"] == "right"
    one.reset(everything=True)
    assert exercise("01.1", student="ada").progress.of(other.variant)["state"] == "not attempted"


@pytest.mark.parametrize("text", ["{", "[]", '{"format": 2, "variants": {}}', '{"format": 1, "variants": []}', "\x00"])
def test_a_damaged_file_is_put_aside_and_said(text: str) -> None:
    held = exercise("06.2", student="ada")
    file = held.progress.file
    file.write_text(text)
    again = exercise("06.2", student="ada")
    aside = list(file.parent.glob("*.damaged-1.json"))
    assert [one.read_text() for one in aside] == [text]
    assert str(aside[0]) in again.check(...).message
    assert json.loads(file.read_text())["format"] == 1


def test_what_a_later_zswaplab_has_written_into_a_variant_is_kept() -> None:
    held = exercise("06.2", student="ada")
    held.progress.note(held.variant, later="kept")
    held.check(held.task.reference(held.seed))
    assert exercise("06.2", student="ada").progress.of(held.variant)["later"] == "kept"


def test_a_write_that_fails_leaves_the_old_file(monkeypatch: pytest.MonkeyPatch) -> None:
    held = exercise("06.2", student="ada")
    before = held.progress.file.read_text()

    def refuse(*paths: Any) -> None:
        raise OSError("no room")

    monkeypatch.setattr("zswaplab.teach.students.os.replace", refuse)
    assert "cannot be kept" in held.check(held.task.reference(held.seed)).message
    assert held.progress.file.read_text() == before


@every_exercise
def test_a_solution_comes_after_success_or_for_another_seed(id: str) -> None:
    held = exercise(id, seed=3)
    right = typed(held.task.reference(3))
    assert right not in held.solution()
    if held.task.seeded and not held.task.alike:
        assert "Worked for another seed" in held.solution()
    else:
        assert "after 3 hints and 3 tries" in held.solution()
    if held.task.seeded:
        assert held.new().seed != held.seed
    else:
        with pytest.raises(BadInput, match="the same for everybody"):
            held.new()
    held.progress.note(held.variant, state="right")
    assert right in held.solution() and held.task.why in held.solution()


def test_a_solution_comes_after_all_hints_and_three_tries() -> None:
    held = exercise("09.1", student="ada")
    for _ in range(3):
        held.hint()
        held.check(held.task.wrong(0)["there-twice"])
    assert typed(held.task.reference(0)) in held.solution()


# In a notebook


def test_mine_is_played_beside_the_kernels() -> None:
    held = exercise("06.2", seed=0)
    with pytest.raises(BadInput, match="check an answer first"):
        held.play()
    held.check(held.task.wrong(0)["newest-first"])
    both = held.play()
    assert type(both).__name__ == "Comparison" and both.difference() is not None
    held = exercise("06.1", seed=0)
    held.check(held.task.wrong(0)["does-not-fail"])
    assert type(held.play()).__name__ == "Player"


@pytest.mark.slow
def test_an_endless_loop_in_a_notebook_is_ended(tmp_path: Path) -> None:
    cells = [
        "def stored(lru, slot):\n    while True:\n        pass",
        "def loaded(lru, slot):\n    pass\n    return\ndef failed(lru, slot):\n    return",
        "from zswaplab import exercise\nprint(exercise('09.1').check([stored, loaded, failed]))",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    assert "does not come to an end" in notebook.cells[-1].outputs[0]["text"]
