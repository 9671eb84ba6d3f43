"""Frozen networks that make feature vectors of pictures."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple, Self

from torch import nn

from pyro_mmvae.experiments.food.config import Config
from pyro_mmvae.food.dataset import IMAGE
from pyro_mmvae.networks import DenseNetEncoder


class Extractor(NamedTuple):
    """A network from pictures to vectors."""

    encoder: nn.Module
    """In evaluation mode."""
    size: int
    """Number of features F."""
    title: str
    """What it is, for people."""

    @classmethod
    def of(cls, source: Path, crop: int) -> Self:
        """Return the network that `--features` names.

        Args:
            source: a run, whose encoder of pictures it is, in variational alignment that of the upper branch; or a file
                of a DenseNet-121's ImageNet weights, as torchvision publishes them.
            crop: side of the pictures.

        Raises:
            FileNotFoundError: there is no such run.
            ValueError: the run is of something else, or of pictures of another size; the file holds other weights.
        """
        if not source.is_dir():
            network = DenseNetEncoder(pretrained=True, weights_path=source).eval()
            return cls(network, network.out_features, f"features of a frozen DenseNet-121 with the weights in {source}")
        from pyro_mmvae.experiments.common.runs import open_run

        opened = open_run(source)
        config, guide = opened.experiment.config, opened.loss.guide
        if not isinstance(config, Config) or IMAGE not in guide.inputs or config.features is not None:
            raise ValueError(f"--features: expected a run of food that looks at pictures, got {source}")
        if (side := config.crop) != crop:
            raise ValueError(f"--features: {source} looks at pictures of {side} pixels; give --crop {side}")
        kind = "upper branch's encoder" if config.aligned else "encoder"
        start = "from ImageNet's weights" if config.pretrained else "not from ImageNet's weights"
        title = f"features of the frozen {kind} of the run {source} ({config.encoder}, trained there, {start})"
        return cls(guide.encoders[IMAGE], guide.feature_sizes[IMAGE], title)
