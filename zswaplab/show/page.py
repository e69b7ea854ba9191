"""Pages that stand alone: the same player, alive without any network, and pictures of it.

The player is some ES modules and `player.css`; `asset` joins them into the one module that a notebook's widget loads
and that a page carries inside. There is no bundler: each module's `import` lines and `export` words go.
"""

from __future__ import annotations

import base64
import functools
import html
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from ..model.errors import BadInput, choose, require
from .payload import pack
from .words import picture

HERE = Path(__file__).parent
MODULES = (  # each stands on those before it
    "scene.js", "dom.js", "drawing.js", "time.js", "report.js", "player.js", "compare.js", "scheduler.js",
)  # fmt: skip
SHEETS = ("player.css", "compare.css", "scheduler.css")
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome", "msedge")
THEMES = {None: "", "light": ' data-jp-theme-light="true"', "dark": ' data-jp-theme-light="false"'}

# The policy forbids the page any request: what it draws with, it carries. `?theme=dark` beats what it was saved with.
PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ margin: {margin}px; background: #ffffff; color: #1b1d1f; }}
body[data-jp-theme-light=false] {{ background: #111315; color: #eceae5; }}
h1 {{ margin: 0; font: 600 20px "Segoe UI", "Helvetica Neue", Arial, system-ui, sans-serif; }}
main {{ display: grid; gap: 16px; max-width: 1240px; margin: auto; }}
main > div {{ min-width: 0; }}
@media (forced-colors: active) {{ body, body[data-jp-theme-light] {{ background: Canvas; color: CanvasText; }} }}
@media (prefers-color-scheme: dark) {{ body:not([data-jp-theme-light]) {{ background: #111315; color: #eceae5; }} }}
</style>
<body{theme}>
<main>{heading}</main>
{payloads}
<script type="module">
{script}
const theme = new URLSearchParams(location.search).get("theme");
if (theme) document.body.dataset.jpThemeLight = String(theme !== "dark");
for (const data of document.querySelectorAll("script[type='application/zswaplab']")) {{
  const place = document.querySelector("main").appendChild(document.createElement("div"));
  mount(place, data.textContent, {{ ...{values}, alt: data.dataset.alt }});
}}
</script>
</body>
</html>
"""


@functools.cache
def asset() -> str:
    """The player and what stands on it as one ES module, with their style sheets as a text in it."""
    return style(*SHEETS) + modules(*MODULES)


def style(*names: str) -> str:
    """Style sheets as a text in a module, the colours and typefaces before them."""
    return f"const STYLE = {json.dumps(''.join(map(_read, ('tokens.css', *names))), ensure_ascii=False)};\n"


def modules(*names: str) -> str:
    """Modules as one, each of which stands on those before it."""
    return "\n".join(re.sub(r"^import .*\n|^export (?!default)", "", _read(name), flags=re.MULTILINE) for name in names)


def _read(name: str) -> str:
    return HERE.joinpath(name).read_text(encoding="utf-8")


def page(
    payloads: Iterable[Mapping[str, Any]], *, step: int = 0, theme: str | None = None, static: str | None = None,
    **values: Any,
) -> str:  # fmt: skip
    """An HTML page with a living player for each payload, which asks nothing of any network.

    `theme` is "light", "dark" or None, which follows the reader's system; `?theme=dark` in the address beats both.
    With `static` it is a picture of the players, without any control: the text says what to do to see it live.
    `values` are the widget's own: level, hidden, notes. Raises BadInput for another theme.
    """
    shown = list(payloads)
    title = ", ".join(one["title"] or one["tags"][0] for one in shown)
    drawn = [(picture(one, step), base64.b64encode(pack(one)).decode()) for one in shown]
    return alive(title, drawn, theme=theme, static=static, step=int(step), **values)


def alive(
    title: str, drawn: Iterable[tuple[str, str]], *, theme: str | None = None, static: str | None = None,
    **values: Any,
) -> str:  # fmt: skip
    """The same of any of our widgets: for each the alternative text of its picture and its packed payload, in base64.

    What is not in the payload is in `values`, which all of them have. Raises BadInput for another theme.
    """
    choose("theme", theme, THEMES)
    data = (
        f'<script type="application/zswaplab" data-alt="{html.escape(alt)}">{packed}</script>' for alt, packed in drawn
    )
    given = json.dumps({**values, "static": static}, ensure_ascii=False).replace("<", "\\u003c")
    return PAGE.format(
        title=html.escape(title),
        heading="" if static is not None else f"<h1>{html.escape(title)}</h1>",
        margin=0 if static is not None else 16,
        theme=THEMES[theme],
        payloads="\n".join(data),
        script=asset().replace("export default", "const player =", 1),
        values=given,
    )


def save(
    payload: Mapping[str, Any], path: str | os.PathLike[str], *, step: int = 0, theme: str = "light",
    width: int = 1050, **values: Any,
) -> Path:  # fmt: skip
    """Write a player to `path`: `.html`, alive without network; `.png`, a picture `width` pixels wide at `step`.

    Raises BadInput for another ending, theme or width, for a folder that is not there, and for `.png` where no
    Chromium is installed.
    """
    return write(lambda **more: page([payload], step=step, theme=theme, **values, **more), path, theme, width)


def write(content: Callable[..., str], path: str | os.PathLike[str], theme: str, width: int) -> Path:
    """Write what `content()` gives to a `.html`, or have what `content(static="")` gives drawn to a `.png`.

    Raises BadInput as `save` does.
    """
    target = Path(path)
    choose("theme", theme, ("light", "dark"))
    require("width", width, 380, 4000, "pixels")
    if target.suffix not in (".html", ".png"):
        raise BadInput(f"path={str(path)!r} cannot be saved: end it in .html or in .png")
    if not target.parent.is_dir():
        raise BadInput(f"path={str(path)!r} cannot be saved: there is no folder {str(target.parent)!r}; make it first")
    if target.suffix == ".html":
        target.write_text(content(), encoding="utf-8")
    else:
        photograph(content(static=""), target, width)
    return target


def photograph(content: str, target: Path, width: int) -> None:
    """Have a headless Chromium draw the page `content` to the PNG `target`, as high as it turns out to be."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        raise BadInput(f"{target} needs Chromium or Chrome on the PATH: install one, or save to .html instead")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        source, shot = Path(folder, "page.html"), Path(folder, "page.png")
        source.write_text(content, encoding="utf-8")
        command = [browser, "--headless", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={folder}/profile"]
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            command.append("--no-sandbox")
        command.append("--virtual-time-budget=5000")
        try:
            seen = _shell([*command, f"--window-size={width},800", "--dump-dom", source.as_uri()])
            height = re.findall(r'data-height="(\d+)"', seen)[0]
            _shell([*command, f"--window-size={width},{height}", f"--screenshot={shot}", source.as_uri()])
            shutil.copyfile(shot, target)
        except (subprocess.SubprocessError, OSError, IndexError) as error:
            raise BadInput(f"{target}: {browser} did not draw it ({error}); save to .html instead") from error


def _shell(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
