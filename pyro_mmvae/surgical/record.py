"""One view as it is kept in memory: the central square of its pictures, shrunk, and the points that its depth shows."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pyro_mmvae.data.exr import read_exr
from pyro_mmvae.data.images import MissingImageError, UnreadableImageError, read_colour, read_values
from pyro_mmvae.data.skips import UnusableError
from pyro_mmvae.surgical.layout import CLASSES, COLOUR, COLOURS, DEPTH, INTRINSICS, MASK, View, view_path

DEPTH_CHANNELS = ("Z", "V", "Y", "R")
"""Names that a depth map's channel may have; of one channel any name is taken."""
FAR = 1000.0
"""Depth from which on nothing was measured; Blender writes 1e10 there."""
MAX_POINTS = 2048
"""Points of a view that are kept to draw from."""
_NEAR_COLOUR, _STRANGE, _STRANGE_CLASS = 64, 0.2, 255
_CORNER = np.array([4, 2, 1], np.uint8)
_CLASS_OF_CORNER = np.full(8, _STRANGE_CLASS, np.uint8)
_CLASS_OF_CORNER[(COLOURS > 0) @ _CORNER] = np.arange(len(CLASSES))
_LONGEST = 10_000


class BadViewError(UnusableError):
    """A view that cannot be used."""


class ReadOptions(NamedTuple):
    """How a record is made.

    Args:
        image_size: side S of the image in pixels.
        map_size: side of the segmentation.
        camera: K (3, 3) of the pictures in the files. None: clouds are not made.
        unit: length by which points are divided, in the unit of the depth.
        colour: kind of picture that is looked at, `translation` or `input`.
        max_points: points that are kept.
    """

    image_size: int
    map_size: int
    camera: NDArray[np.float64] | None
    unit: float = 100.0
    colour: str = COLOUR
    max_points: int = MAX_POINTS


class ViewRecord(NamedTuple):
    """A view, decoded.

    Args:
        image: (S, S, 3) uint8.
        segmentation: (M, M) class numbers, uint8.
        cloud: (N, 3) float32, camera coordinates, in units of `ReadOptions.unit`. None if nothing was measured.
    """

    image: NDArray[np.uint8]
    segmentation: NDArray[np.uint8]
    cloud: NDArray[np.float32] | None


def read_view(root: Path, view: View, options: ReadOptions) -> ViewRecord:
    """Read a view.

    Raises:
        BadViewError: a picture is missing (but for the depth), damaged, or does not fit the others, or the mask has
            other colours than those of the classes.
    """
    try:
        picture = read_colour(view_path(root, options.colour, view))
        mask = read_values(view_path(root, MASK, view), 3)
    except MissingImageError as error:
        raise BadViewError("missing picture", str(error)) from error
    except UnreadableImageError as error:
        raise BadViewError("unreadable picture", str(error)) from error
    size = (mask.shape[1], mask.shape[0])
    _same_size(picture.size, size, "colour picture and mask")
    box = central_square(size)
    image = picture.resize((options.image_size,) * 2, Image.Resampling.BILINEAR, box=box, reducing_gap=None)
    classes = classes_of(_cut(mask, box), view.name)
    cloud = _cloud(root, view, size, box, options)
    return ViewRecord(np.asarray(image), shrunk(classes, options.map_size), cloud)


def central_square(size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Return the largest central square (left, upper, right, lower) of a picture of a width and height."""
    side = min(size)
    left, upper = (size[0] - side) // 2, (size[1] - side) // 2
    return left, upper, left + side, upper + side


def classes_of(colours: NDArray[np.uint8], name: str = "mask") -> NDArray[np.uint8]:
    """Return the class of every pixel of a mask (H, W, 3); pixels of no class's colour are nothing.

    Raises:
        BadViewError: more than a fifth of the pixels are of other colours.
    """
    # All colours are corners of the cube: a pixel near to one has each channel near to 0 or to 255.
    full = colours >= 255 - _NEAR_COLOUR
    classes = _CLASS_OF_CORNER[full @ _CORNER]
    classes[((colours > _NEAR_COLOUR) & ~full).any(-1)] = _STRANGE_CLASS
    strange = classes == _STRANGE_CLASS
    if (share := float(strange.mean())) > _STRANGE:
        raise BadViewError("mask of other colours", f"{name}: {share:.0%} of the pixels have the colour of no class")
    classes[strange] = 0
    return classes


def shrunk(classes: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Return a square map of classes in another size: in each of its pixels the class that covers most of it."""
    if classes.shape == (side, side):
        return classes
    covered = [
        np.asarray(
            Image.fromarray(np.where(classes == kind, 255, 0).astype(np.uint8)).resize(
                (side, side), Image.Resampling.BOX
            )
        )
        for kind in range(len(CLASSES))
    ]
    return np.stack(covered).argmax(0).astype(np.uint8)


def _cut(values: NDArray[np.uint8], box: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    return values[box[1] : box[3], box[0] : box[2]]


def _same_size(one: tuple[int, int], other: tuple[int, int], what: str) -> None:
    if one != other:
        raise BadViewError("pictures of different sizes", f"{what} have {one} and {other} pixels (width, height)")


def _cloud(
    root: Path, view: View, size: tuple[int, int], box: tuple[int, int, int, int], options: ReadOptions
) -> NDArray[np.float32] | None:
    if options.camera is None:
        return None
    try:
        depth = read_exr(view_path(root, DEPTH, view), DEPTH_CHANNELS)
    except MissingImageError:
        return None
    except UnreadableImageError as error:
        raise BadViewError("unreadable depth", str(error)) from error
    _same_size((depth.shape[1], depth.shape[0]), size, "depth and mask")
    rng = np.random.default_rng([view.scene, view.number])
    return points_of(depth, options.camera, box, options.unit, options.max_points, rng)


def points_of(
    depth: NDArray[np.float32],
    camera: NDArray[np.float64],
    box: tuple[int, int, int, int],
    unit: float,
    most: int,
    rng: np.random.Generator,
) -> NDArray[np.float32] | None:
    """Return points (N, 3) that a depth map shows, camera coordinates (x right, y down, z away) over the unit.

    Args:
        depth: (H, W).
        camera: K (3, 3) of that picture.
        box: (left, upper, right, lower), the part of it that is used.
        unit: length that becomes 1.
        most: number of points that are kept, drawn at random.
        rng: source of that.
    """
    part = depth[box[1] : box[3], box[0] : box[2]]
    v, u = np.nonzero(np.isfinite(part) & (part > 0) & (part < FAR))
    if not len(u):
        return None
    if len(u) > most:
        kept = rng.choice(len(u), most, replace=False)
        u, v = u[kept], v[kept]
    z = part[v, u].astype(np.float64)
    x = (u + box[0] - camera[0, 2]) / camera[0, 0] * z
    y = (v + box[1] - camera[1, 2]) / camera[1, 1] * z
    return (np.stack([x, y, z], axis=1) / unit).astype(np.float32)


def read_camera(root: Path, given: tuple[float, float, float, float] | None = None) -> NDArray[np.float64]:
    """Return K (3, 3) of a set's pictures.

    Args:
        root: folder of the set.
        given: fx, fy, cx, cy. None: as the file `intrinsics.txt` in the folder says.

    Raises:
        FileNotFoundError: there is no such file, and nothing is given.
        ValueError: it holds something else, or numbers that no camera has.
    """
    path = root / INTRINSICS
    if given is None:
        try:
            with path.open(encoding="latin-1") as file:
                words = file.read(_LONGEST).split()
        except FileNotFoundError:
            raise FileNotFoundError(
                f"{path}: expected the camera's matrix (3 x 3 numbers), or fx, fy, cx and cy as an option"
            ) from None
        try:
            numbers = [float(word) for word in words]
        except ValueError:
            numbers = []
        if len(numbers) != 9:
            raise ValueError(f"{path}: expected 3 x 3 numbers, got something else")
        camera = np.array(numbers).reshape(3, 3)
    else:
        camera = np.array([[given[0], 0, given[2]], [0, given[1], given[3]], [0, 0, 1]], np.float64)
    if not np.isfinite(camera).all() or min(camera[0, 0], camera[1, 1]) <= 0 or not (camera[2] == [0, 0, 1]).all():
        raise ValueError(f"expected a camera's matrix with positive focal lengths, got {camera.tolist()}")
    return camera
