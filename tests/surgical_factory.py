"""Sets in Sim2Real's layout whose views are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from pyro_mmvae.data.exr import write_exr
from pyro_mmvae.surgical.layout import INTRINSICS, View, encode_mask, view_path

SIZE = (24, 16)
"""Width and height."""


def classes_of_view(view: View) -> np.ndarray:
    """Class numbers (H, W): the left half of one organ, the right one of another."""
    width, height = SIZE
    classes = np.full((height, width), 1 + view.scene % 5)
    classes[:, width // 2 :] = 1 + (view.scene + 1) % 5
    return classes


def write_view(root: Path, view: View, depth: bool = True) -> None:
    """Write colour, mask and depth of a view."""
    width, height = SIZE
    rng = np.random.default_rng([*view])
    pictures = {
        "translation": rng.integers(0, 256, (height, width, 3), np.uint8),
        "segmentation": encode_mask(classes_of_view(view)),
    }
    for kind, picture in pictures.items():
        path = view_path(root, kind, view)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(path)
    if depth:
        path = view_path(root, "depth", view)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_exr(path, np.full((height, width), 50 + view.scene, np.float32))


def write_surgical(root: Path, scenes: range = range(1, 8), views: int = 2) -> Path:
    """Write a set."""
    for scene in scenes:
        for number in range(views):
            write_view(root, View(scene, number))
    np.savetxt(root / INTRINSICS, [[20.0, 0, 11.5], [0, 20, 7.5], [0, 0, 1]])
    return root
