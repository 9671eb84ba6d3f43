"""The layout of the Surgical Video-Sim2Real data set (Rivoir et al., ICCV 2021): where files are and what they mean."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

COLOUR, MASK, DEPTH = "translation", "segmentation", "depth"
"""Kinds of pictures that are used. `input`, the untranslated rendering, can take the place of the first."""
SUFFIX = {COLOUR: ".png", "input": ".png", MASK: ".png", DEPTH: ".exr"}
SCENES = range(1, 8)
INTRINSICS = "intrinsics.txt"
"""Our own: the camera's matrix K, 3 x 3, of the pictures as they are in the files."""

CLASSES = ("nothing", "liver", "fat", "wall", "gallbladder", "ligament")
"""By number. The data set has the last five, fat being fat and stomach; pixels of other colours are nothing."""
COLOURS: NDArray[np.uint8] = np.array(
    [(0, 0, 0), (0, 0, 255), (255, 0, 0), (0, 255, 0), (0, 255, 255), (255, 0, 255)], np.uint8
)
ORGANS = range(1, len(CLASSES))


class View(NamedTuple):
    """One view of one scene."""

    scene: int
    number: int

    @property
    def name(self) -> str:
        """What messages call it."""
        return f"scene_{self.scene}/{self.number:04d}"


def scene_folder(root: str | Path, kind: str, scene: int) -> Path:
    """Return the folder of one kind of pictures of a scene."""
    return Path(root) / f"{kind}_random_views" / "random_views" / f"scene_{scene}" / kind


def view_path(root: str | Path, kind: str, view: View) -> Path:
    """Return the file of one kind of picture of a view."""
    return scene_folder(root, kind, view.scene) / f"{kind}{view.number:04d}{SUFFIX[kind]}"


def encode_mask(classes: NDArray[np.integer]) -> NDArray[np.uint8]:
    """Return the colours (H, W, 3) of class numbers (H, W)."""
    return COLOURS[classes]
