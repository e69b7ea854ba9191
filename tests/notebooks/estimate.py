"""How long a notebook takes, estimated: words / 200 minutes, 20 seconds a code cell, a minute a question."""

from __future__ import annotations

import re
from typing import Any

from tests.notebooks.prose import words_of

QUESTION = re.compile(r"\bpredict\(\"|\*Think for a bit\*|\*\*Your turn\*\*")


def minutes(notebook: Any) -> int:
    """The estimate, rounded. A question is a prediction, a turn of the reader's, or something to think about."""
    words = sum(len(words_of(cell.source).split()) for cell in notebook.cells if cell.cell_type == "markdown")
    cells = sum(cell.cell_type == "code" for cell in notebook.cells)
    questions = sum(len(QUESTION.findall(cell.source)) for cell in notebook.cells)
    return round(words / 200 + cells / 3 + questions)
