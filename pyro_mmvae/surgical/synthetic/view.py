"""One view of a scene: where the endoscope is, and what it sees by its own light."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from pyro_mmvae.rendering.develop import develop
from pyro_mmvae.rendering.raster import Fragments, rasterise
from pyro_mmvae.rendering.surfaces import hollows, interpolate

from .anatomy import LIVER, Anatomy
from .tissue import bumps, tissue

ASPECT = 2
"""Width over height, as the published pictures have it."""
FOCAL = 0.62
"""Focal length over the width: 78 degrees across."""
_CLEAR = 9.0  # millimetres that the tip keeps from tissue
_LARGEST = 0.85  # share of the picture that one organ fills at most
_LEAST = 0.03  # share of an organ that counts as seen
_DEEP = 12.0  # millimetres behind their surroundings at which hollows are darkest


@dataclass(frozen=True)
class Seen:
    """What the files of a view hold.

    Attributes:
        colour: (H, W, 3) uint8.
        depth: millimetres, (H, W) float32, infinite where nothing is.
        classes: (H, W) uint8.
        position: of the camera in the scene, millimetres, (3,).
        rotation: from the scene's axes to the camera's, (3, 3).
    """

    colour: np.ndarray
    depth: np.ndarray
    classes: np.ndarray
    position: np.ndarray
    rotation: np.ndarray


def camera_matrix(width: int) -> np.ndarray:
    """Return K (3, 3) of pictures of a width."""
    height = width // ASPECT
    return np.array([[FOCAL * width, 0, (width - 1) / 2], [0, FOCAL * width, (height - 1) / 2], [0, 0, 1]])


def _pose(scene: Anatomy, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A free place before the organs, and the rotation that looks from there at a point of the liver."""
    liver = scene.vertices[np.unique(scene.faces[scene.classes == LIVER])]
    while True:
        position = np.array([rng.uniform(-70, 70), rng.uniform(-40, 45), rng.uniform(-45, 45)])
        if scene.clearance(position) > _CLEAR:
            break
    target = liver[rng.integers(len(liver))] + rng.normal(0, 12, 3) + [0, 10, 0]
    forward = target - position
    forward /= np.linalg.norm(forward)
    right = np.cross([0.0, 1.0, 0.0], forward)
    right /= np.linalg.norm(right)
    upright = np.stack([right, np.cross(forward, right), forward])
    roll = Rotation.from_euler("z", rng.normal(0, 10), degrees=True).as_matrix()
    return position, roll @ upright


def _good(classes: np.ndarray) -> bool:
    shares = np.bincount(classes.ravel(), minlength=8) / classes.size
    return shares.max() <= _LARGEST and (shares >= _LEAST).sum() >= 3 and shares[LIVER] >= _LEAST


def sample_view(scene: Anatomy, rng: np.random.Generator, width: int = 512) -> Seen:
    """Draw a view.

    Args:
        scene: what is there.
        rng: source of all randomness.
        width: of the pictures in pixels, even.
    """
    camera, height = camera_matrix(width), width // ASPECT
    while True:
        position, rotation = _pose(scene, rng)
        vertices = (scene.vertices - position) @ rotation.T
        seen = rasterise(vertices, scene.faces, camera, height, width)
        classes = np.where(seen.face >= 0, scene.classes[seen.face], 0).astype(np.uint8)
        if _good(classes):
            break
    picture = _lit(scene, seen, vertices, rotation, rng)
    return Seen(develop(picture, rng), seen.depth.astype(np.float32), classes, position, rotation)


def _lit(
    scene: Anatomy, seen: Fragments, vertices: np.ndarray, rotation: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """The picture (H, W, 3) float32 in 0..1: a lamp beside the lens, which fades with the square of the distance."""
    hit = seen.face >= 0
    corners, weights = scene.faces[seen.face[hit]], seen.barycentric[hit]
    classes = scene.classes[seen.face[hit]]
    world = interpolate(scene.vertices, corners, weights)
    colour, gloss = tissue(world, classes, scene.seed)
    normal = interpolate(scene.normals, corners, weights) + bumps(world, classes, scene.seed)
    normal = normal @ rotation.T
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    place = interpolate(vertices, corners, weights)
    to_eye = -place / np.linalg.norm(place, axis=1, keepdims=True)
    to_lamp = np.array([rng.uniform(-4, 4), rng.uniform(-5, -2), 0.0]) - place
    distance = np.linalg.norm(to_lamp, axis=1, keepdims=True)
    to_lamp /= distance
    # The camera's exposure follows the scene, and its sensor compresses what is bright.
    exposure = rng.uniform(0.85, 1.15) * np.quantile(distance, 0.4) ** 1.5
    lamp = exposure / (distance**1.5 + 100.0) * np.array([1.0, 0.97, 0.93]) * rng.uniform(0.95, 1.05, 3)
    diffuse = np.einsum("nk,nk->n", normal, to_lamp).clip(0, 1)[:, None]
    halfway = to_lamp + to_eye
    halfway /= np.linalg.norm(halfway, axis=1, keepdims=True)
    shine = np.einsum("nk,nk->n", normal, halfway).clip(0, 1)[:, None]
    wet = gloss[:, None] * (1.6 * shine**90 + 0.12 * shine**12)
    shade = 1 - 0.6 * hollows(seen.depth, max(2, seen.depth.shape[0] // 14), _DEEP)[hit][:, None]
    light = colour * (0.10 + 1.5 * diffuse) * shade * lamp + wet * lamp
    picture = np.zeros((*seen.face.shape, 3), np.float32)
    picture[hit] = light
    picture = (1 - np.exp(-1.6 * picture)) ** (1 / 2.0)
    return (picture * _vignette(picture.shape)).astype(np.float32)


def _vignette(shape: tuple[int, ...]) -> np.ndarray:
    """Darker corners, as lenses have them, (H, W, 1)."""
    v, u = np.mgrid[-1 : 1 : shape[0] * 1j, -1 : 1 : shape[1] * 1j]
    return (1 - 0.28 * (u**2 + 0.6 * v**2) ** 1.2)[..., None].clip(0.4, 1)
