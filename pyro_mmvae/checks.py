"""Observed values that a likelihood cannot have generated: refused before they become a silent wrong number."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain

import pyro
import torch
from torch import nn

from pyro_mmvae.batch import Batch
from pyro_mmvae.errors import IncompatibleError
from pyro_mmvae.model import MultimodalVAE
from pyro_mmvae.priors.base import Prior
from pyro_mmvae.values import refuse_nonfinite, zero_filled


def check_shapes(model: MultimodalVAE, batch: Batch, names: Iterable[str]) -> None:
    """Refuse values that would be broadcast against a decoder's output; nothing waits for the device.

    Raises:
        ValueError: a modality's values do not have the shape that its likelihood is of.
    """
    for name in names:
        likelihood, found = model.likelihood(name), tuple(batch.data[name].shape[1:])
        if found != likelihood.event_shape:
            raise ValueError(
                f"{name!r}: its likelihood {type(likelihood).__name__} is of values of shape "
                f"{_shape(likelihood.event_shape)}, the batch holds values of shape {_shape(found)}"
            )


def check_program(model: MultimodalVAE) -> None:
    """Refuse a model whose program is of one's own, by those who do not run it: it may have further sites.

    Raises:
        IncompatibleError: it is a subclass with a `forward` of its own.
    """
    if type(model).forward is not MultimodalVAE.forward:
        raise IncompatibleError(
            f"{type(model).__name__} has a forward of its own, whose further sites would be left out here: only p(z) "
            f"and the likelihoods are read. Use pyro.infer, such as Predictive and NUTS, which runs the forward"
        )


def check_devices(batch: Batch, **modules: nn.Module) -> None:
    """Refuse a batch that lies elsewhere than the modules that read it; nothing waits for a device.

    Args:
        batch: its data.
        modules: by what they are called in the message. Of each the first parameter or buffer counts.

    Raises:
        ValueError: there is a difference.
    """
    places = {}
    for name, module in modules.items():
        first = next((t for t in chain(module.parameters(), module.buffers())), None)
        if first is not None:
            places[name] = first.device
    if batch.data and any(place != batch.device for place in places.values()):
        found = {"batch": batch.device, **places}
        raise ValueError(
            f"expected everything on one device, got { {name: str(place) for name, place in found.items()} }; move the "
            f"batch by `batch.to(device)`, model and guide by `.to(device)`"
        )


def check_finite(batch: Batch, names: Iterable[str]) -> None:
    """Refuse NaN and infinity among what is observed of some modalities. Waits for the device.

    Args:
        batch: its unobserved values do not matter.
        names: those that the batch does not hold are left out.

    Raises:
        ValueError: there is one; the message has modality and samples.
    """
    for name in dict.fromkeys(names):
        if name in batch.data:
            refuse_nonfinite(name, zero_filled(batch.data[name], batch.observed[name]))


def check_values(model: MultimodalVAE, batch: Batch, names: Iterable[str]) -> None:
    """Refuse grey values under a Bernoulli and soft labels: a number comes out, and it is no log-likelihood.

    What is not observed may hold anything, and an empty batch is fine. Waits for the device.

    Raises:
        ValueError: an observed value is outside of what its likelihood can generate.
    """
    for name in names if batch.size else ():
        with torch.no_grad(), evaluation(model):
            z = torch.zeros(1, model.latent_dim, device=batch.device, dtype=model.dtype)
            distribution = model.decode(z, name)
        try:
            fine = distribution.support.check(model.values(batch, name, distribution))
        except NotImplementedError:
            continue
        outside = ~(fine.flatten(1).all(1) if fine.dim() > 1 else fine) & batch.observed[name]
        if bool(outside.any()):
            rows = outside.nonzero().flatten().tolist()
            kind = type(model.likelihood(name)).__name__
            raise ValueError(
                f"{name!r} holds values that its likelihood {kind} cannot generate, in "
                f"data points {rows[:8]}{'...' if len(rows) > 8 else ''}; expected {distribution.support}. Binarise "
                f"grey values, make labels one-hot, or train with a likelihood of such values"
            )


def _shape(sizes: tuple[int, ...]) -> str:
    return f"(B{''.join(f', {size}' for size in sizes)})"


@contextmanager
def evaluation(*modules: nn.Module) -> Iterator[None]:
    """Put modules, and what they borrow, into evaluation mode for a while, and switch argument checks off."""
    parts = {part for module in modules for part in module.modules()}
    parts |= {part for prior in parts if isinstance(prior, Prior) for lent in prior.borrowed for part in lent.modules()}
    training = [part for part in parts if part.training]
    try:
        for part in training:
            part.training = False
        with pyro.validation_enabled(False):
            yield
    finally:
        for part in training:
            part.training = True
