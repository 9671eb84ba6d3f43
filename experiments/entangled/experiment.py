"""The experiment with entangled sets: the joint bound and log-likelihoods of pairs."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from pyro_mmvae import Loss, Modality
from pyro_mmvae.estimators.grid import Quantity, bounds, grid
from pyro_mmvae.estimators.tables import bounds_report, report
from pyro_mmvae.experiments.common import experiment
from pyro_mmvae.experiments.common.columns import Column, likelihood_columns
from pyro_mmvae.experiments.common.experiment import Evaluation
from pyro_mmvae.experiments.entangled.autoencoders import NAMES
from pyro_mmvae.experiments.entangled.config import Config
from pyro_mmvae.experiments.entangled.cvae import PIXELS
from pyro_mmvae.experiments.entangled.data import PairData
from pyro_mmvae.experiments.entangled.figures import draw_figures
from pyro_mmvae.experiments.entangled.presets import PUBLISHED
from pyro_mmvae.likelihoods import Bernoulli
from pyro_mmvae.networks import MLPDecoder, MLPEncoder

QUANTITIES = {"joint": Quantity(NAMES), "a": Quantity(NAMES[:1]), "b": Quantity(NAMES[1:])}


class Experiment(experiment.Experiment[Config]):
    """Pairs of images that vary together, or whose class is all that they share (Korthals et al. 2019, figure 1)."""

    sheets = ("latent.png",)

    def modalities(self) -> list[Modality]:
        """Return both images, each with an encoder and a decoder."""
        likelihood, latent, widths = Bernoulli((PIXELS,)), self.config.latent_dim, self.config.widths
        return [
            Modality(n, likelihood, MLPDecoder(latent, (PIXELS,), widths[::-1]), MLPEncoder((PIXELS,), widths))
            for n in NAMES
        ]

    def data(self) -> PairData:
        """Draw the pairs, from autoencoders that are there or trained now."""
        return PairData(self.config)

    def evaluate(self, loss: Loss, data: experiment.RunData) -> Evaluation:
        """Estimate the joint bound, and log-likelihoods from the posterior of both images."""
        assert isinstance(data, PairData)
        config, model, guide = self.config, loss.model, loss.guide
        given = tuple(name for name in NAMES if name in guide.inputs)
        bound = bounds(model, guide, data.judged_batch(), {given: {"joint": QUANTITIES["joint"]}}, seed=config.seed)
        found = grid(model, guide, data.judged(), {given: QUANTITIES}, num_samples=config.num_samples, seed=config.seed)
        published = PUBLISHED[config.pairs]
        note = f"published for JMVAE on grey MNIST and FashionMNIST, another quantity: {published}"
        text = "\n".join([report(found, QUANTITIES), "", bounds_report(bound, QUANTITIES), note])
        metrics = {"elbo": bound, "log_likelihood": found, "published_grey": published}
        return Evaluation(metrics, text, partial(draw_figures, config, loss, data))

    @staticmethod
    def columns(metrics: Mapping[str, Any]) -> dict[str, Column]:
        """Return the joint bound and the log-likelihoods."""
        ((given, bound),) = metrics["elbo"].items()
        joint = {f"ELBO of {QUANTITIES['joint'].title} from q(z|{given})": Column.of(bound["joint"]["mean"])}
        return joint | likelihood_columns(metrics["log_likelihood"], QUANTITIES, {})
