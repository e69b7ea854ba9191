"""Colours that player and plots share: Okabe and Ito's, which colour-blind readers can tell apart.

A colour never stands alone: a label, a place or a dash says the same.
"""

from __future__ import annotations

OKABE_ITO = {
    "black": "#000000",
    "orange": "#e69f00",
    "sky blue": "#56b4e9",
    "bluish green": "#009e73",
    "yellow": "#f0e442",
    "blue": "#0072b2",
    "vermillion": "#d55e00",
    "reddish purple": "#cc79a7",
}

# Vermillion and purple are left out: they mean "written back" and "fault".
ENTRY_COLOURS = tuple(OKABE_ITO[name] for name in ("blue", "yellow", "bluish green", "orange", "sky blue"))

# What happened, on a light and on a dark background: the same hues, dark or light enough to be read there.
EVENT_COLOURS = {
    "light": {
        "store": "#0072b2", "load": "#00805a", "writeback": "#c04e00",
        "refuse": "#6a6e73", "fault": "#a0457c",
    },
    "dark": {
        "store": "#56b4e9", "load": "#2bbd92", "writeback": "#f28a43",
        "refuse": "#9399a0", "fault": "#dd94ba",
    },
}  # fmt: skip


def entry_colour(page: int) -> str:
    """The colour of the entry of a page (by page number), as #rrggbb."""
    return ENTRY_COLOURS[page % len(ENTRY_COLOURS)]
