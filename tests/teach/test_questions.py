"""The bank: every question is one that can be asked, and the same seed draws the same instance everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from zswaplab.model.errors import BadInput
from zswaplab.run.setup import Setup
from zswaplab.teach import questions
from zswaplab.teach.outcome import ASKS, FAULTS, NEVER, NO, YES, Outcome, asked
from zswaplab.teach.questions import KINDS, PLACES, Question, bank, questions_of

NOTEBOOKS = [f"{number:02}" for number in range(13)]  # in the order in which they are read
GOOD: dict[str, Any] = {
    "id": "99.1", "place": "surprise", "kind": "number", "text": "How many?", "asks": "stores",
    "setup": {"workload": ["write {a}; page_out {a}"]}, "models": ["loads-take"], "why": "So.",
}  # fmt: skip


def test_three_a_notebook_one_of_each_place() -> None:
    places: dict[str, list[str]] = {}
    for question in bank().values():
        places.setdefault(question.notebook, []).append(question.place)
    assert sorted(places) == sorted(NOTEBOOKS)
    assert set(map(tuple, places.values())) == {PLACES}
    assert [question.id for question in bank().values()] == list(bank())


def test_what_is_recalled_comes_earlier() -> None:
    for question in bank().values():
        if question.place == "recall" and question.notebook != "00":
            assert NOTEBOOKS.index(question.recalls) < NOTEBOOKS.index(question.notebook)


def test_every_kind_is_there() -> None:
    assert {question.kind for question in bank().values()} == set(KINDS)


@pytest.mark.parametrize("id", bank())
def test_its_texts_are_those_of_the_course(id: str) -> None:
    question = bank()[id]
    for text in (question.text, question.why):
        assert "oldest" not in text, "that teaches first in, first out"
        assert text[0].isupper() or text.startswith(("zswap", "zbud"))
        assert text.endswith((".", "?")) and "  " not in text
    assert "{" not in question.why, "it holds for every instance"
    assert len(question.text) < 400 and len(question.why) < 400


@pytest.mark.slow
@pytest.mark.parametrize("id", bank())
def test_every_model_of_a_question_gives_a_wrong_option_for_some_seed(id: str) -> None:
    question = bank()[id]
    left = set(question.models)
    for seed in range(60 if question.is_drawn else 1):
        drawn = question.draw(seed)
        left -= {name for name, answer in drawn.answers.items() if answer != drawn.answer}
        if not left:
            return
    raise AssertionError(f"never an option: {left}")


def test_the_same_seed_draws_the_same_instance_on_every_system() -> None:
    drawn = bank()["01.1"].draw(1)
    assert ", ".join(drawn.setup.lines()) == (
        "write 13, page_out 13, write 19, page_out 19, write 5, page_out 5, read 5, read 19, read 13"
    )
    assert drawn.setup.compressor == "lengths"
    assert bank()["01.1"].draw(1).setup == drawn.setup != bank()["01.1"].draw(2).setup


def test_everything_that_can_be_asked_says_what_it_is() -> None:
    for name, function in ASKS.items():
        assert function.__doc__, name


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"kind": "essay"}, "question 99.1: kind='essay' is not known"),
        ({"place": "end"}, "question 99.1: place='end'"),
        ({"models": ["loads-take + loads"]}, "question 99.1: model='loads' is not known"),
        ({"setup": {"ram": 3}}, "question 99.1: field of its setup='ram'"),
        ({"asks": "weather"}, "asks='weather' is not known"),
        ({"asks": "refcount"}, "'refcount' is followed by page"),
        ({"asks": "stores 3"}, "'stores' is followed by nothing"),
        ({"place": "recall"}, "needs `recalls`"),
        ({"recalls": "00"}, "needs `recalls`"),
        ({"kind": "entry"}, "needs `recalls`"),
    ],
)
def test_what_is_no_question_is_refused(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(BadInput, match=told):
        Question(**{**GOOD, **wrong})


def test_a_question_whose_models_never_part_is_said_to_be_at_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(questions, "DRAWS", 3)
    with pytest.raises(BadInput, match=r"question 99\.1 has no instance for seed=3: its models never part"):
        Question(**GOOD).draw(3)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[[question]]\nid = "98.1"\nanswer = 3', "98.toml: field of a question='answer'"),
        ('[[question]]\nid = "97.1"\nplace = "surprise"\nkind = "number"\ntext = "How?"\nasks = "stores"\n'
         'models = []\nwhy = "So."\nsetup = {}', "question 97.1 stands in 98.toml"),
    ],
)  # fmt: skip
def test_a_file_of_the_bank_is_read_strictly(text: str, told: str, tmp_path: Path) -> None:
    file = tmp_path / "98.toml"
    file.write_text(text)
    with pytest.raises(BadInput, match=told):
        questions_of(file)


def test_what_is_asked_is_taken_apart() -> None:
    assert asked("first to disk") == ("first to disk", [])
    assert asked("line load_end fault") == ("line", ["load_end", "fault"])


def test_with_multi_shot_every_access_to_freed_memory_counts() -> None:
    crash = Setup("rfc2-2", exclusive_loads="v1", workload=[*OUT, "read 3"])
    assert [Outcome(crash.but(multi_shot=shots)).answer("bad accesses") for shots in (False, True)] == [FAULTS, 9]


OUT = ["write 3", "page_out 3"]


@pytest.mark.parametrize(
    ("workload", "answers"),
    [
        (OUT, {"where 3": "in zswap", "has entry 3": YES, "refcount 3": 1, "beside 3": NEVER, "on the lru": 1}),
        ([*OUT, "read 3"], {"where 3": "in a page frame", "has entry 3": YES, "disk reads": 0, "stores": 1}),
        ([*OUT, "worker"], {"where 3": "on the swap device", "has entry 3": NO, "refcount 3": NEVER, "lru": NEVER}),
        ([*OUT, "worker"], {"written back": (3,), "first written back": 3, "first to disk": 3, "disk writes": 1}),
        ([*OUT, "free 3"], {"where 3": "nowhere", "stored pages": 1, "lru": (3,)}),
        (["write 3 zeros", "page_out 3"], {"where 3": "in zswap", "lru": NEVER, "pool pages": 0, "refused": 0}),
        ([*OUT, "write 4", "page_out 4"], {"beside 3": 4, "beside 4": 3, "pool pages": 1, "failure": NEVER}),
    ],
)
def test_what_can_be_asked(workload: list[str], answers: dict[str, Any]) -> None:
    outcome = Outcome(Setup(workload=workload))
    assert {asks: outcome.answer(asks) for asks in answers} == answers


def test_what_ends_with_a_fault_has_no_other_answer() -> None:
    outcome = Outcome(Setup("rfc2-2", exclusive_loads="v1", workload=[*OUT, "read 3"]))
    assert {outcome.answer(asks) for asks in ("stores", "lru", "where 3", "failure")} == {FAULTS}
    assert outcome.answer("line load_end fault") == ("load_end", 6)
