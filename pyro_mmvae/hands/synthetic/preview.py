"""A sheet of samples to look at: colour, skeletons, depth and mask side by side."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from pyro_mmvae.data.images import read_colour, read_values
from pyro_mmvae.hands.rhd_format import BONES, annotation_path, decode_depth, read_annotations, sample_paths

_FINGER_COLOURS = ((230, 60, 60), (240, 170, 30), (60, 190, 70), (50, 130, 240), (190, 80, 220))


def mask_colours(mask: np.ndarray) -> np.ndarray:
    """A colour for every mask id, (H, W, 3) uint8: hue by finger, light by phalanx, the right hand darker."""
    table = np.zeros((256, 3))
    table[1] = 90
    for side, strength in ((2, 1.0), (18, 0.6)):
        for finger in range(5):
            for k, shade in enumerate((0.6, 0.8, 1.0)):
                table[side + 3 * finger + k] = np.array(_FINGER_COLOURS[finger]) * shade * strength
        table[side + 15] = np.array([220, 220, 220]) * strength
    return table.astype(np.uint8)[mask]


def draw_skeleton(image: np.ndarray, uv_vis: np.ndarray) -> np.ndarray:
    """The image with both hands' bones; joints that are seen are filled, others hollow."""
    picture = Image.fromarray(image)
    draw = ImageDraw.Draw(picture)
    for hand in (uv_vis[:21], uv_vis[21:]):
        if not hand[:, 2].any():
            continue
        for parent, child in BONES:
            colour = _FINGER_COLOURS[(child - 1) // 4]
            draw.line([tuple(hand[parent, :2]), tuple(hand[child, :2])], fill=colour, width=2)
        for u, v, visible in hand:
            fill = (255, 255, 255) if visible else None
            draw.ellipse([u - 2, v - 2, u + 2, v + 2], fill=fill, outline=(255, 255, 255))
    return np.asarray(picture)


def depth_grey(depth: np.ndarray) -> np.ndarray:
    """Depth in metres as a grey picture, near surfaces bright, (H, W, 3) uint8."""
    grey = (255 * (1.2 - depth) / 1.0).clip(0, 255).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


def _row(root: Path, split: str, index: int, annotation: dict[str, np.ndarray]) -> np.ndarray:
    paths = sample_paths(root, split, index)
    color, depth, mask = np.asarray(read_colour(paths.color)), read_values(paths.depth, 3), read_values(paths.mask, 1)
    overlay = draw_skeleton(color, annotation["uv_vis"])
    return np.concatenate([color, overlay, depth_grey(decode_depth(depth)), mask_colours(mask)], axis=1)


def contact_sheet(root: str | Path, file: str | Path, count: int = 12, split: str = "training") -> Path:
    """Writes a picture of the first samples of a set, two samples to a row.

    Args:
        root: a set in RHD's layout.
        file: where the picture goes; the ending says in which format.
        count: how many samples.
        split: "training" or "evaluation".
    """
    annotations = read_annotations(annotation_path(root, split))
    indices = sorted(annotations)[:count]
    rows = [_row(Path(root), split, index, annotations[index]) for index in indices]
    if len(rows) % 2:
        rows.append(np.zeros_like(rows[0]))
    pairs = [np.concatenate(rows[i : i + 2], axis=1) for i in range(0, len(rows), 2)]
    Image.fromarray(np.concatenate(pairs)).save(file)
    return Path(file)
