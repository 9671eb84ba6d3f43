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

    A normalised point is `rotation @ mirror @ (x - root) / scale`; `to_camera` undoes that.

    Args:
        index: (B,) number of the sample in the files.
        scale: (B,) length of the bone 12-11 in metres.
        root: (B, 3) root in metres, camera coordinates.
        rotation: (B, 3, 3) viewpoint correction together with the augmentation's rotation.
        mirrored: (B,) bool, whether a right hand was made a left one.
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
    is_left: Tensor
    visible: Tensor
    keypoints_uv: Tensor
    crop: Tensor
    camera: Tensor

    def to_camera(self, points: Tensor) -> Tensor:
        """Take normalised points (*lead, B, N, 3) to metres in camera coordinates."""
        return undo_viewpoint(points, self.scale, self.root, self.rotation, self.mirrored)


@dataclass(frozen=True, slots=True)
class HandSample:
    """One hand, ready to be collated.

    Args:
        data: tensors by modality, without a batch dimension; zeros where not observed.
        observed: whether each modality is there.
        hand: annotation and preprocessing.
    """

    data: dict[str, Tensor]
    observed: dict[str, bool]
    hand: Hands


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
        skipped: (index, reason, detail) of the samples left out.
    """

    batch: Batch
    hands: Hands
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
    hands = Hands(*(torch.stack(values) for values in zip(*(sample.hand for sample in samples), strict=True)))
    # Not Batch.of: the views are zero where not observed and finite; checking again would double the time.
    return HandBatch(Batch(data, observed), hands)


def none_of(blank: HandSample) -> HandBatch:
    """Return the batch of no samples, in the shapes of one."""
    one = _stack([blank])
    return HandBatch(one.batch[:0], Hands(*(value[:0] for value in one.hands)))
