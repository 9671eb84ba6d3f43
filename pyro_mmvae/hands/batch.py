"""A mini-batch of hands: what the model sees, and what takes its predictions back to the camera."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from pyro_mmvae.batch import Batch
from pyro_mmvae.hands.geometry import undo_viewpoint


class Hands(NamedTuple):
    """Annotation and preprocessing of B hands (without the leading B for a single one).

    A normalised point is `rotation @ mirror @ (x - root) / scale`; `to_camera` undoes that. What is seen is a left hand
    where an odd number of `is_left`, `mirrored` and `flipped` holds; see `shows_left`.

    Args:
        index: (B,) number of the sample in the files.
        scale: (B,) length of the bone 12-11 in metres.
        root: (B, 3) root in metres, camera coordinates.
        rotation: (B, 3, 3) viewpoint correction together with the augmentation's rotation and flip: orthogonal, and a
            reflection where flipped.
        mirrored: (B,) bool, whether a right hand was made a left one.
        flipped: (B,) bool, whether the augmentation exchanged up and down.
        is_left: (B,) bool, which hand it is in the picture.
        visible: (B, 21) bool.
        keypoints_uv: (B, 21, 2) pixels of the crop, pixel centres at integers.
        crop: (B, 2, 3) affine map of the picture's coordinates to the crop's.
        camera: (B, 3, 3) intrinsics K of the picture.
    """

    index: Tensor  # type: ignore[assignment]  # hides tuple.index, which nobody misses
    scale: Tensor
    root: Tensor
    rotation: Tensor
    mirrored: Tensor
    flipped: Tensor
    is_left: Tensor
    visible: Tensor
    keypoints_uv: Tensor
    crop: Tensor
    camera: Tensor

    @property
    def shows_left(self) -> Tensor:
        """(B,) bool, whether crop, cloud and pose are those of a left hand."""
        return self.is_left ^ self.mirrored ^ self.flipped

    def to_camera(self, points: Tensor) -> Tensor:
        """Take normalised points (*lead, B, N, 3) to metres in camera coordinates."""
        return undo_viewpoint(points, self.scale, self.root, self.rotation, self.mirrored)

    def to_crop(self, points: Tensor) -> Tensor:
        """Project normalised points (B, N, 3) into the crops, with the true root and scale: pixels (B, N, 2)."""
        seen = self.to_camera(points) @ self.camera.mT
        pixels = seen[..., :2] / seen[..., 2:].clamp_min(1e-6)
        return torch.cat([pixels, torch.ones_like(pixels[..., :1])], dim=-1) @ self.crop.mT


@dataclass(frozen=True, slots=True)
class HandSample:
    """One hand, ready to be collated.

    Args:
        data: tensors by modality, without a batch dimension; zeros where not observed.
        observed: whether each modality is there.
        hand: annotation and preprocessing.
        corrupted: whether noise acted, by sensor; see `HandBatch`.
    """

    data: dict[str, Tensor]
    observed: dict[str, bool]
    hand: Hands
    corrupted: dict[str, bool]


@dataclass(frozen=True, slots=True)
class Skipped:
    """Takes the place of a sample that turned out to be unusable when its files were read.

    Args:
        index: number of the sample in the files.
        reason: a few words, the same for all samples with this fault.
        detail: what was found.
        blank: zeros of the shapes that the sample would have had.
    """

    index: int
    reason: str
    detail: str
    blank: HandSample


class HandBatch(NamedTuple):
    """What `collate` makes.

    Args:
        batch: the modalities of B hands. B is less than the batch size if samples were skipped, and 0 if all of
            them were: do not take a step on such a batch.
        hands: their annotation and preprocessing.
        corrupted: (B,) bool by sensor, "rgb" and "cloud" where they are among the modalities: whether simulated noise
            acted on that sample. Not observed is not corrupted.
        skipped: (index, reason, detail) of the samples left out.
    """

    batch: Batch
    hands: Hands
    corrupted: dict[str, Tensor]
    skipped: tuple[tuple[int, str, str], ...] = ()


def collate(samples: Sequence[HandSample | Skipped]) -> HandBatch:
    """Stack samples, leaving out those that were skipped; for `DataLoader(..., collate_fn=collate)`."""
    good = [sample for sample in samples if isinstance(sample, HandSample)]
    bad = [sample for sample in samples if isinstance(sample, Skipped)]
    stacked = _stack(good) if good else none_of(bad[0].blank)
    return stacked._replace(skipped=tuple((one.index, one.reason, one.detail) for one in bad))


def _stack(samples: Sequence[HandSample]) -> HandBatch:
    names = samples[0].data
    data = {name: torch.stack([sample.data[name] for sample in samples]) for name in names}
    observed = {name: torch.tensor([sample.observed[name] for sample in samples]) for name in names}
    corrupted = {name: torch.tensor([sample.corrupted[name] for sample in samples]) for name in samples[0].corrupted}
    hands = Hands(*(torch.stack(values) for values in zip(*(sample.hand for sample in samples), strict=True)))
    # Not Batch.of: the views are zero where not observed and finite; checking again would double the time.
    return HandBatch(Batch(data, observed), hands, corrupted)


def none_of(blank: HandSample) -> HandBatch:
    """Return the batch of no samples, in the shapes of one."""
    one = _stack([blank])
    corrupted = {name: value[:0] for name, value in one.corrupted.items()}
    return HandBatch(one.batch[:0], Hands(*(value[:0] for value in one.hands)), corrupted)
