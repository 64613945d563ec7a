"""Sphinx: README, guides, reference and evidence as a site with search, and the Python API from the docstrings."""

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fastetl
from fastetl.checks import Range

# In the annotations of options: rounded, since the least number over 0 is 5e-324.
Range.__repr__ = lambda ends: f"Range({round(ends.low, 9):g}, {ends.high:.10g})"

project, author, copyright = "fastetl", "the fastetl authors", "the fastetl authors, MIT"
release = fastetl.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc"]
root_doc = "README"
include_patterns = ["*.md", "docs/**.md", "docs/api.rst", "ios/README.md"]
html_theme = "furo"
html_static_path, html_css_files = ["site.css"], ["site.css"]
smartquotes = False  # "" is a value
default_role = "code"  # docstrings are plain text with `names`
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
python_maximum_signature_line_length = 100  # longer ones have a line for each parameter
myst_heading_anchors = 3
suppress_warnings = ["myst.xref_missing"]  # files that are no pages; tests/test_docs.py checks every link

CONTENTS = {
    "Guides": "python tutorial own-pictures other-libraries lines ios /ios/README apps pad publishing scale "
    "troubleshooting",
    "Reference": "cli api formats sets/README",
    "Evidence": "accuracy peers pretrained scans etl-protocol performance gpu verification reliability without-a-mac",
    "Project": "tour decisions/README /CONTRIBUTING /CHANGELOG",
}


def contents() -> Iterator[tuple[str, list[str]]]:
    """Captions with their pages; a page that no caption has is under "More"."""
    here = Path(__file__).parent
    known = {"README", *(page for pages in CONTENTS.values() for page in pages.split())}
    more = " ".join(sorted(path.stem for path in here.glob("*.md") if path.stem not in known))
    for caption, pages in {**CONTENTS, "More": more}.items():
        names = [page[1:] if page.startswith("/") else f"docs/{page}" for page in pages.split()]
        listed = [f"/{name}" for name in names if list(here.parent.glob(f"{name}.*"))]
        if listed:
            yield caption, listed


def add_contents(app: Any, name: str, source: list[str]) -> None:
    """The README is the first page: there the table of contents is added."""
    if name == "README":
        for caption, pages in contents():
            source[0] += f"\n```{{toctree}}\n:hidden:\n:caption: {caption}\n\n" + "\n".join(pages) + "\n```\n"
    if name == "docs/decisions/README":
        pages = sorted(path.stem for path in Path(__file__).parent.glob("decisions/0*.md"))
        source[0] += "\n```{toctree}\n:hidden:\n\n" + "\n".join(pages) + "\n```\n"


def short_arrays(app: Any, what: str, name: str, obj: object, options: Any, given: str, returned: str) -> Any:
    """Signatures with `NDArray[uint8]` instead of what it stands for, and `...` for defaults that are made anew."""
    if given:
        given = "(**options)" if given.startswith("(*_: ") else re.sub(r"= <[^>]*>", "= ...", given)
    any_shape, dtype = r"tuple\[~?(?:typing\.)?Any, \.\.\.\]", r"([^\[\]]+(?:\[[^\[\]]+\])?)"
    long = rf"~?(?:numpy\.)?ndarray\[{any_shape}, ~?(?:numpy\.)?dtype\[{dtype}\]\]"
    return tuple(text and re.sub(r"~([\w]+\.)+", "", re.sub(long, r"NDArray[\1]", text)) for text in (given, returned))


def parse_sections(app: Any, what: str, name: str, obj: object, options: Any, lines: list[str]) -> None:
    """Google's Args, Returns, Raises. As an extension, Napoleon takes what a field says before a colon for its type."""
    from sphinx.ext.napoleon import Config, GoogleDocstring

    if what == "class":  # the site lists fields with their docstrings
        lines[:] = inspect.cleandoc(str(vars(obj)["__doc__"])).splitlines()
    lines[:] = [re.sub(r"docs/([\w/-]+)\.md", r":doc:`\1`", line) for line in lines]
    if what not in ("attribute", "property"):
        lines[:] = GoogleDocstring(lines, Config(), app, what, name, obj, options).lines()


def setup(app: Any) -> None:
    """Called by Sphinx."""
    app.connect("autodoc-process-docstring", parse_sections)
    app.connect("autodoc-process-signature", short_arrays)
    app.connect("source-read", add_contents)
