"""Rendered Handpose Dataset: hand crops as modalities, from the official layout or a synthetic set in it."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import ClassVar

from pyro_mmvae.hands import traits
from pyro_mmvae.hands.batch import collate
from pyro_mmvae.hands.hand_set import HandSet
from pyro_mmvae.hands.record import HandRecord
from pyro_mmvae.hands.rhd_format import sample_paths
from pyro_mmvae.hands.rhd_index import KNOWN_BAD_REASON, load_annotations, usable_samples
from pyro_mmvae.hands.rhd_record import read_record
from pyro_mmvae.hands.view import MODALITIES

__all__ = ["MODALITIES", "RHD", "collate"]


class RHD(HandSet):
    """One split of RHD, a hand per sample; see `HandSet` for what it gives and for all options.

    Of each picture the left hand is taken if strictly more of its pixels are seen than of the right one, else the
    right hand; without masks, visible joints are counted. `root` is the folder with `training` and `evaluation`, or the
    one that holds `RHD_published_v2`. Joint 0 is the wrist, the root the middle finger's MCP joint, unless asked for
    otherwise; cloud and segmentation need masks.
    """

    traits: ClassVar[traits.Traits] = traits.RHD
    expected: ClassVar[Collection[str]] = (KNOWN_BAD_REASON,)

    def _open(self) -> list[int]:
        self._annotations = load_annotations(self.root, self.split)
        return usable_samples(
            self.root,
            self.split,
            self._annotations,
            self.read_options.frame_size,
            self._log,
            needs_mask=self.read_options.crop == "mask",
        )

    def _picture(self, index: int) -> Path:
        return sample_paths(self.root, self.split, index).color

    def _read(self, index: int) -> HandRecord:
        paths = sample_paths(self.root, self.split, index)
        return read_record(paths, self._annotations[index], self.read_options, index)
