"""Files and conventions of the Stereo Hand Pose Tracking Benchmark (STB), for reading and for writing.

    ROOT/images/B{1..6}{Counting,Random}/{SK_color,SK_depth,BB_left,BB_right}_%d.png   640 x 480
    ROOT/labels/B{1..6}{Counting,Random}_{SK,BB}.mat   `handPara`, (3, 21, frames) in millimetres

SK is a depth camera (Intel F200) with a colour camera beside it, BB a stereo pair (Bumblebee2). Labels are in the
coordinates of SK's depth camera and of BB's left camera. The hands are left ones.

Source: Zhang et al., "A Hand Pose Tracking Benchmark from Stereo Matching" (2017), arXiv:1610.07214, and the text that
comes with the data.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from pyro_mmvae.hands.geometry import Array
from pyro_mmvae.hands.rhd_format import NUM_JOINTS

KINDS = ("Counting", "Random")
BACKGROUNDS = {"training": range(2, 7), "evaluation": range(1, 2)}
"""Backgrounds of each split; the literature tests on the first."""
SEQUENCES = {split: tuple(f"B{b}{kind}" for b in numbers for kind in KINDS) for split, numbers in BACKGROUNDS.items()}
ALL_SEQUENCES = SEQUENCES["evaluation"] + SEQUENCES["training"]
WIDTH, HEIGHT = 640, 480

ORDER = (0, *range(NUM_JOINTS - 1, 0, -1))
"""Where each joint is in the files, which count from the palm's centre over the little finger's first joint to the
thumb's tip: joint i of ours is ORDER[i] of theirs, and the other way round."""

_MM = 1e-3


def _intrinsics(fx: float, fy: float, cx: float, cy: float) -> Array:
    return np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])


SK_COLOR = _intrinsics(607.92271, 607.88192, 314.78337, 236.42484)
SK_DEPTH = _intrinsics(475.62768, 474.77709, 336.41179, 238.77962)
BB = _intrinsics(822.79041, 822.79041, 318.47345, 250.31296)
BASELINE = 120.054 * _MM
"""Metres from BB's left camera to the right one, along x."""
COLOR_TO_DEPTH = (
    Rotation.from_rotvec([0.00531, -0.01196, 0.00301]).as_matrix(),
    _MM * np.array([-24.0381, -0.4563, -1.2326]),
)
"""Rotation (3, 3) and translation (3,) in metres that take SK's colour coordinates to those of its depth camera."""


class Picture(NamedTuple):
    """A camera whose pictures are samples.

    Args:
        name: how its files' names begin.
        rig: whose labels it goes by, "SK" or "BB".
        camera: (3, 3) intrinsics K.
        rotation: (3, 3) from the labels' coordinates to the camera's own.
        offset: (3,) metres, added after the rotation.
    """

    name: str
    rig: str
    camera: Array
    rotation: Array
    offset: Array

    def to_camera(self, points: NDArray[Any]) -> Array:
        """Take points (..., 3) in metres from the labels' coordinates to the camera's."""
        return np.asarray(points @ self.rotation.T + self.offset)

    def to_labels(self, points: NDArray[Any]) -> Array:
        """Take points (..., 3) in metres from the camera's coordinates to the labels'."""
        return np.asarray((points - self.offset) @ self.rotation)


_TURN, _SHIFT = COLOR_TO_DEPTH
PICTURES = (
    Picture("SK_color", "SK", SK_COLOR, _TURN.T, -_TURN.T @ _SHIFT),
    Picture("BB_left", "BB", BB, np.eye(3), np.zeros(3)),
    Picture("BB_right", "BB", BB, np.eye(3), np.array([-BASELINE, 0, 0])),
)
CAMERAS = {"sk": (0,), "bb": (1, 2), "bb_left": (1,), "bb_right": (2,)}
"""Numbers of the pictures that are samples, by what can be asked for; both of the stereo pair are samples each."""

MAX_FRAMES = 10_000
"""Of a sequence; those that were published have 1,500."""


class Frame(NamedTuple):
    """One picture of the set.

    Args:
        picture: number in `PICTURES`.
        sequence: number in `ALL_SEQUENCES`.
        frame: number in the sequence.
    """

    picture: int
    sequence: int
    frame: int

    @classmethod
    def of(cls, index: int) -> Frame:
        """Return the picture of a number; see `index`."""
        rest, frame = divmod(index, MAX_FRAMES)
        picture, sequence = divmod(rest, 100)
        return cls(picture, sequence, frame)

    @property
    def number(self) -> int:
        """One number for all: picture, sequence (two digits), frame (four digits)."""
        return (self.picture * 100 + self.sequence) * MAX_FRAMES + self.frame


def picture_path(root: str | Path, sequence: str, name: str, frame: int) -> Path:
    """Return the path of a picture; `name` is that of a `Picture`, or "SK_depth"."""
    return Path(root) / "images" / sequence / f"{name}_{frame}.png"


def label_path(root: str | Path, sequence: str, rig: str) -> Path:
    """Return the path of a sequence's labels; the rig is "SK" or "BB"."""
    return Path(root) / "labels" / f"{sequence}_{rig}.mat"


def to_joints(labels: NDArray[Any]) -> Array:
    """Turn labels (3, 21, N) in millimetres, in the files' order, into joints (N, 21, 3) in metres, in ours."""
    return np.asarray(labels, dtype=np.float64).transpose(2, 1, 0)[:, ORDER] * _MM


def to_labels(joints: NDArray[Any]) -> Array:
    """Turn joints (N, 21, 3) in metres, in our order, into labels (3, 21, N) in millimetres, in the files'."""
    return np.asarray(joints, dtype=np.float64)[:, ORDER].transpose(2, 1, 0) / _MM


def encode_depth(depth: NDArray[Any]) -> NDArray[np.uint8]:
    """Encode depth as an STB image: millimetres, the low byte in red, the high byte in green, nothing in blue.

    Args:
        depth: (H, W) metres; zero where nothing was measured; what lies outside [0, 65.535] is clipped.

    Returns:
        (H, W, 3) uint8.
    """
    code = np.rint(np.clip(np.asarray(depth, dtype=np.float64) / _MM, 0, 65535)).astype(np.uint16)
    return np.stack([code & 255, code >> 8, np.zeros_like(code)], axis=-1).astype(np.uint8)


def decode_depth(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Decode an STB depth image (H, W, 3): R + 256 G millimetres; returns (H, W) float32 metres."""
    low, high = image[..., 0].astype(np.float32), image[..., 1].astype(np.float32)
    return (low + 256 * high) * np.float32(_MM)
