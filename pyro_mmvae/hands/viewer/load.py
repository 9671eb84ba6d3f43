"""What there is to look at, from files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pyro_mmvae.data.npz import read_npz
from pyro_mmvae.data.ply import read_ply
from pyro_mmvae.hands.rhd_format import NUM_JOINTS

_FARTHEST = 1e30


@dataclass(frozen=True)
class Item:
    """A cloud or a hand.

    Attributes:
        name: what it is called in legends.
        points: (P, 3), or the joints of a hand in RHD's order, (21, 3).
        is_hand: whether the points are joints, to be drawn with bones.
        colors: (P, 3) uint8, or none for a colour of the viewer's choice.
    """

    name: str
    points: np.ndarray
    is_hand: bool = False
    colors: np.ndarray | None = None


def load(path: str | Path, sample: int = 0) -> list[Item]:
    """Reads what a file holds.

    `.ply` is one cloud. `.npz` holds any number of arrays by name: one whose name ends in `cloud` is a cloud (P, 3),
    one whose name ends in `pose` a hand (21, 3), for example `cloud`, `pose`, `true_pose`. With one more dimension in
    front they are many samples, of which one is taken. Arrays of other names are not looked at. All
    coordinates are taken to be in one unit and one frame.

    Args:
        path: the file.
        sample: which sample of arrays that hold many.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is of another kind or damaged, a shape is wrong, or there is no such sample.
    """
    path = Path(path)
    if path.suffix.lower() == ".ply":
        cloud = read_ply(path)
        return [Item(path.stem, _checked(path, cloud.points), colors=cloud.colors)]
    if path.suffix.lower() == ".npz":
        return _load_npz(path, sample)
    raise ValueError(f"{path}: expected a .ply or .npz file, got {path.suffix or 'no ending'}")


def _load_npz(path: Path, sample: int) -> list[Item]:
    found = read_npz(path, lambda name: name.endswith(("cloud", "pose")))
    if not found:
        raise ValueError(f"{path}: expected arrays named '...cloud' (P, 3) or '...pose' (21, 3), got none")
    return [_item(path, name, array, sample) for name, array in found.items()]


def _item(path: Path, name: str, array: np.ndarray, sample: int) -> Item:
    if array.ndim == 3:
        if not 0 <= sample < len(array):
            raise ValueError(f"{path}: expected a sample below {len(array)} in {name!r}, got {sample}")
        array = array[sample]
    is_hand = name.endswith("pose")
    wanted = (NUM_JOINTS, 3) if is_hand else (array.shape[0] if array.ndim else 0, 3)
    shape = "(21, 3)" if is_hand else "(P, 3)"
    if array.shape != wanted or array.dtype.kind not in "fiu":
        raise ValueError(f"{path}: expected {name!r} of shape {shape}, numbers, got {array.dtype} of {array.shape}")
    return Item(f"{path.stem}: {name}", _checked(path, array), is_hand)


def _checked(path: Path, points: np.ndarray) -> np.ndarray:
    points = points.astype(np.float64)
    # NaN fails the comparison too; beyond, neither a window nor a picture finds room for them.
    if not (np.abs(points) <= _FARTHEST).all():
        raise ValueError(f"{path}: expected finite coordinates of at most {_FARTHEST:g}")
    return points
