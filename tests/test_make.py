"""The Makefile's promises, kept with a pretended Python, uv and apt-get so that nothing is installed."""

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="no make")

TOOLS = ("sh", "cat", "chmod", "cp", "dirname", "echo", "find", "id", "mkdir", "mv", "rm", "touch")

# Answers as Python does to what the Makefile asks of it; `asked` keeps what it was asked.
PYTHON = """#!/bin/sh
echo "python $*" >> "$ASKED"
case "$*" in
    *"import sys"*) exit ${OLD_PYTHON:-0} ;;
    *"import ensurepip"*) exit ${NO_VENV:-0} ;;
    *"import os, zswaplab"*) echo ${WORKS:-True} ;;
    "-m venv"*) mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
    "-m pip"*) exit ${PIP_FAILS:-0} ;;
esac
"""
UV = """#!/bin/sh
echo "uv $*" >> "$ASKED"
mkdir -p .venv/bin && cp "$(dirname "$0")/python3" .venv/bin/python
"""
APT = """#!/bin/sh
echo "apt-get $*" >> "$ASKED"
"""


class House:
    """A clone in a folder with spaces in its name, and a PATH with only what a test puts there."""

    def __init__(self, repository: Path, folder: Path) -> None:
        self.clone = folder / "a clone" / "zswap lab"
        self.bin = folder / "bin"
        self._asked = folder / "asked"
        self.clone.mkdir(parents=True)
        self.bin.mkdir()
        for name in ("Makefile", "pyproject.toml", "uv.lock"):
            shutil.copy(repository / name, self.clone)
        (self.clone / "zswaplab").mkdir()
        (self.clone / "notebooks" / "exercises").mkdir(parents=True)
        self.shipped = self.clone / "notebooks" / "00-start-here.ipynb"
        self.shipped.write_text("shipped")
        (self.clone / "notebooks" / "exercises" / "ex 00.ipynb").write_text("exercise")
        (self.clone / "notebooks" / "glossary.md").write_text("what notebooks link to")
        self.mine = self.clone / "my-notebooks" / "00-start-here.ipynb"
        for tool in TOOLS:
            (self.bin / tool).symlink_to(str(shutil.which(tool)))
        self.add("python3", PYTHON)

    def add(self, name: str, text: str) -> None:
        file = self.bin / name
        file.unlink(missing_ok=True)
        file.write_text(text)
        file.chmod(0o755)

    def make(self, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        self._asked.write_text("")
        return subprocess.run(
            [str(shutil.which("make")), *arguments],
            cwd=self.clone,
            env={"PATH": str(self.bin), "ASKED": str(self._asked), **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
        )

    def asked(self, *words: str) -> list[str]:
        """What the last make asked of Python, uv and apt-get, where all the words are in it."""
        return [line for line in self._asked.read_text().splitlines() if all(word in line for word in words)]


@pytest.fixture
def house(repository: Path, tmp_path: Path) -> House:
    return House(repository, tmp_path)


@pytest.mark.parametrize(
    ("goal", "extra"), [("lab", "lab"), ("test", "test"), ("quick", "test"), ("lint", "test")]
)
def test_the_first_run_installs_and_the_second_does_not(house: House, goal: str, extra: str) -> None:
    assert house.make(goal).returncode == 0
    assert house.asked("-m venv --clear .venv")
    assert house.asked("-m pip install", f"-e .[{extra}]")
    assert house.make(goal).returncode == 0
    assert not house.asked("-m venv")
    assert not house.asked("-m pip install")


def test_what_the_tests_install_is_enough_for_lab(house: House) -> None:
    house.make("test")
    house.make("lab")
    assert not house.asked("-m pip install")


def test_uv_is_used_where_it_is_on_the_path(house: House) -> None:
    house.add("uv", UV)
    assert house.make("lab").returncode == 0
    assert house.asked("uv sync --locked --inexact --extra lab")
    assert not house.asked("-m pip")
    house.make("test", "PYTHON=python3.13")
    assert house.asked("uv sync", "--extra test", "--python python3.13")


def test_an_interrupted_installation_is_done_again_from_nothing(house: House) -> None:
    interrupted = house.make("lab", PIP_FAILS="1")
    assert interrupted.returncode != 0
    assert not house.asked("-m jupyterlab")
    assert house.make("lab").returncode == 0
    assert house.asked("-m venv --clear .venv")
    assert house.asked("-m pip install")
    assert house.asked("-m jupyterlab")


@pytest.mark.parametrize("answer", ["False", "no module named zswaplab"])
def test_a_moved_clone_or_an_upgraded_python_is_installed_again(house: House, answer: str) -> None:
    house.make("lab")
    assert house.make("lab", WORKS=answer).returncode == 0
    assert house.asked("-m venv --clear .venv")
    assert house.asked("-m pip install")


def test_changed_dependencies_are_installed_into_what_is_there(house: House) -> None:
    house.make("lab")
    later = time.time() + 10
    os.utime(house.clone / "pyproject.toml", (later, later))
    house.make("lab")
    assert house.asked("-m venv .venv")
    assert house.asked("-m pip install")


def test_an_old_python_is_refused_with_the_remedy(house: House) -> None:
    refused = house.make("lab", OLD_PYTHON="1")
    assert refused.returncode != 0
    assert "zswaplab needs Python 3.11 or later" in refused.stdout
    assert "make lab PYTHON=" in refused.stdout
    assert "not found" not in refused.stdout
    assert not house.asked("-m venv")


def test_no_python_at_all_is_said(house: House) -> None:
    (house.bin / "python3").unlink()
    refused = house.make("test")
    assert refused.returncode != 0
    assert "zswaplab needs Python 3.11 or later" in refused.stdout


def test_debian_without_venv_is_told_what_to_install(house: House) -> None:
    house.add("id", "#!/bin/sh\necho 1000\n")
    house.add("apt-get", APT)
    refused = house.make("lab", NO_VENV="1")
    assert refused.returncode != 0
    assert "sudo apt-get install python3-venv" in refused.stdout
    assert not house.asked("apt-get")


def test_root_on_debian_gets_what_is_missing(house: House) -> None:
    house.add("id", "#!/bin/sh\necho 0\n")
    house.add("apt-get", APT)
    assert house.make("test", NO_VENV="1").returncode == 0
    assert house.asked("apt-get", "install python3-venv")
    assert house.asked("apt-get", "install chromium")


def test_without_chromium_the_tests_still_run(house: House) -> None:
    house.add("id", "#!/bin/sh\necho 1000\n")
    done = house.make("test")
    assert done.returncode == 0
    assert "sudo apt-get install chromium" in done.stdout
    assert house.asked("-m pytest")


def test_lab_opens_on_a_copy_and_keeps_what_its_reader_wrote(house: House) -> None:
    house.make("lab")
    assert house.asked("-m jupyterlab", "--notebook-dir=my-notebooks", "/lab/tree/00-start-here.ipynb")
    assert house.mine.read_text() == "shipped"
    assert (house.clone / "my-notebooks" / "exercises" / "ex 00.ipynb").read_text() == "exercise"
    assert (house.clone / "my-notebooks" / "glossary.md").read_text() == "what notebooks link to"
    house.mine.write_text("mine")
    assert "is newer" not in house.make("lab").stdout
    assert house.mine.read_text() == "mine"


def test_lab_tells_when_a_newer_notebook_came(house: House) -> None:
    house.make("lab")
    house.mine.write_text("mine")
    later = time.time() + 10
    os.utime(house.shipped, (later, later))
    assert "notebooks/00-start-here.ipynb is newer than your" in house.make("lab").stdout
    assert house.mine.read_text() == "mine"


def test_lab_starts_for_root_and_does_not_ask_about_news(house: House) -> None:
    house.add("id", "#!/bin/sh\necho 0\n")
    house.make("lab")
    assert house.asked("-m jupyterlab", "--allow-root")
    overrides = house.clone / ".venv/share/jupyter/lab/settings/overrides.json"
    assert '"fetchNews": "false"' in overrides.read_text()
    house.add("id", "#!/bin/sh\necho 1000\n")
    house.make("lab")
    assert not house.asked("-m jupyterlab", "--allow-root")


def test_clean_spares_the_readers_notebooks(house: House) -> None:
    house.make("lab")
    house.make("clean")
    assert not (house.clone / ".venv").exists()
    assert house.mine.exists()


def test_make_alone_says_what_there_is(house: House) -> None:
    said = house.make().stdout
    assert "make lab" in said
    assert "make test" in said
    assert not house.asked("-m")
