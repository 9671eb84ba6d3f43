"""Self-penetration: distances between the capsules around the bones."""

from __future__ import annotations

import numpy as np

from .flesh import ARM_RADII, BONE_RADII
from .skeleton import CHAINS, Skeleton

# Flesh gives way: capsules may overlap by this share of their radii. The palm, under its capsules, is hollow.
SOFTNESS, PALM_SOFTNESS = 0.2, 0.45


def segment_distance(a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray) -> np.ndarray:
    """Least distance between the segments a-b and c-d.

    Args:
        a: starts of the first segments, (N, 3).
        b: their ends, (N, 3).
        c: starts of the second segments, (N, 3).
        d: their ends, (N, 3).

    Returns:
        (N,) distances. Follows Ericson, Real-Time Collision Detection (2005), 5.1.9.
    """
    u, v, w = b - a, d - c, a - c
    uu, vv, uv = (u * u).sum(-1), (v * v).sum(-1), (u * v).sum(-1)
    uw, vw = (u * w).sum(-1), (v * w).sum(-1)
    eps = 1e-12
    denominator = uu * vv - uv * uv
    parallel = denominator < eps * np.maximum(uu * vv, eps)
    s = np.where(parallel, 0.0, (uv * vw - uw * vv) / np.where(parallel, 1.0, denominator)).clip(0, 1)
    t = ((uv * s + vw) / np.maximum(vv, eps)).clip(0, 1)
    s = ((uv * t - uw) / np.maximum(uu, eps)).clip(0, 1)
    return np.linalg.norm(w + s[:, None] * u - t[:, None] * v, axis=-1)


def _pairs_of_one_hand() -> tuple[np.ndarray, np.ndarray]:
    """Index pairs of bones (finger * 4 + bone) that must stay apart."""
    pairs = []
    for i in range(20):
        for j in range(i + 1, 20):
            (f, k), (g, m) = divmod(i, 4), divmod(j, 4)
            palm = k == 0 and m == 0
            neighbours = f == g and m - k == 1
            # A finger's root lies between its neighbours' metacarpals, and the thumb's root on the index's.
            roots = k + m == 1
            if not (palm or neighbours or roots):
                pairs.append((i, j))
    first, second = np.array(pairs).T
    return first, second


_FIRST, _SECOND = _pairs_of_one_hand()
_WITH_PALM = (_FIRST % 4 == 0) | (_SECOND % 4 == 0)
_KEPT = 1 - np.where(_WITH_PALM, PALM_SOFTNESS, SOFTNESS)


def _capsules(skeleton: Skeleton) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return skeleton.heads.reshape(20, 3), skeleton.tails.reshape(20, 3), BONE_RADII.mean(-1).reshape(20)


def clearance(skeleton: Skeleton) -> float:
    """How far the closest pair of bones is from touching, metres; negative when the hand penetrates itself."""
    heads, tails, radii = _capsules(skeleton)
    distance = segment_distance(heads[_FIRST], tails[_FIRST], heads[_SECOND], tails[_SECOND])
    return float((distance - _KEPT * (radii[_FIRST] + radii[_SECOND])).min())


def _segments(joints: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    heads = np.concatenate([joints[CHAINS[:, :-1]].reshape(-1, 3), ends[:-1]])
    return heads, np.concatenate([joints[CHAINS[:, 1:]].reshape(-1, 3), ends[1:]])


def clearance_between(joints_a: np.ndarray, ends_a: np.ndarray, joints_b: np.ndarray, ends_b: np.ndarray) -> float:
    """Least gap between two arms, metres, given by joints (21, 3) and wrist, elbow and shoulder (3, 3)."""
    (a, b), (c, d) = _segments(joints_a, ends_a), _segments(joints_b, ends_b)
    i, j = np.divmod(np.arange(len(a) * len(c)), len(c))
    radii = np.append(BONE_RADII.mean(-1), ARM_RADII)
    return float((segment_distance(a[i], b[i], c[j], d[j]) - radii[i] - radii[j]).min())
