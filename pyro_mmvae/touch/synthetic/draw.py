"""Pictures and depth of an insertion, by the project's own rasteriser."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pyro_mmvae.rendering.raster import Fragments, rasterise
from pyro_mmvae.rendering.surfaces import hollows, interpolate

from .camera import View
from .solids import FIXTURE, HOLE, PEG, TABLE, Solid, fixture, hand, join, table
from .task import FIXTURE_HEIGHT, PEG_LENGTH, Task

_AMBIENT, _IN_SHADOW, _DEEPEST = 0.42, 0.6, 0.03
_GLOSS = {PEG: 0.25, FIXTURE: 0.1}
PIXEL_NOISE = 0.01
"""Standard deviation of colours in 0..1."""
DEPTH_NOISE = 0.003
"""Standard deviation of a depth of one metre, metres; it grows with the square."""


class Painter:
    """Draws one insertion, pose by pose; what does not move is drawn once.

    Args:
        task: the insertion.
        view: camera and light.
    """

    def __init__(self, task: Task, view: View) -> None:
        self.view, self._hand = view, hand(task, PEG_LENGTH)
        self._still = join(table(-view.eye[:2]), fixture(task))
        self._seen = self._rasterised(self._still)
        self._colour, self._part = self._shaded(self._still, self._seen)
        self._lit_planes = [(TABLE, 0.0, self._part == TABLE), (FIXTURE, FIXTURE_HEIGHT, self._top())]
        sky = 1 - 0.35 * hollows(self._seen.depth, max(2, view.size // 20), _DEEPEST)
        self._colour *= (sky * self._shade_of(self._still, self._lit_planes[:1]))[..., None]

    def draw(
        self, pose: NDArray[np.float64], rng: np.random.Generator
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Return the picture `(S, S, 3)` and the depth in metres `(S, S)` with the peg at a pose `(4,)`."""
        moved = self._hand.moved(pose)
        seen = self._rasterised(moved)
        colour, _ = self._shaded(moved, seen)
        front = seen.depth < self._seen.depth
        shadow = self._shade_of(moved, self._lit_planes)[..., None]
        picture = np.where(front[..., None], colour, self._colour * shadow)
        depth = np.where(front, seen.depth, self._seen.depth)
        noise = rng.standard_normal((*depth.shape, 4), dtype=np.float32)
        sensed = 255 * (picture + PIXEL_NOISE * noise[..., :3])
        measured = depth + DEPTH_NOISE * depth**2 * noise[..., 3]
        return sensed.round().clip(0, 255).astype(np.uint8), measured.astype(np.float32)

    def _rasterised(self, solid: Solid) -> Fragments:
        view = self.view
        return rasterise(view.to_camera(solid.vertices), solid.faces, view.matrix, view.size, view.size)

    def _shaded(self, solid: Solid, seen: Fragments) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return colours without shadows `(S, S, 3)`, and what is seen, -1 for nothing, `(S, S)`."""
        hit = seen.face >= 0
        face = seen.face[hit]
        normal, part = solid.normals()[face], solid.parts[face]
        place = interpolate(solid.vertices, solid.faces[face], seen.barycentric[hit])
        diffuse = (normal @ self.view.light).clip(0, 1)
        gaze = self.view.eye - place
        halfway = gaze / np.linalg.norm(gaze, axis=1, keepdims=True) + self.view.light
        halfway /= np.linalg.norm(halfway, axis=1, keepdims=True)
        gloss = np.array([_GLOSS.get(p, 0.03) for p in range(7)])[part] * (normal * halfway).sum(1).clip(0, 1) ** 20
        ambient = _AMBIENT * (0.8 + 0.2 * normal[:, 2])
        # The deeper in the hole, the less light.
        open_to_light = np.where(part == HOLE, (place[:, 2] / FIXTURE_HEIGHT).clip(0.25, 1), 1.0)
        light = self.view.brightness * (ambient + (1 - _AMBIENT) * diffuse) * open_to_light
        albedo = self.view.colours[part] * _grain(place, part)[:, None]
        colours, parts = np.zeros((*hit.shape, 3)), np.full(hit.shape, -1)
        colours[hit] = albedo * light[:, None] + gloss[:, None]
        colours[~hit] = 0.75
        parts[hit] = part
        return colours, parts

    def _top(self) -> NDArray[np.bool_]:
        """Return where the upper side of the fixture is seen."""
        up = self._still.normals()[self._seen.face.clip(0)][..., 2] > 0.9
        return up & (self._part == FIXTURE)

    def _shade_of(self, solid: Solid, planes: list[tuple[int, float, NDArray[np.bool_]]]) -> NDArray[np.float64]:
        """Return the factors by which a solid's shadows on horizontal planes darken the still picture, `(S, S)`."""
        factor = np.ones((self.view.size, self.view.size))
        for _, height, where in planes:
            above = (solid.vertices[:, 2:] - height).clip(0)
            flat = solid.vertices - above * self.view.light / self.view.light[2]
            flat[:, 2] = height
            lit = solid.normals() @ self.view.light > 0
            cast = self._rasterised(solid._replace(vertices=flat, faces=solid.faces[lit], parts=solid.parts[lit]))
            factor[where & (cast.face >= 0)] = _IN_SHADOW
        return factor


def _grain(place: NDArray[np.float64], part: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the table's boards as factors of its colour, one elsewhere, `(N,)`."""
    board = np.floor(place[:, 1] / 0.08 + 0.5)
    tone = 1 + 0.05 * np.sin(12.9 * board) + 0.03 * np.sin(place[:, 0] * 60 + 9 * np.sin(place[:, 1] * 45) + board)
    gap = np.abs(place[:, 1] / 0.08 + 0.5 - board - 0.5) > 0.46
    return np.where(part == TABLE, tone * np.where(gap, 0.88, 1.0), 1.0)
