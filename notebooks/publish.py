"""Execute notebooks and write them back as they are committed: `python notebooks/publish.py [NOTEBOOK...]`.

Without a name: every notebook in this folder, and the glossary as a page to be printed. All comes from a fresh kernel.
Of a widget only the picture is kept that stands before it, as HTML that any reader can draw, and of a plot the HTML
with its alt text; no widget and no state of one, which a notebook that was never run could not show. Nothing is kept
that differs from run to run, so a second run writes the same file. A cell that only proves what is said is folded.
"""

from __future__ import annotations

import ast
import base64
import io
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib.font_manager  # noqa: F401  (builds its cache now, or a kernel would say so in an output)
import nbclient
import nbformat
from nbconvert.filters import markdown2html
from PIL import Image, ImageChops

from zswaplab import predict
from zswaplab.model.errors import BadInput
from zswaplab.show.kept import ONE_OF_THE_TWO, VIEW

METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
OF_ONE_RUN = ("execution", "ExecuteTime", "scrolled", "trusted")
SECONDS = 120
GLOSSARY = Path(__file__).with_name("glossary.md")
IMAGE = re.compile(r"<img\b[^>]*>")
PNG = re.compile(r"(?<=data:image/png;base64,)[A-Za-z0-9+/=]+")
ASKED = re.compile(r'zswaplab-asked" title="Prediction (?P<id>[^,]+), seed (?P<seed>\d+)"')
ALT = re.compile(r'\balt="([^"]*)"')

Notebook = Any  # an nbformat.NotebookNode: a dict whose keys are attributes too


def publish(paths: list[Path]) -> None:
    """Execute and write back; writes nothing if anything goes wrong."""
    notebooks = {path: executed(path) for path in paths}
    for path, notebook in notebooks.items():
        keep_pictures(notebook, nbformat.read(path, as_version=4))
        nbformat.write(notebook, path)
        print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


def executed(path: Path) -> Notebook:
    """The notebook after a run in a fresh kernel, as it is committed."""
    notebook = nbformat.read(path, as_version=4)
    notebook.metadata = nbformat.from_dict(METADATA)
    for cell in notebook.cells:
        for name in OF_ONE_RUN:
            cell.metadata.pop(name, None)
    nbclient.NotebookClient(
        notebook, timeout=SECONDS, record_timing=False, store_widget_state=False, coalesce_streams=True,
        resources={"metadata": {"path": str(path.resolve().parent)}}, extra_arguments=["--log-level=ERROR"],
    ).execute()  # fmt: skip
    notebook.metadata = nbformat.from_dict(METADATA)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [*kept(cell)]
            fold(cell)
    return notebook


def fold(cell: Notebook) -> None:
    """Fold the code of a cell that has nothing but assertions, and shows nothing; JupyterLab then hides it."""
    hidden = only_asserts(cell.source) and not cell.outputs
    hints = {name: value for name, value in cell.metadata.get("jupyter", {}).items() if name != "source_hidden"}
    if hidden:
        hints["source_hidden"] = True
    cell.metadata.pop("jupyter", None)
    if hints:
        cell.metadata["jupyter"] = nbformat.from_dict(hints)


def only_asserts(source: str) -> bool:
    """Whether a cell proves what the text says and does nothing else; it may import what it needs for that."""
    try:
        parts = ast.parse(source).body
    except SyntaxError:  # IPython's own, like %matplotlib
        return False
    return any(isinstance(part, ast.Assert) for part in parts) and all(
        isinstance(part, ast.Assert | ast.Import | ast.ImportFrom) for part in parts
    )


def kept(cell: Notebook) -> Iterator[Notebook]:
    """What is kept of a cell's outputs: pictures with their words. Raises BadInput for one that is not so."""
    for output in cell.outputs:
        data = output.get("data", {})
        if VIEW in data:
            continue
        if "text/html" in data:
            data["text/html"] = readable(answered(data["text/html"]))
            if IMAGE.search(data["text/html"]):
                data.pop("image/png", None)  # the same once more
                output.metadata = nbformat.from_dict({})
        if without := unsaid(data):
            raise BadInput(f"Cell {cell.id} has {without}: use zswaplab.show.plots.show, or zswaplab's own widgets")
        yield output


def answered(page: str) -> str:
    """The page of a prediction with its answer folded away: in a notebook that is only read nobody can answer it."""
    found = ASKED.search(page)
    return predict(found["id"], int(found["seed"])).page(answered=True) if found else page


def readable(page: str) -> str:
    """HTML as a reader needs it: pandas makes headers of the empty corners of a table, which a screen reader reads."""
    return re.sub(r"<th( [^>]*)?></th>", r"<td\1></td>", page.replace(ONE_OF_THE_TWO, ""))


def unsaid(data: Notebook) -> str:
    """What of an output has no words; nothing if all has."""
    if any(kind.startswith("image/") for kind in data):
        return "a picture without alt text"
    tags = IMAGE.findall(data.get("text/html", ""))
    if tags and not any(found and found[1] for found in map(ALT.search, tags)):
        return "a picture without alt text"
    return ""


# -- the glossary -----------------------------------------------------------------------------------

ANCHOR = re.compile(r'<a class="anchor-link".*?</a>')
PRINTED = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Glossary of zswaplab</title><style>
body {{ font: 10pt/1.35 serif; max-width: 60em; margin: 2em auto; padding: 0 1em; columns: 26em; column-gap: 2em }}
h1 {{ column-span: all; font-size: 18pt }} section {{ break-inside: avoid }} h2 {{ font-size: 11pt; margin: 1em 0 0 }}
p {{ margin: .2em 0 }} @page {{ margin: 15mm }}
</style><h1>Glossary</h1>
{}</html>
"""


def printed(glossary: str) -> str:
    """The glossary as a page to be printed: its terms by the alphabet, none of them broken over two columns."""
    terms = re.findall(r"^### (.+?)\n(.*?)(?=^##|\Z)", glossary, re.DOTALL | re.MULTILINE)
    ordered = sorted(terms, key=lambda term: term[0].lower())
    written = (ANCHOR.sub("", markdown2html(f"## {name}\n{text}")) for name, text in ordered)
    return PRINTED.format("\n".join(f"<section>{section.strip()}</section>" for section in written))


# -- plots ------------------------------------------------------------------------------------------


def keep_pictures(notebook: Notebook, old: Notebook) -> None:
    """Make the plots smaller; one that looks as it did before, in `old`, stays as it was."""
    before = dict(pages(old))
    for place, data in pages(notebook):
        data["text/html"] = PNG.sub(lambda png: small(png[0]), data["text/html"])
        earlier = before.get(place, {}).get("text/html", "")
        older, newer = PNG.findall(earlier), PNG.findall(data["text/html"])
        if PNG.sub("", earlier) == PNG.sub("", data["text/html"]) and all(map(alike, older, newer)):
            data["text/html"] = earlier


def pages(notebook: Notebook) -> Iterator[tuple[tuple[str, int], Notebook]]:
    """The data of each output that is HTML, and where it is: (cell id, number of the output)."""
    for cell in notebook.cells:
        for number, output in enumerate(cell.get("outputs", [])):
            if "text/html" in output.get("data", {}):
                yield (cell.id, number), output.data


def small(png: str) -> str:
    """The picture with 256 colours, which look like all of them; one that is see-through stays as it is."""
    image = Image.open(io.BytesIO(base64.b64decode(png)))
    if image.convert("RGBA").getextrema()[3][0] < 255:
        return png
    file = io.BytesIO()
    image.convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE, kmeans=1).save(file, "PNG", optimize=True)
    return base64.b64encode(file.getvalue()).decode()


def alike(older: str, newer: str) -> bool:
    """Whether no pixel of two pictures differs by more than an eye can see."""
    first, second = (Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB") for png in (older, newer))
    if first.size != second.size:
        return False
    return max(most for _, most in ImageChops.difference(first, second).getextrema()) < 24


if __name__ == "__main__":
    named = [Path(name) for name in sys.argv[1:]] or sorted(Path(__file__).parent.glob("*.ipynb"))
    absent = [str(path) for path in named if not path.is_file()]
    try:
        if absent:
            raise BadInput(f"There is no {', '.join(absent)}: name a notebook, or none for all that are here")
        publish(named)
        if not sys.argv[1:]:
            GLOSSARY.with_suffix(".html").write_text(printed(GLOSSARY.read_text(encoding="utf-8")), encoding="utf-8")
    except (BadInput, nbclient.exceptions.CellExecutionError, nbclient.exceptions.CellTimeoutError) as problem:
        sys.exit(f"Nothing was published. {problem}")
