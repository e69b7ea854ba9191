"""Write the exercise notebooks from the bank: `python notebooks/release.py`, all that are there.

Of each notebook of the course that has exercises there is a master in exercises/masters, with solutions and hidden
tests, and the version for students beside it in exercises, without them. Both are written anew; neither is edited by
hand, and none has outputs.
"""

from __future__ import annotations

import json
from itertools import groupby
from pathlib import Path

from zswaplab.teach.handout import Notebook, master_of, student_version
from zswaplab.teach.task import tasks

HERE = Path(__file__).parent


def masters() -> dict[str, Notebook]:
    """The masters by the names of their files: those of the notebooks to which they belong."""
    found = {}
    for number, own in groupby(tasks().values(), key=lambda task: task.notebook):
        name = next((path.name for path in HERE.glob(f"{number}-*.ipynb")), f"{number}.ipynb")
        found[name] = master_of([task.id for task in own])
    return found


def released() -> dict[Path, str]:
    """What stands in every file that is written."""
    found = {}
    for name, master in masters().items():
        found[HERE / "exercises" / "masters" / name] = text_of(master)
        found[HERE / "exercises" / name] = text_of(student_version(master))
    return found


def text_of(notebook: Notebook) -> str:
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for path, text in released().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(path)
