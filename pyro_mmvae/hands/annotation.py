"""What an annotation says about one hand, and whether it can be used."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pyro_mmvae.data.skips import UnusableError
from pyro_mmvae.hands.geometry import Array, project
from pyro_mmvae.hands.rhd_format import MIDDLE_MCP, MIDDLE_PIP, WRIST

CROP_MARGIN = 1.3
"""Half the crop's side over the largest offset of a visible joint from the centre, by default."""
MIN_HALF_SIZE = 8.0
"""Pixels; a hand of which only the middle MCP is visible has no offset to go by."""
PLAUSIBLE_BONE = (0.002, 0.2)
"""Metres; outside, the file is in other units."""

ROOT_JOINTS = {"middle_mcp": (MIDDLE_MCP,), "wrist": (WRIST,), "palm": (WRIST, MIDDLE_MCP)}
"""Joints whose mean is the root, where joint 0 is the wrist."""


class BadSampleError(UnusableError):
    """A sample that cannot be used."""


class Crop(NamedTuple):
    """A square of the picture.

    Args:
        center: (2,) image coordinates (u, v).
        half_size: half the side in pixels.
    """

    center: Array
    half_size: float


class Hand(NamedTuple):
    """One hand of an annotation.

    Args:
        joints: (21, 3) metres, camera coordinates.
        pixels: (21, 2) image coordinates (u, v).
        visible: (21,) bool, marked visible and inside the image.
        camera: (3, 3) intrinsics K.
        is_left: whether it is a left hand.
        palm_first: whether joint 0 is the palm rather than the wrist, of which then nothing is known.
    """

    joints: Array
    pixels: Array
    visible: NDArray[np.bool_]
    camera: Array
    is_left: bool
    palm_first: bool = False

    @property
    def scale(self) -> float:
        """Length in metres of the first bone of the middle finger, the unit of poses and clouds."""
        return float(np.linalg.norm(self.joints[MIDDLE_MCP] - self.joints[MIDDLE_PIP]))

    def crop(self, margin: float = CROP_MARGIN) -> Crop:
        """Return a square about the middle finger's MCP joint.

        Args:
            margin: half the side over the largest offset of a visible joint from there.
        """
        center = self.pixels[MIDDLE_MCP]
        offsets = np.abs(self.pixels[self.visible] - center)
        return Crop(center, max(margin * float(offsets.max(initial=0)), MIN_HALF_SIZE))

    def with_palm_first(self) -> Hand:
        """Return the hand with joint 0 moved from the wrist to the palm, half-way to the middle MCP, in space.

        It counts as visible where either of the two is, as in Zimmermann & Brox (2017). A hand that has the palm there
        stays as it is.
        """
        if self.palm_first:
            return self
        joints, pixels, visible = self.joints.copy(), self.pixels.copy(), self.visible.copy()
        joints[WRIST] = self.root("palm")
        pixels[WRIST] = project(joints[WRIST], self.camera)
        visible[WRIST] |= visible[MIDDLE_MCP]
        return self._replace(joints=joints, pixels=pixels, visible=visible, palm_first=True)

    def root(self, joint: str) -> Array:
        """(3,) camera coordinates in metres of the root, a key of `ROOT_JOINTS`.

        Raises:
            ValueError: the wrist of a hand that has the palm in its place.
        """
        if self.palm_first and joint == "palm":
            return self.joints[WRIST].copy()
        if self.palm_first and joint == "wrist":
            raise ValueError("expected the root 'palm' or 'middle_mcp', as joint 0 is the palm, got 'wrist'")
        return np.asarray(self.joints[list(ROOT_JOINTS[joint])].mean(axis=0))


def inside(pixels: Array, frame_size: tuple[int, int]) -> NDArray[np.bool_]:
    """Return which pixels (..., 2) lie in a picture of that width and height."""
    return np.asarray(((pixels >= -0.5) & (pixels <= np.array(frame_size) - 0.5)).all(axis=-1))


def check_hand(hand: Hand, frame_size: tuple[int, int]) -> None:
    """Refuse a hand that no crop, pose or scale can be made of.

    Raises:
        BadSampleError: says why.
    """
    if not (np.isfinite(hand.joints).all() and np.isfinite(hand.pixels).all()):
        raise BadSampleError("NaN or infinite keypoints")
    if not hand.visible.any():
        raise BadSampleError("no visible keypoint inside the image")
    if (hand.joints[:, 2] <= 0).any():
        raise BadSampleError("hand behind the camera", f"smallest z {hand.joints[:, 2].min():.3g} m")
    if not PLAUSIBLE_BONE[0] <= hand.scale <= PLAUSIBLE_BONE[1]:
        raise BadSampleError("implausible hand size", f"bone 12-11 is {hand.scale:.3g} m; expected metres")
    crop = hand.crop()
    if crop.half_size > 2 * max(frame_size):
        raise BadSampleError("hand out of frame", f"middle MCP at {crop.center.tolist()} px")
