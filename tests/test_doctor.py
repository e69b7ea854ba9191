"""`zswaplab doctor`: each thing that a class may lack is found, and what to do about it is said."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
import venv
import zlib
from collections import namedtuple
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from packaging.specifiers import SpecifierSet

from zswaplab import __version__, doctor
from zswaplab.cli import main
from zswaplab.show import page
from zswaplab.trace import shipped

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).resolve().parents[1]
HEAVY = ("pandas", "numpy", "matplotlib", "ipywidgets", "anywidget", "IPython", "jupyterlab", "packaging")
Version = namedtuple("Version", "major minor micro")


@pytest.fixture(autouse=True)
def a_class_is_ready(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Everything is there, whatever this machine has; each test then takes one thing away."""
    folder = tmp_path / "jupyter"
    for extension in doctor.EXTENSIONS:
        (folder / "labextensions" / extension).mkdir(parents=True)
        (folder / "labextensions" / extension / "package.json").write_text("{}")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "chromium").touch(0o755)
    monkeypatch.setenv("JUPYTER_PATH", str(folder))
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", str(folder))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))


def run(capsys: pytest.CaptureFixture[str]) -> tuple[int, list[str]]:
    status = main(["doctor"])
    printed = capsys.readouterr()
    assert printed.err == ""
    return status, printed.out.splitlines()


def lines_after(lines: list[str], beginning: str) -> str:
    """The line that begins so, and the remedy below it."""
    place = next(number for number, line in enumerate(lines) if line.startswith(beginning))
    return "\n".join(lines[place : place + 2])


def test_where_all_is_there_every_line_says_ok(capsys: pytest.CaptureFixture[str]) -> None:
    status, lines = run(capsys)
    assert status == 0
    assert lines[0].startswith(f"zswaplab {__version__}, in ") and lines[-1] == "All that a class needs is there."
    assert all(line.startswith("ok     ") for line in lines[1:-1])
    for said in ("Python 3", "jupyterlab 4", "ipywidgets 8", "anywidget", "matplotlib", "pandas", "recordings", "zlib",
                 "notebooks", "Chromium"):  # fmt: skip
        assert any(said in line for line in lines[1:-1]), said


# Versions


@pytest.mark.parametrize("name", doctor.PACKAGES)
@pytest.mark.parametrize(("version", "said"), [
    (None, "is not installed"), ("0.1.2", "0.1.2 (needs >="), ("", "is not installed")
])  # fmt: skip
def test_a_package_that_is_missing_or_too_old(
    name: str, version: str | None, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def other(asked: str) -> Any:
        if asked == name and version is None:
            raise metadata.PackageNotFoundError(asked)
        return version if asked == name else real(asked)

    real = metadata.version
    monkeypatch.setattr(metadata, "version", other)
    status, lines = run(capsys)
    found = lines_after(lines, "TO DO")
    assert status == 1 and f"TO DO  {name} {said}" in found
    assert re.search(rf'install "{name}>=[\d.]+(,<\d+)?"$', found), "the remedy can be pasted into a shell"
    assert lines[-1] == "To do before class: 1 of these, see above."


def test_a_package_that_is_too_new(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    real = metadata.version
    monkeypatch.setattr(metadata, "version", lambda name: "9.0.1" if name == "ipywidgets" else real(name))
    status, lines = run(capsys)
    assert status == 1 and "TO DO  ipywidgets 9.0.1 (needs >=8.1,<9)" in lines


def test_a_python_that_is_too_old(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 10, 4, "final", 0))
    status, lines = run(capsys)
    assert status == 1
    assert "\n       Install Python >=3.11, remove .venv" in lines_after(lines, "TO DO  Python 3.10.4 (needs >=3.11)")


def test_the_bounds_are_those_of_pyproject(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    texts = [*project["dependencies"], *project["optional-dependencies"]["lab"]]
    wanted = {name: SpecifierSet(text.removeprefix(name)) for text in texts for name in re.findall(r"^[\w-]+", text)}
    wanted["python"] = SpecifierSet(project["requires-python"])
    assert set(doctor.PACKAGES) < set(wanted)
    for _ in ("a clone", "a wheel"):
        assert {name: SpecifierSet(bounds) for name, bounds in doctor.required().items()} == wanted
        monkeypatch.setattr(doctor, "__file__", str(tmp_path / "site-packages" / "zswaplab" / "doctor.py"))


VERSIONS = [
    "0.9.2", "0.9.13", "0.10", "2", "2.4", "2.4.0", "2.4.1", "3.0", "3.11.7", "4.4", "4.10.1", "5.0", "8.1.9", "9",
]  # fmt: skip


@pytest.mark.parametrize("bounds", [
    ">=8.1,<9", ">=0.9.13", ">=4.4,<5", ">=3.11", "<5,>=4.4", "==2.4", "!=3.0", ">2", "<=2.4", "",
])  # fmt: skip
def test_versions_are_compared_as_by_pip(bounds: str) -> None:
    for version in VERSIONS:
        assert doctor.inside(version, bounds) == (version in SpecifierSet(bounds)), (version, bounds)


@pytest.mark.parametrize("has_pip", [True, False])
def test_the_remedy_fits_an_environment_without_pip(has_pip: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "find_spec", lambda name: object() if has_pip else None)
    begins = f'"{sys.executable}" -m pip install' if has_pip else f'uv pip install --python "{sys.executable}"'
    assert doctor.install("pandas>=2.2") == f'{begins} "pandas>=2.2"'


# Widgets


@pytest.mark.parametrize(("extension", "package"), doctor.EXTENSIONS.items())
def test_an_extension_that_is_not_there(
    extension: str, package: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(tmp_path / "jupyter" / "labextensions" / extension)
    status, lines = run(capsys)
    assert status == 1
    found = lines_after(lines, "TO DO")
    assert f"extension {extension} is not there: widgets stay empty" in found and f'install "{package}"' in found


@pytest.mark.parametrize("named", [
    {"anywidget": True}, ["anywidget"], {"anywidget:plugin": True, "other": False},
])  # fmt: skip
@pytest.mark.parametrize("file", ["etc/jupyter/labconfig/page_config.json", ".jupyter/labconfig/page_config.json",
                                  "jupyter/labconfig/page_config.d/own.json",
                                  "share/jupyter/lab/settings/page_config.json"])  # fmt: skip
def test_an_extension_that_is_disabled(
    named: Any, file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / file).parent.mkdir(parents=True)
    (tmp_path / file).write_text(json.dumps({"disabledExtensions": named}))
    status, lines = run(capsys)
    found = lines_after(lines, "TO DO")
    assert status == 1 and "extension anywidget is disabled" in found
    assert re.search(r"Enable it: .* -m jupyterlab\.labextensions enable anywidget$", found)


def test_what_counts_more_enables_it_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for file, off in ((".jupyter/labconfig/page_config.json", True), ("etc/jupyter/labconfig/page_config.json", False)):
        (tmp_path / file).parent.mkdir(parents=True)
        (tmp_path / file).write_text(json.dumps({"disabledExtensions": {"anywidget": off}}))
    assert run(capsys)[0] == 0


@pytest.mark.parametrize("text", ["", "[]", "{broken", '{"disabledExtensions": {"mathjax": true}}'])
def test_other_settings_disturb_nobody(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "jupyter" / "labconfig").mkdir()
    (tmp_path / "jupyter" / "labconfig" / "page_config.json").write_text(text)
    assert run(capsys)[0] == 0


# zlib, data


@pytest.mark.parametrize("ng", [None, "2.2.4"])
def test_another_zlib(ng: str | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """zlib-ng gives other lengths; so does memLevel 9, which stands for it here."""
    real = zlib.compressobj
    monkeypatch.setattr(zlib, "compressobj", lambda level, method, bits, memory: real(level, method, bits, 9))
    if ng:
        monkeypatch.setattr(zlib, "ZLIBNG_VERSION", ng, raising=False)
    status, lines = run(capsys)
    found = lines_after(lines, "TO DO")
    same, of = map(int, re.findall(r"gives (\d+) of (\d+) recorded lengths", found)[0])
    assert status == 1 and 0 < same < of
    assert ("zlib-ng 2.2.4 gives" in found) == bool(ng) and "Use a Python with classic zlib" in found


def lost(problem: Exception) -> Callable[..., Any]:
    def fail(*_: Any) -> Any:
        raise problem

    return fail


def test_recordings_that_are_not_there(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(doctor, "data_dir", lost(FileNotFoundError("gone")))
    status, lines = run(capsys)
    found = lines_after(lines, "TO DO  the recordings of real kernels are not there")
    assert status == 1 and "Install zswaplab again" in found


def test_recordings_that_are_empty_or_broken(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "README.md").touch()
    for module in (doctor, shipped):
        monkeypatch.setattr(module, "data_dir", lambda: tmp_path / "data")
    monkeypatch.setattr(doctor, "matches", lost(OSError("no lengths")))
    status, lines = run(capsys)
    assert status == 1 and "Install zswaplab again" in lines_after(lines, "TO DO  0 recordings of real kernels")
    assert "zlib could not be judged" in lines_after(lines, "TO DO  recorded lengths cannot be read (no lengths)")


# What only some need


def test_no_chromium_is_a_note(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bin" / "chromium").unlink()
    monkeypatch.setattr(Path, "is_file", lambda path, real=Path.is_file: ".app" not in str(path) and real(path))
    status, lines = run(capsys)
    assert status == 0, "a class needs none"
    assert "Only saving a picture of the player needs it" in lines_after(lines, "note   no Chromium")
    (tmp_path / "Applications" / "Chromium.app" / "Contents" / "MacOS").mkdir(parents=True)
    (tmp_path / "Applications" / "Chromium.app" / "Contents" / "MacOS" / "Chromium").touch()
    monkeypatch.undo()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", "")
    assert doctor.chromium().good


def test_the_browsers_are_those_that_the_player_takes() -> None:
    assert doctor.BROWSERS == page.BROWSERS


def test_no_notebooks_is_a_note(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    folder = REPOSITORY / "notebooks"
    assert doctor.notebooks().what == f"notebooks in {folder}: {len(list(folder.glob('*.ipynb')))}"
    monkeypatch.setattr(doctor, "__file__", str(tmp_path / "site-packages" / "zswaplab" / "doctor.py"))
    found = doctor.notebooks()
    assert (found.good, found.needed) == (False, False) and "take a clone of zswaplab" in found.remedy
    for folder in (tmp_path / "my-notebooks", tmp_path):
        folder.mkdir(exist_ok=True)
        (folder / doctor.FIRST_NOTEBOOK).touch()
        assert doctor.notebooks().what == f"notebooks in {folder}: 1"


# How it runs


def test_it_imports_nothing_heavy_and_works_without() -> None:
    code = f"""
import sys
sys.modules.update(dict.fromkeys({HEAVY}))
from zswaplab.cli import main
main(["doctor"])
print([name for name in {HEAVY} if sys.modules[name]])
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stderr == "" and done.stdout.splitlines()[-1] == "[]"


@pytest.mark.slow
def test_a_python_with_nothing_but_zswaplab_is_told_what_to_install(tmp_path: Path) -> None:
    venv.create(tmp_path / "bare", symlinks=True, with_pip=False)
    done = subprocess.run(
        [tmp_path / "bare" / "bin" / "python", "-m", "zswaplab.cli", "doctor"], cwd=REPOSITORY,
        env={"PATH": str(tmp_path), "HOME": str(tmp_path), "PYTHONPATH": str(REPOSITORY), "LC_ALL": "C"},
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 1 and done.stderr == "" and done.stdout.isascii()
    for name in doctor.PACKAGES:
        assert f"TO DO  {name} is not installed\n       Install it: uv pip install --python" in done.stdout
    assert "ok     13 recordings" in done.stdout and "To do before class: 7 of these" in done.stdout
