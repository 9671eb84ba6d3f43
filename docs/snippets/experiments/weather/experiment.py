"""The weather experiment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from pyro_mmvae import Batch, Loss, Modality
from pyro_mmvae.data.samples import InMemory
from pyro_mmvae.estimators.grid import Quantity, grid
from pyro_mmvae.estimators.tables import report
from pyro_mmvae.experiments.common import experiment
from pyro_mmvae.experiments.common.columns import Column
from pyro_mmvae.experiments.common.experiment import Evaluation
from pyro_mmvae.experiments.common.memory import MemoryData
from pyro_mmvae.likelihoods import Normal
from pyro_mmvae.networks import MLPDecoder, MLPEncoder

from .config import Config

SIZES = {"thermometer": 1, "camera": 16}
QUANTITIES = {"both": Quantity(("thermometer", "camera")), "camera": Quantity(("camera",))}


def days(count: int, seed: int, missing: float = 0.0) -> InMemory:
    """Return so many days; the weather decides about both sensors."""
    generator = torch.Generator().manual_seed(seed)
    weather = torch.randn(count, 1, generator=generator)
    view = torch.linspace(-1, 1, SIZES["camera"])
    data = {
        "thermometer": weather + 0.3 * torch.randn(count, 1, generator=generator),
        "camera": torch.tanh(weather * view) + 0.3 * torch.randn(count, len(view), generator=generator),
    }
    return InMemory(Batch.of(data, observed={"camera": torch.rand(count, generator=generator) >= missing}))


class Experiment(experiment.Experiment[Config]):
    """A thermometer and a camera see the same day."""

    def modalities(self) -> list[Modality]:
        """Return both sensors."""
        latent = self.config.latent_dim
        return [
            Modality(name, Normal((n,), 0.3), MLPDecoder(latent, (n,), (32,)), MLPEncoder((n,), (32,)))
            for name, n in SIZES.items()
        ]

    def data(self) -> MemoryData:
        """Draw the samples."""
        config, first = self.config, 3 * self.config.seed
        splits = days(config.samples, first, config.missing), days(200, first + 1), days(200, first + 2)
        return MemoryData(config, *splits, title="simulated weather")

    def evaluate(self, loss: Loss, data: experiment.RunData) -> Evaluation:
        """Estimate log-likelihoods from all sensors, and from the thermometer alone."""
        wanted = {tuple(SIZES): QUANTITIES, ("thermometer",): QUANTITIES}
        found = grid(loss.model, loss.guide, data.judged(), wanted, num_samples=100)
        return Evaluation({"log_likelihood": found}, report(found, QUANTITIES))

    @staticmethod
    def columns(metrics: Mapping[str, Any]) -> dict[str, Column]:
        """Return the log-likelihoods by proposal."""
        return {
            f"{QUANTITIES[name].title} from q(z|{given})": Column(summary["mean"])
            for given, row in metrics["log_likelihood"].items()
            for name, summary in row.items()
        }
