"""Noise of the sensors: how strong it is, and which samples each sensor spoils."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyro_mmvae.data.corruption import checked_share, corrupt_pixels, noise_cloud

SENSORS = ("rgb", "cloud")
"""Modalities that noise can act on."""


@dataclass(frozen=True)
class SensorNoise:
    """Noise of camera and depth sensor (Joshi et al., 2022, section 4.3).

    Each sensor m fails with a probability p_m of its own (their section 3), independently of the other. They do not
    print these probabilities, nor the unit of the clouds' "standard Gaussian noise", nor whether a sample that is
    spoilt once is so in every epoch; here it is.

    Args:
        pixel_corruption: share of an image's pixels replaced by random colours.
        cloud_noise: standard deviation of Gaussian noise on cloud points, in the unit of the points.
        corrupted_share: share of samples on which such noise acts: one number for both sensors, or one for each by
            name, `{"rgb": 0.25, "cloud": 0.5}`. A sensor without noise may be left out.

    Raises:
        ValueError: a share outside [0, 1], a negative or infinite deviation, a NaN, an unknown sensor, or a sensor with
            noise whose share is not given.
    """

    pixel_corruption: float = 0.0
    cloud_noise: float = 0.0
    corrupted_share: float | Mapping[str, float] = 1.0

    def __post_init__(self) -> None:
        """Refuse what makes no sense."""
        checked_share("pixel_corruption", self.pixel_corruption)
        if not 0 <= self.cloud_noise < float("inf"):
            raise ValueError(f"cloud_noise: expected a standard deviation of at least 0, got {self.cloud_noise}")
        if not isinstance(self.corrupted_share, Mapping):
            checked_share("corrupted_share", self.corrupted_share)
            return
        if unknown := sorted(set(self.corrupted_share) - set(SENSORS)):
            raise ValueError(f"corrupted_share: unknown sensors {unknown}; there are {list(SENSORS)}")
        for sensor, share in self.corrupted_share.items():
            checked_share(f"corrupted_share of {sensor!r}", share)
        if missing := [s for s, level in self._levels.items() if level > 0 and s not in self.corrupted_share]:
            raise ValueError(f"corrupted_share: expected a share of {missing}, which have noise, got none")

    @property
    def _levels(self) -> dict[str, float]:
        return dict(zip(SENSORS, (self.pixel_corruption, self.cloud_noise), strict=True))

    def spoils(self, seed: int, index: int) -> dict[str, bool]:
        """Tell which sensors' noise acts on a sample.

        Args:
            seed: of the data set.
            index: the sample's number.
        """
        draws = np.random.default_rng([seed, index]).random(len(SENSORS))
        return {
            sensor: bool(level > 0 and draw < self._share(sensor))
            for draw, (sensor, level) in zip(draws, self._levels.items(), strict=True)
        }

    def image(self, image: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
        """Return an image (H, W, 3) in [0, 1] with noise."""
        return corrupt_pixels(image, self.pixel_corruption, rng)

    def cloud(self, points: NDArray[Any], rng: np.random.Generator) -> NDArray[Any]:
        """Return points (N, 3) with noise."""
        return noise_cloud(points, self.cloud_noise, rng)

    def _share(self, sensor: str) -> float:
        return self.corrupted_share[sensor] if isinstance(self.corrupted_share, Mapping) else self.corrupted_share
