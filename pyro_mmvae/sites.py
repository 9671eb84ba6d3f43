"""Pyro's sites as an objective sees them: the guide's posterior, and sites that no table has a column for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyro
from pyro.distributions import MixtureSameFamily, TorchDistribution
from pyro.poutine import Trace
from pyro.poutine.messenger import Messenger
from pyro.poutine.util import site_is_subsample
from torch import Tensor

from pyro_mmvae.batch import Batch
from pyro_mmvae.distributions.mixture import StratifiedMixture
from pyro_mmvae.errors import IncompatibleError
from pyro_mmvae.guide import Guide, sample_latent


class PosteriorSite(Messenger):
    """Record the guide's posterior and its draw of z, and draw mixtures by strata.

    It stands inside the plates of the objective and outside the guide's own, so that it sees the distribution in
    the shape `(T, B)` that the guide gave it.
    """

    posterior: TorchDistribution
    value: Tensor
    inner: TorchDistribution

    def _pyro_sample(self, msg: Any) -> None:
        if _is_no_factor(msg):
            return
        if msg["name"] == "inner":
            self.inner = msg["fn"]
            return
        if msg["name"] != "z" or msg["is_observed"]:
            raise _further("guide", msg["name"])
        self.posterior = msg["fn"]
        if isinstance(msg["fn"], MixtureSameFamily):
            msg["fn"] = StratifiedMixture(msg["fn"])

    def _pyro_post_sample(self, msg: Any) -> None:
        if msg["name"] in ("z", "inner") and not msg["is_observed"]:
            if not msg["fn"].has_rsample:
                # A hand-written log p - log q would have the right value and a wrong gradient.
                raise IncompatibleError(f"the posterior {msg['fn']} cannot be reparameterised")
            if msg["name"] == "z":
                self.value = msg["value"]


def sample_component(guide: Guide, batch: Batch) -> None:
    """Run the guide program of `Guide.component`: sample z from it."""
    with pyro.plate("data", batch.size, dim=-1):
        sample_latent(guide.component(batch))


def refuse_further_sites(trace: Trace, known: Sequence[str]) -> None:
    """Refuse a model with sites of other names than the known ones.

    Raises:
        IncompatibleError: it has one.
    """
    # They would be left out of the bound.
    for name, site in trace.nodes.items():
        if site["type"] == "sample" and name not in known and not _is_no_factor(site):
            raise _further("model", name)


def _is_no_factor(site: Any) -> bool:
    """Whether a site of a trace says nothing of probabilities: a plate, or `pyro.deterministic`."""
    return site_is_subsample(site) or site["infer"].get("_deterministic", False)


def _further(who: str, name: str) -> IncompatibleError:
    return IncompatibleError(
        f"the {who} has a site {name!r} beside z and the modalities, which no table has a column for; put what it "
        f"holds into z or into a modality, or train with a bound of Pyro's, such as pyro.infer.Trace_ELBO"
    )
