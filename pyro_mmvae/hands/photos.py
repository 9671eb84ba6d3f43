"""Photos of hands, crops about one hand each: how a folder of them is read, and how their poses are written."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps
from torch import Tensor
from torchvision.transforms.v2.functional import pil_to_tensor
from tqdm import tqdm

from pyro_mmvae.data.images import UnreadableImageError, read_colour
from pyro_mmvae.files import replace_file

SUFFIXES = (".png", ".jpg", ".jpeg")


class Photos:
    """The photos of a folder, in the order of their names.

    Args:
        folder: with .png and .jpg files; others are ignored.
        size: side S of the images in pixels; what is not square is cut to the central square.
        mirror: make right hands left.

    Attributes:
        failed: reasons by file name of what could not be read so far.

    Raises:
        FileNotFoundError: there is no such folder.
    """

    def __init__(self, folder: Path, size: int, mirror: bool = False) -> None:
        if not folder.is_dir():
            raise FileNotFoundError(f"{folder} is not a folder of images")
        self.paths = sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES)
        self.size, self.mirror = size, mirror
        self.failed: dict[str, str] = {}

    def batches(self, batch_size: int) -> Iterator[tuple[list[str], Tensor]]:
        """Yield file names, and images (B, 3, S, S) in [0, 1]."""
        for begin in tqdm(range(0, len(self.paths), batch_size), "photos", unit="batch"):
            found = {path.name: self._read(path) for path in self.paths[begin : begin + batch_size]}
            images = {name: image for name, image in found.items() if image is not None}
            if images:
                yield list(images), torch.stack(list(images.values()))

    def _read(self, path: Path) -> Tensor | None:
        try:
            upright = read_colour(path)
        except (OSError, UnreadableImageError) as error:
            self.failed[path.name] = str(error)
            return None
        image = ImageOps.fit(upright, (self.size, self.size), Image.Resampling.BILINEAR)
        tensor: Tensor = pil_to_tensor(ImageOps.mirror(image) if self.mirror else image)
        return tensor.float() / 255


def write_poses(
    folder: Path, names: list[str], pose: NDArray[np.floating], spread: NDArray[np.floating], unit: str
) -> None:
    """Write poses as `poses.npz` and `poses.csv`, each whole or not at all.

    Args:
        folder: made if it is not there.
        names: of the N photos.
        pose: (N, 21, 3).
        spread: (N, 21) standard deviation of each joint's position.
        unit: of both, for the heads of the columns.
    """

    def arrays(path: Path) -> None:
        with path.open("wb") as file:
            np.savez(file, names=np.array(names), pose=pose, spread=spread)

    def table(path: Path) -> None:
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["image", "joint", f"x_{unit}", f"y_{unit}", f"z_{unit}", f"spread_{unit}"])
            for name, joints, widths in zip(names, pose, spread, strict=True):
                for joint, (point, width) in enumerate(zip(joints, widths, strict=True)):
                    writer.writerow([name, joint, *(f"{c:.6g}" for c in point), f"{width:.6g}"])

    replace_file(folder / "poses.npz", arrays)
    replace_file(folder / "poses.csv", table)
