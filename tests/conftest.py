"""What the tests of several rooms share: the repository, Chromium, a running JupyterLab."""

import gc
import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.serving import Server, running_lab

if TYPE_CHECKING:
    from playwright.sync_api import Browser

CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def pytest_collection_finish() -> None:
    gc.freeze()  # else each garbage collection goes through every test


@pytest.fixture(scope="session")
def repository() -> Path:
    return Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of Chromium. A test skips without it, but not where everything must hold."""
    found = [
        path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))
    ]
    if found:
        return found[0]
    remedy = "no Chromium; on Debian or Ubuntu: sudo apt-get install chromium"
    if os.environ.get("CI"):
        pytest.fail(remedy)
    pytest.skip(remedy)


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator["Browser"]:
    """A Chromium driven by Playwright: `browser.new_page()`."""
    from playwright.sync_api import sync_playwright

    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_ARGUMENTS) as launched,
    ):
        yield launched


@pytest.fixture(scope="module")
def jupyter_lab(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """JupyterLab on a copy of notebooks/: `jupyter_lab.url("lab/tree/00-start-here.ipynb")`."""
    scratch = tmp_path_factory.mktemp("lab")
    notebooks = scratch / "notebooks"
    shutil.copytree(repository / "notebooks", notebooks, ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    settings = scratch / "settings"
    settings.mkdir()
    quiet = {"@jupyterlab/apputils-extension:notification": {"fetchNews": "false"}}
    (settings / "overrides.json").write_text(json.dumps(quiet))
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--notebook-dir=notebooks"]
    with running_lab([*command, f"--LabApp.app_settings_dir={settings}"], scratch, scratch / "own") as server:
        yield server
