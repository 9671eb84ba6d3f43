"""What all data sets of hands share: crops as modalities, drawn anew in every epoch, bad samples left out."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ClassVar

from torch.utils.data import Dataset
from tqdm import tqdm

from pyro_mmvae.data.samples import Draw, Draws
from pyro_mmvae.data.sensor_noise import SensorNoise
from pyro_mmvae.data.skips import SkipLog
from pyro_mmvae.data.split import hold_out, subset
from pyro_mmvae.hands.annotation import BadSampleError
from pyro_mmvae.hands.augmentation import AugmentationRanges
from pyro_mmvae.hands.batch import HandBatch, HandSample, Skipped, collate, none_of
from pyro_mmvae.hands.record import CROP_MARGINS, MAX_POINTS, HandRecord, ReadOptions, check_frame_size
from pyro_mmvae.hands.traits import Traits
from pyro_mmvae.hands.view import MODALITIES, HandView, ViewOptions, blank_sample

_LOOKED_AT = 16
"""Pictures of which one at least must have the size that all should have."""


class HandSet(Dataset[HandSample | Skipped], ABC):
    """One split of a data set of hands, a hand per sample.

    The crop is a square about the hand. Joints and cloud are turned by the viewpoint correction, which takes the ray
    through the crop's centre to the optical axis, taken relative to the root, mirrored to a left hand, and divided by
    the length of the bone 12-11. Where files of a sample are missing, the modalities that need them are zero and not
    observed.

    Ask it for the `batch` of some draws, or index it with a `Draw` (or an integer, which means epoch 0) for one sample:
    all randomness follows from seed, epoch and the sample's number, not from workers, order, or what was drawn before.

    Samples that cannot be used are skipped. What file names and annotations tell is found here, and
    `len(dataset)` does not count it. What only decoding tells gives a `Skipped`, which `collate` leaves out and
    lists in `HandBatch.skipped`; `preload` or `drop_unreadable` find it beforehand.

    Modalities: "rgb" (3, S, S) in [0, 1]; "cloud" (P, 3); "heatmap" (21, H, H), sigma 6 pixels at
    256; "pose" (21, 3); "segmentation" (H, H) long, 1 on the hand. Sets differ in what they have; see `Traits`.

    Args:
        root: folder of the set.
        split: "training" or "evaluation".
        image_size: side S of the crop in pixels.
        num_points: points P of a cloud, drawn anew in each epoch from the hand's pixels.
        heatmap_size: side H of heat maps and segmentations.
        modalities: names of what is wanted; files that none of them needs are not read.
        augment: draw zoom, rotation, shift and colour jitter, from the default `AugmentationRanges` or those given.
        root_joint: "middle_mcp", "wrist" as in Gupta (2021, section 4.4), or "palm" (half-way between both). None: the
            first that the set has.
        first_joint: what joint 0 is: the "wrist"; or the "palm", to which Theodoridis et al. (2020, section 4.2.2)
            move it, as Zimmermann & Brox (2017) do, for RHD and STB to agree. Root and crop go by the set's own joints
            either way. With both at the palm, joint 0 is always at the origin. None: as the set has it.
        crop: "joints": a square about the middle finger's MCP joint, its half side `crop_margin` (1.3) times the
            largest offset of a visible joint. "mask": the smallest square about the hand's pixels, times
            `crop_margin` (1); samples without a mask are skipped. Gupta (2021, section 4.1) crops by the mask and
            says no more: that the crop is square, centred on the mask's bounding box, and tight, is our reading.
        crop_margin: see `crop`.
        mirror_right: make right hands left.
        samples: share in (0, 1] as a float, or number as an integer: a random subset that depends on the seed and
            is the same whatever else is asked for. A number beyond what there is means all.
        ids: numbers of the samples to choose from, e.g. one part of a split of your own; all if left out.
        seed: of subset, points, augmentation and noise.
        pixel_corruption: share of pixels replaced by random colours.
        cloud_noise: standard deviation of Gaussian noise on cloud points, in units of the bone 12-11.
        corrupted_share: share of samples on which such noise acts, drawn for image and cloud independently and the
            same in all epochs; one number, or one by sensor as `{"rgb": 0.25, "cloud": 0.5}`. See `SensorNoise`;
            `HandBatch.corrupted` tells which samples they are.
        preload: decode all samples now and keep them in memory, for sets that fit; workers forked later share
            them. The samples are the same. A sample takes at most 3 S^2 bytes and 24 kB, with augmentation up to
            four times that; a third more with segmentation.
        workers: threads that preload.
        frame_size: width and height of the pictures, in whose pixels annotations count; others are skipped, and a set
            whose first colour pictures all have another size is refused. None: the set's.
        progress: show a bar while preloading.

    Raises:
        FileNotFoundError: no annotations there.
        ValueError: an option makes no sense or the set cannot serve it, the pictures have another size, or not one
            sample can be used.
    """

    traits: ClassVar[Traits]
    expected: ClassVar[Collection[str]] = ()
    """Reasons for which samples are left out without a warning."""

    def __init__(
        self,
        root: str | Path,
        split: str,
        *,
        image_size: int = 256,
        num_points: int = 256,
        heatmap_size: int = 64,
        modalities: Sequence[str] = ("rgb", "cloud", "heatmap", "pose"),
        augment: bool | AugmentationRanges = False,
        root_joint: str | None = None,
        first_joint: str | None = None,
        crop: str = "joints",
        crop_margin: float | None = None,
        mirror_right: bool = True,
        samples: float | int | None = None,
        ids: Collection[int] | None = None,
        seed: int = 0,
        pixel_corruption: float = 0.0,
        cloud_noise: float = 0.0,
        corrupted_share: float | Mapping[str, float] = 1.0,
        preload: bool = False,
        workers: int = 2,
        frame_size: tuple[int, int] | None = None,
        progress: bool = True,
    ) -> None:
        self.root = Path(root)
        self.split = split
        self.seed = seed
        self.view_options = ViewOptions(
            image_size=image_size,
            num_points=num_points,
            heatmap_size=heatmap_size,
            modalities=tuple(modalities),
            augment=_ranges(augment),
            root_joint=root_joint or self.traits.root_joints[0],
            first_joint=first_joint or self.traits.first_joints[0],
            mirror_right=mirror_right,
            noise=SensorNoise(pixel_corruption, cloud_noise, corrupted_share),
        )
        _check(self.view_options)
        self.read_options = _read_options(self.view_options, frame_size or self.traits.frame_size, crop, crop_margin)
        self._check_traits()
        self._log = SkipLog(expected=self.expected)
        usable = self._open()
        wanted = usable if ids is None else sorted(set(ids) & set(usable))
        self._require(wanted)
        self.ids = subset(wanted, samples, seed)
        if self.read_options.color:
            check_frame_size((self._picture(index) for index in self.ids[:_LOOKED_AT]), self.read_options.frame_size)
        self._records: dict[int, HandRecord] = {}
        if preload:
            self._records = dict(self._read_all(workers, progress, "preloading"))
            self._keep(list(self._records))
        if self._log.unexpected:
            warnings.warn(f"{self.root} ({split}): {self.report()}", stacklevel=2)

    @abstractmethod
    def _open(self) -> list[int]:
        """Read the annotations; return the numbers of the usable samples, in order, and log the others.

        No picture is decoded.

        Raises:
            FileNotFoundError: there are no annotations.
            ValueError: they cannot be read.
        """

    @abstractmethod
    def _picture(self, index: int) -> Path:
        """Return the path of a sample's colour picture."""

    @abstractmethod
    def _read(self, index: int) -> HandRecord:
        """Read one sample.

        Raises:
            BadSampleError: it cannot be used.
        """

    def _check_traits(self) -> None:
        """Refuse what the set cannot serve; one with several cameras overrides it."""
        view = self.view_options
        self.traits.check(
            view.modalities, crop=self.read_options.crop, root_joint=view.root_joint, first_joint=view.first_joint
        )

    @property
    def skipped(self) -> Counter[str]:
        """Number of samples left out so far, by reason; those that `collate` leaves out are not among them."""
        return self._log.counts

    def report(self) -> str:
        """Return what is used and what was left out, and why, for people."""
        return f"{len(self)} samples used, {self._log}"

    def drop_unreadable(self, workers: int = 2, progress: bool = True) -> None:
        """Read all files once and leave out the samples that cannot be used, so that none is skipped later.

        Raises:
            ValueError: nothing is left.
        """
        if not self._records:
            self._keep([index for index, _ in self._read_all(workers, progress, "checking")])

    def hold_out(self, share: float, seed: int, least: int = 1) -> tuple[list[int], list[int]]:
        """Split the samples' numbers into those to train on and those held out; see `data.split.hold_out`."""
        return hold_out(self.ids, share, seed, least)

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, draw: int | Draw) -> HandSample | Skipped:
        position, epoch = (draw.index, draw.epoch) if isinstance(draw, Draw) else (draw, 0)
        index = self.ids[position]
        try:
            record = self._records[index] if self._records else self._read(index)
        except BadSampleError as error:
            return Skipped(index, error.reason, error.detail, blank_sample(self.view_options, index))
        return HandView(index, record, self.view_options, self.seed, epoch).sample()

    def batch(self, draws: Draws) -> HandBatch:
        """Return the batch of some draws; samples that cannot be used are left out and listed."""
        samples = [self[draw] for draw in draws.each()]
        return collate(samples) if samples else none_of(blank_sample(self.view_options, 0))

    def _read_all(self, workers: int, progress: bool, label: str) -> Iterator[tuple[int, HandRecord]]:
        with ThreadPoolExecutor(max(workers, 1)) as pool:
            results = pool.map(self._try_read, self.ids)
            bar = tqdm(results, f"{label} {self.split}", len(self.ids), unit="hand", disable=not progress)
            for index, result in zip(self.ids, bar, strict=True):
                if isinstance(result, BadSampleError):
                    self._log.add(index, result.reason, result.detail)
                else:
                    yield index, result

    def _try_read(self, index: int) -> HandRecord | BadSampleError:
        try:
            return self._read(index)
        except BadSampleError as error:
            return error

    def _keep(self, ids: list[int]) -> None:
        self._require(ids)
        self.ids = ids

    def _require(self, ids: list[int]) -> None:
        if not ids:
            raise ValueError(
                f"{self.root}: expected usable samples of the split {self.split!r}, got none; {self._log}\n"
                f"Check that this is {self.traits.name}'s layout and that pictures are {self.read_options.frame_size} "
                f"(width, height) pixels; pass frame_size=... if yours are not"
            )


def _check(options: ViewOptions) -> None:
    if unknown := set(options.modalities) - set(MODALITIES):
        raise ValueError(f"unknown modalities {sorted(unknown)}; there are {list(MODALITIES)}")
    if not options.modalities or len(set(options.modalities)) != len(options.modalities):
        raise ValueError(f"expected at least one modality and each once, got {list(options.modalities)}")
    if min(options.image_size, options.num_points, options.heatmap_size) < 1:
        raise ValueError("image_size, num_points and heatmap_size: expected at least 1")


def _ranges(augment: bool | AugmentationRanges) -> AugmentationRanges | None:
    if isinstance(augment, AugmentationRanges):
        return augment
    return AugmentationRanges() if augment else None


def _read_options(view: ViewOptions, frame_size: tuple[int, int], crop: str, crop_margin: float | None) -> ReadOptions:
    if crop not in CROP_MARGINS:
        raise ValueError(f"unknown crop {crop!r}; there are {list(CROP_MARGINS)}")
    margin = CROP_MARGINS[crop] if crop_margin is None else crop_margin
    if not 0 < margin < float("inf"):
        raise ValueError(f"crop_margin: expected a positive number, got {margin}")
    return ReadOptions(
        frame_size=(frame_size[0], frame_size[1]),
        color="rgb" in view.modalities,
        cloud="cloud" in view.modalities,
        segmentation="segmentation" in view.modalities,
        resolution=view.image_size * (view.augment.zoom[1] if view.augment else 1.0),
        margin=view.augment.margin if view.augment else 1.0,
        root_joint=view.root_joint,
        crop=crop,
        crop_margin=margin,
        max_points=max(MAX_POINTS, view.num_points),
    )
