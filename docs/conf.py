import sys
from pathlib import Path

from sphinx.application import Sphinx

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "_ext"), str(HERE.parent)]

import pyro_mmvae  # noqa: E402

project = "pyro_mmvae"
author = "the authors of pyro_mmvae"
release = version = pyro_mmvae.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "from_code",
    "mathml",
]
exclude_patterns = ["_build", "snippets"]
toc_object_entries = False  # the navigation of every page is copied from all of them: minutes, with every method
html_theme = "furo"
html_title = f"pyro_mmvae {release}"

myst_enable_extensions = ["dollarmath", "colon_fence", "deflist"]
html_math_renderer = "mathml"
myst_heading_anchors = 3

default_role = "literal"  # docstrings write `name`
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
napoleon_use_ivar = True
napoleon_use_rtype = False
suppress_warnings = ["ref.python"]  # the class of every experiment is called Experiment


def escape_stars(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Escape the star of a shape such as (*lead, B) outside backticks: it would begin an emphasis."""
    parts = "\n".join(lines).split("`")
    parts[::2] = [part.replace("(*", r"(\*") for part in parts[::2]]
    lines[:] = "`".join(parts).split("\n")


def setup(app: Sphinx) -> None:
    """Extend Sphinx."""
    app.connect("autodoc-process-docstring", escape_stars, priority=400)
