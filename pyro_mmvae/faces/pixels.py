"""Squares of faces, decoded when they are asked for or kept in memory."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from pyro_mmvae.data.images import UnreadableImageError
from pyro_mmvae.faces.archive import Pictures
from pyro_mmvae.faces.index import FaceIndex
from pyro_mmvae.faces.pictures import Square, moved, squared

_PART = 512
"""Pictures that threads are given at a time: what is decoded and not yet stored stays small."""


class Pixels:
    """Squares of some faces of a set, and their landmarks in the square's pixels.

    Args:
        pictures: of the set.
        index: of the set.
        rows: of the index; those that are used.
        square: how pictures become squares.
        preload: decode all now and keep them, 3 S^2 bytes each.
        workers: threads that preload.

    Raises:
        ValueError: a square that makes no sense, or no rows.
    """

    def __init__(
        self,
        pictures: Pictures,
        index: FaceIndex,
        rows: Sequence[int] | NDArray[np.int64],
        square: Square | None = None,
        *,
        preload: bool = False,
        workers: int = 2,
    ) -> None:
        self.pictures, self.index = pictures, index
        self.rows = np.asarray(rows, np.int64)
        self.square = Square() if square is None else square
        self.square.check()
        if not len(self.rows):
            raise ValueError("expected one or more faces, got none")
        self._kept: NDArray[np.uint8] | None = None
        self._sizes = np.zeros((len(self.rows), 2), np.int32)
        self._bad: dict[int, UnreadableImageError] = {}
        if preload:
            self._preload(workers)

    def __len__(self) -> int:
        return len(self.rows)

    def load(self, number: int) -> NDArray[np.uint8]:
        """Return the square of a face, shape `(3, S, S)`, not to be written to.

        Raises:
            UnreadableImageError: its picture cannot be read.
        """
        if number in self._bad:
            raise self._bad[number]
        return self._decoded(number) if self._kept is None else self._kept[number]

    def points(self, numbers: Sequence[int]) -> NDArray[np.float64]:
        """Return the landmarks of faces that were loaded, in the pixels of the square, `(N, 5, 2)`.

        Raises:
            ValueError: the index has no landmarks.
        """
        if self.index.landmarks is None:
            raise ValueError("expected an index with landmarks; read it with landmarks=True")
        chosen = list(numbers)
        found = self.index.landmarks[self.rows[chosen]].astype(np.float64)
        for size in {(int(w), int(h)) for w, h in self._sizes[chosen]}:  # one, unless pictures differ
            of = (self._sizes[chosen] == size).all(1)
            found[of] = moved(found[of], size, self.square)
        return found

    def name(self, number: int) -> str:
        """Return the name of a face's picture."""
        return self.index.names[int(self.rows[number])]

    def _decoded(self, number: int) -> NDArray[np.uint8]:
        picture = self.pictures.read(self.name(number))
        self._sizes[number] = picture.size
        return squared(picture, self.square)

    def _preload(self, workers: int) -> None:
        side = self.square.side
        kept = np.zeros((len(self), 3, side, side), np.uint8)
        with ThreadPoolExecutor(max(workers, 1)) as pool:
            for begin in range(0, len(self), _PART):
                part = range(begin, min(begin + _PART, len(self)))
                for number, found in zip(part, pool.map(self._tried, part), strict=True):
                    if isinstance(found, UnreadableImageError):
                        self._bad[number] = found
                    else:
                        kept[number] = found
        self._kept = kept

    def _tried(self, number: int) -> NDArray[np.uint8] | UnreadableImageError:
        try:
            return self._decoded(number)
        except UnreadableImageError as error:
            return error
