"""What the skin looks like before light falls on it: complexion, nails, creases, a sleeve."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .flesh import BONE_RADII
from .template import hand_template

# Complexions from light to dark, linear between neighbours (RGB in 0..1).
_COMPLEXIONS = np.array(
    [[0.96, 0.80, 0.70], [0.90, 0.69, 0.56], [0.78, 0.56, 0.42], [0.59, 0.40, 0.29], [0.40, 0.26, 0.19]]
)
_MM = 1e-3


@dataclass(frozen=True)
class Look:
    """A person: colours in 0..1, (3,) each; the sleeve covers what lies below `sleeve_from` (y, rest pose)."""

    skin: np.ndarray
    cloth: np.ndarray
    sleeve_from: float
    nail_gloss: float
    stripes: float


def sample_look(rng: np.random.Generator) -> Look:
    """A random person."""
    at = rng.uniform(0, len(_COMPLEXIONS) - 1)
    low = min(int(at), len(_COMPLEXIONS) - 2)
    skin = _COMPLEXIONS[low] + (at - low) * (_COMPLEXIONS[low + 1] - _COMPLEXIONS[low])
    skin = (skin * rng.uniform(0.93, 1.07) * rng.uniform(0.97, 1.03, 3)).clip(0, 1)
    sleeve = rng.uniform(-0.14, -0.035) if rng.random() < 0.6 else -np.inf
    stripes = rng.uniform(60, 200) if rng.random() < 0.4 else 0.0
    return Look(skin, rng.uniform(0.05, 0.95, 3), float(sleeve), rng.uniform(0.05, 0.3), float(stripes))


def _phalanx_coordinates(anatomy: np.ndarray, finger: np.ndarray, rank: np.ndarray) -> np.ndarray:
    """Coordinates (N, 3) in the frame of each pixel's bone, rest pose."""
    rest = hand_template().skeleton
    relative = anatomy - rest.heads[finger, rank]
    return np.einsum("nji,nj->ni", rest.rotations[finger, rank], relative)


def _smoothstep(values: np.ndarray, low: float, high: float) -> np.ndarray:
    t = ((values - low) / (high - low)).clip(0, 1)
    return t * t * (3 - 2 * t)


def _nails(local: np.ndarray, radius: np.ndarray, length: np.ndarray) -> np.ndarray:
    """How much of a pixel on a last phalanx is nail, (N,)."""
    across = np.abs(local[:, 0]) / (0.68 * radius)
    along = np.abs(local[:, 1] - (length - 0.55 * radius)) / (0.85 * radius)
    inside = 1 - _smoothstep(across**4 + along**4, 0.7, 1.1)
    return inside * (local[:, 2] > 0.2 * radius)


def _creases(local: np.ndarray, rank: np.ndarray, length: np.ndarray) -> np.ndarray:
    """Depth of the lines across the finger's joints, (N,) in 0..1."""
    start = np.where(rank >= 2, np.abs(local[:, 1]), 1.0)
    end = np.where(rank <= 2, np.abs(local[:, 1] - length), 1.0)
    nearest = np.minimum(start, end)
    line = np.exp(-((nearest / (1.0 * _MM)) ** 2)) + 0.6 * np.exp(-(((nearest - 2.6 * _MM) / (0.8 * _MM)) ** 2))
    return line.clip(0, 1)


def _phalanges(colour: np.ndarray, anatomy: np.ndarray, part: np.ndarray, look: Look) -> None:
    finger, from_tip = np.divmod(part.astype(np.int64) - 2, 3)
    rank = 3 - from_tip
    local = _phalanx_coordinates(anatomy, finger, rank)
    length, radius = hand_template().skeleton.lengths[finger, rank], BONE_RADII[finger, rank, 1]
    colour *= 1 - 0.22 * _creases(local, rank, length)[:, None]
    tip = from_tip == 0
    flush = np.where(tip, _smoothstep(local[:, 1], 0.0, 0.02), 0.0)[:, None]
    colour *= 1 + flush * np.array([0.04, -0.05, -0.03])
    nail = np.where(tip, _nails(local, radius, length), 0.0)[:, None]
    colour += nail * (0.55 * np.array([0.98, 0.80, 0.76]) + 0.45 * look.skin - colour)


def _palm_lines(anatomy: np.ndarray) -> np.ndarray:
    """Depth of three lines on the inside of the palm, (N,)."""
    x, y, z = (anatomy / _MM).T
    heart = y - (74 - 0.012 * (x + 26) ** 2 * (x > -26))
    head = y - (58 + 0.18 * x)
    life = np.hypot(x - 38, y - 30) - 32
    lines = sum(np.exp(-((distance / 1.1) ** 2)) for distance in (heart, head, life))
    return np.where(z < -6, lines.clip(0, 1), 0.0) * _smoothstep(y, 8, 20)


def albedo(anatomy: np.ndarray, part: np.ndarray, look: Look) -> tuple[np.ndarray, np.ndarray]:
    """Colour and gloss of points on an arm.

    Args:
        anatomy: their places on the rest pose of a left hand, (N, 3).
        part: mask ids of a left hand, (N,).
        look: whose arm it is.

    Returns:
        colour (N, 3) in 0..1 and gloss (N,).
    """
    colour = np.repeat(look.skin[None], len(anatomy), axis=0)
    palmar = _smoothstep(-anatomy[:, 2], 0.002, 0.012)[:, None]
    # Palms are lighter and redder than backs of hands, the more so the darker the skin.
    colour += 0.25 * palmar * (np.array([0.93, 0.68, 0.60]) - colour)
    on_finger = (part >= 2) & (part < 17)
    finger = colour[on_finger]
    _phalanges(finger, anatomy[on_finger], part[on_finger], look)
    colour[on_finger] = finger
    colour *= 1 - 0.2 * _palm_lines(anatomy)[:, None] * (part == 17)[:, None]
    sleeve = anatomy[:, 1] < look.sleeve_from
    weave = 1 + 0.15 * np.sign(np.sin(anatomy[:, 1] * look.stripes * 2 * np.pi))[:, None]
    colour = np.where(sleeve[:, None], look.cloth * weave, colour)
    return colour.clip(0, 1), np.where(sleeve, 0.0, look.nail_gloss)
