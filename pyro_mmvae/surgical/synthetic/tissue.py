"""What tissue looks like before light falls on it: colour, wetness, and how its surface is bent in small."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from .anatomy import FAT, GALLBLADDER, LIGAMENT, LIVER, WALL
from .noise import noise

# Main colour, colour of its spots (both linear, 0..1), size of spots in mm, share of vessels, gloss, bumps.
_LOOKS = {
    LIVER: ((0.36, 0.10, 0.075), (0.25, 0.055, 0.05), 9.0, 0.0, 0.55, 0.10),
    FAT: ((0.66, 0.46, 0.17), (0.60, 0.30, 0.14), 12.0, 0.35, 0.40, 0.22),
    WALL: ((0.66, 0.32, 0.26), (0.55, 0.20, 0.17), 26.0, 0.55, 0.30, 0.14),
    GALLBLADDER: ((0.42, 0.40, 0.24), (0.30, 0.34, 0.26), 10.0, 0.35, 0.65, 0.06),
    LIGAMENT: ((0.60, 0.40, 0.31), (0.50, 0.26, 0.21), 8.0, 0.25, 0.45, 0.12),
}
_VESSEL = np.array([0.42, 0.05, 0.05])


@dataclass(frozen=True)
class _Look:
    main: np.ndarray
    spots: np.ndarray
    size: float
    vessels: float
    gloss: float
    bumps: float


@lru_cache(maxsize=8)
def _looks(seed: int) -> dict[int, _Look]:
    """Colours of a scene's organs: no two patients are of one colour."""
    rng = np.random.default_rng([seed, 0x71557E])
    found = {}
    for kind, (main, spots, size, vessels, gloss, bumps) in _LOOKS.items():
        tint = rng.uniform(0.8, 1.2) * rng.uniform(0.88, 1.12, 3)
        scale = rng.uniform(0.8, 1.25)
        found[kind] = _Look(np.array(main) * tint, np.array(spots) * tint, size * scale, vessels, gloss, bumps)
    return found


def tissue(points: np.ndarray, classes: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return colour (N, 3) and gloss (N,) of points (N, 3), millimetres in the scene's coordinates."""
    colour, gloss = np.zeros((len(points), 3), np.float32), np.zeros(len(points), np.float32)
    for kind, look in _looks(seed).items():
        here = np.flatnonzero(classes == kind)
        if not len(here):
            continue
        place = points[here] * (np.array([1, 0.3, 1]) if kind == LIGAMENT else 1)  # its fibres run along
        spots = (0.5 + 0.9 * noise(place, seed + 20 + kind, look.size, 3)).clip(0, 1)[:, None]
        found = look.main + spots * (look.spots - look.main)
        if look.vessels:
            found = found + _vessels(points[here], seed + 40 + kind, look.vessels)[:, None] * (_VESSEL - found)
        colour[here] = found
        gloss[here] = look.gloss * (0.75 + 0.5 * noise(points[here], seed + 60, 15))
    return colour.clip(0, 1), gloss.clip(0, 1)


def _vessels(points: np.ndarray, seed: int, share: float) -> np.ndarray:
    """How much vessel there is at points, (N,) in 0..1: thin lines where noise crosses zero."""
    bent = points + 4 * np.stack([noise(points, seed + i, 12) for i in (1, 2, 3)], axis=1)
    coarse, fine = np.abs(noise(bent, seed, 30)), np.abs(noise(bent, seed + 7, 13))
    lines = np.exp(-((coarse / 0.035) ** 2)) + 0.6 * np.exp(-((fine / 0.03) ** 2))
    return (share * lines).clip(0, 0.8)


def bumps(points: np.ndarray, classes: np.ndarray, seed: int) -> np.ndarray:
    """Return what is added to unit normals at points, (N, 3): wet tissue is uneven."""
    strength = np.zeros(256, np.float32)
    for kind, look in _looks(seed).items():
        strength[kind] = look.bumps
    bent = np.stack([noise(points, seed + 80 + axis, 4.0, 2) for axis in range(3)], axis=1)
    return strength[classes][:, None] * bent
