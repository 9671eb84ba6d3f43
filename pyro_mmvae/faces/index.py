"""Which faces a set in CelebA's layout has, with attributes and landmarks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pyro_mmvae.data.skips import SkipLog
from pyro_mmvae.faces.archive import Pictures
from pyro_mmvae.faces.attributes import ATTRIBUTES, columns_of
from pyro_mmvae.faces.tables import (
    ATTRIBUTE_FILE,
    LANDMARK_FILE,
    LANDMARKS,
    SPLIT_FILE,
    SPLITS,
    find,
    read_attributes,
    read_landmarks,
    read_splits,
)

NO_PICTURE = "without a picture"
NO_LINE = "without a line in {}"


class FaceIndex(NamedTuple):
    """N faces.

    Attributes:
        names: of the pictures.
        split: places in `SPLITS`, shape `(N,)`.
        attributes: whether each of the forty is there, shape `(N, 40)`.
        landmarks: five points in pixels of the picture, shape `(N, 5, 2)`; None where they were not read.
        log: what was left out.
    """

    names: tuple[str, ...]
    split: NDArray[np.int8]
    attributes: NDArray[np.bool_]
    landmarks: NDArray[np.int32] | None
    log: SkipLog

    @property
    def size(self) -> int:
        """Number N of faces."""
        return len(self.names)

    def rows(self, split: str) -> NDArray[np.int64]:
        """Return the faces of a split: "training", "validation" or "test"."""
        return np.flatnonzero(self.split == SPLITS.index(split))

    def targets(self, names: tuple[str, ...]) -> NDArray[np.bool_]:
        """Return some of the attributes, shape `(N, C)`."""
        return self.attributes[:, columns_of(names)]


def read_index(root: str | Path, pictures: Pictures, *, landmarks: bool = False) -> FaceIndex:
    """Read the text files of a set, in seconds for all of CelebA; no checksum is asked for.

    A face needs a picture and a line in each file that is read. What lacks one, or has a broken one, is counted in the
    index's log and left out.

    Args:
        root: folder of the set.
        pictures: of it.
        landmarks: whether faces need landmarks.

    Raises:
        FileNotFoundError: a file is not there.
        ValueError: a file is another one, or no face can be used.
    """
    root, log = Path(root), SkipLog("faces")
    attributes = read_attributes(find(root, ATTRIBUTE_FILE), log)
    needed: dict[str, Mapping[str, Any]] = {SPLIT_FILE: read_splits(find(root, SPLIT_FILE), log)}
    if landmarks:
        needed[LANDMARK_FILE] = read_landmarks(find(root, LANDMARK_FILE), log)
    there = pictures.names()
    names = []
    for name in sorted(attributes):
        lacking = next((file for file, lines in needed.items() if name not in lines), None)
        if lacking is not None:
            log.add(name, NO_LINE.format(lacking))
        elif name not in there:
            log.add(name, NO_PICTURE)
        else:
            names.append(name)
    if not names:
        raise ValueError(f"{root}: expected faces with pictures and attributes, got none; {log}")
    return FaceIndex(
        tuple(names),
        np.array([needed[SPLIT_FILE][name] for name in names], np.int8),
        np.stack([attributes[name] for name in names]).reshape(-1, len(ATTRIBUTES)) > 0,
        _points(needed[LANDMARK_FILE], names) if landmarks else None,
        log,
    )


def _points(lines: Mapping[str, NDArray[np.int32]], names: list[str]) -> NDArray[np.int32]:
    return np.stack([lines[name] for name in names]).reshape(-1, len(LANDMARKS), 2)
