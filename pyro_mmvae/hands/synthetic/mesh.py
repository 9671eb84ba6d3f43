"""Triangle meshes as the renderers take them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Mesh:
    """A triangle mesh with what shading needs at each vertex.

    Attributes:
        vertices: positions in camera coordinates, metres, (V, 3).
        faces: vertex indices, counter-clockwise seen from outside in a right-handed frame, (F, 3).
        parts: RHD mask id of each face, (F,), uint8.
        anatomy: coordinates of each vertex on the left hand in its rest pose, metres, (V, 3);
            they stay with the skin when the hand moves, so paint is a function of them.
    """

    vertices: np.ndarray
    faces: np.ndarray
    parts: np.ndarray
    anatomy: np.ndarray


def join(meshes: list[Mesh]) -> Mesh:
    """One mesh of several."""
    offsets = np.cumsum([0] + [len(mesh.vertices) for mesh in meshes[:-1]])
    return Mesh(
        np.concatenate([mesh.vertices for mesh in meshes]),
        np.concatenate([mesh.faces + offset for mesh, offset in zip(meshes, offsets, strict=True)]),
        np.concatenate([mesh.parts for mesh in meshes]),
        np.concatenate([mesh.anatomy for mesh in meshes]),
    )
