"""What an RHD annotation says about one hand, and whether it can be used."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pyro_mmvae.hands.geometry import Array, project
from pyro_mmvae.hands.rhd_format import MIDDLE_MCP, MIDDLE_PIP, NUM_JOINTS, WRIST

CROP_MARGIN = 1.3
"""Half the crop's side over the largest offset of a visible joint from the centre, by default."""
MIN_HALF_SIZE = 8.0
"""Pixels; a hand of which only the middle MCP is visible has no offset to go by."""
PLAUSIBLE_BONE = (0.002, 0.2)
"""Metres; outside, the file is in other units."""

ROOT_JOINTS = {"middle_mcp": (MIDDLE_MCP,), "wrist": (WRIST,), "palm": (WRIST, MIDDLE_MCP)}
"""Joints whose mean is the root."""


class BadSampleError(ValueError):
    """A sample that cannot be used.

    Args:
        reason: a few words, the same for all samples with this fault.
        detail: what was found.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


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
    """

    joints: Array
    pixels: Array
    visible: NDArray[np.bool_]
    camera: Array
    is_left: bool

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

        It counts as visible where either of the two is, as in Zimmermann & Brox (2017).
        """
        joints, pixels, visible = self.joints.copy(), self.pixels.copy(), self.visible.copy()
        joints[WRIST] = self.root("palm")
        pixels[WRIST] = project(joints[WRIST], self.camera)
        visible[WRIST] |= visible[MIDDLE_MCP]
        return self._replace(joints=joints, pixels=pixels, visible=visible)

    def root(self, joint: str) -> Array:
        """(3,) camera coordinates in metres of the root, a key of `ROOT_JOINTS`."""
        return np.asarray(self.joints[list(ROOT_JOINTS[joint])].mean(axis=0))


def parse_hands(annotation: Any, frame_size: tuple[int, int]) -> tuple[Hand, Hand]:
    """Split an annotation into the left and the right hand.

    Args:
        annotation: `{"xyz": (42, 3), "uv_vis": (42, 3), "K": (3, 3)}`.
        frame_size: width and height of the images in pixels.

    Raises:
        BadSampleError: an entry is missing or of the wrong shape, or the camera is none.
    """
    joints = _entry(annotation, "xyz", (2 * NUM_JOINTS, 3))
    image = _entry(annotation, "uv_vis", (2 * NUM_JOINTS, 3))
    camera = _entry(annotation, "K", (3, 3))
    if not _is_camera(camera):
        raise BadSampleError("unusable camera", f"K = {camera.tolist()}")
    pixels = image[:, :2]
    inside = ((pixels >= -0.5) & (pixels <= np.array(frame_size) - 0.5)).all(axis=1)
    visible = (image[:, 2] > 0.5) & inside
    left, right = slice(0, NUM_JOINTS), slice(NUM_JOINTS, None)
    return (
        Hand(joints[left], pixels[left], visible[left], camera, True),
        Hand(joints[right], pixels[right], visible[right], camera, False),
    )


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


def choose_hand(hands: tuple[Hand, Hand], pixel_counts: tuple[int, int] | None) -> Hand:
    """Choose the left hand if more of it is seen than of the right hand, else the right one.

    Args:
        hands: left and right.
        pixel_counts: mask pixels of left and right; without a mask, visible joints decide.
    """
    left, right = pixel_counts or (np.count_nonzero(hand.visible) for hand in hands)
    return hands[0] if left > right else hands[1]


def _is_camera(matrix: Array) -> bool:
    upper = np.array_equal(np.tril(matrix, -1), np.zeros((3, 3)))
    return bool(np.isfinite(matrix).all() and upper and matrix[0, 0] > 0 and matrix[1, 1] > 0 and matrix[2, 2] == 1)


def _entry(annotation: Any, key: str, shape: tuple[int, int]) -> Array:
    try:
        value = np.asarray(annotation[key], dtype=np.float64)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise BadSampleError("malformed annotation", f"{key}: {type(error).__name__} {error}") from error
    if value.shape != shape:
        raise BadSampleError("malformed annotation", f"expected {key} of shape {shape}, got {value.shape}")
    return value
