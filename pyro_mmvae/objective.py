"""Objectives: tables of terms, evaluated with all their rows in one pass of model and guide."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import replace
from functools import partial
from random import Random
from typing import Any

import pyro
import pyro.distributions as dist
import pyro.poutine as poutine
import torch
from pyro.distributions import MixtureSameFamily, TorchDistribution
from pyro.infer import ELBO
from pyro.infer.elbo import ELBOModule
from pyro.poutine.messenger import Messenger
from pyro.poutine.util import site_is_subsample
from torch import Tensor, nn

from pyro_mmvae.arguments import check_count
from pyro_mmvae.batch import Batch
from pyro_mmvae.bound import Bound
from pyro_mmvae.checks import check_devices, check_finite, check_shapes, check_values, evaluation
from pyro_mmvae.distributions.detached import detached
from pyro_mmvae.distributions.mixture import StratifiedMixture
from pyro_mmvae.distributions.rows import take_rows
from pyro_mmvae.divergences import kl, sampled_kl
from pyro_mmvae.encoding import encoded_once
from pyro_mmvae.errors import IncompatibleError
from pyro_mmvae.guide import Guide, sample_latent
from pyro_mmvae.model import MultimodalVAE
from pyro_mmvae.requirements import COMPONENT, INNER, ONE_GAUSSIAN, PRIOR_OF_NOTHING, Requirement
from pyro_mmvae.shapes import constant
from pyro_mmvae.table import Table

TERM_DIM, STRATUM_DIM, PARTICLE_DIM = -2, -3, -4

EVALUATED_TERMS = 64
"""Rows that an evaluation looks at, where a training step draws fewer."""


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
            arXiv:1509.00519) instead of the mean logarithm.
        pooled_strata: take that mean over the strata of a mixture too. Otherwise it is the average of the components'
            bounds (Shi et al. 2019, arXiv:1911.03393), which is looser.
        doubly_reparameterised: estimate the gradient of an importance-weighted bound for the guide with squared
            weights and without the score of q (DReG, Tucker et al. 2019, arXiv:1810.04152), which has less noise at
            large K. On a single Gaussian the expected gradient is the same. On a mixture with K > 1 it is the one
            that Shi et al. use, an approximation.
        by_component: infer every row from `Guide.component`, the one Gaussian that stands for exactly its subset,
            where a guide's posterior is a mixture over subsets.
        requires: what the bound needs of model and guide beside what its divergences say of themselves (see
            `requirements`).
        seed: of the rows that a table with `max_terms` draws in each step. Every process draws the same.
        validate: run Pyro's and PyTorch's argument checks, which wait for the device: always (True), never (False)
            or on the first batch alone (None).
        branches: objectives of the pairs of these names that model and guide carry (`MultimodalVAE.branches`,
            `Guide.branches`). Their losses are added. Modules may be shared: an encoder runs once on a batch, and what
            a step trains gets the gradients of all. They follow the steps of this objective, and its `validate`.

    Raises:
        ValueError: `num_particles` is no whole number or below one, or options that do not go together.
        IncompatibleError: on use, when model, guide or batch lack what the table names.
    """

    def __init__(
        self,
        table: Table,
        *,
        num_particles: int = 1,
        importance_weighted: bool = False,
        pooled_strata: bool = False,
        doubly_reparameterised: bool = False,
        by_component: bool = False,
        requires: Sequence[Requirement] = (),
        seed: int = 0,
        validate: bool | None = None,
        branches: Mapping[str, Objective] | None = None,
    ) -> None:
        num_particles = check_count(num_particles, "num_particles")
        if (pooled_strata or doubly_reparameterised) and not importance_weighted:
            raise ValueError("pooled_strata and doubly_reparameterised belong to bounds with importance_weighted=True")
        if importance_weighted and table.pays_inner:
            raise ValueError("kl_inner has no place in an importance weight; use rows with kl_inner = 0")
        super().__init__(num_particles=num_particles, vectorize_particles=True, max_plate_nesting=-PARTICLE_DIM)
        self.table = table
        self.importance_weighted = importance_weighted
        self.pooled_strata = pooled_strata
        self.doubly_reparameterised = doubly_reparameterised
        self.by_component = by_component
        self.requires = tuple(requires)
        self.seed = seed
        self.validate = validate
        self.branches = dict(branches or {})
        self.step = 0
        self._validated = False

    def __call__(self, model: nn.Module, guide: nn.Module) -> Loss:
        """Return the module whose call on a batch is the loss; it counts the steps of its schedules on its own."""
        self.check(model, guide)
        return Loss(model, guide, self._fresh())

    def _fresh(self) -> Objective:
        own = copy.copy(self)
        own.step, own._validated = 0, False
        own.branches = {name: objective._fresh() for name, objective in self.branches.items()}
        return own

    def __str__(self) -> str:
        """Return the table, and those of the branches."""
        return "\n".join([str(self.table), *(f"branch {name}, {part}" for name, part in self.branches.items())])

    def check(self, model: nn.Module, guide: nn.Module) -> None:
        """Refuse a model and guide that lack what the table names, or what somebody requires.

        Raises:
            IncompatibleError: the guide cannot see an input, the model cannot decode a target, or a requirement is
                not met.
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
        parts = [(r, f"{type(part).__name__}") for part in (guide, model.prior) for r in part.requires]
        for requirement, who in [*self.requirements.items(), *parts]:
            if not requirement.met(model, guide, self.table):
                raise IncompatibleError(requirement.explain(who, model, guide, self.table))
        for name, objective in self.branches.items():
            for part in (model, guide):
                if name not in part.branches:
                    raise IncompatibleError(
                        f"the objective trains the branch {name!r}, but {type(part).__name__} has the branches "
                        f"{list(part.branches)}; use MultimodalVAE(..., branches=...) and a guide that holds one, such "
                        f"as `mapper`"
                    )
            objective.check(model.branches[name], guide.branches[name])

    @property
    def requirements(self) -> dict[Requirement, str]:
        """What the bound and its divergences require of model and guide, and who of them does."""
        bound = self.table.name or "this bound"
        own = [COMPONENT] if self.by_component else []
        own += [PRIOR_OF_NOTHING] if () in self.table.subsets else []
        own += [INNER] if self.table.pays_inner else []
        found = dict.fromkeys([*self.requires, *own], bound)
        for divergence in dict.fromkeys(a.divergence for a in self.table.alignments):
            for requirement in getattr(divergence, "requires", ()):
                # What every row is inferred from is one Gaussian already.
                if not (self.by_component and requirement is ONE_GAUSSIAN):
                    found.setdefault(
                        requirement, f"the divergence {getattr(divergence, '__name__', 'of an alignment')}"
                    )
        return found

    def evaluate(self, model: MultimodalVAE, guide: Guide, batch: Batch, *, training: bool = True) -> Bound:
        """Run guide and model once and return the bound with all its parts; nothing waits for the device.

        Args:
            model: decodes the targets.
            guide: sees the inputs.
            batch: B samples.
            training: draw the rows of a table with `max_terms` as a training step does. Otherwise up to 64 rows are
                evaluated, which is the whole table for up to six modalities.

        Raises:
            IncompatibleError: model, guide or batch lack what the table names.
            ValueError: values of another shape than their likelihood's or on another device than the model; on the
                first batch also NaN and infinity, and values that the likelihood cannot generate.
        """
        self.check(model, guide)
        if absent := [n for n in self.table.targets if n not in batch.data]:
            raise IncompatibleError(
                f"the objective decodes {absent}, but the batch holds only {list(batch.names)}; "
                f"add them, masked by `observed` where they are missing"
            )
        batch = batch.zero_filled()
        table = self.table.drawn(Random(f"{self.seed} {self.step}"), at_least=0 if training else EVALUATED_TERMS)
        validate = self.validate if self.validate is not None else not self._validated
        check_devices(batch, model=model, guide=guide)
        check_shapes(model, batch, self.table.targets)
        if validate:
            check_finite(batch, (*self.table.inputs, *self.table.targets))
            check_values(model, batch, self.table.targets)
        with encoded_once() if self.branches else nullcontext():
            with pyro.validation_enabled(validate):
                evaluate = self._evaluate if batch.size else self._empty
                bound = evaluate(table, model, guide, batch)
            self._validated = self._validated or batch.size > 0  # an empty batch shows nothing
            return self._with_branches(bound, model, guide, batch, training)

    def _with_branches(self, bound: Bound, model: MultimodalVAE, guide: Guide, batch: Batch, training: bool) -> Bound:
        found = {}
        for name, objective in self.branches.items():
            objective.step = self.step
            objective.validate = objective.validate if self.validate is None else self.validate
            branch = model.branches[name]
            found[name] = objective.evaluate(branch, guide.branches[name], batch, training=training)  # type: ignore[arg-type]
        return replace(bound, branches=found) if found else bound

    def _empty(self, table: Table, model: MultimodalVAE, guide: Guide, batch: Batch) -> Bound:
        """Return the bound of no sample. It hangs on the same parameters as any other: gradients are zero, not None."""
        # Of a sample that shows nothing, and then left out: plates and many networks do not take zero samples. Batch
        # statistics stay as they are.
        with evaluation(model, guide):
            bound = self._evaluate(table, model, guide, batch.nothing(1))
        return bound.of_samples(slice(0))

    def _evaluate(self, table: Table, model: MultimodalVAE, guide: Guide, batch: Batch) -> Bound:
        subsets, rows = table.subsets, len(table.terms)
        seen = batch.seen(_subset_masks(subsets, batch))
        active = _active(subsets, seen, batch)
        strata = 1 if self.by_component else guide.num_components
        program = partial(_sample_component, guide) if self.by_component else guide
        with self._plates(strata, len(subsets)), _Posterior() as site:
            poutine.trace(program).get_trace(seen)
        posterior, z = site.posterior, site.value[..., :rows, :, :]
        if self.doubly_reparameterised:
            z = z.clone()  # gets a hook, which must not act on what the alignments do with the draws

        prior = model.prior()
        # Posterior and particles have the full shape (K, C, T, B) from here on.
        full = torch.Size((self.num_particles, strata, rows, batch.size))
        bound = Bound(
            table=table,
            step=self.step,
            log_prob=self._decode(table, model, z, batch, full, prior),
            kl=self._kl(posterior, prior, z).expand(full) + self._idle(table, model),
            alignments=self._align(table, posterior, site.value, active),
            strata=_strata_weights(posterior, strata, (rows, batch.size), z),
            observed={n: batch.observed[n] for n in table.targets},
            active=active[:rows],
            importance_weighted=self.importance_weighted,
            pooled_strata=self.pooled_strata,
            doubly_reparameterised=self.doubly_reparameterised,
            kl_inner=_kl_inner(site.inner, rows).expand(full) if table.pays_inner else None,
        )
        if self.doubly_reparameterised and z.requires_grad:
            z.register_hook(lambda gradient: gradient * bound.importance.reshape(z.shape[:-1]).unsqueeze(-1))
        return bound

    def _plates(self, strata: int, rows: int) -> ExitStack:
        stack = ExitStack()
        if self.num_particles > 1:
            stack.enter_context(pyro.plate("particle", self.num_particles, dim=PARTICLE_DIM))
        if strata > 1:
            stack.enter_context(pyro.plate("stratum", strata, dim=STRATUM_DIM))
        stack.enter_context(pyro.plate("term", rows, dim=TERM_DIM))
        return stack

    def _decode(
        self, table: Table, model: MultimodalVAE, z: Tensor, batch: Batch, full: torch.Size, prior: TorchDistribution
    ) -> dict[str, Tensor]:
        """Return log p(x_m | z) by target, shape `full`; zero in the rows that do not decode it, which cost nothing."""
        found: dict[str, Tensor] = {}
        for rows, names in _decoded_together(table).items():
            picked = z if len(rows) == full[-2] else torch.stack([z.select(-3, row) for row in rows], dim=-3)
            with self._plates(full[-3], len(rows)):
                trace = poutine.trace(poutine.condition(model, {"z": picked})).get_trace(batch.only(names), prior)
            trace.compute_log_prob(site_filter=lambda name, _, names=names: name in names)
            for name in names:
                found[name] = _spread(trace.nodes[name]["log_prob"], rows, full)
        return {name: found[name] for name in table.targets}

    def _idle(self, table: Table, model: MultimodalVAE) -> float | Tensor:
        """Return a zero that holds on to the decoders which the drawn rows leave out: distributed training needs it."""
        idle = [name for name in self.table.targets if name not in set(table.targets)]
        modules = [part[name] for name in idle for part in (model.decoders, model.likelihoods)]
        parameters = [p for module in modules for p in module.parameters() if p.requires_grad]
        return 0.0 * torch.stack([p.sum() for p in parameters]).sum() if parameters else 0.0

    def _kl(self, posterior: TorchDistribution, prior: TorchDistribution, z: Tensor) -> Tensor:
        if not z.shape[-3]:  # alignments alone
            return z.new_zeros(())
        if posterior.batch_shape[-2] > z.shape[-3]:  # further subsets belong to alignments alone
            posterior = take_rows(posterior, range(z.shape[-3]))
        if not self.importance_weighted:
            return kl(posterior, prior, z)
        return sampled_kl(detached(posterior) if self.doubly_reparameterised else posterior, prior, z)

    def _align(
        self, table: Table, posterior: TorchDistribution, z: Tensor, active: Tensor
    ) -> list[tuple[Tensor, Tensor]]:
        """Return the divergence of every sample, and which samples have both posteriors; shapes `(B,)` each."""
        place = {subset: row for row, subset in reversed(list(enumerate(table.subsets)))}
        found: dict[int, tuple[Tensor, Tensor]] = {}
        for divergence in dict.fromkeys(a.divergence for a in table.alignments):
            chosen = [i for i, a in enumerate(table.alignments) if a.divergence == divergence]
            of = [place[table.alignments[i].of] for i in chosen]
            to = [place[table.alignments[i].to] for i in chosen]
            q, p = take_rows(posterior, of), take_rows(posterior, to)
            both = _rows_of(active, of, 0) & _rows_of(active, to, 0)
            value = divergence(q, p, _rows_of(z, of, -3), both)
            if value.dim() > 2:  # sampled: average over particles and, with their weights, over strata
                weights = _strata_weights(q, value.shape[-3], (len(of), value.shape[-1]), z)
                value = (weights * value).sum(STRATUM_DIM).reshape(-1, *value.shape[-2:]).mean(0)
            value = torch.where(both, value, 0.0)
            found.update({i: (value[row], both[row]) for row, i in enumerate(chosen)})
        return [found[i] for i in range(len(table.alignments))]

    def differentiable_loss(self, model: nn.Module, guide: nn.Module, *args: Any, **kwargs: Any) -> Tensor:
        """Return the loss, a scalar with gradients. It does not advance schedules."""
        return self.evaluate(model, guide, *args, **kwargs).loss  # type: ignore[arg-type]

    def loss(self, model: nn.Module, guide: nn.Module, *args: Any, **kwargs: Any) -> float:
        """Return the loss as a number, without gradients (`SVI.evaluate_loss`)."""
        with torch.no_grad():
            return float(self.evaluate(model, guide, *args, training=False, **kwargs).loss)  # type: ignore[arg-type]

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
        bound = self.elbo.evaluate(self.model, self.guide, batch, training=self.training)
        if self.training:
            self.elbo.step += 1
        return bound

    def get_extra_state(self) -> Tensor:
        """Return the step count, a tensor as all else in the state dict: formats of tensors alone can hold it."""
        return torch.tensor(self.elbo.step, device="cpu")

    def set_extra_state(self, state: Tensor | Mapping[str, int]) -> None:
        """Take the step count from a state dict, also of one that was saved when it was `{"step": count}`."""
        self.elbo.step = int(state["step"] if isinstance(state, Mapping) else state)

    def _load_from_state_dict(
        self, state_dict: Any, prefix: str, local_metadata: Any, strict: bool, missing_keys: list[str], *rest: Any
    ) -> None:
        # Weights without a count, as from another source, load as well: the count stays.
        super()._load_from_state_dict(state_dict, prefix, local_metadata, strict, missing_keys, *rest)
        missing_keys[:] = [key for key in missing_keys if key != f"{prefix}_extra_state"]


class _Posterior(Messenger):
    """Record the guide's posterior and its draw of z, and draw mixtures by strata.

    It stands inside the plates of the objective and outside the guide's own, so that it sees the distribution in
    the shape `(T, B)` that the guide gave it.
    """

    posterior: TorchDistribution
    value: Tensor
    inner: TorchDistribution

    def _pyro_sample(self, msg: Any) -> None:
        if msg["is_observed"] or site_is_subsample(msg):
            return
        if msg["name"] == "inner":
            self.inner = msg["fn"]
            return
        if msg["name"] != "z":
            raise IncompatibleError(f"the guide samples {msg['name']!r}; the one latent site is 'z'")
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


def _sample_component(guide: Guide, batch: Batch) -> None:
    with pyro.plate("data", batch.size, dim=-1):
        sample_latent(guide.component(batch))


def _decoded_together(table: Table) -> dict[tuple[int, ...], list[str]]:
    """Return the targets by the rows that decode them."""
    groups: dict[tuple[int, ...], list[str]] = {}
    for name in table.targets:
        groups.setdefault(tuple(i for i, term in enumerate(table.terms) if name in term.decode), []).append(name)
    return groups


def _spread(log_prob: Tensor, rows: tuple[int, ...], full: torch.Size) -> Tensor:
    """Put the values of some rows into their places among all; zero elsewhere."""
    value = log_prob.expand(*full[:2], len(rows), full[-1])
    if len(rows) == full[-2]:
        return value
    nothing = torch.zeros((), dtype=value.dtype, device=value.device).expand(*full[:2], full[-1])
    places = {row: i for i, row in enumerate(rows)}
    return torch.stack([value.select(-2, places[r]) if r in places else nothing for r in range(full[-2])], dim=-2)


def _kl_inner(inner: TorchDistribution, rows: int) -> Tensor:
    """Return the KL of a guide's inner draws to N(0, I), shape `(T, B)`."""
    chosen = take_rows(inner, range(rows))
    standard = dist.Normal(torch.zeros_like(chosen.mean), torch.ones_like(chosen.mean))
    return kl(chosen, standard.to_event(len(chosen.event_shape)), chosen.mean)


def _rows_of(value: Tensor, rows: Sequence[int], dim: int) -> Tensor:
    # Stacking views needs no index tensor, hence no copy from the host.
    return torch.stack([value.select(dim, row) for row in rows], dim=dim)


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
