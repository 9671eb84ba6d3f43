"""Pinhole cameras: points in camera coordinates (x right, y down, z away) and pixels."""

from __future__ import annotations

import numpy as np


def back_project(pixel: np.ndarray, depth: float, camera: np.ndarray) -> np.ndarray:
    """The point (3,) at a depth behind a pixel (u, v), in the depth's unit."""
    focal = np.array([camera[0, 0], camera[1, 1]])
    return np.append((pixel - camera[:2, 2]) / focal * depth, depth)


def project(points: np.ndarray, camera: np.ndarray) -> np.ndarray:
    """Pixels (..., 2) of points (..., 3) in camera coordinates; K is (3, 3)."""
    homogeneous = points @ camera.T
    return homogeneous[..., :2] / homogeneous[..., 2:]
