"""One hand with its arm in the camera's frame."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pyro_mmvae.hands.rhd_format import LEFT_HAND, MIDDLE_MCP, PERSON, RIGHT_HAND
from pyro_mmvae.rendering.pinhole import back_project, project

from .camera import sample_rotation
from .limb import Limb, sample_limb
from .mesh import Mesh
from .poses import sample_skeleton
from .skeleton import Skeleton
from .skinning import skin

DEPTH = (0.35, 0.9)  # of the middle MCP, metres
_NEAREST = 0.17  # metres; no bone of an arm comes nearer to the camera
_LIMB_TRIES = 8
_MIRROR = np.diag([-1.0, 1.0, 1.0])


@dataclass(frozen=True)
class Arm:
    """A hand and its arm: shape in its own frame, and where that frame is in the camera's.

    Attributes:
        left: which hand it is.
        skeleton: the hand as a left one, wrist at the origin.
        limb: its arm.
        girth: thickness of the flesh.
        rotation: own frame to camera, (3, 3); a reflection for a right hand.
        origin: the wrist in camera coordinates, metres, (3,).
    """

    left: bool
    skeleton: Skeleton
    limb: Limb
    girth: float
    rotation: np.ndarray
    origin: np.ndarray

    def to_camera(self, points: np.ndarray) -> np.ndarray:
        """Camera coordinates of points (..., 3) in the hand's frame."""
        return points @ self.rotation.T + self.origin

    @property
    def joints(self) -> np.ndarray:
        """Camera coordinates, RHD's order, (21, 3)."""
        return self.to_camera(self.skeleton.joints)

    @property
    def ends(self) -> np.ndarray:
        """Wrist, elbow and shoulder in camera coordinates, (3, 3)."""
        return self.to_camera(np.stack([np.zeros(3), self.limb.elbow, self.limb.shoulder]))

    def mesh(self) -> Mesh:
        """The skin in camera coordinates, with the mask ids of its side."""
        own = skin(self.skeleton, self.limb, self.girth)
        vertices = self.to_camera(own.vertices)
        if self.left:
            return Mesh(vertices, own.faces, own.parts, own.anatomy)
        shift = RIGHT_HAND.start - LEFT_HAND.start
        parts = np.where(own.parts == PERSON, PERSON, own.parts + shift).astype(np.uint8)
        return Mesh(vertices, own.faces[:, ::-1], parts, own.anatomy)


def _sample_arm(rng: np.random.Generator, left: bool, root: np.ndarray, gesture: str | None = None) -> Arm:
    """A random hand, turned at random, with its middle MCP at `root`."""
    skeleton = sample_skeleton(rng, gesture)
    rotation = sample_rotation(rng) @ (np.eye(3) if left else _MIRROR)
    origin = root - rotation @ skeleton.joints[MIDDLE_MCP]
    return Arm(left, skeleton, sample_limb(rng), float(rng.uniform(0.9, 1.1)), rotation, origin)


def _with_shoulder_outside(arm: Arm, rng: np.random.Generator, camera: np.ndarray, size: int | np.ndarray) -> Arm:
    """The same hand on an arm that leaves the image and stays off the camera, if a few tries find one."""
    for _ in range(_LIMB_TRIES):
        shoulder = project(arm.ends[-1], camera)
        if arm.ends[:, 2].min() > _NEAREST and ((shoulder < 0) | (shoulder > size - 1)).any():
            break
        arm = replace(arm, limb=sample_limb(rng))
    return arm


def arm_in_view(
    rng: np.random.Generator,
    camera: np.ndarray,
    size: int | np.ndarray,
    left: bool,
    gesture: str | None = None,
    depth: tuple[float, float] = DEPTH,
) -> Arm:
    """A random arm whose middle MCP is in the central part of the image.

    Args:
        rng: source of randomness.
        camera: K, (3, 3).
        size: side of a square image, or width and height (2,).
        left: which hand.
        gesture: a name of `poses.GESTURES`; random without.
        depth: least and largest distance of the middle MCP, metres.
    """
    root = back_project(rng.uniform(0.25, 0.75, 2) * size, rng.uniform(*depth), camera)
    while True:
        arm = _with_shoulder_outside(_sample_arm(rng, left, root, gesture), rng, camera, size)
        if min(arm.ends[:, 2].min(), arm.joints[:, 2].min()) > _NEAREST:
            return arm


def arm_out_of_view(rng: np.random.Generator, camera: np.ndarray, size: int, left: bool) -> Arm:
    """A random arm beside the image, with no joint of the hand in view."""
    pixel = np.array([rng.choice([-0.9, 1.9]), rng.uniform(0.25, 0.75)]) * size
    return _sample_arm(rng, left, back_project(pixel, rng.uniform(0.6, 0.9), camera))
