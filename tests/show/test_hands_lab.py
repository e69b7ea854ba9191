"""Scheduler and comparison in a real JupyterLab: the kernel stays free, no key reaches JupyterLab, a dead kernel moves
nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.serving import Server, opened_notebook
from tests.show.test_player_lab import run

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CELLS = [
    "import sys\n"
    "sys.path.insert(0, {repository!r})\n"
    "from zswaplab import Setup, compare, scheduler\n"
    "long = Setup(stage='v6.5', device='synchronous', workload=['write 3', 'page_out 3', 'write 4', 'page_out 4'],\n"
    "             cpus=['read 3; free 3', 'read 4; free 4', 'worker', 'read 3'], swap_pages=64)",
    "hand = scheduler(long)\nhand",
    "print('free:', hand.search['state'], hand.schedule)",
    "run = Setup(stage='1', evictable=True, ram_pages=30, workload='revisit 10 6')\n"
    "both = compare(run, run.but(evictable=False))\nboth",
    "print('runs:', list(both.histories), both.pair)",
]


@pytest.fixture(scope="module")
def lab(browser: Browser, repository: Path, jupyter_lab: Server) -> Iterator[Page]:
    """A notebook of which the two cells that show the scheduler have run."""
    sources = [source.format(repository=str(repository)) for source in CELLS]
    with opened_notebook(browser, jupyter_lab, "hands.ipynb", sources) as (tab, _):
        for number in range(2):
            run(tab, number)
        tab.locator(".zswaplab-scheduler[data-step]").wait_for()
        yield tab


def test_cpus_are_run_by_keys_that_jupyterlab_never_gets(lab: Page) -> None:
    cells = lab.locator(".jp-Notebook .jp-Cell").count()
    lab.locator(".zswaplab-scheduler .say").click()
    for key, schedule in (("a", "a"), ("b", "ab"), ("b", "ab2"), ("Backspace", "ab"), ("d", "abd"), ("d", "abd2")):
        lab.keyboard.press(key)
        lab.wait_for_function(f"document.querySelector('.zswaplab-scheduler [name=schedule]').value === '{schedule}'")
    assert lab.locator(".jp-Notebook .jp-Cell").count() == cells
    lab.locator(".zswaplab-scheduler [name=schedule]").fill("a3")
    lab.keyboard.press("Enter")
    lab.wait_for_function("document.querySelectorAll('.zswaplab-scheduler .block').length === 3")


def test_a_second_cell_runs_while_it_searches_and_the_search_is_cancelled(lab: Page) -> None:
    lab.locator("[data-act=find]").click()
    lab.wait_for_function("/ states in /.test(document.querySelector('.zswaplab-scheduler .found').textContent)")
    before = lab.locator(".zswaplab-scheduler .found").inner_text()
    assert run(lab, 2).strip() == "free: searching a3"
    lab.wait_for_function(f"document.querySelector('.zswaplab-scheduler .found').innerText !== {json.dumps(before)}")
    lab.locator("[data-act=cancel]").click()
    lab.locator(".found", has_text="not complete: cancelled after").wait_for()


def test_a_fork_is_made_in_the_kernel_and_kept(lab: Page) -> None:
    run(lab, 3)
    lab.locator(".zswaplab-compare[data-step]").wait_for()
    lab.locator(".zswaplab-compare .say").click()
    lab.keyboard.press("k")
    lab.locator("[name=setting]").select_option("max_pool_percent")
    lab.locator(".forking input").fill("30")
    lab.keyboard.press("Tab")
    lab.locator("[data-act=make]").click()
    lab.locator(".zswaplab-compare .forked").wait_for(state="attached")
    assert run(lab, 4).strip() == "runs: ['A', 'B', 'C'] [0, 2]"


def test_once_the_kernel_has_gone_no_button_moves(lab: Page) -> None:
    schedule = lab.locator(".zswaplab-scheduler [name=schedule]").input_value()
    lab.evaluate("""async () => {
      const kernels = await (await fetch('/api/kernels')).json();
      const [, token] = /_xsrf=([^;]+)/.exec(document.cookie) ?? [];
      for (const { id } of kernels)
        await fetch(`/api/kernels/${id}`, { method: 'DELETE', headers: { 'X-XSRFToken': token } });
    }""")
    lab.locator(".zswaplab-scheduler .told-by-hand", has_text="The kernel has gone").wait_for()
    lab.locator(".zswaplab-scheduler .say").click()
    lab.keyboard.press("a")
    assert lab.locator(".zswaplab-scheduler [name=schedule]").input_value() == schedule
    assert lab.locator("[data-act=find]").is_disabled()
    assert lab.locator("[data-act=make]").is_disabled()
