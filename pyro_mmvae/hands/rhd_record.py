"""Reading one RHD sample's files into what all its random draws start from."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pyro_mmvae.hands.annotation import MIN_HALF_SIZE, BadSampleError, Crop, Hand, check_hand
from pyro_mmvae.hands.geometry import back_project
from pyro_mmvae.hands.record import (
    ByteImage,
    HandRecord,
    ReadOptions,
    Region,
    cloud_near,
    colour_picture,
    cut,
    picture_values,
    region_about,
)
from pyro_mmvae.hands.rhd_annotation import choose_hand, parse_hands
from pyro_mmvae.hands.rhd_format import LEFT_HAND, RIGHT_HAND, SamplePaths, decode_depth
from pyro_mmvae.hands.rhd_index import MISSING_MASK


def read_record(paths: SamplePaths, annotation: Any, options: ReadOptions, index: int) -> HandRecord:
    """Read one sample.

    Args:
        paths: the sample's files; depth and mask may be missing.
        annotation: the sample's annotation.
        options: what to read.
        index: the sample's number, which decides what points of a large cloud are kept.

    Raises:
        BadSampleError: the sample cannot be used.
    """
    hands = parse_hands(annotation, options.frame_size)
    mask = picture_values(paths.mask, "mask", 1, options.frame_size)
    hand = choose_hand(hands, None if mask is None else _pixel_counts(mask))
    check_hand(hand, options.frame_size)
    on_hand = None if mask is None else _on_hand(mask, hand.is_left)
    crop = _crop(hand, on_hand, options)
    region, to_region = region_about(crop, options)
    return HandRecord(
        hand=hand,
        crop=crop,
        to_region=to_region,
        color=cut(colour_picture(paths.color, options.frame_size), region) if options.color else None,
        segmentation=_segmentation(on_hand, region) if options.segmentation else None,
        cloud=_cloud(paths, on_hand, hand, options, index) if options.cloud else None,
    )


def _pixel_counts(mask: ByteImage) -> tuple[int, int]:
    left, right = (int(np.count_nonzero(_on_hand(mask, is_left))) for is_left in (True, False))
    if left == right == 0:
        raise BadSampleError("empty mask", "no pixel of either hand")
    return left, right


def _on_hand(mask: ByteImage, is_left: bool) -> NDArray[np.bool_]:
    parts = LEFT_HAND if is_left else RIGHT_HAND
    return (mask >= parts.start) & (mask < parts.stop)


def _crop(hand: Hand, on_hand: NDArray[np.bool_] | None, options: ReadOptions) -> Crop:
    if options.crop == "joints":
        return hand.crop(options.crop_margin)
    if on_hand is None:
        raise BadSampleError(MISSING_MASK)
    lines = [np.flatnonzero(on_hand.any(axis)) for axis in (0, 1)]  # columns, then rows
    first, last = (np.array([line[end] for line in lines], dtype=np.float64) for end in (0, -1))
    half_size = options.crop_margin * float((last - first + 1).max()) / 2  # to the pixels' edges
    return Crop((first + last) / 2, max(half_size, MIN_HALF_SIZE))


def _segmentation(on_hand: NDArray[np.bool_] | None, region: Region) -> ByteImage | None:
    if on_hand is None:
        return None
    return cut(Image.fromarray(on_hand.astype(np.uint8) * np.uint8(255)), region)


def _cloud(
    paths: SamplePaths, on_hand: NDArray[np.bool_] | None, hand: Hand, options: ReadOptions, index: int
) -> NDArray[np.float32] | None:
    if on_hand is None:
        return None
    depth = picture_values(paths.depth, "depth", 3, options.frame_size)
    if depth is None:
        return None
    rows, columns = np.divmod(np.flatnonzero(on_hand), on_hand.shape[1])  # faster than nonzero in two dimensions
    metres = decode_depth(depth[None, rows, columns])[0]
    points = back_project(np.column_stack([columns, rows]), metres, hand.camera)
    return cloud_near(points, hand, options, index)
