"""How near pictures are to those that are meant."""

from __future__ import annotations

from torch import Tensor
from torchmetrics.functional.image import structural_similarity_index_measure


def psnr(pictures: Tensor, true: Tensor) -> Tensor:
    """Return the peak signal-to-noise ratio of each picture in dB, shape `(N,)`.

    Args:
        pictures: values in [0, 1], shape `(N, C, H, W)`.
        true: of the same shape.

    Raises:
        ValueError: the shapes differ.
    """
    _check(pictures, true)
    # At most 100 dB, so that means over samples some of which are exact stay finite.
    return -10 * (pictures.clamp(0, 1) - true).square().flatten(1).mean(1).clamp_min(1e-10).log10()


def ssim(pictures: Tensor, true: Tensor) -> Tensor:
    """Return the structural similarity of each picture, shape `(N,)`, at most 1.

    Wang et al. 2004, doi:10.1109/TIP.2003.819861: Gaussian windows of 11 pixels with sigma 1.5, mean over windows and
    channels (torchmetrics').

    Args:
        pictures: values in [0, 1], shape `(N, C, H, W)`, at least 11 x 11.
        true: of the same shape.

    Raises:
        ValueError: the shapes differ, or the pictures are too small.
    """
    _check(pictures, true)
    if min(true.shape[-2:]) < 11:
        raise ValueError(f"expected pictures of at least 11 x 11, got {tuple(true.shape)}")
    found = structural_similarity_index_measure(pictures.clamp(0, 1), true, data_range=1.0, reduction="none")
    assert isinstance(found, Tensor)
    return found


def _check(pictures: Tensor, true: Tensor) -> None:
    if pictures.shape != true.shape or true.dim() != 4:
        raise ValueError(f"expected two of one shape (N, C, H, W), got {tuple(pictures.shape)} and {tuple(true.shape)}")
