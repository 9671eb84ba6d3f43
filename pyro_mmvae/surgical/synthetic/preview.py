"""A sheet of views to look at: colour, depth and mask side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from pyro_mmvae.data.exr import read_exr
from pyro_mmvae.data.images import read_colour
from pyro_mmvae.surgical.layout import COLOUR, DEPTH, MASK, SCENES, View, view_path
from pyro_mmvae.surgical.record import DEPTH_CHANNELS

_FAR = 220.0  # millimetres that are black


def depth_grey(depth: np.ndarray) -> np.ndarray:
    """Return depth in millimetres as a grey picture, near surfaces bright, (H, W, 3) uint8."""
    grey = (255 * (1 - depth / _FAR)).clip(0, 255).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


def contact_sheet(root: str | Path, path: str | Path, columns: int = 2, scenes: Sequence[int] = SCENES) -> Path:
    """Write a picture of the first views of each scene, a row for each.

    Args:
        root: a set in Sim2Real's layout.
        path: where the picture goes; the ending says in which format.
        columns: views of a scene at most.
        scenes: numbers of those that are shown.
    """
    rows = [_row(Path(root), scene, columns) for scene in scenes]
    Image.fromarray(np.concatenate(rows)).save(path)
    return Path(path)


def _row(root: Path, scene: int, columns: int) -> np.ndarray:
    views = (View(scene, number) for number in range(columns))
    shown = [_triple(root, view) for view in views if view_path(root, COLOUR, view).is_file()]
    return np.concatenate(shown, axis=1)


def _triple(root: Path, view: View) -> np.ndarray:
    colour, mask = (np.asarray(read_colour(view_path(root, kind, view))) for kind in (COLOUR, MASK))
    return np.concatenate([colour, depth_grey(read_exr(view_path(root, DEPTH, view), DEPTH_CHANNELS)), mask], axis=1)
