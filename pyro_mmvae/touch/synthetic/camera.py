"""The camera beside the table, and the light."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_LOOKS_AT = np.array([0.0, 0.0, 0.075])
_DISTANCE, _AZIMUTH, _ELEVATION = 0.46, np.deg2rad(-62), np.deg2rad(27)
_SEEN = 0.25
"""Metres across the picture where the camera looks at."""


@dataclass(frozen=True)
class View:
    """How a scene is seen and lit.

    Attributes:
        eye: where the camera is, metres, `(3,)`.
        rotation: from the world's axes to the camera's (x right, y down, z away), `(3, 3)`.
        matrix: K, `(3, 3)`.
        size: side S of the square picture in pixels.
        light: unit vector towards the light, `(3,)`.
        brightness: of it.
        colours: of the parts in 0..1, `(7, 3)`.
    """

    eye: NDArray[np.float64]
    rotation: NDArray[np.float64]
    matrix: NDArray[np.float64]
    size: int
    light: NDArray[np.float64]
    brightness: float
    colours: NDArray[np.float64]

    def to_camera(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return points `(N, 3)` in the camera's coordinates."""
        return (points - self.eye) @ self.rotation.T


_COLOURS = np.array(
    [
        [0.80, 0.70, 0.57],  # table
        [0.82, 0.84, 0.87],  # fixture
        [0.30, 0.30, 0.33],  # inside of the hole
        [0.85, 0.35, 0.20],  # peg
        [0.27, 0.29, 0.33],  # collar and palm
        [0.16, 0.16, 0.18],  # fingers
        [0.80, 0.80, 0.78],  # arm
    ]
)
_PEGS = {3: (0.20, 0.42, 0.75), 4: (0.86, 0.62, 0.12), 16: (0.80, 0.22, 0.18)}


def sample_view(sides: int, size: int, rng: np.random.Generator) -> View:
    """Return a view: camera and light are as good as fixed; every shape of peg has its colour."""
    azimuth = _AZIMUTH + rng.normal(0, 0.003)
    elevation = _ELEVATION + rng.normal(0, 0.002)
    away = np.array([np.cos(azimuth) * np.cos(elevation), np.sin(azimuth) * np.cos(elevation), np.sin(elevation)])
    right = np.array([-np.sin(azimuth), np.cos(azimuth), 0.0])
    rotation = np.stack([right, np.cross(-away, right), -away])
    focal, centre = size * _DISTANCE / _SEEN, (size - 1) / 2
    light = np.array([rng.normal(-0.25, 0.02), rng.normal(-0.35, 0.02), 1.0])
    colours = _COLOURS.copy()
    colours[3] = _PEGS[sides]
    tint = rng.normal(1, 0.005, (1, 3)) * rng.normal(1, 0.005, (len(colours), 1))
    return View(
        eye=_LOOKS_AT + _DISTANCE * away,
        rotation=rotation,
        matrix=np.array([[focal, 0, centre], [0, focal, centre], [0, 0, 1.0]]),
        size=size,
        light=light / np.linalg.norm(light),
        brightness=float(rng.uniform(0.97, 1.03)),
        colours=(colours * tint).clip(0, 1),
    )
