"""`zswaplab doctor`: what a class needs, whether it is there, and what to do where it is not.

It looks only: nothing heavy is imported, nothing is installed, and it works where packages are missing.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import zlib
from collections.abc import Iterator
from importlib import metadata
from importlib.util import find_spec
from operator import eq, ge, gt, le, lt, ne
from pathlib import Path
from typing import NamedTuple

from . import __version__
from .model.compressors import Deflate
from .trace.codecs import matches
from .trace.shipped import data_dir, shipped_runs

PACKAGES = ("jupyterlab", "ipywidgets", "anywidget", "matplotlib", "pandas")
# JupyterLab's extensions that show widgets, and the packages that bring them.
EXTENSIONS = {"@jupyter-widgets/jupyterlab-manager": "jupyterlab_widgets", "anywidget": "anywidget"}
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome", "msedge")
APPLICATIONS = ("Chromium.app/Contents/MacOS/Chromium", "Google Chrome.app/Contents/MacOS/Google Chrome")  # of a Mac
FIRST_NOTEBOOK = "00-start-here.ipynb"


class Finding(NamedTuple):
    """One thing that was looked at: `what` was found, whether it is as it should be, whether a class needs it, and
    what to do if it is not.
    """

    what: str
    good: bool
    remedy: str = ""
    needed: bool = True

    def __str__(self) -> str:
        mark = "ok" if self.good else "TO DO" if self.needed else "note"
        return f"{mark:7}{self.what}" + ("" if self.good else f"\n       {self.remedy}")


def findings() -> Iterator[Finding]:
    """Everything that is looked at, in the order in which it is needed."""
    yield python()
    yield from packages()
    yield from widget_manager()
    yield from data()
    yield notebooks()
    yield chromium()


def report(found: list[Finding]) -> str:
    """The findings, a line each and below it what to do, and how they add up."""
    missing = sum(not one.good and one.needed for one in found)
    end = f"To do before class: {missing} of these, see above." if missing else "All that a class needs is there."
    return "\n".join([f"zswaplab {__version__}, in {Path(__file__).parent}", *map(str, found), end])


# -- versions -----------------------------------------------------------------------------------------------


def python() -> Finding:
    """Python against `requires-python`."""
    bounds = required()["python"]
    version = ".".join(map(str, sys.version_info[:3]))
    remedy = f"Install Python {bounds}, remove .venv, and install zswaplab again with it (make lab PYTHON=python3.12)."
    return Finding(f"Python {version} (needs {bounds})", inside(version, bounds), remedy)


def packages() -> Iterator[Finding]:
    """The libraries that the notebooks import, against the bounds of pyproject.toml."""
    bounds = required()
    for name in PACKAGES:
        needs = bounds.get(name, "")
        version = version_of(name)
        if version is None:
            yield Finding(f"{name} is not installed", False, f"Install it: {install(name + needs)}")
        else:
            found = f"{name} {version}" + (f" (needs {needs})" if needs else "")
            yield Finding(found, inside(version, needs), f"Change it: {install(name + needs)}")


def version_of(name: str) -> str | None:
    """The version that is installed, by what its installer wrote down: nothing is imported."""
    try:
        return metadata.version(name) or None
    except metadata.PackageNotFoundError:
        return None


def required() -> dict[str, str]:
    """Package -> its bounds, of zswaplab and its extra `lab`: by a clone's pyproject.toml, or as it was installed."""
    file = Path(__file__).parents[1] / "pyproject.toml"
    if file.is_file():
        import tomllib

        project = tomllib.loads(file.read_text(encoding="utf-8"))["project"]
        texts, python = [*project["dependencies"], *project["optional-dependencies"]["lab"]], project["requires-python"]
    else:
        about = metadata.metadata("zswaplab")
        texts, python = about.get_all("Requires-Dist") or [], about["Requires-Python"]
    found = {"python": python}
    for text in texts:
        requirement, _, marker = text.partition(";")
        name = re.match(r"[\w.-]+", requirement)
        if name and ("extra" not in marker or re.search(r"""extra == ['"]lab['"]""", marker)):
            bounds = requirement[name.end() :].replace(" ", "").split(",")
            found[name[0]] = ",".join(sorted(bounds, reverse=True))  # ">=" first
    return found


def inside(version: str, bounds: str) -> bool:
    """Whether a version is within bounds like ">=8.1,<9".

    >>> inside("8.1.9", ">=8.1,<9"), inside("9.0", ">=8.1,<9"), inside("10.2", ">=9.10")
    (True, False, True)
    """

    def numbers(text: str) -> tuple[int, ...]:
        found = [int(number) for number in re.findall(r"\d+", re.split(r"[a-z+]", text)[0])]
        return tuple((found + [0] * 4)[:4])

    have = numbers(version)
    holds = {">=": ge, "<=": le, "<": lt, ">": gt, "==": eq, "!=": ne}
    return all(holds[sign](have, numbers(bound)) for sign, bound in re.findall(r"([<>=!]=|[<>])\s*([\w.]+)", bounds))


def install(wanted: str) -> str:
    """How a package is installed into this environment, which may have no pip of its own."""
    pip = f'"{sys.executable}" -m pip install' if find_spec("pip") else f'uv pip install --python "{sys.executable}"'
    return f'{pip} "{wanted}"'


# -- widgets ------------------------------------------------------------------------------------------------


def widget_manager() -> Iterator[Finding]:
    """What shows widgets in JupyterLab: extensions that are files in a folder, and can be disabled by a setting."""
    disabled = disabled_extensions()
    for extension, package in EXTENSIONS.items():
        places = [folder / "labextensions" / extension for folder in jupyter_folders("share")]
        there = any((place / "package.json").is_file() for place in places)
        if not there:
            remedy = f"Install what brings it again: {install(package)} --force-reinstall"
            yield Finding(f"JupyterLab's extension {extension} is not there: widgets stay empty", False, remedy)
        elif extension in disabled:
            remedy = f'Enable it: "{sys.executable}" -m jupyterlab.labextensions enable {extension}'
            yield Finding(f"JupyterLab's extension {extension} is disabled: widgets stay empty", False, remedy)
        else:
            yield Finding(f"JupyterLab's extension {extension}", True)


def jupyter_folders(kind: str) -> list[Path]:
    """Where Jupyter looks for data (kind "share") or settings ("etc"), what counts most first."""
    data = kind == "share"
    variables = ("JUPYTER_PATH", "JUPYTER_DATA_DIR") if data else ("JUPYTER_CONFIG_PATH", "JUPYTER_CONFIG_DIR")
    named = os.pathsep.join(os.environ.get(name, "") for name in variables).split(os.pathsep)
    home = Path.home()
    own = [home / ".local/share/jupyter", home / "Library/Jupyter"] if data else [home / ".jupyter"]
    windows = [Path(os.environ[name]) / "jupyter" for name in ("APPDATA", "PROGRAMDATA") if name in os.environ]
    system = [Path(prefix) / kind / "jupyter" for prefix in (sys.prefix, "/usr/local", "/usr", "/")]
    return [*(Path(folder) for folder in named if folder), system[0], *own, *windows, *system[1:]]


def disabled_extensions() -> list[str]:
    """What some page_config.json disables; one that counts more can enable it again."""
    disabled: dict[str, bool] = {}
    files = [Path(sys.prefix) / "share/jupyter/lab/settings/page_config.json"]
    for folder in reversed(jupyter_folders("etc")):
        files += [folder / "labconfig/page_config.json", *sorted((folder / "labconfig/page_config.d").glob("*.json"))]
    for file in files:
        try:
            named = json.loads(file.read_text(encoding="utf-8")).get("disabledExtensions", {})
        except (OSError, ValueError, AttributeError):  # Jupyter passes over such a file too
            continue
        disabled.update(named if isinstance(named, dict) else dict.fromkeys(named, True))
    return [name.partition(":")[0] for name, off in disabled.items() if off]


# -- what comes with zswaplab --------------------------------------------------------------------------------


def data() -> Iterator[Finding]:
    """The recordings, and whether zlib here compresses pages to the kernel's lengths."""
    again = "Install zswaplab again, or take a fresh clone."
    try:
        folder, runs = data_dir(), len(shipped_runs())
    except FileNotFoundError:
        yield Finding("the recordings of real kernels are not there", False, again)
        return
    yield Finding(f"{runs} recordings of real kernels, in {folder}", runs > 0, again)
    try:
        same, of = matches(Deflate(), "deflate", "6.1")
    except (OSError, EOFError, ValueError, KeyError, IndexError) as problem:  # BadInput is a ValueError
        yield Finding(f"recorded lengths cannot be read ({problem}): zlib could not be judged", False, again)
        return
    which = getattr(zlib, "ZLIBNG_VERSION", None)
    name = f"zlib-ng {which}" if which else f"zlib {zlib.ZLIB_RUNTIME_VERSION}"
    remedy = (
        "The model runs, but pages are compressed to other lengths than a kernel's, so the notebooks' numbers come out "
        "otherwise. Use a Python with classic zlib: most of Linux, of conda-forge, and any before 3.14 on Windows."
    )
    yield Finding(f"{name} gives {same} of {of} recorded lengths of the kernel's deflate", 0 < same == of, remedy)


def notebooks() -> Finding:
    """The notebooks, where one is likely to start from."""
    clone = Path(__file__).parents[1]
    for folder in (Path.cwd(), Path.cwd() / "my-notebooks", Path.cwd() / "notebooks", clone / "notebooks"):
        if (folder / FIRST_NOTEBOOK).is_file():
            return Finding(f"notebooks in {folder}: {len(list(folder.glob('*.ipynb')))}", True)
    remedy = "pip does not bring them: take a clone of zswaplab, or copy its folder notebooks/ here."
    return Finding("no notebooks here", False, remedy, needed=False)


def chromium() -> Finding:
    """A browser without a window; only pictures of the player need it."""
    for name in BROWSERS:
        if found := shutil.which(name):
            return Finding(f"Chromium, to save pictures of the player: {found}", True)
    for application in APPLICATIONS:
        for folder in (Path("/Applications"), Path.home() / "Applications"):
            if (folder / application).is_file():
                return Finding(f"Chromium, to save pictures of the player: {folder / application}", True)
    remedy = "Only saving a picture of the player needs it: sudo apt-get install chromium, or install Google Chrome."
    return Finding("no Chromium", False, remedy, needed=False)
