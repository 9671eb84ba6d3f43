"""Pairs of a run, drawn from two conditional autoencoders."""

from __future__ import annotations

from pyro_mmvae.data.entangled import Pairs, entangled, mixed
from pyro_mmvae.data.labelled_images import CLASSES
from pyro_mmvae.data.samples import InMemory
from pyro_mmvae.experiments.common.memory import MemoryData
from pyro_mmvae.experiments.entangled.autoencoders import NAMES, autoencoder
from pyro_mmvae.experiments.entangled.config import Config

HELD_OUT_SEED = 10**9
"""Pairs that are held out from training are drawn from here on."""


class PairData(MemoryData):
    """Pairs of one run, drawn from its seed.

    Args:
        config: of the run.

    Attributes:
        autoencoders: from which they are drawn.
        pairs: those that are judged.
    """

    def __init__(self, config: Config) -> None:
        self.autoencoders = [autoencoder(config, name) for name in NAMES]
        seed, held_out, size = 4 * config.seed, HELD_OUT_SEED + 2 * config.seed, config.test_samples
        train = self._draw(config, config.samples, seed, seed + 2)
        validation = self._draw(config, size, held_out, held_out + 1)
        test = self._draw(config, size, seed + 1, seed + 3)
        title = f"{config.pairs} pairs of {config.first or 'digits'} and {config.second or 'rendered shapes'}"
        sets = [InMemory(part.as_batch()) for part in (train, validation, test)]
        super().__init__(config, sets[0], sets[1], sets[2], title)
        self.pairs = validation if config.judge == "validation" else test

    def _draw(self, config: Config, size: int, seed: int, order: int) -> Pairs:
        """Return so many pairs of the kind that the run is of; the second seed is that of the mixing."""
        sizes = {"latent_dim": config.cvae_latent, "classes": CLASSES, "num_samples": size}
        first, second = (model.probabilities for model in self.autoencoders)
        pairs = entangled(first, second, **sizes, seed=seed, grey=config.pixels == "grey")
        return mixed(pairs, order) if config.pairs == "mixed" else pairs
