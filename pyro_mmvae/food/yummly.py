"""Yummly-28K (Min et al. 2017): a JSON file and a picture for every recipe."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pyro_mmvae.data.skips import SkipLog
from pyro_mmvae.food.recipe import BROKEN, NO_IMAGE, BadRecipeError, Recipe, check_lines

METADATA, IMAGES = "metadata27638", "images27638"
"""Folders of the published set; the number is that of its recipes, and another set may have another one."""
MAX_JSON = 2**20
"""Bytes of the largest file of a recipe."""

_NUMBERED = re.compile(r"meta(\d{1,9})\.json")


def sample_paths(metadata: Path, images: Path, number: int) -> tuple[Path, Path]:
    """Return JSON file and picture of a recipe."""
    return metadata / f"meta{number:05d}.json", images / f"img{number:05d}.jpg"


def folders(root: Path) -> tuple[Path, Path]:
    """Return the folders of metadata and pictures, whatever number is in their names.

    Raises:
        FileNotFoundError: they are not there.
    """
    found = []
    for kind in ("metadata", "images"):
        there = sorted(path for path in root.glob(f"{kind}*") if path.is_dir()) if root.is_dir() else []
        if len(there) != 1:
            raise FileNotFoundError(
                f"{root}: expected Yummly-28K's layout, with one folder {kind}* such as "
                f"{METADATA if kind == 'metadata' else IMAGES}, got {[path.name for path in there] or 'none'}"
            )
        found.append(there[0])
    return found[0], found[1]


def sources(root: Path) -> list[Path]:
    """Return what an index is made from and is out of date when changed."""
    return list(folders(root))


def recipes(root: Path, log: SkipLog) -> Iterator[Recipe]:
    """Yield the recipes that can be used, in the order of their numbers; others are counted.

    Raises:
        FileNotFoundError: the folders are not there.
    """
    metadata, images = folders(root)
    there = {entry.name for entry in os.scandir(images)}
    found = {int(m[1]): entry.path for entry in os.scandir(metadata) if (m := _NUMBERED.fullmatch(entry.name))}
    for number, path in sorted(found.items()):
        try:
            yield _read(number, Path(path), images, there)
        except BadRecipeError as error:
            log.add(Path(path).name, error.reason, error.detail)


def _read(number: int, path: Path, images: Path, there: set[str]) -> Recipe:
    content = _content(path)
    image = sample_paths(path.parent, images, number)[1].name
    lines = check_lines(content.get("ingredientLines"))
    if image not in there:
        raise BadRecipeError(NO_IMAGE, image)
    return Recipe(f"{number:05d}", lines, (f"{images.name}/{image}",))


def _content(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            text = file.read(MAX_JSON + 1)
        if len(text) > MAX_JSON:
            raise BadRecipeError(BROKEN, f"more than {MAX_JSON} bytes")
        content = json.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        raise BadRecipeError(BROKEN, " ".join(str(error).split())) from error
    if not isinstance(content, dict):
        raise BadRecipeError(BROKEN, f"expected a mapping, got {type(content).__name__}")
    return content
