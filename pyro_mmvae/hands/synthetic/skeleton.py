"""The kinematic hand: 21 joints in RHD's order, its bones, limits and forward kinematics.

The hand is a left one. In its own frame x points to the thumb's side (radial), y from the wrist to the
fingers (distal) and z out of the back of the hand (dorsal); the wrist is the origin. A right hand is the mirror
image, made by whoever places it in the camera's frame. Lengths are metres, angles radians.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

NUM_JOINTS = 21
FINGERS = ("thumb", "index", "middle", "ring", "pinky")

# RHD runs from the tip to the palm; chains run the other way, as kinematics does.
CHAINS = np.array([[0, *range(4 + 4 * finger, 4 * finger, -1)] for finger in range(5)])
PARENT = np.full(NUM_JOINTS, -1)
PARENT[CHAINS[:, 1:]] = CHAINS[:, :-1]
PARENT.flags.writeable = False

# Mean lengths over RHD: wrist to first joint, then three bones, (5, 4).
BONE_LENGTHS = 1e-3 * np.array(
    [[40, 42, 34, 26], [94, 37, 29, 26], [95, 37, 29, 30], [93, 31, 29, 28], [89, 36, 21, 21]], dtype=float
)
BONE_LENGTH_DEVIATION = 0.05

# Angles of one finger, in this order: flexion and abduction of the first joint, flexion of the next two.
# Abduction is positive away from the middle finger (for the middle one and the thumb: to the radial side).
LIMITS = np.deg2rad(
    [
        [[-30, 50], [-30, 30], [0, 60], [-10, 80]],
        *[[[-20, 90], [-15, 20], [0, 105], [0, 70]]] * 4,
    ]
)
DIP_PER_PIP = 2 / 3

_METACARPAL_FAN = np.deg2rad([0.0, 14.0, 2.0, -10.0, -22.0])  # from y towards the thumb
_METACARPAL_ARCH = np.deg2rad([0.0, 0.0, 1.0, 0.0, -3.0])  # the palm is hollow: towards the back
_FINGER_FAN = np.deg2rad([0.0, 4.0, 0.0, -4.0, -9.0])
_ABDUCTION_SIDE = np.array([1.0, 1.0, 1.0, -1.0, -1.0])
_THUMB_CARPAL = np.array([0.66, 0.68, -0.32])
_THUMB_DISTAL = np.array([0.62, 0.72, -0.32])
_THUMB_DORSAL = np.array([0.70, -0.30, 0.62])


@dataclass(frozen=True)
class Skeleton:
    """A posed hand.

    Attributes:
        joints: RHD's order, (21, 3).
        rotations: each bone's frame (columns x, y, z; y along the bone), (5, 4, 3, 3).
        heads: where each bone starts, (5, 4, 3).
        lengths: (5, 4).
    """

    joints: np.ndarray
    rotations: np.ndarray
    heads: np.ndarray
    lengths: np.ndarray

    @property
    def tails(self) -> np.ndarray:
        """Where each bone ends, (5, 4, 3)."""
        return self.heads + self.lengths[..., None] * self.rotations[..., 1]


def rotation_x(angle: np.ndarray | float) -> np.ndarray:
    """Rotations about x, (..., 3, 3)."""
    c, s = np.cos(angle), np.sin(angle)
    one, zero = np.ones_like(c), np.zeros_like(c)
    rows = [[one, zero, zero], [zero, c, -s], [zero, s, c]]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def rotation_z(angle: np.ndarray | float) -> np.ndarray:
    """Rotations about z, (..., 3, 3)."""
    c, s = np.cos(angle), np.sin(angle)
    one, zero = np.ones_like(c), np.zeros_like(c)
    rows = [[c, -s, zero], [s, c, zero], [zero, zero, one]]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def _frame(distal: np.ndarray, dorsal: np.ndarray) -> np.ndarray:
    y = distal / np.linalg.norm(distal)
    x = np.cross(y, dorsal)
    x /= np.linalg.norm(x)
    return np.stack([x, y, np.cross(x, y)], axis=1)


def _metacarpal_frames() -> np.ndarray:
    frames = rotation_z(-_METACARPAL_FAN) @ rotation_x(_METACARPAL_ARCH)
    frames[0] = _frame(_THUMB_CARPAL, _THUMB_DORSAL)
    return frames


def _neutral_frames() -> np.ndarray:
    frames = rotation_z(-_FINGER_FAN)
    frames[0] = _frame(_THUMB_DISTAL, _THUMB_DORSAL)
    return frames


_METACARPALS = _metacarpal_frames()
_NEUTRAL = _neutral_frames()


def pose_hand(angles: np.ndarray, lengths: np.ndarray = BONE_LENGTHS) -> Skeleton:
    """Forward kinematics.

    Args:
        angles: (5, 4) radians, ordered as `LIMITS`.
        lengths: (5, 4) metres, ordered as `BONE_LENGTHS`.

    Returns:
        The posed left hand, wrist at the origin.
    """
    if angles.shape != (5, 4) or lengths.shape != (5, 4):
        raise ValueError(f"expected angles and lengths of shape (5, 4), got {angles.shape} and {lengths.shape}")
    rotations = np.empty((5, 4, 3, 3))
    rotations[:, 0] = _METACARPALS
    abduction = rotation_z(-_ABDUCTION_SIDE * angles[:, 1])
    rotations[:, 1] = _NEUTRAL @ abduction @ rotation_x(-angles[:, 0])
    rotations[:, 2] = rotations[:, 1] @ rotation_x(-angles[:, 2])
    rotations[:, 3] = rotations[:, 2] @ rotation_x(-angles[:, 3])

    steps = lengths[..., None] * rotations[..., 1]
    tails = np.cumsum(steps, axis=1)
    joints = np.zeros((NUM_JOINTS, 3))
    joints[CHAINS[:, 1:]] = tails
    return Skeleton(joints, rotations, tails - steps, lengths)


def bone_lengths(joints: np.ndarray) -> np.ndarray:
    """Distances along the chains, (5, 4), of joints (21, 3)."""
    return np.linalg.norm(np.diff(joints[CHAINS], axis=1), axis=-1)
