"""The board of a vote in a real browser: two rounds, nothing shown early, lines pasted and uploaded, hands, the run."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.teach.test_prediction_page import PAGE
from zswaplab.show.player import Player
from zswaplab.show.vote import Board, asset
from zswaplab.teach.vote import Voting

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser


class Open:
    """A board on its own page, and what stands behind it."""

    def __init__(self, tab: Any, voting: Voting, board: Board) -> None:
        self.tab, self.voting, self.board = tab, voting, board
        self.root, self.sent = tab.locator(".vote"), 0

    def press(self, act: str) -> None:
        self.root.locator(f"[data-act={act}]").click()
        self.sent += 1
        self.tab.locator(f"body[data-sent='{self.sent}']").wait_for()

    def text(self, selector: str) -> str:
        return " ".join(self.root.locator(selector).first.inner_text().split())

    def votes(self) -> list[str]:
        return [" ".join(one.split()) for one in self.root.locator(".votes-of").all_inner_texts()]


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Callable[..., Open]]:
    """`opened()`: a vote on 01.2; afterwards nothing was printed, and nothing asked of any network."""
    contexts: list[Any] = []
    complaints: list[str] = []

    def open_page(*, theme: str = "light", width: int = 1082, seconds: int = 40, **options: Any) -> Open:
        voting = Voting("01.2", 3, seconds)
        board = voting.board()
        context = browser.new_context(viewport={"width": width, "height": 900}, **options)
        contexts.append(context)
        tab = context.new_page()
        tab.on("console", lambda message: complaints.append(message.text))
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.on("request", lambda request: request.url.startswith("file:///") or complaints.append(request.url))

        def tell(message: str) -> str:
            board.hear(None, json.loads(message))
            return json.dumps(board.question.told)

        tab.expose_function("tell", tell)
        state = {"asked": board.question.asked, "told": board.question.told}
        file = tmp_path / f"{len(contexts)}.html"
        file.write_text(PAGE.format(
            light=json.dumps(theme == "light"), paper="#ffffff" if theme == "light" else "#111315",
            script=asset().replace("export default", "const sheet =", 1),
            values=json.dumps(state).replace("<", "\\u003c"),
        ), encoding="utf-8")  # fmt: skip
        tab.goto(file.as_uri())
        tab.locator(".vote .foot").wait_for()
        return Open(tab, voting, board)

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


def test_a_class_votes_in_two_rounds(opened: Callable[..., Open]) -> None:
    page = opened()
    assert page.text(".say") == page.voting.prediction.text and page.votes() == []
    page.press("start")
    assert page.text(".clock b") in ("40 s", "39 s") and page.votes() == []
    page.root.locator("textarea").fill("01.2 seed 3: 1\n01.2 seed 3: 2\nAda 01.2 seed 3: 2\nhello")
    page.press("close")
    assert page.votes() == ["1 vote", "2 votes", "0 votes", "0 votes"]
    assert "Few are right" in page.text(".verdict") and "1 lines are not of this vote" in page.text(".verdict")
    assert page.root.locator(".kernel").count() == 0, "which is right is not said yet"
    page.press("start")
    assert page.votes() == [], "not even the first round's, or all would follow it"
    page.root.locator("textarea").fill("01.2 seed 3: 1\n" * 3)
    page.press("close")
    assert page.votes()[:4] == ["round 1 1 vote", "round 2 3 votes", "round 1 2 votes", "round 2 0 votes"]
    assert page.root.locator("[data-act=start]").count() == 0
    assert len(page.board.children) == 1
    page.press("tell")
    assert page.text("li.kernel .option").startswith("a 1") and "the kernel" in page.text("li.kernel")
    assert page.text(".verdict") == page.voting.prediction.drawn.question.why
    assert isinstance(page.board.children[1], Player), "the run beside it"


def test_nothing_of_the_votes_or_the_answer_is_on_the_page_early(opened: Callable[..., Open]) -> None:
    page = opened()
    page.press("start")
    page.root.locator("textarea").fill("01.2 seed 3: 1")
    html = page.root.inner_html()
    assert "vote<" not in html and page.voting.prediction.drawn.question.why[:30] not in html
    assert not page.voting.rounds[0].votes, "what is pasted is not even counted before it is closed"


def test_the_clock_runs_out_by_itself(opened: Callable[..., Open]) -> None:
    page = opened(seconds=5)
    page.press("start")
    page.root.locator("textarea").fill("01.2 seed 3: 1")
    page.tab.locator(".clock", has_text="No more votes").wait_for(timeout=10_000)
    assert page.root.locator("textarea").input_value() == "01.2 seed 3: 1", "what was pasted is still there"
    page.press("close")
    assert page.votes()[0] == "1 vote"


def test_files_and_hands(opened: Callable[..., Open], tmp_path: Path) -> None:
    page = opened()
    file = tmp_path / "votes.csv"
    file.write_text('time,answer\n"23:59:59","01.2 seed 3: 1"\n"","01.2 seed 3: 2"\n')
    page.press("start")
    page.root.locator("[type=file]").set_input_files(file)
    page.tab.wait_for_function("document.querySelector('textarea').value.includes('23:59:59')")
    page.root.locator("summary").click()
    page.root.locator("[name=a]").fill("12")
    page.root.locator("[name=c]").fill("-1")
    page.press("close")
    assert "hands for" in page.text("[role=alert]") and page.voting.is_open
    page.root.locator("[name=c]").fill("")
    page.press("close")
    assert page.votes() == ["12 votes", "1 vote", "0 votes", "0 votes"] and "1 came too late" in page.text(".verdict")


def test_it_works_by_keyboard_alone_and_jupyterlab_hears_nothing_of_it(opened: Callable[..., Open]) -> None:
    page = opened()
    page.tab.evaluate("window.heard = []; document.addEventListener('keydown', ({ key }) => heard.push(key))")
    page.tab.keyboard.press("Tab")
    page.tab.keyboard.press("Enter")
    page.root.locator("textarea").wait_for()
    page.tab.keyboard.type("01.2 seed 3: 1")
    for _ in range(4):  # the file, hands, close
        page.tab.keyboard.press("Tab")
        if page.tab.evaluate("document.activeElement.dataset.act") == "close":
            break
    page.tab.keyboard.press("Enter")
    page.root.locator(".votes-of").first.wait_for()
    assert page.votes()[0] == "1 vote"
    assert page.tab.evaluate("heard").count("s") == 0


@pytest.mark.parametrize(("theme", "width"), [("light", 1082), ("dark", 1082), ("light", 320)])
def test_nobody_is_shut_out(opened: Callable[..., Open], axe: str, theme: str, width: int) -> None:
    page = opened(theme=theme, width=width)
    for act in ("", "start", "close", "tell"):
        if act:
            page.press(act)
        page.tab.evaluate(axe)
        found = page.tab.evaluate("async () => (await axe.run('.vote')).violations")
        assert [(one["id"], one["nodes"][0]["html"]) for one in found] == []
        wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        assert not page.tab.evaluate(wide), act
