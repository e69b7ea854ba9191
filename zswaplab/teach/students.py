"""What belongs to one student: the seeds of their exercises, and how far they have come."""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from ..model.errors import BadInput

FORMAT = 1  # of the file
NOBODY = ""  # whoever has given no id


def seed_of(student: str, exercise: str, salt: str = "") -> int:
    """The seed of a student's variant of an exercise, 0 or more: the same on every system and in every Python.

    `salt` is the class's, so that another class gets others. Case, and spaces around the id, do not matter.
    Raises BadInput for what is no id.

    >>> seed_of("ada", "06.2"), seed_of(" Ada", "06.2") == seed_of("ada", "06.2")
    (96461312869428, True)
    """
    text = "\0".join((salt, exercise, plain(student)))
    return int.from_bytes(sha256(text.encode()).digest()[:6])


def plain(student: object) -> str:
    """A student's id as it is compared. Raises BadInput for what is none."""
    if not isinstance(student, str) or not student.strip():
        raise BadInput(f'student={student!r} cannot be: give your id as a text, like student="ada.l"')
    return unicodedata.normalize("NFKC", student).strip().casefold()


def data_folder() -> Path:
    """Where this user's progress is kept: ZSWAPLAB_DATA, or what the system has for such files."""
    if own := os.environ.get("ZSWAPLAB_DATA"):
        return Path(own)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "zswaplab"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "zswaplab"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "zswaplab"


class Progress:
    """How far one student has come, in a file of their own; `note` and `forget` write it at once.

    By variant, like "06.2:1234567": the `state` of the best try, `points`, how many `tries` and `hints`. The file
    does not depend on the notebook's name, nor on the version of zswaplab: what it does not know, it keeps.
    A file that cannot be read is put aside, and `trouble` says where; nothing of it is lost.
    """

    def __init__(self, student: str = NOBODY, folder: Path | None = None) -> None:
        name = sha256(student.encode()).hexdigest()[:16] if student else "practice"
        self.file = (folder or data_folder()) / f"progress-{name}.json"
        self.trouble = ""
        self._all = self._read()

    def of(self, variant: str) -> dict[str, Any]:
        """What is known of a variant; empty where it was never tried."""
        return dict(self._all["variants"].get(variant, {}))

    def variants(self, exercise: str) -> list[str]:
        """The variants of an exercise that were opened, in that order."""
        return [name for name in self._all["variants"] if name.partition(":")[0] == exercise]

    def note(self, variant: str, **values: Any) -> None:
        """Keep values of a variant."""
        self._all = self._read()  # another notebook may have written meanwhile
        self._all["variants"].setdefault(variant, {}).update(values)
        self._write()

    def forget(self, exercise: str | None = None) -> None:
        """Forget all variants of one exercise, and of no other; without one, of all."""
        self._all = self._read()
        for name in self.variants(exercise) if exercise else list(self._all["variants"]):
            del self._all["variants"][name]
        self._write()

    def _read(self) -> dict[str, Any]:
        try:
            data = json.loads(self.file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {"format": FORMAT, "variants": {}}
        except (OSError, ValueError) as problem:
            return self._put_aside(str(problem))
        if not is_progress(data):
            return self._put_aside("it is not a file of progress, or of a later zswaplab")
        return dict(data)

    def _put_aside(self, why: str) -> dict[str, Any]:
        """Begin anew beside a damaged file, which stays."""
        number = 1
        while (aside := self.file.with_suffix(f".damaged-{number}.json")).exists():
            number += 1
        try:
            os.replace(self.file, aside)
            self.trouble = f"Your progress could not be read ({why}). The file is kept as {aside}; a new one begins."
        except OSError:
            self.trouble = f"Your progress in {self.file} cannot be read ({why}), so none is kept."
        return {"format": FORMAT, "variants": {}}

    def _write(self) -> None:
        """All of it or nothing: first a file beside, which then takes the place of the old one."""
        beside = self.file.with_suffix(f".{os.getpid()}.tmp")
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            beside.write_text(json.dumps(self._all, indent=1), encoding="utf-8")
            os.replace(beside, self.file)
        except OSError as problem:
            self.trouble = f"Your progress cannot be kept in {self.file} ({problem})."


def is_progress(data: object) -> bool:
    """Whether that is what a file of progress holds."""
    return (
        isinstance(data, Mapping) and data.get("format") == FORMAT and isinstance(data.get("variants"), dict)
        and all(isinstance(one, dict) for one in data["variants"].values())
    )  # fmt: skip
