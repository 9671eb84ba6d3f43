"""The joint density log p(x_S, z) of a batch, scored in blocks that fit the cache."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from pyro_mmvae.arguments import names_of
from pyro_mmvae.batch import Batch
from pyro_mmvae.checks import check_devices, check_finite, check_program, check_shapes, check_values
from pyro_mmvae.errors import IncompatibleError
from pyro_mmvae.model import MultimodalVAE


class Target:
    """log p(x_S | z) and log p(x_S, z) for the observed part of the modalities S.

    Args:
        model: gives prior and likelihoods.
        batch: N data points.
        of: S.
        chunk_rows: number of rows that decoders see at once.

    Attributes:
        prior: p(z), made once.
    """

    def __init__(self, model: MultimodalVAE, batch: Batch, of: Sequence[str], chunk_rows: int) -> None:
        self.model, self.of = model, tuple(of)
        with torch.no_grad():
            self.prior = model.prior()
        self.chunk_rows = chunk_rows
        self.complete = {n: bool(batch.observed[n].all()) for n in self.of}
        blocks = range(0, batch.size, chunk_rows)
        batch = batch.only(of).zero_filled().differentiable()
        self.blocks = [batch[i : i + chunk_rows] for i in blocks]
        self.places = [slice(i, i + chunk_rows) for i in blocks]

    @property
    def draws(self) -> int:
        """Number of draws for each point that decoders see at once."""
        return max(self.chunk_rows // max(self.blocks[0].size, 1), 1)

    def scores(self, z: Tensor) -> dict[str, Tensor]:
        """Return log p(x_m | z) for every m of S, each `(C, N)`, 0 where x_m is not observed; z is `(C, N, D)`."""
        parts = [self._block(z[:, place], block) for place, block in zip(self.places, self.blocks, strict=True)]
        return parts[0] if len(parts) == 1 else {n: torch.cat([part[n] for part in parts], dim=1) for n in self.of}

    def _block(self, z: Tensor, block: Batch) -> dict[str, Tensor]:
        found = {}
        for name in self.of:
            distribution = self.model.decode(z, name)
            score = distribution.log_prob(self.model.values(block, name, distribution))
            found[name] = score if self.complete[name] else torch.where(block.observed[name], score, 0.0)
        return found

    def log_likelihood(self, z: Tensor) -> Tensor:
        """Return log p(x_S | z), shape `(C, N)`, for z of shape `(C, N, D)`."""
        return torch.stack(list(self.scores(z).values())).sum(0)

    def log_joint(self, z: Tensor) -> Tensor:
        """Return log p(x_S, z), shape `(C, N)`."""
        return self.log_likelihood(z) + self.prior.log_prob(z)

    def log_joint_in_chunks(self, z: Tensor) -> Tensor:
        """Return log p(x_S, z) without a gradient, in memory that does not grow with C."""
        return torch.cat([self.log_joint(part) for part in z.split(self.draws)])

    def slope(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Return log p(x_S, z) `(C, N)` and its gradient in z `(C, N, D)`; memory for graphs does not grow with C."""
        value, gradient = self._by_chunks(self._slope, z)
        return value, gradient

    def curvature(self, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return log p(x_S, z) `(C, N)`, its gradient `(C, N, D)` and its Hessian in z `(C, N, D, D)`.

        The Hessian takes a product with each of D unit vectors: about the time of 3 + 5 D decodings.

        Raises:
            IncompatibleError: a decoder or likelihood that cannot be differentiated twice.
        """
        value, gradient, hessian = self._by_chunks(self._curvature, z)
        return value, gradient, hessian

    def _by_chunks(self, scored: Callable[[Tensor, Batch], tuple[Tensor, ...]], z: Tensor) -> list[Tensor]:
        columns = []
        for place, block in zip(self.places, self.blocks, strict=True):
            parts = [scored(part, block) for part in z[:, place].split(self.draws)]
            columns.append([torch.cat(piece) for piece in zip(*parts, strict=True)])
        return columns[0] if len(columns) == 1 else [torch.cat(c, dim=1) for c in zip(*columns, strict=True)]

    def _joint(self, z: Tensor, block: Batch) -> Tensor:
        return torch.stack(list(self._block(z, block).values())).sum(0) + self.prior.log_prob(z)

    def _slope(self, z: Tensor, block: Batch) -> tuple[Tensor, Tensor]:
        with torch.enable_grad():
            z = z.detach().requires_grad_()
            value = self._joint(z, block)
            return value.detach(), torch.autograd.grad(value.sum(), z)[0]

    def _curvature(self, z: Tensor, block: Batch) -> tuple[Tensor, Tensor, Tensor]:
        with torch.enable_grad():
            z = z.detach().requires_grad_()
            value = self._joint(z, block)
            try:
                (gradient,) = torch.autograd.grad(value.sum(), z, create_graph=True)
                rows = [_row(gradient[..., i], z) for i in range(z.shape[-1])]
            except RuntimeError as error:
                if "derivative" not in str(error):
                    raise
                raise IncompatibleError(
                    f"a decoder or likelihood of {list(self.of)} cannot be differentiated twice, as a Laplace start "
                    f"has to; start from 'refined' or 'guide' instead ({error})"
                ) from error
        return value.detach(), gradient.detach(), torch.stack(rows, dim=-2)


def _row(gradient: Tensor, z: Tensor) -> Tensor:
    if not gradient.requires_grad:  # linear in z
        return torch.zeros_like(z)
    return torch.autograd.grad(gradient.sum(), z, retain_graph=True, materialize_grads=True)[0]


def check_target(model: MultimodalVAE, batch: Batch, of: Sequence[str]) -> None:
    """Refuse modalities that have no log-likelihood here.

    Raises:
        ValueError: a name that the model does not decode or the batch does not hold, an empty batch, or values that
            its likelihood cannot generate.
        IncompatibleError: a likelihood that is an energy and no density, or a model with a program of its own.
    """
    if not names_of(of, "of"):
        raise ValueError(f"of: expected one or more distinct modalities, got none; the model has {list(model.names)}")
    if lacking := [n for n in of if n not in model.names]:
        raise ValueError(f"of: the model does not decode {lacking}; it decodes {list(model.names)}")
    if lacking := [n for n in of if n not in batch.data]:
        raise ValueError(f"of: the batch does not hold {lacking}; it holds {list(batch.names)}")
    refuse_energies(model, of)
    if not batch.size:
        raise ValueError("expected at least one data point, got an empty batch")
    check_program(model)
    check_devices(batch, model=model)
    check_shapes(model, batch, of)
    check_finite(batch, of)
    check_values(model, batch, of)


def refuse_energies(model: MultimodalVAE, of: Sequence[str]) -> None:
    """Refuse modalities whose likelihood is known up to a constant only.

    Raises:
        IncompatibleError: there is one.
    """
    if energies := [n for n in of if not model.normalised([n])]:
        kinds = {n: type(model.likelihoods[n]).__name__ for n in energies}
        raise IncompatibleError(
            f"the likelihoods {kinds} are energies, known up to a constant that depends on the parameters: there is no "
            f"log-likelihood. Leave them out of `of`, or use a density, such as Pointcloud(N, 'mixture', scale)"
        )
