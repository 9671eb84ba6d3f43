"""Many binary values at once, such as an image's pixels, with few logarithms."""

from __future__ import annotations

from typing import Any

import pyro.distributions as dist
import torch
from torch import Tensor

_MOST = 120
"""Probabilities of a half or more whose product stays above the smallest number in single precision, 2^-126."""


class IndependentBernoulli(dist.Independent):
    """Binary values, independent of each other: `dist.Bernoulli(logits=logits).to_event(event_dim)`, but faster.

    There every value costs a logarithm; here about a hundred values share one. What a value contributes is right to
    6e-8 nats in single precision. Figures are in `benchmarks/README.md`.

    Args:
        logits: shape `(*batch, *event)`.
        event_dim: number of dimensions of the event.
        validate_args: as for every distribution.
    """

    def __init__(self, logits: Tensor, event_dim: int, validate_args: bool | None = None) -> None:
        super().__init__(dist.Bernoulli(logits=logits, validate_args=validate_args), event_dim, validate_args)

    def expand(self, batch_shape: torch.Size | tuple[int, ...], _instance: Any = None) -> IndependentBernoulli:
        """Return a view with another batch shape."""
        logits = self.base_dist.logits.expand(*batch_shape, *self.event_shape)
        return type(self)(logits, len(self.event_shape), validate_args=self._validate_args)

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log probability of values `(*batch, *event)`, shape `batch`.

        Raises:
            ValueError: with validation on, a value other than 0 and 1, or of another shape.
        """
        if self._validate_args:
            self._validate_sample(value)
        # Centred before it is broadcast: values have no dimension of draws.
        logits, centred = torch.broadcast_tensors(self.base_dist.logits, value - 0.5)
        dims = len(self.event_shape)
        logits, centred = (p.flatten(-dims) if dims else p.unsqueeze(-1) for p in (logits, centred))
        score: Tensor = _LogProb.apply(logits, centred)
        return score


class _LogProb(torch.autograd.Function):
    """Sum over the last dimension of x l - log(1 + exp(l)) = (x - 1/2) l - |l| / 2 + log sigmoid(|l|).

    The last term is summed as the logarithm of a product. The derivative is written down because that of `prod` looks
    for zeros and waits for the device.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(logits: Tensor, centred: Tensor) -> Tensor:
        size = logits.abs()
        # Added up value by value, since the two cancel where the likelier value is the observed one.
        score = (logits * centred).sub_(size, alpha=0.5).sum(-1)
        probabilities = size.sigmoid_()
        count = probabilities.shape[-1]
        together = next(n for n in range(_MOST, 0, -1) if count % n == 0)
        return score + probabilities.unflatten(-1, (-1, together)).prod(-1).log_().sum(-1)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None]:
        logits, centred = ctx.saved_tensors
        grad = grad.unsqueeze(-1)
        return (
            grad * (centred + 0.5 - logits.sigmoid()) if ctx.needs_input_grad[0] else None,
            grad * logits if ctx.needs_input_grad[1] else None,
        )
