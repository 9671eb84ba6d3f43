"""Files and conventions of the Rendered Handpose Dataset (RHD), for reading and for writing.

    ROOT/{training,evaluation}/color/%05d.png   (H, W, 3) colour
    ROOT/{training,evaluation}/depth/%05d.png   (H, W, 3) depth, see `decode_depth`
    ROOT/{training,evaluation}/mask/%05d.png    (H, W) part ids, see `LEFT_HAND`
    ROOT/{training,evaluation}/anno_{training,evaluation}.pickle

Source: Zimmermann and Brox, "Learning to Estimate 3D Hand Pose from Single RGB Images" (2017),
arXiv:1705.01389.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pyro_mmvae.data.restricted_pickle import restricted_load

SPLITS = ("training", "evaluation")
OFFICIAL_FOLDER = "RHD_published_v2"
IMAGE_SIZE = 320
MAX_DEPTH = 5.0
"""Depth in metres that the largest code stands for."""

BACKGROUND = 0
PERSON = 1
LEFT_HAND = range(2, 18)
RIGHT_HAND = range(18, 34)
LEFT_PALM = 17
RIGHT_PALM = 33

NUM_JOINTS = 21
"""Joints of one hand; an annotation holds the left hand's, then the right hand's."""
WRIST = 0
MIDDLE_MCP = 12
MIDDLE_PIP = 11

FINGERS = {
    "thumb": (4, 3, 2, 1),
    "index": (8, 7, 6, 5),
    "middle": (12, 11, 10, 9),
    "ring": (16, 15, 14, 13),
    "pinky": (20, 19, 18, 17),
}
"""Joints of each finger from the palm to the tip (the files count from the tip to the palm)."""

PARENTS = (-1, *(0 if joint % 4 == 0 else joint + 1 for joint in range(1, NUM_JOINTS)))
"""Parent of each joint on the way to the wrist, which has none (-1)."""

BONES = tuple((PARENTS[joint], joint) for joint in range(1, NUM_JOINTS))
"""The 20 bones as (parent, child)."""

JOINT_NAMES = (
    "wrist",
    *("thumb_tip", "thumb_ip", "thumb_mcp", "thumb_cmc"),
    *(f"{finger}_{part}" for finger in list(FINGERS)[1:] for part in ("tip", "dip", "pip", "mcp")),
)


class SamplePaths(NamedTuple):
    """Where the three images of one sample are, or would be."""

    color: Path
    depth: Path
    mask: Path


def encode_depth(depth: NDArray[Any]) -> NDArray[np.uint8]:
    """Encode depth as an RHD image: the high byte in red, the low byte in green, nothing in blue.

    Args:
        depth: (H, W) metres; what lies outside [0, 5] is clipped.

    Returns:
        (H, W, 3) uint8. The step is 5 / 65535 m, about 0.08 mm.

    Raises:
        ValueError: the shape is not (H, W), or there is a NaN.
    """
    depth = np.asarray(depth)
    if depth.ndim != 2 or np.isnan(depth).any():
        raise ValueError(f"expected depth of shape (H, W) in metres without NaN, got shape {depth.shape}")
    code = np.rint(np.clip(depth.astype(np.float64), 0, MAX_DEPTH) / MAX_DEPTH * 65535).astype(np.uint16)
    return np.stack([code >> 8, code & 255, np.zeros_like(code)], axis=-1).astype(np.uint8)


def decode_depth(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Decode an RHD depth image: (256 R + G) / 65535 * 5.

    Args:
        image: (H, W, 3) uint8.

    Returns:
        (H, W) float32 metres.

    Raises:
        ValueError: not an (H, W, 3) uint8 image.
    """
    image = np.asarray(image)
    if image.ndim != 3 or image.shape[2] < 2 or image.dtype != np.uint8:
        raise ValueError(f"expected a depth image (H, W, 3) of uint8, got {image.dtype} {image.shape}")
    high, low = image[..., 0].astype(np.float32), image[..., 1].astype(np.float32)
    return (high * 256 + low) * np.float32(MAX_DEPTH / 65535)


def dataset_root(root: str | Path) -> Path:
    """Return the folder that holds the splits; `root` may be that folder or the one it was unpacked in."""
    root = Path(root)
    inner = root / OFFICIAL_FOLDER
    return inner if inner.is_dir() and not any((root / split).is_dir() for split in SPLITS) else root


def sample_paths(root: str | Path, split: str, index: int) -> SamplePaths:
    """Return the paths of one sample's images, whether they exist or not."""
    folder = dataset_root(root) / _checked(split)
    return SamplePaths(*(folder / kind / f"{index:05d}.png" for kind in SamplePaths._fields))


def annotation_path(root: str | Path, split: str) -> Path:
    """Return the path of a split's annotations; beside the splits if that is where they are."""
    root = dataset_root(root)
    name = f"anno_{_checked(split)}.pickle"
    official, beside = root / split / name, root / name
    return beside if beside.is_file() and not official.is_file() else official


def write_sample(
    root: str | Path,
    split: str,
    index: int,
    color: NDArray[np.uint8],
    depth: NDArray[Any] | None = None,
    mask: NDArray[np.uint8] | None = None,
) -> SamplePaths:
    """Write one sample's images.

    Args:
        root: folder that holds the splits; made if it is not there.
        split: "training" or "evaluation".
        index: number of the sample, its key in the annotations.
        color: (H, W, 3) uint8.
        depth: (H, W) metres; not written if None.
        mask: (H, W) uint8 part ids; not written if None.
    """
    paths = sample_paths(root, split, index)
    images = (color, None if depth is None else encode_depth(depth), mask)
    for path, image in zip(paths, images, strict=True):
        if image is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.ascontiguousarray(image, dtype=np.uint8)).save(path)
    return paths


def write_annotations(root: str | Path, split: str, annotations: Mapping[int, Mapping[str, Any]]) -> Path:
    """Write a split's annotations at the official place.

    Args:
        root: folder that holds the splits.
        split: "training" or "evaluation".
        annotations: `{index: {"xyz": (42, 3) metres, "uv_vis": (42, 3) pixels and visibility, "K": (3, 3)}}`;
            rows 0-20 are the left hand, 21-41 the right hand.
    """
    path = dataset_root(root) / _checked(split) / f"anno_{split}.pickle"
    path.parent.mkdir(parents=True, exist_ok=True)
    plain = {int(index): {key: np.asarray(value) for key, value in one.items()} for index, one in annotations.items()}
    path.write_bytes(pickle.dumps(plain, protocol=4))
    return path


def read_annotations(path: str | Path) -> dict[int, Any]:
    """Read a split's annotations without running anything that the file may hold.

    Returns:
        What `write_annotations` was given. Only the outermost level is checked.

    Raises:
        FileNotFoundError: there is no such file.
        UnsafePickleError: damaged, or it holds more than arrays and containers; a `ValueError` too.
        ValueError: it is not a dictionary by sample number.
    """
    annotations = restricted_load(path)
    if not isinstance(annotations, dict) or not all(isinstance(key, int | np.integer) for key in annotations):
        raise ValueError(
            f"{path}: expected a dictionary {{index: {{'xyz', 'uv_vis', 'K'}}}}, "
            f"got {type(annotations).__name__}; is it another data set's file?"
        )
    return {int(index): annotation for index, annotation in annotations.items()}


def _checked(split: str) -> str:
    if split not in SPLITS:
        raise ValueError(f"expected a split of {SPLITS}, got {split!r}")
    return split


def _arrays(annotation: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    return {key: np.asarray(value) for key, value in annotation.items()}
