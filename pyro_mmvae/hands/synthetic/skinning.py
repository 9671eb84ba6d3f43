"""The skin on a posed skeleton: linear blend skinning of the template."""

from __future__ import annotations

import numpy as np

from .limb import FOREARM_LENGTH, Limb
from .mesh import Mesh
from .skeleton import Skeleton
from .template import NUM_BONES, hand_template

_STRAIGHT_ELBOW = np.array([0.0, -FOREARM_LENGTH, 0.0])
Maps = tuple[np.ndarray, np.ndarray]


def _halfway(rotations: np.ndarray) -> np.ndarray:
    """Rotations half-way between each bone's and the one before it in its row, (..., n, 3, 3); the first stay."""
    total = rotations.copy()
    total[..., 1:, :, :] += rotations[..., :-1, :, :]
    u, _, vt = np.linalg.svd(total)  # the nearest rotation to the mean is the half-way one
    return u @ vt


def _about(matrices: np.ndarray, rest: np.ndarray, posed: np.ndarray) -> Maps:
    """Affine maps that take the points `rest` to `posed`: matrices (n, 3, 3), offsets (n, 3)."""
    flat, rest, posed = matrices.reshape(-1, 3, 3), rest.reshape(-1, 3), posed.reshape(-1, 3)
    return flat, posed - (flat @ rest[..., None])[..., 0]


def _hand_maps(rest: Skeleton, posed: Skeleton, girth: float) -> tuple[Maps, Maps]:
    """Maps of the 20 bones, and of the 20 half-way bones."""
    stretch = np.full((5, 4, 3), girth)
    stretch[..., 1] = posed.lengths / rest.lengths
    bones = posed.rotations @ (stretch[..., None] * rest.rotations.swapaxes(-1, -2))
    halves = girth * _halfway(posed.rotations) @ _halfway(rest.rotations).swapaxes(-1, -2)
    return _about(bones, rest.heads, posed.heads), _about(halves, rest.heads, posed.heads)


def _limb_maps(limb: Limb, girth: float) -> tuple[Maps, Maps]:
    stretch = np.array([girth, 1.0, girth])
    rest, posed = np.stack([np.zeros(3), _STRAIGHT_ELBOW]), np.stack([np.zeros(3), limb.elbow])
    bones = _about(limb.rotations * stretch, rest, posed)
    return bones, _about(_halfway(limb.rotations) * stretch, rest, posed)


def skin(posed: Skeleton, limb: Limb, girth: float = 1.0) -> Mesh:
    """The skin of a left hand and its arm.

    Args:
        posed: the hand, wrist at the origin.
        limb: the arm it hangs on.
        girth: thickness of the flesh relative to the template's.

    Returns:
        A mesh in the hand's frame with the mask ids of a left hand.
    """
    template = hand_template()
    hand, hand_halves = _hand_maps(template.skeleton, posed, girth)
    arm, arm_halves = _limb_maps(limb, girth)
    maps = [np.concatenate(parts) for parts in zip(hand, arm, hand_halves, arm_halves, strict=True)]
    rows = np.concatenate([maps[0], maps[1][..., None]], axis=-1).reshape(2 * NUM_BONES, 12)
    blended = (template.weights @ rows).reshape(-1, 3, 4)
    vertices = np.einsum("vij,vj->vi", blended[..., :3], template.vertices) + blended[..., 3]
    return Mesh(vertices, template.faces, template.parts, template.vertices)
