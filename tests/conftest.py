"""What the tests of several rooms share: the repository, Chromium, a running JupyterLab."""

import gc
import json
import os
import shutil
import subprocess
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


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What needs Chromium is a test in a browser, whether or not somebody thought of saying so."""
    for item in items:
        if "chromium" in getattr(item, "fixturenames", ()):
            item.add_marker("browser")


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


@pytest.fixture(scope="session")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The script of axe-core, from npm. A test skips where it cannot be had, but not where everything must hold."""
    if os.environ.get("ZSWAPLAB_OFFLINE"):
        pytest.skip("ZSWAPLAB_OFFLINE is set")
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("no npm to install axe-core with; on Debian or Ubuntu: sudo apt-get install npm")
    folder = tmp_path_factory.mktemp("axe")
    (folder / "package.json").write_text("{}")
    installing = [npm, "install", "--no-audit", "--no-fund", "--no-update-notifier", "axe-core@4"]
    try:
        subprocess.run(installing, cwd=folder, check=True, capture_output=True, text=True, timeout=300)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as problem:
        if os.environ.get("CI"):
            pytest.fail(f"npm cannot install axe-core@4: {problem.stderr or problem}")
        pytest.skip("npm cannot install axe-core@4: no network?")
    return (folder / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def jupyter_lab(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """JupyterLab on a copy of notebooks/: `jupyter_lab.url("lab/tree/00-start-here.ipynb")`."""
    scratch = tmp_path_factory.mktemp("lab")
    notebooks = scratch / "notebooks"
    shutil.copytree(repository / "notebooks", notebooks, ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    settings = scratch / "settings"
    (settings / "overrides.d").mkdir(parents=True)
    quiet = {"@jupyterlab/apputils-extension:notification": {"fetchNews": "false"}}
    (settings / "overrides.json").write_text(json.dumps(quiet))
    ours = repository / "zswaplab" / "show" / "jupyterlab.json"
    shutil.copy(ours, settings / "overrides.d" / "zswaplab.json")  # as the wheel installs it
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--notebook-dir=notebooks"]
    with running_lab([*command, f"--LabApp.app_settings_dir={settings}"], scratch, scratch / "own") as server:
        yield server
