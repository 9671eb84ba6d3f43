"""What all random draws of a hand start from, and how pictures are cut for it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pyro_mmvae.data.images import MissingImageError, UnreadableImageError, read_colour, read_values
from pyro_mmvae.hands.annotation import CROP_MARGIN, BadSampleError, Crop, Hand
from pyro_mmvae.hands.geometry import Array

CLOUD_RADIUS = 0.2
"""Metres from the root; what lies farther off belongs to something else."""
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
        cloud: whether to make a cloud of the depth image.
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
        cloud: (N, 3) float32 metres, camera coordinates. None if it cannot be made of the files that are there.
    """

    hand: Hand
    crop: Crop
    to_region: Array
    color: ByteImage | None
    segmentation: ByteImage | None
    cloud: NDArray[np.float32] | None


class Region(NamedTuple):
    """A rectangle of the picture, and its size in pixels afterwards."""

    box: tuple[int, int, int, int]
    size: tuple[int, int]


def region_about(crop: Crop, options: ReadOptions) -> tuple[Region, Array]:
    """Return the rectangle of the image to keep, and the (2, 3) map of image coordinates to its own."""
    reach = options.margin * crop.half_size
    frame = np.array(options.frame_size)
    start = np.clip(np.floor(crop.center + 0.5 - reach), 0, frame - 1).astype(int)
    stop = np.clip(np.ceil(crop.center + 0.5 + reach), start + 1, frame).astype(int)
    shrink = min(1.0, options.resolution / (2 * crop.half_size))
    size = np.maximum(np.rint((stop - start) * shrink), 1).astype(int)
    factor = size / (stop - start)
    to_region = np.column_stack([np.diag(factor), (0.5 - start) * factor - 0.5])
    box = (int(start[0]), int(start[1]), int(stop[0]), int(stop[1]))
    return Region(box, (int(size[0]), int(size[1]))), to_region


def cut(image: Image.Image, region: Region) -> ByteImage:
    """Cut the region out and shrink it, averaging over the pixels that fall together."""
    if region.size == (region.box[2] - region.box[0], region.box[3] - region.box[1]):
        return np.array(image.crop(region.box))
    return np.array(image.resize(region.size, resample=Image.Resampling.BILINEAR, box=region.box))


def colour_picture(path: Path, frame_size: tuple[int, int]) -> Image.Image:
    """Read a colour image.

    Raises:
        BadSampleError: there is none, it cannot be read, or it has another size.
    """
    try:
        image = read_colour(path)
    except MissingImageError:
        raise BadSampleError("missing color image", str(path)) from None
    except UnreadableImageError as error:
        raise BadSampleError("unreadable color image", str(error)) from error
    _check_size("color", path, image.size, frame_size)
    return image


def picture_values(path: Path, kind: str, channels: Literal[1, 3], frame_size: tuple[int, int]) -> ByteImage | None:
    """Read an image whose values are data; None if there is none.

    Args:
        path: the file.
        kind: what it is, for messages.
        channels: see `read_values`.
        frame_size: width and height that it must have.

    Raises:
        BadSampleError: it cannot be read, or has another size.
    """
    try:
        values = read_values(path, channels)
    except MissingImageError:
        return None
    except UnreadableImageError as error:
        raise BadSampleError(f"unreadable {kind} image", str(error)) from error
    _check_size(kind, path, (values.shape[1], values.shape[0]), frame_size)
    return values


def cloud_near(points: Array, hand: Hand, options: ReadOptions, index: int) -> NDArray[np.float32]:
    """Return the points within `CLOUD_RADIUS` of the root, (N, 3) metres, at most as many as are kept.

    Args:
        points: (N', 3) metres, camera coordinates.
        hand: whose root it is.
        options: root and number of points.
        index: the sample's number, which decides what points of a large cloud are kept.

    Raises:
        BadSampleError: there are none.
    """
    points = points[np.linalg.norm(points - hand.root(options.root_joint), axis=1) <= CLOUD_RADIUS]
    if len(points) == 0:
        raise BadSampleError("empty cloud", f"no hand pixel within {CLOUD_RADIUS} m of the root")
    if len(points) > options.max_points:
        kept = np.random.default_rng([index]).choice(len(points), options.max_points, replace=False)
        points = points[kept]
    return points.astype(np.float32)


def check_frame_size(pictures: Iterable[Path], frame_size: tuple[int, int]) -> None:
    """Refuse colour pictures of which not one has the size that all should have.

    Raises:
        ValueError: the message names the first picture.
    """
    message = ""
    for path in pictures:
        try:
            size = read_colour(path).size
        except UnreadableImageError:
            continue
        if size == frame_size:
            return
        message = message or _wrong_size(path, size, frame_size)
    if message:
        raise ValueError(
            f"{message}. Annotations count pixels of pictures of one size; if those of this set are of another, pass "
            f"frame_size=(width, height), else take the original pictures"
        )


def _check_size(kind: str, path: Path, size: tuple[int, int], expected: tuple[int, int]) -> None:
    if size != expected:
        raise BadSampleError(f"{kind} image of the wrong size", _wrong_size(path, size, expected))


def _wrong_size(path: Path, size: tuple[int, int], expected: tuple[int, int]) -> str:
    return f"{path}: expected {expected[0]} x {expected[1]} pixels (width x height), got {size[0]} x {size[1]}"
