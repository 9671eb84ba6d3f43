"""Reading pictures, with one policy for all of them, and warping them."""

from __future__ import annotations

import io
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from pyro_mmvae.data.affine import invert_affine
from pyro_mmvae.data.png import SIGNATURE, Png, check_pixels, parse_png

FORMATS = ("PNG", "JPEG", "WEBP", "BMP")
"""Kinds of files that are read, whatever their names end in."""
MAX_PIXELS = 2**26
"""Pixels of the largest picture, some 8,000 x 8,000; it takes up to half a gigabyte."""
MAX_BYTES = 2**29
"""Size of the largest file."""

_ORIENTATION = 0x0112
_LAYOUTS = {1: ("grey", "palette", "grey with alpha"), 3: ("RGB", "RGBA")}


class UnreadableImageError(ValueError):
    """An image file is damaged, is no image, or does not mean what is expected."""


class MissingImageError(UnreadableImageError, FileNotFoundError):
    """There is no such image file."""


def read_colour(path: str | Path) -> Image.Image:
    """Read a picture that is there to be looked at.

    It is returned upright, as its EXIF data say. Grey and palettes become colours, 16 bits 8; what is transparent is
    black, as what lies outside of a picture is. Colour profiles are left out.

    Returns:
        A picture of mode "RGB".

    Raises:
        MissingImageError: there is no such file.
        UnreadableImageError: the file cannot be read, for whatever reason: truncated, damaged, empty, a folder, too
            large, animated, in print colours, or no picture. The message names it.
    """
    return decode_colour(file_content(Path(path)), path)


def decode_colour(content: bytes, name: str | Path) -> Image.Image:
    """Read a picture that is in memory, a member of an archive say, as `read_colour` reads a file.

    Args:
        content: of the file.
        name: what messages call it.

    Raises:
        UnreadableImageError: see `read_colour`.
    """
    with naming(name):
        png = parse_png(content) if content.startswith(SIGNATURE) else None
        return _as_rgb(_decoded(content, png), png)


def read_values(path: str | Path, channels: Literal[1, 3]) -> NDArray[np.uint8]:
    """Read a picture whose values are data, such as depth or part ids: exactly as they were written, or not at all.

    Only PNG files of 8 bits are taken, as other kinds may change values. With one channel, the values of a palette's
    pixels are their numbers in the palette; where all of its colours are grey and differ from these, nobody can know
    which of the two are meant, and it is refused. All checksums are checked.

    Args:
        path: the file.
        channels: 1 or 3.

    Returns:
        Shape `(H, W)` or `(H, W, 3)`.

    Raises:
        MissingImageError: there is no such file.
        UnreadableImageError: as in `read_colour`; the file is of another kind, depth or layout, is transparent
            somewhere, or says that it is to be turned.
    """
    content = file_content(Path(path))
    with naming(path):
        png = _parsed_values(content, channels)
        check_pixels(png)
        image = _decoded(content, png)
        if image.getexif().get(_ORIENTATION, 1) != 1:
            raise ValueError("it holds data, but says that it is to be turned; turn it and save it without that")
        return _plain_values(np.asarray(image), png)


@contextmanager
def naming(path: str | Path) -> Iterator[None]:
    """Make whatever a reader stumbles over an `UnreadableImageError` that names the file."""
    try:
        yield
    # Pillow lets through whatever its readers stumble over in a damaged file.
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UnreadableImageError(f"{path}: {reason}") from error


def file_content(path: Path) -> bytes:
    """Return the bytes of a file.

    Raises:
        MissingImageError: there is no such file.
        UnreadableImageError: it is empty, a folder or another thing that is no file, too large, or cannot be read.
    """
    try:
        status = path.stat()
        if stat.S_ISREG(status.st_mode) and status.st_size <= MAX_BYTES:
            content = path.read_bytes()
    except FileNotFoundError as error:
        raise MissingImageError(f"{path}: there is no such file") from error
    except (OSError, ValueError) as error:
        raise UnreadableImageError(f"{path}: {error}") from error
    if not stat.S_ISREG(status.st_mode):
        raise UnreadableImageError(f"{path}: expected a picture, got a folder or another thing that is no file")
    if status.st_size > MAX_BYTES:
        raise UnreadableImageError(f"{path}: expected a picture of at most {MAX_BYTES} bytes, got {status.st_size}")
    if not content:
        raise UnreadableImageError(f"{path}: the file is empty")
    return content


def _decoded(content: bytes, png: Png | None) -> Image.Image:
    if png is not None:
        _check_size(png.size)
    try:
        image = Image.open(io.BytesIO(content), formats=FORMATS)
    except UnidentifiedImageError:
        raise ValueError(f"expected a picture ({', '.join(FORMATS)}), got a damaged file or another kind") from None
    with image:
        _check_size(image.size)
        # Cameras put previews behind a JPEG picture (MPO); elsewhere nobody knows which of several pictures is meant.
        frames = getattr(image, "n_frames", 1)
        if frames > 1 and image.format != "MPO":
            raise ValueError(f"expected one picture, got an animation of {frames}")
        image.load()
    return image


def _check_size(size: tuple[int, int]) -> None:
    if size[0] * size[1] > MAX_PIXELS:
        raise ValueError(f"expected at most {MAX_PIXELS} pixels, got {size[0]} x {size[1]}; shrink the picture")


def _as_rgb(image: Image.Image, png: Png | None) -> Image.Image:
    if png is not None and png.layout == "palette":
        _check_palette(np.asarray(image), png)
    ImageOps.exif_transpose(image, in_place=True)
    if png is not None and png.layout == "grey" and png.bits == 16:
        # Pillow would clip instead of scaling.
        values = np.asarray(image).astype(np.uint32)
        return Image.fromarray(((values * 255 + 32767) // 65535).astype(np.uint8)).convert("RGB")
    if image.mode not in ("1", "L", "LA", "P", "PA", "RGB", "RGBA"):
        raise ValueError(f"expected colours (RGB), grey or a palette, got mode {image.mode}; save it as RGB")
    if image.mode in ("LA", "PA", "RGBA") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "black"), image)
    return image if image.mode == "RGB" else image.convert("RGB")


def _parsed_values(content: bytes, channels: Literal[1, 3]) -> Png:
    if not content.startswith(SIGNATURE):
        raise ValueError(
            f"expected a PNG file, as its values are data, which other files may change; got {_kind(content)}"
        )
    png = parse_png(content)
    if png.layout not in _LAYOUTS[channels] or (png.bits != 8 and png.layout != "palette"):
        wanted = {1: "8-bit grey or a palette", 3: "8-bit RGB"}[channels]
        raise ValueError(
            f"expected {wanted}, got {png.bits}-bit {png.layout}; its values are data, so nothing is converted"
        )
    _check_size(png.size)
    return png


def _kind(content: bytes) -> str:
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            return image.format or "another kind"
    except UnidentifiedImageError:
        return "another kind, or a damaged file"


def _plain_values(values: NDArray[np.uint8], png: Png) -> NDArray[np.uint8]:
    if png.layout == "palette":
        used = _check_palette(values, png)
        colours = np.frombuffer(png.palette, np.uint8).reshape(-1, 3)[used]
        if (colours == colours[:, :1]).all() and (colours[:, 0] != used).any():
            raise ValueError(
                "its palette is of greys other than the numbers of its colours, so it is unclear which of them are "
                "the data; save it as 8-bit grey"
            )
    if png.layout in ("RGBA", "grey with alpha"):
        if (values[..., -1] != 255).any():
            raise ValueError("it holds data, but is transparent somewhere, where values mean nothing")
        values = values[..., :-1] if png.layout == "RGBA" else values[..., 0]
    return values


def _check_palette(values: NDArray[np.uint8], png: Png) -> NDArray[np.intp]:
    """Return the colours that occur; refuse ones that the palette lacks."""
    used = np.flatnonzero(np.bincount(values.ravel(), minlength=256))
    if 3 * used[-1] >= len(png.palette):
        raise ValueError(f"it uses colour {used[-1]} of a palette of {len(png.palette) // 3}; it is damaged")
    return used


def warp(image: NDArray[np.uint8], affine: NDArray[Any], size: int) -> NDArray[np.uint8]:
    """Resample an image under an affine map, bilinearly, in one go; black outside.

    Nothing is averaged: shrink the image first where the map shrinks it much.

    Args:
        image: (H, W) or (H, W, 3) uint8.
        affine: (2, 3) map from the image's coordinates to the result's, pixel centres at integers.
        size: side of the square result.

    Returns:
        (size, size) or (size, size, 3) uint8.
    """
    inverse = invert_affine(affine)
    # Pillow counts pixel edges: its first pixel's centre is (0.5, 0.5), before and after.
    offset = inverse[:, 2] + 0.5 - inverse[:, :2].sum(axis=1) / 2
    data = (*inverse[0, :2], offset[0], *inverse[1, :2], offset[1])
    warped = Image.fromarray(image).transform(
        (size, size), Image.Transform.AFFINE, data, resample=Image.Resampling.BILINEAR
    )
    return np.asarray(warped)


def to_tensor(image: NDArray[np.float32]) -> Tensor:
    """Turn an image (H, W, 3) in [0, 1] into a tensor (3, H, W)."""
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1), dtype=np.float32))
