"""One file of Vision&Touch, opened without trust: its arrays, and nothing that leads out of it or out of memory."""

from __future__ import annotations

import math
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from pyro_mmvae.data.skips import UnusableError
from pyro_mmvae.touch.extra import import_extra
from pyro_mmvae.touch.layout import ACTION, AXES, CONTROLS, DATASETS, DEPTH, FORCE, RGB, WINDOW

DAMAGED, LACKING, OTHER_SHAPE, OTHER_TYPE = "damaged", "without an array", "of another shape", "of another type"
LEADS_OUT, TOO_LARGE = "that lead out of themselves", "too large"
MOST_STEPS, MOST_PIXELS, MOST_READINGS = 1000, 2048, 4096
"""Steps of an attempt, pixels of a side and force readings of a step that are read."""
_ALL = slice(None)
MOST_BYTES = 2**28
"""Of an array, unpacked, and of one of its chunks, which HDF5 unpacks as a whole."""


class BadFileError(UnusableError):
    """A file that cannot be used.

    Attributes:
        path: of the file, once it is known.
    """

    path: Path | None = None

    def __str__(self) -> str:
        return ": ".join(part for part in (str(self.path or ""), self.reason, self.detail) if part)


class AttemptFile:
    """An open file. Only the four arrays that are used are looked at.

    It is refused before anything of it is unpacked if an array is missing, leads to another place (links other than
    hard ones, virtual arrays, external storage), is of another type or shape, or is too large. That it opens does not
    mean that all can be read: a damaged part shows when it is.

    Args:
        path: of the file.

    Attributes:
        steps: number T of steps.
        side: of the square pictures in pixels.

    Raises:
        BadFileError: see above, or it is no HDF5 file.
        ImportError: h5py is not installed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file: Any = import_extra("h5py").File(path, "r", locking=False)
        except OSError as error:
            raise self._named(BadFileError(DAMAGED, str(error))) from error
        try:
            self._arrays = {name: _array(self._file, inside) for name, inside in DATASETS.items()}
            shapes = {name: tuple(array.shape) for name, array in self._arrays.items()}
            self.steps, self.side, self._channels_first = _checked_shapes(shapes)
        except BaseException as error:
            self.close()
            if isinstance(error, BadFileError):
                self._named(error)
            raise

    def read(self, name: str, step: int | slice = _ALL) -> NDArray[Any]:
        """Return what a sensor said in a step, or in several, as it stands in the file; pictures with channels last.

        Shapes are `(S, S, 3)` uint8, `(S, S)`, `(R, 6)` and `(4,)`, with time before them for several steps.

        Raises:
            BadFileError: that part of the file is damaged.
        """
        try:
            value = np.asarray(self._arrays[name][step])
        except (OSError, RuntimeError, ValueError, KeyError, TypeError) as error:
            raise self._named(BadFileError(DAMAGED, f"{DATASETS[name]}: {error}")) from error
        if name == RGB and self._channels_first:
            return np.moveaxis(value, -3, -1)
        return value[..., 0] if name == DEPTH and self._arrays[name].ndim == 4 else value

    def _named(self, error: BadFileError) -> BadFileError:
        error.path = self.path
        return error

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def _array(file: Any, name: str) -> Any:
    """Return an array of a file after a look at what it is, without reading it."""
    h5py = import_extra("h5py")
    try:
        link = file.get(name, getlink=True)
        if link is None:
            raise BadFileError(LACKING, name)
        if not isinstance(link, h5py.HardLink):
            raise BadFileError(LEADS_OUT, f"{name} is a {type(link).__name__}")
        found = file[name]
        if not isinstance(found, h5py.Dataset):
            raise BadFileError(LACKING, f"{name} is a {type(found).__name__}")
        if found.is_virtual or found.external:
            raise BadFileError(LEADS_OUT, f"{name} is kept in other files")
        if found.dtype.kind not in "uif" or found.dtype.itemsize > 8 or (name == DATASETS[RGB] and found.dtype != "u1"):
            raise BadFileError(OTHER_TYPE, f"{name} is of type {found.dtype}")
        for what, sizes in (("array", found.shape), ("chunk", found.chunks or ())):
            if sizes is None or math.prod(sizes) * found.dtype.itemsize > MOST_BYTES:
                raise BadFileError(TOO_LARGE, f"{name}: {what} of {sizes}, type {found.dtype}")
    except KeyError as error:
        raise BadFileError(LACKING, f"{name}: {error}") from error
    except BadFileError:
        raise
    except (OSError, RuntimeError, ValueError, TypeError, AttributeError) as error:  # what h5py makes of HDF5's errors
        raise BadFileError(DAMAGED, f"{name}: {error}") from error
    return found


def _checked_shapes(shapes: dict[str, tuple[int, ...]]) -> tuple[int, int, bool]:
    """Return steps, side of pictures, and whether their channels come first."""
    image, force = shapes[RGB], shapes[FORCE]
    channels_first = len(image) == 4 and image[1] == 3 and image[3] != 3
    steps, side = (image[0], image[2]) if len(image) == 4 else (0, 0)
    expected: dict[str, list[tuple[int, ...]]] = {
        RGB: [(steps, side, side, 3), (steps, 3, side, side)],
        DEPTH: [(steps, side, side, 1), (steps, side, side)],
        FORCE: [(steps, *force[1:2], AXES)],
        ACTION: [(steps, CONTROLS)],
    }
    for name, wanted in expected.items():
        if shapes[name] not in wanted:
            raise BadFileError(OTHER_SHAPE, f"{DATASETS[name]} {shapes[name]}, with pictures {image}")
    if not (2 <= steps <= MOST_STEPS and 2 <= side <= MOST_PIXELS and WINDOW <= force[1] <= MOST_READINGS):
        raise BadFileError(OTHER_SHAPE, f"{steps} steps, pictures of {side} pixels, {force[1]} readings of the force")
    return steps, side, channels_first
