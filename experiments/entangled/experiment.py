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
from pyro_mmvae.likelihoods import Bernoulli, CrossEntropy
from pyro_mmvae.networks import MLPDecoder, MLPEncoder

ENERGY = "minus cross-entropy of grey pixels minus KL"  # in the place of a bound where there is no likelihood
QUANTITIES = {"joint": Quantity(NAMES), "a": Quantity(NAMES[:1]), "b": Quantity(NAMES[1:])}


class Experiment(experiment.Experiment[Config]):
    """Pairs of images that vary together, or whose class is all that they share (Korthals et al. 2019, figure 1)."""

    sheets = ("latent.png",)

    def modalities(self) -> list[Modality]:
        """Return both images, each with an encoder and a decoder."""
        config, shape, widths = self.config, (PIXELS,), self.config.widths
        likelihood = CrossEntropy(shape) if config.pixels == "grey" else Bernoulli(shape)
        decoder = partial(MLPDecoder, config.latent_dim, shape, widths[::-1], config.decoder_activation)
        return [Modality(n, likelihood, decoder(), MLPEncoder(shape, widths)) for n in NAMES]

    def data(self) -> PairData:
        """Draw the pairs, from autoencoders that are there or trained now."""
        return PairData(self.config)

    def evaluate(self, loss: Loss, data: experiment.RunData) -> Evaluation:
        """Estimate the joint bound and, of binary pixels, log-likelihoods from the posterior of both images."""
        assert isinstance(data, PairData)
        config, model, guide = self.config, loss.model, loss.guide
        given = tuple(name for name in NAMES if name in guide.inputs)
        bound = bounds(model, guide, data.judged_batch(), {given: {"joint": QUANTITIES["joint"]}}, seed=config.seed)
        wanted, options = {given: QUANTITIES}, {"num_samples": config.num_samples, "seed": config.seed}
        found = grid(model, guide, data.judged(), wanted, **options) if config.pixels == "binary" else {}
        metrics = {"elbo": bound, "log_likelihood": found, "published_grey": PUBLISHED[config.pairs]}
        return Evaluation(metrics, self._report(metrics), partial(draw_figures, config, loss, data))

    def _report(self, metrics: Mapping[str, Any]) -> str:
        published = f"published for JMVAE on grey MNIST and FashionMNIST: {metrics['published_grey']}"
        if self.config.pixels == "binary":
            tables = report(metrics["log_likelihood"], QUANTITIES), bounds_report(metrics["elbo"], QUANTITIES)
            return "\n".join([tables[0], "", tables[1], f"{published}, another quantity"])
        (found,) = (bound["joint"] for bound in metrics["elbo"].values())
        return f"{ENERGY}: {found['mean']:.2f} ± {found['se']:.2f}; no log-likelihood\n{published}"

    @staticmethod
    def columns(metrics: Mapping[str, Any]) -> dict[str, Column]:
        """Return the joint bound and the log-likelihoods; the published bound beside JMVAE's on the paper's pixels."""
        config, ((given, bound),) = metrics["config"], metrics["elbo"].items()
        grey = config["pixels"] == "grey"
        name = ENERGY if grey else f"ELBO of {QUANTITIES['joint'].title}"
        theirs = grey and config["objective"] == "jmvae" and None not in (config["first"], config["second"])
        published = metrics["published_grey"] if theirs else None
        joint = {f"{name} from q(z|{given})": Column.of(bound["joint"]["mean"], published=published)}
        return joint | likelihood_columns(metrics["log_likelihood"], QUANTITIES, {})
