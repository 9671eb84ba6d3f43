"""Formulas of the docs: every one becomes MathML, with nothing left of its LaTeX."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from latex2mathml.converter import convert

DOCS = Path(__file__).parents[2] / "docs"
FORMULA = re.compile(r"\$\$(.+?)\$\$|(?<![\\$])\$([^$\n]+?)\$", re.DOTALL)


def formulas():
    for page in sorted(DOCS.rglob("*.md")):
        text = re.sub(r"```.*?```|`[^`]*`", "", page.read_text(), flags=re.DOTALL)
        for match in FORMULA.finditer(text):
            yield page.relative_to(DOCS).as_posix(), match[1] or match[2]


@pytest.mark.parametrize(("page", "formula"), formulas())
def test_a_formula_is_drawn_without_a_network(page, formula):
    found = convert(formula)
    assert found.startswith("<math")
    assert "\\" not in found, f"{page}: {formula} has a command that is not known"
