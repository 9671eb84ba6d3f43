"""The two hands of an RHD annotation."""

from __future__ import annotations

from typing import Any

import numpy as np

from pyro_mmvae.hands.annotation import BadSampleError, Hand, inside
from pyro_mmvae.hands.geometry import Array
from pyro_mmvae.hands.rhd_format import NUM_JOINTS


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
    visible = (image[:, 2] > 0.5) & inside(pixels, frame_size)
    left, right = slice(0, NUM_JOINTS), slice(NUM_JOINTS, None)
    return (
        Hand(joints[left], pixels[left], visible[left], camera, True),
        Hand(joints[right], pixels[right], visible[right], camera, False),
    )


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
