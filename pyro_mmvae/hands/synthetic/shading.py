"""Light on the hands: Lambert, ambient light, a little gloss, darker hollows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pyro_mmvae.hands.rhd_format import LEFT_HAND, RIGHT_HAND
from pyro_mmvae.rendering.raster import Fragments
from pyro_mmvae.rendering.surfaces import hollows, interpolate, vertex_normals

from .mesh import Mesh
from .paint import Look, albedo

_HOLLOW = 0.015  # metres behind their surroundings at which hollows are darkest


@dataclass(frozen=True)
class Light:
    """Directional light: unit vector towards it (3,), its colour (3,), the ambient colour from above and below."""

    direction: np.ndarray
    colour: np.ndarray
    sky: np.ndarray
    ground: np.ndarray


def sample_light(rng: np.random.Generator) -> Light:
    """A random light from the camera's side of the hand."""
    direction = rng.standard_normal(3) + np.array([0.0, -0.6, -1.0])
    direction[2] = -abs(direction[2]) - 0.2
    warmth = rng.uniform(-0.08, 0.08)
    tint = np.array([1 + warmth, 1.0, 1 - warmth])
    strength, ambient = rng.uniform(0.55, 0.95), rng.uniform(0.22, 0.5)
    return Light(
        direction / np.linalg.norm(direction),
        strength * tint,
        ambient * rng.uniform(0.9, 1.1, 3),
        0.6 * ambient * rng.uniform(0.85, 1.15, 3),
    )


def left_ids(parts: np.ndarray) -> np.ndarray:
    """Mask ids of the left hand for those of the right one; others stay."""
    shift = RIGHT_HAND.start - LEFT_HAND.start
    return np.where(parts >= RIGHT_HAND.start, parts - shift, parts)


def shade(mesh: Mesh, seen: Fragments, look: Look, light: Light) -> tuple[np.ndarray, np.ndarray]:
    """Colour of the pixels where the mesh is seen: their mask (H, W) and their colours (N, 3), 0..1."""
    hit = seen.face >= 0
    face, weights = seen.face[hit], seen.barycentric[hit]
    corners = mesh.faces[face]
    normal = interpolate(vertex_normals(mesh.vertices, mesh.faces), corners, weights)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
    colour, gloss = albedo(interpolate(mesh.anatomy, corners, weights), left_ids(mesh.parts[face]), look)

    diffuse = (normal @ light.direction).clip(0, 1)[:, None]
    up = 0.5 - 0.5 * normal[:, 1:2]
    ambient = light.ground + up * (light.sky - light.ground)
    halfway = light.direction + np.array([0.0, 0.0, -1.0])
    shine = (normal @ (halfway / np.linalg.norm(halfway))).clip(0, 1) ** 24
    open_to_light = 1 - 0.45 * hollows(seen.depth, max(2, seen.depth.shape[0] // 32), _HOLLOW)[hit][:, None]
    lit = colour * (ambient + diffuse * light.colour) * open_to_light
    return hit, lit + (gloss * shine)[:, None] * light.colour
