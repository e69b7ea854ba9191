"""A vote without a board: what counts, what is dropped, and that nothing is shown before a round is closed."""

from __future__ import annotations

import csv
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from zswaplab.model.errors import BadInput
from zswaplab.teach.predict import predict
from zswaplab.teach.questions import bank
from zswaplab.teach.vote import told, vote
from zswaplab.teach.voting import FIVE, PAIRS, Vote

pytestmark = pytest.mark.slow

SEED = 2026
BEGUN = datetime(2026, 3, 4, 9, 0, 0).timestamp()


def begun(id: str = "01.2", seed: int = 3) -> Vote:
    made = Vote(id, seed, now=lambda: BEGUN)
    made.start()
    return made


def lines(right: int, wrong: int) -> str:
    return "01.2 seed 3: 1\n" * right + "01.2 seed 3: 2\n" * wrong


@pytest.mark.parametrize("id", bank())
def test_every_line_that_can_be_copied_is_counted_for_its_option(id: str) -> None:
    voting = begun(id, 1)
    copied = []
    for option in voting.prediction.options:
        asked = predict(id, 1)
        asked.answer(option)
        copied.append(asked.line)
    voting.close("\n".join(copied))
    assert voting.rounds[0].elsewhere == 0
    assert [*voting.counts().values()] == [1] * len(copied)


def test_nothing_is_shown_before_the_vote_is_closed() -> None:
    voting = vote("01.2", 3)
    for _ in range(2):
        with pytest.raises(BadInput, match="before the vote is closed"):
            voting.counts()
        with pytest.raises(BadInput, match="before the vote is closed"):
            voting.tell()
        assert not {"counts", "right", "why", "advice"} & set(told(voting))
        assert repr(voting) in ("<vote on 01.2 seed 3: not begun>", "<vote on 01.2 seed 3: open>")
        if not voting.is_open:
            voting.start()


def test_the_first_round_is_not_shown_while_the_second_is_open() -> None:
    voting = begun()
    voting.close(lines(1, 2))
    assert [row for row in told(voting)["counts"][0] if row[1]] == [("1", 1), ("2", 2)]
    voting.start()
    assert "counts" not in told(voting) and told(voting)["left"] == 40


def test_late_votes_are_dropped() -> None:
    voting = begun()
    voting.close(
        "2026-03-04 09:00:40 01.2 seed 3: 1\n09:00:41,01.2 seed 3: 1\n3/4/2026 9:00:39 AM,01.2 seed 3: 2\n"
        '"9:00:39 PM","01.2 seed 3: 2"\n01.2 seed 3: 2'
    )
    assert (voting.counts()["1"], voting.counts()["2"], voting.rounds[0].late) == (1, 2, 2)
    with pytest.raises(BadInput, match="too late"):
        voting.close("01.2 seed 3: 1")
    assert voting.counts()["1"] == 1


@pytest.mark.parametrize(
    "line", ["01.3 seed 3: 1", "01.2 seed 4: 1", "good morning", "01.2 seed 3: page nine", "01.2 seed 3:", "01.2: 1"]
)
def test_what_is_not_of_this_vote_is_counted_apart(line: str) -> None:
    voting = begun()
    voting.close(f"\n{line}\n\n01.2 seed 3: 1\n")
    assert voting.rounds[0].elsewhere == 1
    assert sum(voting.counts().values()) == 1


def test_no_name_is_kept(tmp_path: Path) -> None:
    voting = begun()
    voting.close('Ada Lovelace: 01.2 seed 3: 1\n"ada@example.org","01.2 seed 3: 2"\n01.2 seed 3: 1 Ada')
    voting.tell()
    kept = voting.save(tmp_path / "votes.csv").read_text(encoding="utf-8-sig")
    assert "ada" not in (kept + repr(voting) + str(told(voting)) + str(voting.rounds)).lower()
    with (tmp_path / "votes.csv").open(encoding="utf-8-sig", newline="") as table:
        rows = [*csv.DictReader(table)]
    assert rows[0] == {"question": "01.2", "seed": "3", "round": "1", "option": "1", "votes": "1"}


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [(0, 0, "Nobody"), (34, 66, "Few"), (35, 65, "pairs"), (70, 30, "pairs"), (71, 29, "Most"), (100, 0, "Most")],
)
def test_pairs_talk_between_35_and_70_percent(right: int, wrong: int, said: str) -> None:
    voting = begun()
    voting.close(lines(right, wrong))
    assert said in voting.advice
    if right + wrong:
        assert ("pairs" in voting.advice) is (PAIRS[0] <= right <= PAIRS[1])


def test_two_rounds_then_the_answer() -> None:
    voting = begun()
    voting.close(lines(1, 1))
    voting.start()
    voting.close(lines(2, 0))
    assert voting.counts(0)["2"] == 1 and voting.counts(1)["2"] == 0
    with pytest.raises(BadInput, match="no round can begin"):
        voting.start()
    assert voting.tell().startswith("1. ")
    assert told(voting)["right"] == "1"


def test_hands_are_a_fallback() -> None:
    voting = begun()
    for hands, said in (({"a": -1}, "hands for"), ({"z": 3}, "cannot be"), ({"a": 1.5}, "hands for")):
        with pytest.raises(BadInput, match=said):
            voting.close(hands=hands)  # type: ignore[arg-type]
        assert voting.is_open and not voting.rounds[0].votes
    voting.close(hands={"a": 12, "b": 20})
    assert voting.counts() == {"1": 12, "2": 20, "It faults.": 0, "It never happens.": 0}


@pytest.mark.parametrize("given", [{"id": "77.7"}, {"seed": -1}, {"seconds": 0}, {"seconds": "40"}])
def test_a_vote_that_cannot_be(given: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        vote(**{"id": "01.2", **given})


def test_five_questions_are_worth_a_vote() -> None:
    assert len(FIVE) == 5
    for id in FIVE:
        question = bank()[id]
        assert question.kind in ("number", "choice"), "read and answered in forty seconds"
        assert len(question.text.split()) < 60
        assert len(Vote(id, SEED).prediction.options) >= 4
