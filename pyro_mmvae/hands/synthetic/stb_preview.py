"""A sheet of frames in STB's layout to look at: all four pictures with the skeleton that the labels give."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from pyro_mmvae.data.images import read_colour, read_values
from pyro_mmvae.hands import stb_format as stb
from pyro_mmvae.hands.geometry import project
from pyro_mmvae.hands.stb_index import read_labels

from .preview import depth_grey, draw_skeleton


def stb_sheet(root: str | Path, file: str | Path, count: int = 6, split: str = "training") -> Path:
    """Writes a picture of the first frames of a set, a frame to a row at half size.

    Args:
        root: a set in STB's layout.
        file: where the picture goes; the ending says in which format.
        count: how many frames, one of each sequence before any gives two.
        split: "training" or "evaluation".
    """
    labels = {
        (sequence, rig): read_labels(stb.label_path(root, sequence, rig))
        for sequence in stb.SEQUENCES[split]
        for rig in ("SK", "BB")
    }
    frames = [(frame, sequence) for sequence in stb.SEQUENCES[split] for frame in range(len(labels[sequence, "SK"]))]
    rows = [_row(Path(root), labels, sequence, frame) for frame, sequence in sorted(frames)[:count]]
    sheet = Image.fromarray(np.concatenate(rows))
    sheet.resize((sheet.width // 2, sheet.height // 2), Image.Resampling.BOX).save(file)
    return Path(file)


def _row(root: Path, labels: dict[tuple[str, str], np.ndarray], sequence: str, frame: int) -> np.ndarray:
    tiles = []
    for picture in stb.PICTURES:
        color = np.asarray(read_colour(stb.picture_path(root, sequence, picture.name, frame)))
        joints = picture.to_camera(labels[sequence, picture.rig][frame])
        tiles.append(draw_skeleton(color, _seen(joints, picture.camera)))
    depth = stb.decode_depth(read_values(stb.picture_path(root, sequence, "SK_depth", frame), 3))
    tiles.append(draw_skeleton(depth_grey(depth), _seen(labels[sequence, "SK"][frame], stb.SK_DEPTH)))
    return np.concatenate(tiles, axis=1)


def _seen(joints: np.ndarray, camera: np.ndarray) -> np.ndarray:
    return np.column_stack([project(joints, camera), np.ones(len(joints))])
