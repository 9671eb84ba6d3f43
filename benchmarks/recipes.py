"""How long indexing Recipe1M-sized metadata takes, how much memory, and how long opening the index.

python benchmarks/recipes.py --recipes 1000000
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from pyro_mmvae.food.index import open_index
from pyro_mmvae.food.synthetic import sample_dish
from pyro_mmvae.food.vocabulary import Vocabulary


def write_list(path: Path, items: Iterator[dict[str, Any]]) -> None:
    """Write a list of mappings without holding it in memory."""
    encode = msgspec.json.Encoder().encode
    with path.open("wb") as file:
        file.write(b"[")
        for number, item in enumerate(items):
            file.write((b", " if number else b"") + encode(item))
        file.write(b"]")


def write_metadata(root: Path, count: int) -> None:
    """Write metadata in Recipe1M's layout: sizes of recipes and names of pictures as there, lines of synthetic ones."""
    dishes = [sample_dish(np.random.default_rng([2, i])) for i in range(5000)]
    text = "Mix everything in a large bowl, season, and leave it alone for half an hour."
    cooking = msgspec.Raw(msgspec.json.encode([{"text": text}] * 8))

    def recipe(i: int) -> dict[str, Any]:
        lines = [{"text": f"{line} {i % 97}"} for line in dishes[i % len(dishes)].lines]
        split = ("train", "train", "train", "val", "test")[i % 5]
        return {"id": f"{i:010x}", "partition": split, "title": "x", "ingredients": lines, "instructions": cooking}

    def pictures(i: int) -> dict[str, Any]:
        return {"id": f"{i:010x}", "images": [{"id": f"{i:09x}{k}.jpg", "url": "http://x" * 6} for k in "ab"]}

    write_list(root / "layer1.json", (recipe(i) for i in range(count)))
    write_list(root / "layer2.json", (pictures(i) for i in range(count)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipes", type=int, default=1_000_000)
    count = parser.parse_args().recipes
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        write_metadata(root, count)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for title in ("indexed", "opened again"):
            start = time.perf_counter()
            index = open_index(root, "recipe1m", root / "kept", check_images=False)
            print(f"{title}: {index.size} recipes in {time.perf_counter() - start:.1f} s")
        print(f"files: {sum(path.stat().st_size for path in root.glob('*.json')) / 2**30:.2f} GiB")
        start = time.perf_counter()
        vocabulary = Vocabulary.of(index.counts(index.rows("train")))
        print(f"vocabulary: {len(vocabulary)} ingredients in {time.perf_counter() - start:.1f} s")
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(f"peak memory: {peak / 2**20:.2f} GiB ({before / 2**20:.2f} GiB before)")


if __name__ == "__main__":
    main()
