"""One picture of the set: arms before a camera, rendered and annotated."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pyro_mmvae.hands.rhd_format import LEFT_HAND, RIGHT_HAND
from pyro_mmvae.rendering.develop import develop
from pyro_mmvae.rendering.pinhole import project
from pyro_mmvae.rendering.raster import Fragments
from pyro_mmvae.rendering.render import Renderer, renderer_named

from .arm import Arm, arm_in_view, arm_out_of_view
from .background import sample_background
from .camera import sample_camera
from .collision import clearance_between
from .flesh import joint_radii
from .mesh import Mesh, join
from .paint import sample_look
from .shading import sample_light, shade

TWO_HANDS = 0.35  # share of pictures with both
_MIN_VISIBLE = 6  # joints of the hand that the picture is about
_WALL = (1.2, 3.0)  # metres
_GAP = 0.005


@dataclass(frozen=True)
class Sample:
    """A picture and its annotation, as RHD has them.

    Attributes:
        color: (H, W, 3) uint8.
        depth: metres, (H, W).
        mask: RHD mask ids, (H, W) uint8.
        xyz: camera coordinates of the joints, left hand first, metres, (42, 3).
        uv_vis: pixels and visibility, (42, 3).
        camera: K, (3, 3).
    """

    color: np.ndarray
    depth: np.ndarray
    mask: np.ndarray
    xyz: np.ndarray
    uv_vis: np.ndarray
    camera: np.ndarray

    def annotation(self) -> dict[str, np.ndarray]:
        """What RHD's pickle holds about the sample."""
        return {"xyz": self.xyz, "uv_vis": self.uv_vis, "K": self.camera}


def _second_arm(first: Arm, rng: np.random.Generator, camera: np.ndarray, size: int) -> tuple[Arm, bool]:
    """The other hand, and whether it is in the picture."""
    if rng.random() < TWO_HANDS:
        for _ in range(8):
            arm = arm_in_view(rng, camera, size, left=not first.left)
            if clearance_between(first.joints, first.ends, arm.joints, arm.ends) > _GAP:
                return arm, True
    return arm_out_of_view(rng, camera, size, left=not first.left), False


def visibility(uv: np.ndarray, z: np.ndarray, depth: np.ndarray, mask: np.ndarray, left: bool) -> np.ndarray:
    """Which joints of one hand are seen, (21,) bool.

    A joint is seen if its pixel is in the image, shows its own hand, and the surface there is no further in
    front of it than the finger is thick: then the skin over the joint itself is what is seen.
    """
    height, width = depth.shape
    u, v = np.rint(uv).astype(np.int64).T
    inside = (u >= 0) & (u < width) & (v >= 0) & (v < height)
    u, v = u.clip(0, width - 1), v.clip(0, height - 1)
    own = LEFT_HAND if left else RIGHT_HAND
    part = mask[v, u]
    return inside & (part >= own.start) & (part < own.stop) & (z - depth[v, u] <= 2 * joint_radii())


def _annotate(arms: list[Arm], camera: np.ndarray, seen: Fragments, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    by_side = sorted(arms, key=lambda arm: not arm.left)
    xyz = np.concatenate([arm.joints for arm in by_side])
    uv = project(xyz, camera)
    visible = [
        visibility(uv[part], xyz[part, 2], seen.depth, mask, arm.left)
        for arm, part in zip(by_side, (slice(0, 21), slice(21, 42)), strict=True)
    ]
    return xyz, np.column_stack([uv, np.concatenate(visible)])


def _picture(rng: np.random.Generator, mesh: Mesh, seen: Fragments, size: int) -> np.ndarray:
    hit, colours = shade(mesh, seen, sample_look(rng), sample_light(rng))
    picture = sample_background(rng, size)
    picture[hit] = colours
    return develop(picture, rng)


def sample_scene(
    rng: np.random.Generator, size: int = 320, renderer: str | Renderer = "numpy", gesture: str | None = None
) -> Sample:
    """Draws a picture.

    Args:
        rng: source of all randomness.
        size: height and width in pixels.
        renderer: "numpy", "open3d" or a function like `raster.rasterise`.
        gesture: a name of `poses.GESTURES` for the first hand; random without.

    Raises:
        ValueError: no renderer has this name.
        ImportError: "open3d" is asked for and cannot be imported.
    """
    render = renderer_named(renderer) if isinstance(renderer, str) else renderer
    while True:
        camera = sample_camera(rng, size)
        first = arm_in_view(rng, camera, size, bool(rng.random() < 0.5), gesture)
        second, present = _second_arm(first, rng, camera, size)
        mesh = join([first.mesh(), second.mesh()]) if present else first.mesh()
        seen = render(mesh.vertices, mesh.faces, camera, size, size)
        mask = np.where(seen.face >= 0, mesh.parts[seen.face], 0).astype(np.uint8)
        xyz, uv_vis = _annotate([first, second], camera, seen, mask)
        start = 0 if first.left else 21
        if uv_vis[start : start + 21, 2].sum() >= _MIN_VISIBLE:
            break
    wall = rng.uniform(*_WALL)
    depth = np.minimum(seen.depth, wall)
    return Sample(_picture(rng, mesh, seen, size), depth, mask, xyz, uv_vis, camera)
