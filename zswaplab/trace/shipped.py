"""Where the recordings that come with zswaplab are."""

import os
from pathlib import Path

from ..model.errors import BadInput


def data_dir() -> Path:
    """Return the folder of shipped recordings: `data/` of a clone, or its copy inside an installed wheel.

    Raises FileNotFoundError when the installation has lost it.
    """
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "data", package.parent / "data"):
        if (folder / "README.md").is_file():
            return folder
    raise FileNotFoundError(
        f"zswaplab's recordings are neither in {package / 'data'} nor in {package.parent / 'data'}: "
        "install zswaplab again, or take a fresh clone"
    )


def find_run(run: str | Path) -> Path:
    """The folder of a run: a path, or the name of a shipped one. Raises BadInput if there is neither."""
    folder = path_of("run", run, "the name of a shipped recording, or a recording's folder")
    if os.path.isdir(folder) or folder.name != str(run):
        return folder
    known = shipped_runs() | clone_runs()
    if run not in known:
        names = ", ".join(known) or "none"
        raise BadInput(f"run={str(run)!r} is neither a folder nor a recording that is shipped; those are: {names}")
    return known[str(run)]


def path_of(parameter: str, value: str | Path, remedy: str) -> Path:
    """A path as a Path. Raises BadInput unless it is a text or a path."""
    if not isinstance(value, (str, os.PathLike)) or value == "":
        raise BadInput(f"{parameter}={value!r} cannot be: give {remedy}")
    return Path(value)


def shipped_runs() -> dict[str, Path]:
    """Name -> folder of each shipped recording."""
    return {file.parent.name: file.parent for file in sorted((data_dir() / "recordings").glob("*/counters.json"))}


def clone_runs() -> dict[str, Path]:
    """Name -> folder of each recording that a clone has in `recordings/`, and no wheel."""
    folder = data_dir().parent / "recordings"
    return {file.parent.name: file.parent for file in sorted(folder.glob("*/counters.json"))}
