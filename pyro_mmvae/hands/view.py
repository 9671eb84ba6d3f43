"""One random draw of a hand: its record turned into the tensors of each modality."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pyro_mmvae.data.affine import apply_affine, compose_affine, invert_affine
from pyro_mmvae.data.images import to_tensor, warp
from pyro_mmvae.data.sensor_noise import SENSORS, SensorNoise
from pyro_mmvae.hands.augmentation import Augmentation, AugmentationRanges, draw_augmentation, recolor
from pyro_mmvae.hands.batch import Hands, HandSample
from pyro_mmvae.hands.geometry import (
    FLIP,
    MIRROR,
    Array,
    crop_affine,
    rotation_z,
    viewpoint_rotation,
)
from pyro_mmvae.hands.joint_maps import gaussian_heatmaps
from pyro_mmvae.hands.record import HandRecord
from pyro_mmvae.hands.rhd_format import NUM_JOINTS

HEATMAP_SIGMA = 6 / 256
"""Standard deviation of a heat map's peak, as a share of the crop's side."""


class ViewOptions(NamedTuple):
    """How a record becomes a sample; the arguments of `HandSet` of the same names."""

    image_size: int
    num_points: int
    heatmap_size: int
    modalities: tuple[str, ...]
    augment: AugmentationRanges | None
    root_joint: str
    first_joint: str
    mirror_right: bool
    noise: SensorNoise

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Event shape of every modality that there is."""
        size = self.heatmap_size
        return {
            "rgb": (3, self.image_size, self.image_size),
            "cloud": (self.num_points, 3),
            "heatmap": (NUM_JOINTS, size, size),
            "pose": (NUM_JOINTS, 3),
            "segmentation": (size, size),
        }


class HandView:
    """A record seen under one draw of points, augmentation and noise.

    Args:
        index: the sample's number.
        record: what was read.
        options: sizes and switches.
        seed: of the data set; which samples are noisy follows from it and the number.
        epoch: the draw follows from seed, epoch and number.
    """

    def __init__(self, index: int, record: HandRecord, options: ViewOptions, seed: int, epoch: int) -> None:
        self.index = index
        self.record = record
        self.shown = record.hand.with_palm_first() if options.first_joint == "palm" else record.hand
        self.options = options
        draws = np.random.default_rng([seed, epoch, index]).spawn(4)
        self._points_rng, augmentation_rng, self._pixel_rng, self._noise_rng = draws
        self.augmentation = _augmentation(augmentation_rng, options.augment)
        self.mirrored = options.mirror_right and not record.hand.is_left
        # Noise belongs to the data, not to the epoch: each sensor fails on its own share of the samples.
        self._spoilt = options.noise.spoils(seed, index)
        self.crop = self._crop()
        self.turn = self._turn()

    def sample(self) -> HandSample:
        """Return all modalities that were asked for; what is missing is zero."""
        found = {name: _MODALITIES[name](self) for name in self.options.modalities}
        blank = blank_data(self.options)
        data = {name: blank[name] if value is None else value for name, value in found.items()}
        observed = {name: value is not None for name, value in found.items()}
        corrupted = {name: self._spoilt[name] and observed[name] for name in SENSORS if name in observed}
        return HandSample(data, observed, self.hand(), corrupted)

    def hand(self) -> Hands:
        """Return annotation and preprocessing."""
        hand = self.record.hand
        rotation = self.turn @ MIRROR if self.mirrored else self.turn
        return Hands(
            index=torch.tensor(self.index),
            scale=_float(hand.scale),
            root=_float(hand.root(self.options.root_joint)),
            rotation=_float(rotation),
            mirrored=torch.tensor(self.mirrored),
            flipped=torch.tensor(self.augmentation.flipped),
            is_left=torch.tensor(hand.is_left),
            visible=torch.from_numpy(self.shown.visible.copy()),
            keypoints_uv=_float(apply_affine(self.crop, self.shown.pixels)),
            crop=_float(self.crop),
            camera=_float(hand.camera),
        )

    def rgb(self) -> Tensor | None:
        """(3, S, S) crop in [0, 1]."""
        if self.record.color is None:
            return None
        size = self.options.image_size
        warped = warp(self.record.color, compose_affine(self.crop, invert_affine(self.record.to_region)), size)
        image = recolor(warped.astype(np.float32) / np.float32(255), self.augmentation.color)
        if self._spoilt["rgb"]:
            image = self.options.noise.image(image, self._pixel_rng)
        return to_tensor(image)

    def cloud(self) -> Tensor | None:
        """(P, 3) points on the hand, root-relative and scaled; every point once before any comes twice."""
        if self.record.cloud is None:
            return None
        number, wanted = len(self.record.cloud), self.options.num_points
        chosen = self._points_rng.permutation(number)[:wanted]
        again = self._points_rng.integers(number, size=wanted - len(chosen))
        points = self._normalised(self.record.cloud[np.concatenate([chosen, again])])
        if self._spoilt["cloud"]:
            points = self.options.noise.cloud(points, self._noise_rng)
        return _float(points)

    def pose(self) -> Tensor:
        """(21, 3) joints, root-relative and scaled."""
        return _float(self._normalised(self.shown.joints))

    def heatmap(self) -> Tensor:
        """(21, H, H) one Gaussian per joint, visible or not."""
        size = self.options.heatmap_size
        points = apply_affine(self._crop_to_map(), self.shown.pixels)
        return torch.from_numpy(gaussian_heatmaps(points, size, HEATMAP_SIGMA * size))

    def segmentation(self) -> Tensor | None:
        """(H, H) 1 on the hand and 0 elsewhere, long."""
        if self.record.segmentation is None:
            return None
        affine = compose_affine(self._crop_to_map(), invert_affine(self.record.to_region))
        return torch.from_numpy((warp(self.record.segmentation, affine, self.options.heatmap_size) > 127).astype(int))

    def _crop(self) -> Array:
        size, change = self.options.image_size, self.augmentation
        return crop_affine(
            self.record.crop.center,
            self.record.crop.half_size,
            size,
            mirrored=self.mirrored,
            zoom=change.zoom,
            angle=change.angle,
            shift=(change.shift[0] * size, change.shift[1] * size),
            flipped=change.flipped,
        )

    def _turn(self) -> Array:
        """(3, 3) viewpoint correction, then mirror, then the augmentation's rotation and flip."""
        viewpoint = viewpoint_rotation(self.record.crop.center, self.record.hand.camera)
        mirror = MIRROR if self.mirrored else np.eye(3)
        turn = rotation_z(self.augmentation.angle) @ mirror @ viewpoint
        return FLIP @ turn if self.augmentation.flipped else turn

    def _normalised(self, points: NDArray[np.floating]) -> Array:
        # Turning and taking the root off commute: the root is turned as well.
        root = self.record.hand.root(self.options.root_joint)
        return np.asarray((points - root) @ self.turn.T / self.record.hand.scale)

    def _crop_to_map(self) -> Array:
        """(2, 3) map of image coordinates to heat map coordinates."""
        factor = self.options.heatmap_size / self.options.image_size
        offset = np.full((2, 1), (factor - 1) / 2)  # keeps pixel edges, not pixel centres, in place
        return compose_affine(np.hstack([np.eye(2) * factor, offset]), self.crop)


_MODALITIES = {
    "rgb": HandView.rgb,
    "cloud": HandView.cloud,
    "heatmap": HandView.heatmap,
    "pose": HandView.pose,
    "segmentation": HandView.segmentation,
}
MODALITIES = tuple(_MODALITIES)
"""Names of the modalities that there are."""


def blank_data(options: ViewOptions) -> dict[str, Tensor]:
    """Return zeros in the shapes of the modalities that were asked for."""
    shapes = options.shapes()
    dtypes = {"segmentation": torch.long}
    return {name: torch.zeros(shapes[name], dtype=dtypes.get(name, torch.float32)) for name in options.modalities}


def blank_sample(options: ViewOptions, index: int) -> HandSample:
    """Return a sample of zeros in which nothing is observed."""
    off, joints = torch.tensor(False), torch.zeros(NUM_JOINTS, 2)
    hand = Hands(
        index=torch.tensor(index),
        scale=torch.tensor(1.0),
        root=torch.zeros(3),
        rotation=torch.eye(3),
        mirrored=off,
        flipped=off,
        is_left=off,
        visible=torch.zeros(NUM_JOINTS, dtype=torch.bool),
        keypoints_uv=joints,
        crop=torch.zeros(2, 3),
        camera=torch.eye(3),
    )
    corrupted = {name: False for name in SENSORS if name in options.modalities}
    return HandSample(blank_data(options), dict.fromkeys(options.modalities, False), hand, corrupted)


def _augmentation(rng: np.random.Generator, ranges: AugmentationRanges | None) -> Augmentation:
    return Augmentation() if ranges is None else draw_augmentation(rng, ranges)


def _float(value: NDArray[np.floating] | float) -> Tensor:
    return torch.as_tensor(value, dtype=torch.float32)
