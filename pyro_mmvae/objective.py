"""Objectives: tables of terms, evaluated with all their rows in one pass of model and guide."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

import pyro
import pyro.poutine as poutine
import torch
from pyro.distributions import MixtureSameFamily, TorchDistribution
from pyro.infer import ELBO
from pyro.infer.elbo import ELBOModule
from pyro.poutine.messenger import Messenger
from pyro.poutine.util import site_is_subsample
from torch import Tensor, nn

from pyro_mmvae.batch import Batch
from pyro_mmvae.bound import Bound
from pyro_mmvae.distributions.mixture import StratifiedMixture
from pyro_mmvae.distributions.rows import take_rows
from pyro_mmvae.divergences import kl, sampled_kl
from pyro_mmvae.errors import IncompatibleError
from pyro_mmvae.guide import Guide
from pyro_mmvae.model import MultimodalVAE
from pyro_mmvae.shapes import constant
from pyro_mmvae.table import Alignment, Table

TERM_DIM, STRATUM_DIM, PARTICLE_DIM = -2, -3, -4


class Objective(ELBO):
    """A training bound given by a table.

    All rows are evaluated at once: a plate "term" stands to the left of "data", the row's subset and the sample's
    missing modalities are one mask, every encoder runs once and every decoder once. A mixture posterior is drawn by
    strata, one reparameterised draw from every component (see `StratifiedMixture`), never by the score function.

    `objective(model, guide)` is a module whose call on a batch is the loss; `pyro.infer.SVI(model, guide, optim,
    loss=objective)` works as well. The loss is minus the bound in nats, averaged over the batch.

    Args:
        table: rows and alignments.
        num_particles: number K of latent draws for each sample and row.
        importance_weighted: take the logarithm of the mean importance weight over the K draws (Burda et al. 2016,
            arXiv:1509.00519) instead of the mean logarithm. On a mixture this is the average of the components'
            bounds (Shi et al. 2019, arXiv:1911.03393), slightly looser than the bound on the mixture itself.
        needs_mixture: refuse guides whose posterior is no mixture.
        validate: run Pyro's and PyTorch's argument checks, which wait for the device: always (True), never (False)
            or on the first batch alone (None).

    Raises:
        IncompatibleError: on use, when model, guide or batch lack what the table names.
    """

    def __init__(
        self,
        table: Table,
        *,
        num_particles: int = 1,
        importance_weighted: bool = False,
        needs_mixture: bool = False,
        validate: bool | None = None,
    ) -> None:
        if num_particles < 1:
            raise ValueError(f"num_particles: expected at least 1, got {num_particles}")
        super().__init__(num_particles=num_particles, vectorize_particles=True, max_plate_nesting=-PARTICLE_DIM)
        self.table = table
        self.importance_weighted = importance_weighted
        self.needs_mixture = needs_mixture
        self.validate = validate
        self.step = 0
        self._validated = False

    def __call__(self, model: nn.Module, guide: nn.Module) -> Loss:
        """Return the module whose call on a batch is the loss; it counts the steps of its schedules on its own."""
        self.check(model, guide)
        own = copy.copy(self)
        own.step, own._validated = 0, False
        return Loss(model, guide, own)

    def __str__(self) -> str:
        """Return the table."""
        return str(self.table)

    def check(self, model: nn.Module, guide: nn.Module) -> None:
        """Refuse a model and guide that lack what the table names.

        Raises:
            IncompatibleError: the guide cannot see an input, the model cannot decode a target, or the objective
                needs a mixture and the guide's posterior is none.
        """
        if not isinstance(model, MultimodalVAE) or not isinstance(guide, Guide):
            raise TypeError(f"expected a MultimodalVAE and a Guide, got {type(model).__name__}, {type(guide).__name__}")
        if lacking := [n for n in self.table.inputs if n not in guide.inputs]:
            raise IncompatibleError(
                f"the objective infers z from {lacking}, but {type(guide).__name__} encodes only {list(guide.inputs)}; "
                f"choose another guide, give these modalities an encoder, or leave them out of the inputs"
            )
        if lacking := [n for n in self.table.targets if n not in model.names]:
            raise IncompatibleError(
                f"the objective decodes {lacking}, but the model decodes only {list(model.names)}; "
                f"give these modalities a decoder or leave them out of the targets"
            )
        if self.needs_mixture and guide.num_components == 1 and len(guide.inputs) > 1:
            raise IncompatibleError(
                f"this bound scores under a mixture, but the posterior of {type(guide).__name__} is one Gaussian; "
                f"use a mixture guide such as `moe`, or the objective `extended` for the same rows"
            )

    def evaluate(self, model: MultimodalVAE, guide: Guide, batch: Batch) -> Bound:
        """Run guide and model once and return the bound with all its parts; nothing waits for the device."""
        self.check(model, guide)
        if absent := [n for n in self.table.targets if n not in batch.data]:
            raise IncompatibleError(
                f"the objective decodes {absent}, but the batch holds only {list(batch.names)}; "
                f"add them, masked by `observed` where they are missing"
            )
        validate = self.validate if self.validate is not None else not self._validated
        with pyro.validation_enabled(validate):
            bound = self._evaluate(model, guide, batch)
        self._validated = True
        return bound

    def _evaluate(self, model: MultimodalVAE, guide: Guide, batch: Batch) -> Bound:
        subsets, rows = self.table.subsets, len(self.table.terms)
        seen = batch.seen(_subset_masks(subsets, batch))
        active = _active(subsets, seen, batch)
        with self._plates(guide, len(subsets)), _Posterior() as site:
            poutine.trace(guide).get_trace(seen)
        z, posterior = site.value, site.posterior

        with self._plates(guide, rows):
            trace = poutine.trace(poutine.condition(model, {"z": z[..., :rows, :, :]})).get_trace(
                batch.only(self.table.targets)
            )
        trace.compute_log_prob(site_filter=lambda name, _: name in self.table.targets)
        log_prob = {n: trace.nodes[n]["log_prob"] for n in self.table.targets}

        # Posterior and particles have the full shape (K, C, T, B) from here on.
        full = (self.num_particles, guide.num_components, rows, batch.size)
        return Bound(
            table=self.table,
            step=self.step,
            log_prob={n: value.expand(full) for n, value in log_prob.items()},
            kl=self._kl(posterior, model.prior(), z, rows).expand(full),
            alignments=[self._align(a, posterior, z, active) for a in self.table.alignments],
            strata=_strata_weights(posterior, guide.num_components, (rows, batch.size), z),
            observed={n: batch.observed[n] for n in self.table.targets},
            active=active[:rows],
            importance_weighted=self.importance_weighted,
        )

    def _plates(self, guide: Guide, rows: int) -> ExitStack:
        stack = ExitStack()
        if self.num_particles > 1:
            stack.enter_context(pyro.plate("particle", self.num_particles, dim=PARTICLE_DIM))
        if guide.num_components > 1:
            stack.enter_context(pyro.plate("stratum", guide.num_components, dim=STRATUM_DIM))
        stack.enter_context(pyro.plate("term", rows, dim=TERM_DIM))
        return stack

    def _kl(self, posterior: TorchDistribution, prior: TorchDistribution, z: Tensor, rows: int) -> Tensor:
        divergence = sampled_kl if self.importance_weighted else kl
        return divergence(posterior, prior, z)[..., :rows, :]

    def _align(
        self, alignment: Alignment, posterior: TorchDistribution, z: Tensor, active: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the divergence of every sample, and which samples have both posteriors; shapes `(B,)`."""
        subsets = self.table.subsets
        i, j = subsets.index(alignment.of), subsets.index(alignment.to)
        q, p = take_rows(posterior, [i]), take_rows(posterior, [j])
        value = alignment.divergence(q, p, z[..., i : i + 1, :, :])
        if value.dim() > 2:  # sampled: average over particles and, with their weights, over strata
            weights = _strata_weights(q, value.shape[-3], (1, value.shape[-1]), z)
            value = (weights * value).sum(STRATUM_DIM).reshape(-1, *value.shape[-2:]).mean(0)
        both = active[i] & active[j]
        return torch.where(both, value[0], 0.0), both

    def differentiable_loss(self, model: nn.Module, guide: nn.Module, *args: Any, **kwargs: Any) -> Tensor:
        """Return the loss, a scalar with gradients. It does not advance schedules."""
        return self.evaluate(model, guide, *args, **kwargs).loss  # type: ignore[arg-type]

    def loss(self, model: nn.Module, guide: nn.Module, *args: Any, **kwargs: Any) -> float:
        """Return the loss as a number, without gradients (`SVI.evaluate_loss`)."""
        with torch.no_grad():
            return float(self.differentiable_loss(model, guide, *args, **kwargs))

    def loss_and_grads(self, model: nn.Module, guide: nn.Module, *args: Any, **kwargs: Any) -> float:
        """Compute gradients of the loss and advance schedules by one step (`SVI.step`)."""
        # SVI trains what is in Pyro's parameter store and nothing else.
        for name, module in (("model", model), ("guide", guide)):
            _register(name, module)
        loss = self.differentiable_loss(model, guide, *args, **kwargs)
        loss.backward()
        self.step += 1
        return float(loss.detach())

    def _get_trace(self, model: Any, guide: Any, args: Any, kwargs: Any) -> Any:
        raise NotImplementedError("an Objective runs model and guide in `evaluate`, with plates of its own")


class Loss(ELBOModule):
    """Model, guide and objective as one module: call it on a batch to get the loss.

    A call in training mode counts as a step of the objective's schedules. The count is part of the state dict, so
    that a resumed run goes on where it stopped.

    Attributes:
        model: the `MultimodalVAE`.
        guide: the `Guide`.
        elbo: the `Objective`.
    """

    model: MultimodalVAE
    guide: Guide
    elbo: Objective

    def forward(self, batch: Batch) -> Tensor:
        """Return minus the bound in nats, averaged over the batch."""
        return self.bound(batch).loss

    def bound(self, batch: Batch) -> Bound:
        """Return the bound with all its parts; like a call, it counts as a step in training mode."""
        bound = self.elbo.evaluate(self.model, self.guide, batch)
        if self.training:
            self.elbo.step += 1
        return bound

    def get_extra_state(self) -> dict[str, int]:
        """Return what the state dict holds besides tensors."""
        return {"step": self.elbo.step}

    def set_extra_state(self, state: Mapping[str, int]) -> None:
        """Take the step count from a state dict."""
        self.elbo.step = int(state["step"])


class _Posterior(Messenger):
    """Record the guide's posterior and its draw of z, and draw mixtures by strata.

    It stands inside the plates of the objective and outside the guide's own, so that it sees the distribution in
    the shape `(T, B)` that the guide gave it.
    """

    posterior: TorchDistribution
    value: Tensor

    def _pyro_sample(self, msg: Any) -> None:
        if msg["is_observed"] or site_is_subsample(msg):
            return
        if msg["name"] != "z":
            raise IncompatibleError(f"the guide samples {msg['name']!r}; the one latent site is 'z'")
        self.posterior = msg["fn"]
        if isinstance(msg["fn"], MixtureSameFamily):
            msg["fn"] = StratifiedMixture(msg["fn"])

    def _pyro_post_sample(self, msg: Any) -> None:
        if msg["name"] == "z" and not msg["is_observed"]:
            if not msg["fn"].has_rsample:
                # A hand-written log p - log q would have the right value and a wrong gradient.
                raise IncompatibleError(f"the posterior {msg['fn']} cannot be reparameterised")
            self.value = msg["value"]


def _subset_masks(subsets: list[tuple[str, ...]], batch: Batch) -> dict[str, Tensor]:
    # Every modality gets a mask, so that every encoder runs, whatever the rows: distributed training needs it.
    members = [[name in subset for subset in subsets] for name in batch.names]
    masks = constant(members, batch.device, torch.bool)
    return {name: masks[i].unsqueeze(-1) for i, name in enumerate(batch.names)}


def _active(subsets: list[tuple[str, ...]], seen: Batch, batch: Batch) -> Tensor:
    """Return whether a subset has anything to show; one that is empty on purpose (the prior) always counts."""
    empty = constant([[not subset] for subset in subsets], batch.device, torch.bool).expand(-1, batch.size)
    anything = empty
    for mask in seen.observed.values():
        anything = anything | mask
    return anything


def _strata_weights(posterior: TorchDistribution, components: int, shape: tuple[int, int], like: Tensor) -> Tensor:
    if components == 1 or not isinstance(posterior, MixtureSameFamily):
        return torch.ones((1, 1, 1), dtype=like.dtype, device=like.device).expand(1, *shape)
    weights: Tensor = posterior.mixture_distribution.probs.movedim(-1, 0)
    return weights[:, : shape[0]]


def _register(name: str, module: nn.Module) -> None:
    """Put a module's parameters into Pyro's store, refusing to mix them with those of another module."""
    store = pyro.get_param_store()
    for key, parameter in module.named_parameters():
        full = pyro.params.param_with_module_name(name, key)
        if full in store and store[full] is not parameter:
            raise RuntimeError(
                f"Pyro's parameter store already holds {full!r} of another module; call "
                f"pyro.clear_param_store() before training a second model with SVI in one process"
            )
    pyro.module(name, module)
