"""Organs of a scene as signed distances, blended and displaced, and their meshes.

Millimetres; x to the patient's left as the camera sees it, y towards the feet, z away from the camera. The camera is
near the origin, the liver hangs before and above it, as it is seen from the navel.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

from pyro_mmvae.rendering.isosurface import surface
from pyro_mmvae.rendering.surfaces import vertex_normals
from pyro_mmvae.surgical.layout import CLASSES

from .noise import noise

Distance = Callable[[np.ndarray], np.ndarray]
LIVER, FAT, WALL, GALLBLADDER, LIGAMENT = map(CLASSES.index, ("liver", "fat", "wall", "gallbladder", "ligament"))
_CELLS = {LIVER: 4.0, FAT: 4.0, WALL: 8.0, GALLBLADDER: 2.5, LIGAMENT: 2.5}
"""Millimetres between the planes of the grid that an organ is meshed on."""


@dataclass(frozen=True)
class Anatomy:
    """A scene.

    Attributes:
        vertices: millimetres, (V, 3).
        faces: (F, 3).
        classes: of each face, (F,).
        normals: outward, (V, 3).
        distances: of each organ, negative inside; the wall's is negative outside of the cavity.
        seed: of the scene.
    """

    vertices: np.ndarray
    faces: np.ndarray
    classes: np.ndarray
    normals: np.ndarray
    distances: dict[int, Distance]
    seed: int

    def clearance(self, point: np.ndarray) -> float:
        """Return about how far a point (3,) is from the nearest organ; negative inside of one."""
        return min(float(distance(point[None])[0]) for distance in self.distances.values())


def _union(a: np.ndarray, b: np.ndarray, blend: float) -> np.ndarray:
    """The smooth minimum of two distances (Quilez, "Smooth minimum", 2013)."""
    h = (0.5 + 0.5 * (b - a) / blend).clip(0, 1)
    return b + h * (a - b) - blend * h * (1 - h)


def _both(a: np.ndarray, b: np.ndarray, blend: float) -> np.ndarray:
    """The smooth maximum of two distances: what is in both."""
    return -_union(-a, -b, blend)


def _ellipsoid(points: np.ndarray, centre: np.ndarray, radii: np.ndarray) -> np.ndarray:
    scaled = (points - centre) / radii
    length = np.linalg.norm(scaled, axis=1)
    slope = np.linalg.norm(scaled / radii, axis=1)
    return length * (length - 1) / np.maximum(slope, 1e-9)


def _capsule(points: np.ndarray, start: np.ndarray, end: np.ndarray, radii: tuple[float, float]) -> np.ndarray:
    along = end - start
    t = ((points - start) @ along / (along @ along)).clip(0, 1)
    return np.linalg.norm(points - start - t[:, None] * along, axis=1) - (radii[0] + t * (radii[1] - radii[0]))


class _Body:
    """Places and sizes of a scene's organs, drawn once."""

    def __init__(self, rng: np.random.Generator, seed: int) -> None:
        self.seed = seed

        def near(value: ArrayLike, spread: ArrayLike) -> np.ndarray:
            return np.array(value, float) + rng.uniform(-1, 1, np.shape(value)) * np.array(spread)

        self.cavity_centre, self.cavity = near([0, -10, 55], 8), near([135, 105, 135], [14, 10, 14])
        self.right, self.right_radii = near([-48, -42, 95], 10), near([62, 40, 42], 7)
        self.left, self.left_radii = near([42, -48, 82], 10), near([50, 22, 30], 6)
        self.edge = near([-40, -2, 78], 8), near([46, 16, 24], 5)
        self.notch = near([2, -22, 70], 6)
        self.neck, self.fundus = near([-16, -12, 92], 5), near([-14, 24, 64], 6)
        self.gall_radii = float(near(6, 1.5)), float(near(13, 2.5))
        self.lumps = [(near([x, 52, z], 14), near([38, 26, 30], 9)) for x in (-55, 5, 55) for z in (60, 110)]
        self.stomach = near([52, 8, 105], 10), near([40, 26, 28], 6)
        self.sheet_x, self.sheet_lean = float(near(4, 6)), near([0, 0], 0.18)
        self.sheet_low = float(near(-20, 7))

    def liver(self, points: np.ndarray) -> np.ndarray:
        """Two lobes and the lower edge, with a notch where the ligament enters."""
        lobes = _union(
            _ellipsoid(points, self.right, self.right_radii), _ellipsoid(points, self.left, self.left_radii), 22
        )
        whole = _union(lobes, _ellipsoid(points, *self.edge), 16)
        notch = np.linalg.norm((points - self.notch) / [1, 1.6, 1], axis=1) - 9
        whole = _both(whole, -notch, 8) + 3.5 * noise(points, self.seed + 1, 34, 2)
        return _both(whole, self._cavity(points) + 3, 5)

    def gallbladder(self, points: np.ndarray) -> np.ndarray:
        """A pear that hangs from below the liver."""
        return _capsule(points, self.neck, self.fundus, self.gall_radii) + 0.8 * noise(points, self.seed + 2, 14)

    def fat(self, points: np.ndarray) -> np.ndarray:
        """Lumps along the bottom, and the stomach to the left."""
        total = _ellipsoid(points, *self.stomach)
        for centre, radii in self.lumps:
            total = _union(total, _ellipsoid(points, centre, radii), 10)
        total = total + 3.0 * noise(points, self.seed + 3, 20, 2) + 1.2 * noise(points, self.seed + 4, 7)
        return _both(total, self._cavity(points) + 2, 4)

    def ligament(self, points: np.ndarray) -> np.ndarray:
        """A thin sheet in the middle from the liver up to the wall, with a thick lower edge."""
        y, z = points[:, 1], points[:, 2]
        wave = noise(points * [0, 1, 1], self.seed + 5, 30)
        middle = self.sheet_x + self.sheet_lean[0] * (y + 60) + self.sheet_lean[1] * (z - 70) + 5 * wave
        across, below = np.abs(points[:, 0] - middle), y - self.sheet_low - 0.004 * (z - 85) ** 2
        before = 56 + 0.25 * (y + 20) + 7 * noise(points * [0, 1, 1], self.seed + 8, 25, 2) - z
        sheet = _both(_both(across - 1.8, below, 2), _both(before, z - 125, 4), 4)
        rim = _both(np.hypot(across, below + 2) - 4.0, _both(before, z - 125, 4), 4)
        return _both(_union(sheet, rim, 3), self._cavity(points) - 2, 2)

    def _cavity(self, points: np.ndarray) -> np.ndarray:
        whole = _ellipsoid(points, self.cavity_centre, self.cavity)
        return whole + 5 * noise(points, self.seed + 6, 60, 2)

    def wall(self, points: np.ndarray) -> np.ndarray:
        """Everything outside of the cavity."""
        return -self._cavity(points)

    def distances(self) -> dict[int, Distance]:
        """Return all organs by class."""
        return {
            LIVER: self.liver,
            FAT: self.fat,
            WALL: self.wall,
            GALLBLADDER: self.gallbladder,
            LIGAMENT: self.ligament,
        }


_BOXES = {
    LIVER: ([-165, -125, 5], [150, 60, 185]),
    FAT: ([-170, -50, 0], [170, 125, 200]),
    WALL: ([-185, -160, -130], [185, 145, 240]),
    GALLBLADDER: ([-60, -50, 20], [40, 75, 130]),
    LIGAMENT: ([-60, -150, 5], [75, 30, 145]),
}


def _mesh(distance: Distance, kind: int) -> tuple[np.ndarray, np.ndarray]:
    low, high = _BOXES[kind]
    axes = [np.arange(a, b + _CELLS[kind], _CELLS[kind]) for a, b in zip(low, high, strict=True)]
    if kind != WALL:
        return surface(distance, axes)
    vertices, faces = surface(lambda points: -distance(points), axes)
    return vertices, faces[:, ::-1]  # seen from inside


@lru_cache(maxsize=8)
def anatomy(seed: int, scene: int) -> Anatomy:
    """Return a scene; the same one for the same numbers, made once in each process.

    Args:
        seed: of the set.
        scene: its number.
    """
    body = _Body(np.random.default_rng([seed, scene]), 1000 * seed + 10 * scene)
    distances = body.distances()
    meshes = {kind: _mesh(distance, kind) for kind, distance in distances.items()}
    offsets = np.cumsum([0, *(len(vertices) for vertices, _ in meshes.values())])
    vertices = np.concatenate([v for v, _ in meshes.values()])
    faces = np.concatenate([f + o for (_, f), o in zip(meshes.values(), offsets, strict=False)])
    classes = np.concatenate([np.full(len(f), kind, np.uint8) for kind, (_, f) in meshes.items()])
    return Anatomy(vertices, faces, classes, vertex_normals(vertices, faces), distances, body.seed)
