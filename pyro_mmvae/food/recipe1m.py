"""Recipe1M (Salvador et al. 2017): files of all recipes, read as a stream."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import ijson

from pyro_mmvae.data.skips import SkipLog
from pyro_mmvae.food.recipe import BROKEN, MAX_IMAGES, NO_IMAGE, TWICE, BadRecipeError, Recipe, check_lines

LAYER1, LAYER2, DETECTED = "layer1.json", "layer2.json", "det_ingrs.json"
"""Recipes; their pictures; their ingredients as a tagger found them in the lines."""
IMAGES = "images"
SPLITS = ("train", "val", "test")
MAX_RECIPE = 2**22
"""Bytes of a recipe in a file, and what is read ahead: more is no recipe."""
MAX_NAME = 64
"""Characters of an identifier."""

_BUFFER = 2**16


def sources(root: Path) -> list[Path]:
    """Return what an index is made from and is out of date when changed.

    Raises:
        FileNotFoundError: the recipes or their pictures' names are not there.
    """
    for name in (LAYER1, LAYER2):
        if not (root / name).is_file():
            raise FileNotFoundError(f"{root}: expected Recipe1M's layout, with {LAYER1}, {LAYER2} and {IMAGES}/")
    return [root / name for name in (LAYER1, LAYER2, DETECTED) if (root / name).is_file()]


def recipes(root: Path, log: SkipLog, check_images: bool = True) -> Iterator[Recipe]:
    """Yield the recipes that can be used, in the order of the file; others are counted.

    Ingredients are those of `det_ingrs.json` if it is there, else the lines. Of each recipe some hundred bytes are kept
    in memory. A file that breaks off counts as far as it goes, and a warning says so.

    Args:
        root: folder of the files.
        log: of recipes that are left out.
        check_images: look whether pictures are there; those that are not count as none.

    Raises:
        FileNotFoundError: see `sources`.
    """
    sources(root)
    pictures = {str(item.get("id"))[:MAX_NAME]: _pictures(item.get("images")) for item in _items(root / LAYER2, log)}
    detected = {str(item.get("id")): _detected(item) for item in _items(root / DETECTED, log)}
    seen: set[str] = set()
    for item in _items(root / LAYER1, log):
        name = str(item.get("id"))[:MAX_NAME]
        try:
            yield _recipe(name, item, pictures.get(name, ""), detected.get(name), seen, root if check_images else None)
        except BadRecipeError as error:
            log.add(name, error.reason, error.detail)
        seen.add(name)


def image_path(split: str, name: str) -> str:
    """Return where a picture is in the folder of the set: in folders by the first four letters of its name."""
    return "/".join((IMAGES, split, *name[:4], name))


def _recipe(
    name: str, item: dict[str, Any], pictures: str, detected: str | None, seen: set[str], root: Path | None
) -> Recipe:
    if name in seen:
        raise BadRecipeError(TWICE)
    split = item.get("partition")
    if split not in SPLITS:
        raise BadRecipeError("of no split", f"expected one of {SPLITS}, got {split!r:.40}")
    given = _texts(item.get("ingredients")) if detected is None else detected.split("\n")
    lines = check_lines(given)
    images = tuple(image_path(split, picture) for picture in pictures.split("\n") if picture)
    if root is not None:
        images = tuple(image for image in images if (root / image).is_file())
    if not images:
        raise BadRecipeError(NO_IMAGE)
    return Recipe(name, lines, images, split)


class _Bounded:
    """A file that refuses to go on when a single recipe takes too much of it."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file, self.left = file, MAX_RECIPE

    def read(self, size: int = -1) -> bytes:
        content = self.file.read(_BUFFER if size < 0 else size)
        self.left -= len(content)
        if self.left < 0:
            raise ValueError(f"a single recipe has more than {MAX_RECIPE} bytes")
        return content


def _items(path: Path, log: SkipLog) -> Iterator[dict[str, Any]]:
    """Yield the mappings of a file that holds a list of them, one at a time; nothing if there is no file."""
    if not path.is_file():
        return
    number = 0
    with path.open("rb") as raw:
        file = _Bounded(raw)
        try:
            for item in ijson.items(file, "item", buf_size=_BUFFER, use_float=True):
                number, file.left = number + 1, MAX_RECIPE
                if isinstance(item, dict):
                    yield item
                else:
                    log.add(f"{path.name}, entry {number}", BROKEN, f"expected a mapping, got {type(item).__name__}")
        except (ijson.JSONError, ValueError, RecursionError) as error:
            reason = " ".join(str(error).split())
            log.add(path.name, BROKEN, f"after {number} entries: {reason}")
            warnings.warn(f"{path} is damaged after {number} entries, the rest is left out: {reason}", stacklevel=2)


def _pictures(value: Any) -> str:
    """Return names of pictures in one string, which takes less memory than a list; paths out of the folder are none."""
    found = value[:MAX_IMAGES] if isinstance(value, list) else []
    names = (image.get("id") for image in found if isinstance(image, dict))
    return "\n".join(n for n in names if isinstance(n, str) and 4 < len(n) <= MAX_NAME and n.replace(".", "").isalnum())


def _texts(value: Any) -> list[str] | None:
    if not isinstance(value, list):
        return None
    return [line["text"] for line in value if isinstance(line, dict) and isinstance(line.get("text"), str)]


def _detected(item: dict[str, Any]) -> str:
    """Return the ingredients that the tagger is sure of, a line each."""
    texts, valid = item.get("ingredients"), item.get("valid")
    if not isinstance(texts, list):
        return ""
    sure = valid if isinstance(valid, list) and len(valid) == len(texts) else [True] * len(texts)
    return "\n".join(_texts([text for text, fine in zip(texts, sure, strict=True) if fine]) or [])
