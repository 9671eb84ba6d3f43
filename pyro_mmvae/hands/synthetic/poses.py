"""Random hands: bone lengths, and finger angles that people can hold."""

from __future__ import annotations

import numpy as np

from .collision import clearance
from .skeleton import BONE_LENGTH_DEVIATION, BONE_LENGTHS, DIP_PER_PIP, LIMITS, Skeleton, pose_hand

# How far the fingers index..pinky are curled in each gesture, from (0: straight) to (1: fist), low and high.
_OPEN, _LOOSE, _HALF, _CLOSED = (0.0, 0.12), (0.1, 0.5), (0.35, 0.7), (0.82, 1.0)
GESTURES: dict[str, tuple[tuple[float, float], ...]] = {
    "open": (_OPEN,) * 4,
    "relaxed": (_LOOSE,) * 4,
    "grasp": (_HALF,) * 4,
    "fist": (_CLOSED,) * 4,
    "point": (_OPEN, _CLOSED, _CLOSED, _CLOSED),
    "two": (_OPEN, _OPEN, _CLOSED, _CLOSED),
    "three": (_OPEN, _OPEN, _OPEN, _CLOSED),
    "horns": (_OPEN, _CLOSED, _CLOSED, _OPEN),
    "pinch": (_HALF, _LOOSE, _LOOSE, _LOOSE),
    "any": ((0.0, 1.0),) * 4,
}
_TRIES = 40
_FULL_CURL = np.deg2rad([82.0, 98.0])  # MCP and PIP flexion of a fist
_THUMB_ACROSS = np.deg2rad([[0, 22], [-14, 0], [28, 58], [45, 75]])
_THUMB_OPPOSED = np.deg2rad([[5, 22], [0, 10], [15, 50], [10, 45]])
_NOISE = np.deg2rad([8.0, 5.0, 8.0, 8.0])
REST = np.zeros((5, 4))
REST[1:, 1] = np.deg2rad([14, 0, 12, 16])
REST[0] = np.deg2rad([-12, 0, 5, 5])
REST.flags.writeable = False


def sample_lengths(rng: np.random.Generator) -> np.ndarray:
    """Bone lengths of a person, (5, 4): the means of RHD times N(1, 0.05), each."""
    # Three standard deviations either way: a bone must not vanish in a set of millions.
    noise = rng.standard_normal((5, 4)).clip(-3, 3)
    return BONE_LENGTHS * (1 + BONE_LENGTH_DEVIATION * noise)


def _thumb(gesture: str, curled: float, rng: np.random.Generator) -> np.ndarray:
    """Thumb angles: against the index finger in a pinch; else the more across the fingers the more they curl."""
    if gesture == "pinch":
        return rng.uniform(_THUMB_OPPOSED[:, 0], _THUMB_OPPOSED[:, 1])
    across = rng.uniform(_THUMB_ACROSS[:, 0], _THUMB_ACROSS[:, 1])
    spread = 0.8 * rng.uniform(LIMITS[0, :, 0], LIMITS[0, :, 1])
    weight = curled * rng.uniform(0.7, 1.0)
    return weight * across + (1 - weight) * spread


def sample_angles(rng: np.random.Generator, gesture: str | None = None) -> np.ndarray:
    """Angles (5, 4) of a gesture (by default a random one of `GESTURES`), within `LIMITS`.

    The last flexion of the four fingers is 2/3 of the one before. Penetration is not looked at here.
    """
    name = gesture if gesture is not None else str(rng.choice(list(GESTURES)))
    low, high = np.array(GESTURES[name]).T
    curl = rng.uniform(low, high)
    angles = np.empty((5, 4))
    angles[1:, 0] = curl * _FULL_CURL[0]
    angles[1:, 1] = rng.uniform(LIMITS[1:, 1, 0], LIMITS[1:, 1, 1]) * (1 - 0.7 * curl)
    angles[1:, 2] = curl * _FULL_CURL[1]
    angles[0] = _thumb(name, float(curl.mean()), rng)
    angles += _NOISE * rng.standard_normal((5, 4))
    angles = angles.clip(LIMITS[..., 0], LIMITS[..., 1])
    angles[1:, 3] = DIP_PER_PIP * angles[1:, 2]
    return angles


def sample_skeleton(rng: np.random.Generator, gesture: str | None = None) -> Skeleton:
    """A random left hand that does not penetrate itself, wrist at the origin."""
    lengths = sample_lengths(rng)
    name = gesture if gesture is not None else str(rng.choice(list(GESTURES)))
    for attempt in range(_TRIES):
        angles = sample_angles(rng, name)
        # Late attempts lean towards the rest pose, which is free for any lengths, so that the search ends.
        lean = max(0.0, attempt / (_TRIES - 1) * 2 - 1)
        skeleton = pose_hand((1 - lean) * angles + lean * REST, lengths)
        if clearance(skeleton) >= 0:
            break
    return skeleton
