"""Reading one RHD sample's files into what all its random draws start from."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pyro_mmvae.data.images import MissingImageError, UnreadableImageError, read_colour, read_values
from pyro_mmvae.hands.geometry import Array, back_project
from pyro_mmvae.hands.rhd_annotation import (
    CROP_MARGIN,
    MIN_HALF_SIZE,
    BadSampleError,
    Crop,
    Hand,
    check_hand,
    choose_hand,
    parse_hands,
)
from pyro_mmvae.hands.rhd_format import LEFT_HAND, RIGHT_HAND, SamplePaths, decode_depth
from pyro_mmvae.hands.rhd_index import MISSING_MASK

CLOUD_RADIUS = 0.2
"""Metres from the root; mask pixels whose depth lies farther off belong to something else."""
MAX_POINTS = 2048
"""Points of a cloud that are kept to draw from."""
CROP_MARGINS = {"joints": CROP_MARGIN, "mask": 1.0}
"""Rules by which the crop is found, with their default margins."""

ByteImage = NDArray[np.uint8]


class ReadOptions(NamedTuple):
    """How a record is made.

    Args:
        frame_size: width and height that the files must have.
        color: whether to read the colour image.
        cloud: whether to make a cloud of mask and depth.
        segmentation: whether to keep the hand's mask.
        resolution: side in pixels beyond which the crop is shrunk.
        margin: how far the kept region reaches, in half sides of the crop.
        root_joint: centre of the ball that the cloud is cut to.
        crop: rule of the crop, a key of `CROP_MARGINS`.
        crop_margin: half the crop's side over the largest offset of a joint, or of a pixel of the mask.
        max_points: points of the cloud that are kept.
    """

    frame_size: tuple[int, int]
    color: bool
    cloud: bool
    segmentation: bool
    resolution: float
    margin: float
    root_joint: str
    crop: str
    crop_margin: float
    max_points: int = MAX_POINTS


class HandRecord(NamedTuple):
    """One sample's hand, decoded: the region around its crop, its cloud, its joints.

    Args:
        hand: the chosen hand's annotation.
        crop: square of the image that the hand is seen in.
        to_region: (2, 3) affine map of image coordinates to the region's.
        color: (h, w, 3) region of the colour image.
        segmentation: (h, w) region of the hand's mask, 255 on the hand. None if there is no mask.
        cloud: (N, 3) float32 metres, camera coordinates. None if there is no mask or no depth.
    """

    hand: Hand
    crop: Crop
    to_region: Array
    color: ByteImage | None
    segmentation: ByteImage | None
    cloud: NDArray[np.float32] | None


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
    mask = _values(paths, "mask", options)
    hand = choose_hand(hands, None if mask is None else _pixel_counts(mask))
    check_hand(hand, options.frame_size)
    on_hand = None if mask is None else _on_hand(mask, hand.is_left)
    crop = _crop(hand, on_hand, options)
    region, to_region = _region(crop, options)
    color = _color(paths, options) if options.color else None
    depth = _values(paths, "depth", options) if options.cloud and on_hand is not None else None
    return HandRecord(
        hand=hand,
        crop=crop,
        to_region=to_region,
        color=None if color is None else _cut(color, region),
        segmentation=_segmentation(on_hand, region) if options.segmentation else None,
        cloud=None if depth is None or on_hand is None else _cloud(depth, on_hand, hand, options, index),
    )


_CHANNELS: dict[str, Literal[1, 3]] = {"depth": 3, "mask": 1}


def _color(paths: SamplePaths, options: ReadOptions) -> Image.Image:
    try:
        image = read_colour(paths.color)
    except MissingImageError:
        raise BadSampleError("missing color image", str(paths.color)) from None
    except UnreadableImageError as error:
        raise BadSampleError("unreadable color image", str(error)) from error
    _check_size("color", paths.color, image.size, options)
    return image


def _values(paths: SamplePaths, kind: str, options: ReadOptions) -> ByteImage | None:
    path: Path = getattr(paths, kind)
    try:
        values = read_values(path, _CHANNELS[kind])
    except MissingImageError:
        return None
    except UnreadableImageError as error:
        raise BadSampleError(f"unreadable {kind} image", str(error)) from error
    _check_size(kind, path, (values.shape[1], values.shape[0]), options)
    return values


def _check_size(kind: str, path: Path, size: tuple[int, int], options: ReadOptions) -> None:
    if size != options.frame_size:
        raise BadSampleError(f"{kind} image of the wrong size", _wrong_size(path, size, options.frame_size))


def _wrong_size(path: Path, size: tuple[int, int], expected: tuple[int, int]) -> str:
    return f"{path}: expected {expected[0]} x {expected[1]} pixels (width x height), got {size[0]} x {size[1]}"


def check_frame_size(samples: Iterable[SamplePaths], frame_size: tuple[int, int]) -> None:
    """Refuse samples of which not one colour picture has the size that all should have.

    Raises:
        ValueError: the message names the first picture.
    """
    message = ""
    for paths in samples:
        try:
            size = read_colour(paths.color).size
        except UnreadableImageError:
            continue
        if size == frame_size:
            return
        message = message or _wrong_size(paths.color, size, frame_size)
    if message:
        raise ValueError(
            f"{message}. Annotations count pixels of pictures of one size; if those of this set are of another, pass "
            f"frame_size=(width, height), else take the original pictures"
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


class _Region(NamedTuple):
    box: tuple[int, int, int, int]
    size: tuple[int, int]


def _region(crop: Crop, options: ReadOptions) -> tuple[_Region, Array]:
    """Rectangle of the image to keep, its size afterwards, and the map from one to the other."""
    reach = options.margin * crop.half_size
    frame = np.array(options.frame_size)
    start = np.clip(np.floor(crop.center + 0.5 - reach), 0, frame - 1).astype(int)
    stop = np.clip(np.ceil(crop.center + 0.5 + reach), start + 1, frame).astype(int)
    shrink = min(1.0, options.resolution / (2 * crop.half_size))
    size = np.maximum(np.rint((stop - start) * shrink), 1).astype(int)
    factor = size / (stop - start)
    to_region = np.column_stack([np.diag(factor), (0.5 - start) * factor - 0.5])
    box = (int(start[0]), int(start[1]), int(stop[0]), int(stop[1]))
    return _Region(box, (int(size[0]), int(size[1]))), to_region


def _cut(image: Image.Image, region: _Region) -> ByteImage:
    """Cut the region out and shrink it, averaging over the pixels that fall together."""
    if region.size == (region.box[2] - region.box[0], region.box[3] - region.box[1]):
        return np.array(image.crop(region.box))
    return np.array(image.resize(region.size, resample=Image.Resampling.BILINEAR, box=region.box))


def _segmentation(on_hand: NDArray[np.bool_] | None, region: _Region) -> ByteImage | None:
    if on_hand is None:
        return None
    return _cut(Image.fromarray(on_hand.astype(np.uint8) * np.uint8(255)), region)


def _cloud(
    depth: ByteImage, on_hand: NDArray[np.bool_], hand: Hand, options: ReadOptions, index: int
) -> NDArray[np.float32]:
    rows, columns = np.divmod(np.flatnonzero(on_hand), on_hand.shape[1])  # faster than nonzero in two dimensions
    metres = decode_depth(depth[None, rows, columns])[0]
    points = back_project(np.column_stack([columns, rows]), metres, hand.camera)
    near = np.linalg.norm(points - hand.root(options.root_joint), axis=1) <= CLOUD_RADIUS
    points = points[near]
    if len(points) == 0:
        raise BadSampleError("empty cloud", f"no hand pixel within {CLOUD_RADIUS} m of the root")
    if len(points) > options.max_points:
        kept = np.random.default_rng([index]).choice(len(points), options.max_points, replace=False)
        points = points[kept]
    return points.astype(np.float32)
