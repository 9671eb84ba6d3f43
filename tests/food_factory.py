"""Small sets of recipes in the published layouts, for tests."""

from __future__ import annotations

import json

import numpy as np
from PIL import Image

LINES = [
    ["2 cups tomatoes, chopped", "salt and black pepper"],
    ["1 tomato", "1/2 tsp. salt"],
    ["3 cloves garlic, minced", "salt", "2 tbsp olive oil"],
    ["olive oil", "1 clove garlic", "tomatoes"],
]


def picture(path, number=0, size=(48, 36), mode="RGB"):
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.random.default_rng(number).integers(0, 255, (size[1], size[0], 3), np.uint8)
    Image.fromarray(values).convert(mode).save(path)


def yummly(root, lines=LINES):
    """Write a set in Yummly-28K's layout."""
    (root / "metadata27638").mkdir(parents=True)
    for number, one in enumerate(lines, start=1):
        content = {"name": f"dish {number}", "ingredientLines": one}
        (root / f"metadata27638/meta{number:05d}.json").write_text(json.dumps(content))
        picture(root / f"images27638/img{number:05d}.jpg", number)
    return root


def recipe1m(root, lines=LINES, splits=("train", "train", "val", "test"), detected=False):
    """Write a set in Recipe1M's layout; every recipe has two pictures."""
    root.mkdir(parents=True)
    ids = [f"{number:010x}" for number in range(len(lines))]
    texts = [[{"text": line} for line in one] for one in lines]
    layer1 = [
        {"id": i, "title": "dish", "partition": s, "ingredients": t, "instructions": [{"text": "Cook."}]}
        for i, s, t in zip(ids, splits, texts, strict=True)
    ]
    layer2 = [{"id": i, "images": [{"id": f"{i}{k}.jpg", "url": "x"} for k in "ab"]} for i in reversed(ids)]
    (root / "layer1.json").write_text(json.dumps(layer1))
    (root / "layer2.json").write_text(json.dumps(layer2))
    if detected:
        content = [{"id": i, "valid": [True, False], "ingredients": [{"text": "egg"}, {"text": "noise"}]} for i in ids]
        (root / "det_ingrs.json").write_text(json.dumps(content))
    for i, split in zip(ids, splits, strict=True):
        for k in "ab":
            picture(root / "images" / split / i[0] / i[1] / i[2] / i[3] / f"{i}{k}.jpg", int(i, 16), mode="L")
    return root
