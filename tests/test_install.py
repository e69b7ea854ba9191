"""zswaplab installed as its users install it: from the wheel, by the README's plain commands, by make lab."""

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from nbformat import NotebookNode, read, write
from nbformat.v4 import new_code_cell, new_notebook

from tests.serving import running_lab

NOT_CLONED = shutil.ignore_patterns(
    ".git", ".venv", "my-notebooks", "__pycache__", ".*_cache", ".hypothesis", "dist"
)
LAB_ARGUMENTS = ("--no-browser", "--allow-root")


def run(*command: object, folder: Path, environment: Mapping[str, str] | None = None) -> str:
    """Run a command in a folder to its end; return what it printed."""
    ran = subprocess.run(
        [str(word) for word in command],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=900,
    )
    assert ran.returncode == 0, ran.stdout[-4000:]
    return ran.stdout


# The wheel


@pytest.fixture(scope="module")
def installed(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment with zswaplab's wheel in it, in a folder otherwise empty."""
    folder = tmp_path_factory.mktemp("wheel")
    clone = folder / "clone"
    shutil.copytree(repository, clone, ignore=NOT_CLONED)
    (clone / "data" / "__pycache__").mkdir()
    (clone / "data" / "__pycache__" / "slim.cpython-311.pyc").write_bytes(b"left by running data/slim.py")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, folder=clone)
    shutil.rmtree(clone)
    venv.create(folder / "venv", symlinks=os.name != "nt", with_pip=False)
    scripts = folder / "venv" / ("Scripts" if os.name == "nt" else "bin")
    wheel = next(folder.glob("zswaplab-*.whl"))
    run(
        sys.executable,
        "-m",
        "pip",
        "--python",
        scripts / "python",
        "install",
        "--no-deps",
        wheel,
        folder=folder,
    )
    _share_dependencies(scripts / "python", folder)
    return scripts / "python"


def _share_dependencies(python: Path, folder: Path) -> None:
    """Let the environment see what zswaplab depends on, but not zswaplab as it is installed here."""
    site = Path(
        run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", folder=folder).strip()
    )
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"))


@pytest.mark.slow
def test_the_wheel_brings_every_recording(installed: Path, repository: Path, tmp_path: Path) -> None:
    where = "from zswaplab.trace.shipped import data_dir; print(data_dir())"
    found = Path(run(installed, "-I", "-c", where, folder=tmp_path).strip())
    assert found.is_relative_to(installed.parents[1])
    assert found.parent.name == "zswaplab"
    assert _contents(found) == _contents(repository / "data")


def _contents(folder: Path) -> dict[Path, bytes]:
    """Every file below a folder, but for what Python compiles there once it is installed."""
    files = (file for file in folder.rglob("*") if file.is_file() and file.parent.name != "__pycache__")
    return {file.relative_to(folder): file.read_bytes() for file in files}


@pytest.mark.slow
def test_the_wheel_has_nothing_compiled(installed: Path) -> None:
    wheel = next(installed.parents[2].glob("zswaplab-*.whl"))
    names = zipfile.ZipFile(wheel).namelist()
    assert "zswaplab/data/slim.py" in names
    assert [name for name in names if "__pycache__" in name or name.endswith(".pyc")] == []


@pytest.mark.slow
def test_the_wheel_works_in_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    code = """
import zswaplab
machine = zswaplab.Machine(stage="1", zpool="zbud")
machine.write(3, 17); before = machine.read(3); machine.page_out(3)
assert machine.read(3) == before
machine.check()
history = zswaplab.record(zswaplab.Machine(), ["write 1", "page_out 1", "read 1"])
zswaplab.play(history)
assert "f65-zbud-exact-on" in set(zswaplab.runs()["run"])
zswaplab.replay("f65-zbud-exact-on")
print(zswaplab.__file__)
"""
    assert str(installed.parents[1]) in run(installed, "-I", "-W", "ignore", "-c", code, folder=tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_wheel_brings_the_command_and_the_licences(installed: Path, tmp_path: Path) -> None:
    assert "conform" in run(installed.parent / "zswaplab", "--help", folder=tmp_path)
    listed = run(
        installed, "-c", "from importlib.metadata import files; print(*files('zswaplab'))", folder=tmp_path
    )
    for name in ("LICENSE", "LICENSE-TEXT", "LICENSE-DATA", "zswaplab/py.typed", "zswaplab/show/player.js"):
        assert re.search(rf"{name}\b", listed)


# The commands of the README


def _plain_commands(readme: str, shell: str) -> list[str]:
    block = re.search(rf"```{shell}\n([^`]*-m venv[^`]*)```", readme)
    assert block
    return block[1].splitlines()


def test_windows_gets_the_same_plain_commands(repository: Path) -> None:
    readme = (repository / "README.md").read_text()
    here = _plain_commands(readme, "sh")
    assert len(here) == 3
    there = [line.replace("\\", "/").replace("/Scripts/", "/bin/") for line in _plain_commands(readme, "bat")]
    assert there == [line.replace("python3 ", "py ") for line in here]


@pytest.fixture(scope="module")
def clone(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clean clone, in a folder whose name has a space."""
    clone = tmp_path_factory.mktemp("clones") / "zswap lab"
    shutil.copytree(repository, clone, ignore=NOT_CLONED)
    return clone


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a reader who has just this Python, in no virtual environment."""
    folder = tmp_path_factory.mktemp("path")
    python = folder / "python3"
    python.write_text(f'#!/bin/sh\nexec "{sys._base_executable}" "$@"\n')  # type: ignore[attr-defined]
    python.chmod(0o755)
    plain = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("MAKE", "MFLAGS", "VIRTUAL_"))
    }
    # Only what is imported is compiled, and only then.
    return {**plain, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}", "PIP_NO_COMPILE": "1"}


def _tracked(clone: Path) -> dict[Path, bytes]:
    """Every file of a clone with what is in it, but for what .gitignore names."""
    ignored = {line.strip("/") for line in (clone / ".gitignore").read_text().splitlines()}
    files = (file.relative_to(clone) for file in clone.rglob("*") if file.is_file())
    return {file: (clone / file).read_bytes() for file in files if not ignored & set(file.parts)}


def _execute(clone: Path, notebook: Path) -> None:
    """Run a notebook with what is installed in the clone, which the tests' own tools are not."""
    python = clone / ".venv" / "bin" / "python"
    run(python, "-m", "nbconvert", "--to", "notebook", "--execute", "--stdout", notebook, folder=clone)


SHOWN = """
from zswaplab import lab, runs
from zswaplab.show.plots import plot_size, show
panel = lab()
display(runs(), panel)
show(plot_size(panel.history))
"""


def _needing_the_same(notebooks: Path) -> NotebookNode:
    """A notebook that imports all that those import, and shows a table, a widget and a picture; soon done."""
    code = [cell for path in notebooks.glob("*.ipynb") for cell in read(path, 4).cells if cell.cell_type == "code"]
    lines = [line for cell in code for line in cell.source.splitlines()]
    imports = sorted({line for line in lines if line.startswith(("import ", "from "))})
    return new_notebook(cells=[new_code_cell("\n".join(imports)), new_code_cell(SHOWN)])


offline = pytest.mark.skipif(bool(os.environ.get("ZSWAPLAB_OFFLINE")), reason="ZSWAPLAB_OFFLINE is set")
make = pytest.mark.skipif(shutil.which("make") is None, reason="no make")
posix = pytest.mark.skipif(os.name == "nt", reason="the commands for Linux and macOS")


@posix
@make
def test_make_lab_installs_by_the_plain_commands(clone: Path, reader: Mapping[str, str]) -> None:
    """So that what one of them has installed below may serve the other: packages are fetched and unpacked once."""
    said = run("make", "--dry-run", "--always-make", "lab", "uv=", folder=clone, environment=reader)
    for option in ("--clear ", "--disable-pip-version-check "):
        assert option in said
        said = said.replace(option, "")
    installing = _plain_commands((clone / "README.md").read_text(), "sh")[:-1]
    assert [line for line in said.replace('"python3"', "python3").splitlines() if line in installing] == installing


@pytest.mark.slow
@offline
@posix
@make
def test_make_lab_opens_a_copy_and_leaves_the_clone_clean(
    clone: Path, reader: Mapping[str, str], tmp_path: Path
) -> None:
    as_shipped = _tracked(clone)
    make_lab = ["make", "lab", f"LAB_ARGS={' '.join(LAB_ARGUMENTS)}"]
    with running_lab(make_lab, clone, tmp_path, reader) as server:
        assert server.root_dir == clone / "my-notebooks"
        assert b"jupyter-config-data" in server.get("lab/tree/00-start-here.ipynb")
        news = json.loads(server.get("lab/api/settings/@jupyterlab/apputils-extension:notification"))
        assert news["schema"]["properties"]["fetchNews"]["default"] == "false"
    write(_needing_the_same(clone / "my-notebooks"), clone / "my-notebooks" / "short.ipynb")
    _execute(clone, clone / "my-notebooks" / "short.ipynb")
    assert _tracked(clone) == as_shipped
    assert "install" not in run("make", "-n", "lab", folder=clone, environment=reader)


@pytest.mark.slow
@offline
@posix
def test_the_plain_commands_open_lab(clone: Path, reader: Mapping[str, str], tmp_path: Path) -> None:
    *installing, opening = _plain_commands((clone / "README.md").read_text(), "sh")
    for command in installing:
        run("sh", "-c", command, folder=clone, environment=reader)
    with running_lab(
        ["sh", "-c", " ".join(["exec", opening, *LAB_ARGUMENTS])], clone, tmp_path, reader
    ) as server:
        assert server.root_dir == clone / "notebooks"
        notebook = json.loads(server.get("api/contents/00-start-here.ipynb"))
        assert notebook["type"] == "notebook"
