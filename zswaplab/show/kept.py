"""How a widget of ours is shown in a notebook, so that what is kept of it is never worse than a picture.

`shown` puts two outputs under the cell: a picture, which any reader can draw, and the widget. JupyterLab shows one of
them: the widget while it lives or where its state was kept (zswaplab's JupyterLab setting keeps it), else the picture.
The program that draws players is a widget of its own, `Program`, so that a notebook keeps it once.
"""

from __future__ import annotations

import base64
import functools
import weakref
import zlib
from collections.abc import Iterator
from typing import Any

import ipywidgets  # type: ignore[import-untyped]
import traitlets

from . import page

LOADER = page.modules("kernel.js", "kept.js")
VIEW = "application/vnd.jupyter.widget-view+json"

# Of a picture and the widget after it JupyterLab shows one. Where a style sheet is not let through (the notebook is not
# trusted) it draws no widgets either.
ONE_OF_THE_TWO = """<style>
.jp-OutputArea-child:has(.zswaplab-picture, .zswaplab-asked):has(+ .jp-OutputArea-child .zswaplab-player),
.jp-OutputArea-child:has(.zswaplab-picture, .zswaplab-asked) + .jp-OutputArea-child:not(:has(.zswaplab-player)) {
  display: none
}
</style>"""


class Program(ipywidgets.Widget):  # type: ignore[misc]
    """The program that draws players, packed: one for all players of a kernel, and so of a notebook."""

    code = traitlets.Unicode().tag(sync=True)  # base64: JupyterLab keeps no bytes of a plain model

    @classmethod
    @functools.cache
    def one(cls) -> Program:
        """The program that this kernel's players share."""
        return cls.of(page.asset())

    @classmethod
    def of(cls, plain: str) -> Program:
        """A program that is one ES module, packed."""
        return cls(code=base64.b64encode(zlib.compress(plain.encode(), 9)).decode())


def shown(widget: ipywidgets.DOMWidget, picture: str, words: str) -> None:
    """Display a widget and, for where it cannot live, its picture (HTML); `words` say the same as plain text.

    What the cell showed when it ran before is closed, unless another cell shows it too; shown again, it opens.
    """
    from IPython.display import publish_display_data

    _take_turns(widget)
    publish_display_data({"text/html": picture + ONE_OF_THE_TWO, "text/plain": words})  # type: ignore[no-untyped-call]
    publish_display_data({VIEW: {"version_major": 2, "version_minor": 0, "model_id": widget.model_id}})  # type: ignore[no-untyped-call]


# -- one run of a cell after another ----------------------------------------------------------------

# For each cell: the message that asked for its last run, and what that run has shown.
_turns: dict[str, tuple[str, weakref.WeakSet[ipywidgets.DOMWidget]]] = {}


def _take_turns(widget: ipywidgets.DOMWidget) -> None:
    """Close what earlier runs of this cell have shown; open the widget if it was closed so."""
    for part in reversed([*_parts(widget)]):
        part.open()
    cell, request = _running()
    if cell is None:
        return
    before = _turns.get(cell)
    if before is None or before[0] != request:
        _turns[cell] = request, weakref.WeakSet()
    _turns[cell][1].add(widget)
    if before is not None and before[0] != request:
        for former in before[1]:
            if not any(former in shown for _, shown in _turns.values()):
                for part in _parts(former):
                    if not isinstance(part, Program):
                        part.close()


def _running() -> tuple[str | None, str]:
    """The id of the cell that is run, if it is known, and the id of the message that asked for it."""
    import IPython

    parent: dict[str, Any] = getattr(IPython.get_ipython(), "get_parent", dict)() or {}
    return parent.get("metadata", {}).get("cellId"), parent.get("header", {}).get("msg_id", "")


def _parts(widget: ipywidgets.Widget) -> Iterator[ipywidgets.Widget]:
    """A widget and all that it is made of."""
    yield widget
    for name in widget.keys:
        value = getattr(widget, name)
        for part in value if isinstance(value, (list, tuple)) else [value]:
            if isinstance(part, ipywidgets.Widget):
                yield from _parts(part)
