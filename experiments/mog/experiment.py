"""The mixture-of-Gaussians experiment: log-likelihoods beside the exact ones of the data."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from torch import Tensor

from pyro_mmvae import Batch, Loss, Modality
from pyro_mmvae.data.gaussian_mixture import SCALE, log_prob, sample
from pyro_mmvae.data.samples import InMemory
from pyro_mmvae.estimators.grid import Quantity, grid
from pyro_mmvae.estimators.tables import report
from pyro_mmvae.experiments.common import experiment
from pyro_mmvae.experiments.common.columns import Column, likelihood_columns
from pyro_mmvae.experiments.common.experiment import Evaluation
from pyro_mmvae.experiments.common.memory import MemoryData
from pyro_mmvae.experiments.mog.config import Config
from pyro_mmvae.experiments.mog.figures import draw_figures
from pyro_mmvae.likelihoods import Normal, Radial
from pyro_mmvae.networks import MLPDecoder, MLPEncoder
from pyro_mmvae.table import Subset

NAMES = ("a", "b")
QUANTITIES = {"joint": Quantity(NAMES), "a": Quantity(("a",)), "b": Quantity(("b",))}
HELD_OUT_SEED = 10**9
"""Samples that are held out from training are drawn from here on, test samples right after the training samples."""


class MixtureData(MemoryData):
    """Samples of one run, drawn from its seed.

    Args:
        config: of the run.

    Attributes:
        label: classes of the samples that are judged, int64 `(N,)`.
    """

    def __init__(self, config: Config) -> None:
        size, seed = config.test_samples, config.seed
        drawn = sample(config.samples, 2 * seed), sample(size, HELD_OUT_SEED + seed), sample(size, 2 * seed + 1)
        train, validation, test = (InMemory(Batch.of({"a": part.a, "b": part.b})) for part in drawn)
        super().__init__(config, train, validation, test, "mixture of Gaussians")
        self.label: Tensor = drawn[1 if config.judge == "validation" else 2].label


class Experiment(experiment.Experiment[Config]):
    """Two modalities of which neither tells all classes (Korthals et al. 2019, figure 2; the means are ours)."""

    sheets = ("latent.png",)

    def modalities(self) -> list[Modality]:
        """Return both modalities, each with an encoder and a decoder of one hidden layer."""
        config, hidden = self.config, (self.config.hidden,)
        likelihood = Radial.rms((2,), SCALE) if config.error == "rms" else Normal((2,), SCALE)
        decoder = partial(MLPDecoder, config.latent_dim, (2,), hidden, config.decoder_activation)
        return [Modality(name, likelihood, decoder(), MLPEncoder((2,), hidden)) for name in NAMES]

    def data(self) -> MixtureData:
        """Draw the samples."""
        return MixtureData(self.config)

    def evaluate(self, loss: Loss, data: experiment.RunData) -> Evaluation:
        """Estimate log-likelihoods from every posterior, and compute the exact ones."""
        assert isinstance(data, MixtureData)
        batch = data.judged_batch()
        given: tuple[Subset, ...] = (NAMES, NAMES[:1], NAMES[1:])
        wanted = {g: {n: q for n, q in QUANTITIES.items() if set(g) <= set(q.of)} for g in given}
        found = grid(loss.model, loss.guide, data.judged(), wanted, num_samples=self.config.num_samples)
        truth = {name: float(log_prob(**{n: batch.data[n] for n in q.of}).mean()) for name, q in QUANTITIES.items()}
        exact = ", ".join(f"{QUANTITIES[name].title} = {value:.3f}" for name, value in truth.items())
        text = f"{report(found, QUANTITIES)}\n\nthe density that the data are from: {exact}"
        return Evaluation({"log_likelihood": found, "truth": truth}, text, partial(draw_figures, loss, data))

    @staticmethod
    def columns(metrics: Mapping[str, Any]) -> dict[str, Column]:
        """Return the log-likelihoods by proposal; the data's own density stands in the place of published values."""
        found, truth = metrics["log_likelihood"], metrics["truth"]
        return likelihood_columns(
            found, QUANTITIES, {(given, name): truth[name] for given in found for name in found[given]}
        )
