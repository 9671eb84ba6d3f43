"""The skin of a left hand and its arm in the rest pose, and how it hangs on the bones.

The skin is the level set of a blended union of tapered capsules, meshed once per process; every hand of
the set is this mesh, stretched and bent by its skeleton.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.sparse import csr_array

from pyro_mmvae.hands.rhd_format import LEFT_PALM, PERSON
from pyro_mmvae.rendering.isosurface import surface

from .flesh import BONE_RADII, TIP_OVERHANG
from .limb import FOREARM_LENGTH
from .poses import REST
from .skeleton import Skeleton, pose_hand

FOREARM, UPPER_ARM = 20, 21  # bone numbers after the 5 x 4 bones of the hand
NUM_BONES = 22
WRIST_LINE = -0.012  # y of the rest pose where the palm ends and the person begins
_CELL = 0.0047
_PALM_BLEND, _BLEND, _WEB_BLEND, _SHARPNESS = 0.006, 0.0032, 0.0016, 0.0019
# Straight additions to the metacarpals, millimetres: start, end, radii (the wrist's two bones come last).
_FLESH_MM = (
    ((9, 16, -8), (31, 40, -15), 15.0, 13.0),  # ball of the thumb
    ((-13, 14, -6), (-27, 62, -9), 13.5, 11.5),  # edge of the hand below the little finger
    ((20, 70, -3), (-28, 66, -6), 11.5, 10.5),  # pads below the fingers
    ((10, 6, -1), (11, -40, 0), 15.0, 16.5),
    ((-10, 6, -1), (-10, -40, 0), 14.5, 16.0),
)
_ARM_MM = (
    ((11, -40, 0), (13, -200, 0), 16.5, 31.0),
    ((-10, -40, 0), (-12, -200, 0), 16.0, 30.0),
    ((0, -200, 0), (0, -250, 0), 40.0, 39.0),
    ((0, -250, 0), (0, -550, 0), 39.0, 50.0),
)


@dataclass(frozen=True)
class HandTemplate:
    """The skin in the rest pose.

    Attributes:
        vertices: (V, 3) metres, frame of `skeleton`.
        faces: (F, 3).
        parts: RHD mask ids of a left hand, (F,), uint8.
        weights: how much each bone carries each vertex, rows sum to one, (V, 44): 22 bones (5 x 4, the
            forearm, the upper arm), then as many half-way bones at the joints where those start.
        skeleton: the rest pose.
    """

    vertices: np.ndarray
    faces: np.ndarray
    parts: np.ndarray
    weights: csr_array
    skeleton: Skeleton


def _capsule(points: np.ndarray, start: np.ndarray, end: np.ndarray, radii: tuple[float, float]) -> np.ndarray:
    axis = end - start
    t = ((points - start) @ axis / (axis @ axis)).clip(0, 1)
    distance = np.linalg.norm(points - start - t[:, None] * axis, axis=1)
    return distance - (radii[0] + t * (radii[1] - radii[0]))


def _blend(values: list[np.ndarray], width: float) -> np.ndarray:
    """Smooth minimum."""
    stacked = -np.stack(values) / width
    top = stacked.max(0)
    return -width * (top + np.log(np.exp(stacked - top).sum(0)))


def _straight(points: np.ndarray, parts_mm: tuple) -> list[np.ndarray]:
    return [
        _capsule(points, 1e-3 * np.array(a, float), 1e-3 * np.array(b, float), (1e-3 * r, 1e-3 * s))
        for a, b, r, s in parts_mm
    ]


def _finger(points: np.ndarray, rest: Skeleton, finger: int) -> np.ndarray:
    """Distance to three phalanges (for the thumb the same: its first one is the metacarpal)."""
    tails = rest.tails.copy()
    tip_radius = BONE_RADII[finger, 3, 1]
    tails[finger, 3] -= (1 - TIP_OVERHANG) * tip_radius * rest.rotations[finger, 3, :, 1]
    bones = [_capsule(points, rest.heads[finger, k], tails[finger, k], tuple(BONE_RADII[finger, k])) for k in (1, 2, 3)]
    return np.minimum.reduce(bones)


def _palm(points: np.ndarray, rest: Skeleton) -> np.ndarray:
    """The metacarpals, fanned out from the breadth of the wrist, and the flesh around them."""
    bones = []
    for finger in range(1, 5):
        end = rest.tails[finger, 0]
        start = np.array([0.45 * end[0], 0.012, 0.3 * end[2]])
        bones.append(_capsule(points, start, end, tuple(BONE_RADII[finger, 0] - 0.001)))
    return _blend([*bones, *_straight(points, _FLESH_MM)], _PALM_BLEND)


def hand_distance(points: np.ndarray) -> np.ndarray:
    """Signed value of the skin in the rest pose, about metres, of points (N, 3)."""
    rest = pose_hand(REST)
    # Webs between fingers are short, so that one finger can bend away from the next.
    fingers = _blend([_finger(points, rest, finger) for finger in range(5)], _WEB_BLEND)
    return _blend([fingers, _palm(points, rest), *_straight(points, _ARM_MM)], _BLEND)


def _bone_distances(points: np.ndarray, rest: Skeleton) -> np.ndarray:
    """Distance from the flesh around each of the 22 bones, (V, 22)."""
    heads, tails = rest.heads.reshape(20, 3).copy(), rest.tails.reshape(20, 3)
    heads[4::4] = 0.45 * tails[4::4] * [1, 0, 0] + [0, 0.012, 0]
    columns = [_capsule(points, heads[i], tails[i], tuple(BONE_RADII.reshape(20, 2)[i])) for i in range(20)]
    parts = _straight(points, _ARM_MM)
    return np.stack([*columns, np.minimum.reduce(parts[:3]), parts[3]], axis=1)


def _hand_weights(distances: np.ndarray) -> np.ndarray:
    """Shares of the bones, (V, 22), by distance from their flesh."""
    nearest = distances.argmin(1)
    weights = np.exp(-(distances - distances.min(1, keepdims=True)) / _SHARPNESS)
    phalanx = (nearest % 4 > 0) & (nearest < FOREARM)
    foreign = np.arange(20)[None] // 4 != nearest[:, None] // 4
    # A phalanx moves no other finger; where two fingers are close in the rest pose they must not stick together.
    weights[:, :20][foreign & phalanx[:, None] & (np.arange(20) % 4 > 0)[None]] = 0.0
    weights[weights < 1e-3] = 0.0
    return weights / weights.sum(1, keepdims=True)


def _weights(vertices: np.ndarray, distances: np.ndarray) -> np.ndarray:
    """Shares of the bones, (V, 22). Along the arm they change evenly, over lengths that suit its thickness."""
    on_arm = ((0.012 - vertices[:, 1]) / 0.04).clip(0, 1)[:, None]
    on_upper = (0.5 - (vertices[:, 1:2] + FOREARM_LENGTH) / 0.11).clip(0, 1)
    hand = _hand_weights(np.where(np.arange(NUM_BONES) >= FOREARM, np.inf, distances))
    arm = np.zeros_like(hand)
    arm[:, FOREARM], arm[:, UPPER_ARM] = 1 - on_upper[:, 0], on_upper[:, 0]
    return (1 - on_arm) * hand + on_arm * arm


def _with_halfway_bones(weights: np.ndarray) -> np.ndarray:
    """Moves what two neighbours share to a bone turned half-way, so that bent joints keep their girth."""
    weights = weights.copy()
    halves = np.zeros_like(weights)
    for bone in (*range(20), UPPER_ARM):
        if bone % 4 or bone == UPPER_ARM:
            shared = np.minimum(weights[:, bone - 1], weights[:, bone])
            halves[:, bone] = 2 * shared
            weights[:, bone - 1] -= shared
            weights[:, bone] -= shared
    return np.concatenate([weights, halves], axis=1)


def _parts(vertices: np.ndarray, faces: np.ndarray, distances: np.ndarray) -> np.ndarray:
    """Mask ids of a left hand: 2.. from the thumb's tip, three to a finger, 17 the palm."""
    centres = vertices[faces].mean(1)
    bone = distances[faces].mean(1).argmin(1)
    finger, rank = np.divmod(bone, 4)
    phalanx = (rank > 0) & (bone < FOREARM)
    parts = np.where(phalanx, 2 + 3 * finger + 3 - rank, LEFT_PALM)
    return np.where(centres[:, 1] < WRIST_LINE, PERSON, parts).astype(np.uint8)


def _grid() -> list[np.ndarray]:
    """Planes of the grid: fine at the hand, ever wider up the arm."""
    hand = np.arange(-0.03, 0.222, _CELL)
    widths = np.minimum(_CELL * 1.12 ** np.arange(1, 60), 0.03)
    arm = hand[0] - np.cumsum(widths)
    kept = arm[: np.searchsorted(-arm, 0.63) + 1]
    return [np.arange(-0.075, 0.132, _CELL), np.concatenate([kept[::-1], hand]), np.arange(-0.07, 0.072, _CELL)]


@lru_cache(maxsize=1)
def hand_template() -> HandTemplate:
    """The skin, made on the first call (about a second)."""
    vertices, faces = surface(hand_distance, _grid())
    rest = pose_hand(REST)
    distances = _bone_distances(vertices, rest)
    # Few bones move a vertex; a sparse product is also one that starts no threads in every worker.
    weights = csr_array(_with_halfway_bones(_weights(vertices, distances)))
    return HandTemplate(vertices, faces, _parts(vertices, faces, distances), weights, rest)
