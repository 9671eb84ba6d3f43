"""The arm that the hand hangs on: wrist, forearm, elbow, upper arm."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .skeleton import rotation_x, rotation_z

FOREARM_LENGTH = 0.25
UPPER_ARM_LENGTH = 0.30
WRIST_LIMITS = np.deg2rad([[-60, 60], [-20, 25]])  # flexion and deviation of the hand on the forearm
ELBOW_LIMITS = np.deg2rad([0.0, 110.0])


@dataclass(frozen=True)
class Limb:
    """Where the arm is, seen from a hand whose wrist is the origin.

    Attributes:
        rotations: of the forearm and the upper arm relative to a straight arm, (2, 3, 3).
        elbow: (3,) metres.
        shoulder: (3,) metres.
    """

    rotations: np.ndarray
    elbow: np.ndarray
    shoulder: np.ndarray


def pose_limb(wrist: np.ndarray, elbow: float, twist: float) -> Limb:
    """The arm of a hand held still.

    Args:
        wrist: flexion and deviation of the hand on its forearm, radians, (2,).
        elbow: flexion, radians.
        twist: pronation, radians: about which axis across the forearm the elbow bends.
    """
    forearm = rotation_x(-wrist[0]) @ rotation_z(-wrist[1])
    across = np.cos(twist) * forearm[:, 0] + np.sin(twist) * forearm[:, 2]
    upper = _about(across, elbow) @ forearm
    end = -FOREARM_LENGTH * forearm[:, 1]
    return Limb(np.stack([forearm, upper]), end, end - UPPER_ARM_LENGTH * upper[:, 1])


def _about(axis: np.ndarray, angle: float) -> np.ndarray:
    """Rotation about a unit vector, by Rodrigues' formula."""
    x, y, z = axis
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def sample_limb(rng: np.random.Generator) -> Limb:
    """A random arm."""
    wrist = rng.uniform(WRIST_LIMITS[:, 0], WRIST_LIMITS[:, 1])
    return pose_limb(wrist, rng.uniform(*ELBOW_LIMITS), rng.uniform(0, 2 * np.pi))
