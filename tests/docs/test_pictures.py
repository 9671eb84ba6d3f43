"""Pictures of README and docs: those that the script makes, small, and of runs that today's options describe."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pyro_mmvae.experiments.common import driver
from pyro_mmvae.experiments.common.configuration import parse_run

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
SPEC = importlib.util.spec_from_file_location("pictures", DOCS / "pictures.py")
assert SPEC is not None
assert SPEC.loader is not None
script = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(script)
MADE = {*script.FIGURES, *script.DRAWN}


def shown():
    """Return the pictures that pages show, by page."""
    pages = [ROOT / "README.md", *DOCS.rglob("*.md")]
    return [
        (page, page.parent / path) for page in pages for path in re.findall(r"!\[[^]]*\]\(([^)]+)\)", page.read_text())
    ]


def test_pages_show_pictures_that_are_there():
    assert len(shown()) >= 6
    for page, picture in shown():
        assert picture.is_file(), f"{page} shows {picture}"


def test_pictures_are_those_of_the_script_and_each_is_shown():
    stored = {path.name for path in (DOCS / "pictures").glob("*.png")}
    assert stored == MADE
    assert {picture.name for _, picture in shown() if picture.parent.name == "pictures"} >= MADE


@pytest.mark.parametrize("name", sorted(MADE))
def test_a_picture_is_small_and_shows_something(name):
    path = DOCS / "pictures" / name
    assert path.stat().st_size < 200 * 1024
    with Image.open(path) as image:
        assert image.width <= script.WIDTH
        assert np.asarray(image.convert("L")).std() > 5


@pytest.mark.parametrize("name", script.DEMOS)
def test_the_runs_are_ones_that_today_s_options_describe(name):
    assert parse_run(driver.config_class(name), script.DEMOS[name], "").experiment == name


@pytest.mark.parametrize("name", script.DRAWN)
def test_what_is_drawn_without_a_run_is_fresh(name, tmp_path):
    script.DRAWN[name](tmp_path / "drawn.png")
    script.store(tmp_path / "drawn.png", tmp_path / "picture.png")
    with Image.open(tmp_path / "picture.png") as new, Image.open(DOCS / "pictures" / name) as old:
        size = (60, 40)
        apart = [np.asarray(image.convert("L").resize(size), dtype=float) for image in (new, old)]
    assert np.abs(apart[0] - apart[1]).mean() < 3, f"run docs/pictures.py: {name} is of another table"
