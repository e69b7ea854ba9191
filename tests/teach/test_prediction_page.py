"""The sheet of a prediction in a real browser: answered by mouse, by keyboard alone, and never ahead of the reader."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from notebooks import publish
from zswaplab.show.player import Player
from zswaplab.show.prediction import Sheet, asset
from zswaplab.teach.misconceptions import MISCONCEPTIONS
from zswaplab.teach.predict import Asked, predict
from zswaplab.teach.questions import bank

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# A page in which the sheet talks to Python as in a notebook: what it sends, `tell` answers.
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>A prediction</title>
<body data-jp-theme-light="{light}" style="background: {paper}"><main></main><script type="module">
{script}
const values = {values}, heard = [];
const model = {{
  get: (name) => values[name], on: (event, hear) => heard.push(hear), off() {{}},
  async send(message) {{
    values.told = JSON.parse(await tell(JSON.stringify(message)));
    heard.forEach((hear) => hear());
    document.body.dataset.sent = Number(document.body.dataset.sent ?? 0) + 1;
  }},
}};
sheet.render({{ model, el: document.querySelector("main") }});
</script></body></html>"""
KINDS = {"00.1": "choice", "00.2": "entry", "01.1": "order", "01.2": "number", "06.2": "yes or no", "06.3": "line"}


class Open:
    """A sheet on its own page; `asked` is what stands behind it in Python."""

    def __init__(self, tab: Any, asked: Asked, sheet: Sheet) -> None:
        self.tab, self.asked, self.sheet = tab, asked, sheet
        self.root = tab.locator(".sheet")
        self.sent = 0

    def waited(self) -> None:
        self.sent += 1
        self.tab.locator(f"body[data-sent='{self.sent}']").wait_for()

    def commit(self, value: object) -> None:
        self.root.locator(f"[type=radio][value='{value}']").check()
        self.press("commit")

    def press(self, act: str) -> None:
        self.root.locator(f"[data-act={act}]").click()
        self.waited()

    def text(self, selector: str) -> str:
        return " ".join(self.root.locator(selector).first.inner_text().split())


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Callable[..., Open]]:
    """`opened(id, seed)`; afterwards: nothing was printed, nothing was asked of any network."""
    contexts: list[Any] = []
    complaints: list[str] = []
    requests: list[str] = []

    def open_page(id: str, seed: int = 0, *, theme: str = "light", width: int = 1082, **options: Any) -> Open:
        asked = predict(id, seed)
        sheet = asked.sheet()
        context = browser.new_context(viewport={"width": width, "height": 900}, **options)
        contexts.append(context)
        tab = context.new_page()
        tab.on("console", lambda message: complaints.append(message.text))
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.on("request", lambda request: requests.append(request.url))

        def tell(message: str) -> str:
            sheet.hear(None, json.loads(message))
            return json.dumps(sheet.question.told)

        tab.expose_function("tell", tell)
        state = {"asked": sheet.question.asked, "told": sheet.question.told}
        file = tmp_path / f"{len(contexts)}.html"
        file.write_text(PAGE.format(
            light=json.dumps(theme == "light"), paper="#ffffff" if theme == "light" else "#111315",
            script=asset().replace("export default", "const sheet =", 1),
            values=json.dumps(state).replace("<", "\\u003c"),
        ), encoding="utf-8")  # fmt: skip
        tab.goto(file.as_uri())
        tab.locator(".sheet .foot").wait_for()
        return Open(tab, asked, sheet)

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []
    assert [url for url in requests if not url.startswith("file:///")] == []


def value_of(asked: Asked, option: Any) -> object:
    """What is clicked for an option: a page, a line, or a letter; what is said in words, by its words."""
    number = asked.number(option) if asked.kind in ("entry", "line") else None
    if number is not None:
        return number
    if asked.kind in ("entry", "line"):
        return option.label.removesuffix(".")
    return "abcdefghij"[asked.options.index(option)]


# -- nothing is given away


@pytest.mark.slow
@pytest.mark.parametrize("id", list(bank()))
def test_nothing_of_the_answer_leaves_python_before(id: str) -> None:
    asked = predict(id, 1)
    sheet = asked.sheet()
    state = {part.model_id: part.get_state() for part in (sheet, sheet.question, sheet.question.program)}
    without = {key: value for name in state.values() for key, value in name.items() if key not in ("_esm", "code")}
    shipped = json.dumps(without, default=str) + asked.page() + repr(asked)
    assert asked.drawn.question.why[:30] not in shipped and sheet.question.told == {}
    assert not any(wrong.rule in shipped or wrong.id in shipped for wrong in MISCONCEPTIONS.values())
    assert "<details>" not in asked.page() and "<details>" in asked.page(answered=True)
    assert set(sheet.question.asked) == {
        "id", "seed", "kind", "text", "kernel", "limits", "tries", "sizes", "work", "covered", "cpus", "options",
        "entries", "source",
    }  # fmt: skip


def test_what_is_asked_is_the_same_whatever_the_answer() -> None:
    """Of two instances that differ only in the rule that the kernel follows, the sheet tells no more than the rule."""
    first, second = (predict("06.2", seed) for seed in (0, 1))
    assert first.drawn.answer != second.drawn.answer
    before, after = (asked.sheet().question.asked for asked in (first, second))
    same = {name for name in before if re.sub(r"\d+", "", str(before[name])) == re.sub(r"\d+", "", str(after[name]))}
    assert set(before) - same == {"kernel"}


@pytest.mark.parametrize("id", KINDS)
def test_the_page_says_nothing_before_and_everything_after(opened: Callable[..., Open], id: str) -> None:
    page = opened(id)
    why = page.asked.drawn.question.why[:40]
    before = page.root.inner_html()
    assert why not in before and "Every option" not in before and "kernel</span>" not in before
    assert page.text(".say") == page.asked.text
    page.press("show")
    assert why in page.root.inner_text() and page.asked.over and page.asked.tries == []
    for option, reason in page.asked.reasons:
        assert option.label in page.text("dl") and " ".join(reason.split()) in page.text("dl")


# -- the right answer and every wrong one


@pytest.mark.parametrize("id", KINDS)
def test_each_option_is_answered_and_told(opened: Callable[..., Open], id: str) -> None:
    count = len(predict(id).options)
    for place in range(count):
        page = opened(id)
        option = page.asked.options[place]
        page.commit(value_of(page.asked, option))
        assert page.asked.tries == [option]
        said = page.text(".verdict")
        assert said.startswith("Right") is (option.answer == page.asked.drawn.answer)
        for wrong in option.wrong:
            assert wrong.rule.removesuffix(".") in said and wrong.right in said
        assert page.text(".mine code") == page.asked.line
        if page.asked.over:
            continue
        assert page.asked.drawn.question.why[:40] not in page.root.inner_text()
        right = next(one for one in page.asked.options if one.answer == page.asked.drawn.answer)
        page.commit(value_of(page.asked, right))
        assert page.asked.over and page.text(".verdict").startswith("Right")
        assert "So does the kernel" in page.text(".say")
        assert page.text(".mine code") == page.asked.line and page.asked.tries[0] == option


def test_what_was_tried_cannot_be_chosen_again_and_two_tries_end_it(opened: Callable[..., Open]) -> None:
    page = opened("01.2", 3)
    page.commit("b")
    assert page.root.locator("[type=radio][value=b]").is_disabled()
    page.commit("c")
    assert page.asked.over and page.root.locator("[type=radio]").count() == 0
    assert "You said It faults. The kernel: 1." in page.text(".say")


def test_another_number_can_be_typed_and_what_cannot_be_one_costs_nothing(opened: Callable[..., Open]) -> None:
    page = opened("01.2", 3)
    page.root.locator("[type=text]").fill("some")
    page.press("commit")
    assert "cannot be" in page.text("[role=alert]") and page.asked.tries == []
    page.root.locator("[type=text]").fill("7")
    page.press("commit")
    assert [str(option) for option in page.asked.tries] == ["7"] and "No rule" in page.text(".verdict")


def test_the_entries_are_sorted_as_the_lru_has_them_once_it_is_over(opened: Callable[..., Open]) -> None:
    page = opened("00.2")
    assert page.root.locator(".row .number").all_inner_texts() == [str(number) for number in range(11)]
    page.commit(2)
    page.commit(0)
    shown = [int(number) for number in page.root.locator(".row .number").all_inner_texts()]
    assert shown == page.asked.drawn.order and set(shown[-2:]) == {0, 1}
    assert page.text(".row.kernel .number") == "0"


# -- mine against the kernel's


def test_mine_is_played_beside_the_kernels_from_where_they_part(opened: Callable[..., Open]) -> None:
    page = opened("01.2", 3)
    page.commit("b")
    page.press("play")
    last = page.asked.verdicts[-1]
    (grid,) = page.sheet.children[1:]
    kernel, mine = (column.children[1] for column in grid.children)
    assert isinstance(kernel, Player) and isinstance(mine, Player)
    assert kernel.step == mine.step == last.step and last.step
    assert "counts as a reference" in grid.children[1].children[0].value
    kernel.step, mine.level = 3, "steps"
    assert mine.step == 3 and kernel.level == "steps"


def test_the_kernels_run_alone_can_be_played_once_it_is_over() -> None:
    asked = predict("01.2", 3)
    sheet = asked.sheet()
    sheet.hear(None, {"play": True})
    assert sheet.children[1].children == (), "nothing before an answer, whatever a page sends"
    sheet.hear(None, {"answer": "1"})
    sheet.hear(None, {"play": True})
    assert len(sheet.children[1].children) == 1


# -- by keyboard, for everybody


def test_it_is_answered_by_keyboard_alone_and_jupyterlab_hears_nothing_of_it(opened: Callable[..., Open]) -> None:
    page = opened("01.2", 3)
    page.tab.evaluate("window.heard = []; document.addEventListener('keydown', ({ key }) => heard.push(key))")
    keyboard = page.tab.keyboard
    keyboard.press("Tab")
    keyboard.press("Space")
    keyboard.press("ArrowDown")
    keyboard.press("Enter")
    page.waited()
    assert page.asked.tries == [page.asked.options[1]]
    assert page.tab.evaluate("document.activeElement.className").startswith("card verdict")
    assert page.tab.evaluate("heard") == ["Tab"]
    keyboard.press("s")
    keyboard.press("Control+b")
    assert page.tab.evaluate("heard") == ["Tab", "s", "Control", "b"], "the rest is JupyterLab's"


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("id", KINDS)
def test_axe_finds_nothing(opened: Callable[..., Open], axe: str, id: str, theme: str) -> None:
    page = opened(id, theme=theme)
    page.tab.evaluate(axe)
    look = "axe.run(document.querySelector('.sheet'), { resultTypes: ['violations'] })"
    assert page.tab.evaluate(look)["violations"] == []
    wrong = next(option for option in page.asked.options if option.answer != page.asked.drawn.answer)
    page.commit(value_of(page.asked, wrong))
    assert page.tab.evaluate(look)["violations"] == []
    page.press("show")
    found = page.tab.evaluate(look)
    assert found["violations"] == [] and len(found["passes"]) > 10


@pytest.mark.parametrize("width", [400, 700, 1082])
@pytest.mark.parametrize("id", KINDS)
def test_everything_is_seen_and_nothing_sticks_out(opened: Callable[..., Open], id: str, width: int) -> None:
    page = opened(id, width=width)
    for step in (0, 1):
        if step:
            page.press("show")
        left, right = (page.root.locator(part).bounding_box() for part in (".left", ".right"))
        assert left and right and min(left["width"], right["width"]) > 330
        assert page.tab.evaluate("document.documentElement.scrollWidth") <= width


# -- what is copied


def test_the_line_is_all_that_is_copied(opened: Callable[..., Open]) -> None:
    page = opened("01.2", 3, permissions=["clipboard-read", "clipboard-write"])
    assert page.root.locator("[data-act=copy]").count() == 0
    page.commit("b")
    page.root.locator("[data-act=copy]").click()
    page.root.get_by_text("copied", exact=True).wait_for()
    assert page.tab.evaluate("navigator.clipboard.readText()") == "01.2 seed 3: 2"


# -- a notebook that is only read


def test_what_is_published_has_the_answer_folded_away() -> None:
    asked = predict("01.2", 3)
    published = publish.answered(asked.page())
    question, _, answer = published.partition("<details>")
    why = asked.drawn.question.why.split("'")[0]
    assert why in answer and why not in question and asked.text in question
    assert publish.answered(published) == published and publish.answered("<p>else</p>") == "<p>else</p>"
