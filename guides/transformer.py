"""A transformer encoder over the experts."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from pyro.distributions import TorchDistribution
from torch import Tensor, nn

from pyro_mmvae.batch import Batch
from pyro_mmvae.distributions.product import prior_where_blind
from pyro_mmvae.guide import ExpertGuide, GaussianHead
from pyro_mmvae.modality import Modality


class Transformer(ExpertGuide):
    """Gaussian read off a multi-head transformer encoder whose tokens are the observed experts (Gupta 2021, 6.2.2).

    It mixes two or more observed experts; a lone one is kept as it is, sample by sample (Gupta 2021, eq. 3.7).

    A token is a projection of an expert's mean and scale plus a learned embedding of its modality; the output is the
    mean over the observed tokens. Layers normalise their input, and the last one its output too; without that the
    first steps of training are erratic. Order does not matter, and there is no dropout.

    Args:
        modalities: see `Guide`.
        latent_dim: dimension D of z.
        width: of the tokens.
        heads: of the attention; a divisor of the width.
        layers: of the encoder.

    Raises:
        ValueError: the heads do not divide the width, or there is no layer.
    """

    def __init__(
        self, modalities: Sequence[Modality], latent_dim: int, *, width: int = 128, heads: int = 4, layers: int = 2
    ) -> None:
        super().__init__(modalities, latent_dim)
        if heads < 1 or width % heads:
            raise ValueError(f"heads: expected a divisor of width = {width}, got {heads}")
        if layers < 1:
            raise ValueError(f"layers: expected at least 1, got {layers}")
        self.token = nn.Linear(2 * latent_dim, width)
        self.modality = nn.Parameter(torch.randn(len(self.inputs), width) * 0.02)
        self.encoder = _Encoder(width, heads, layers)
        self.moments = GaussianHead(width, latent_dim)

    def posterior(self, batch: Batch) -> TorchDistribution:
        """Return the Gaussian read off the observed experts, or the one expert that is observed."""
        experts = self.experts(self.features(batch))
        tokens = self.token(torch.cat([experts.loc, experts.scale], dim=-1)) + self.modality
        observed = self.observed(batch)
        mixed = self.moments(self._encode(tokens, observed))
        own = [torch.where(observed.unsqueeze(-1), part, 0.0).sum(-2) for part in experts]
        alone = observed.sum(dim=-1, keepdim=True) == 1
        loc, scale = (torch.where(alone, one, many) for one, many in zip(own, mixed, strict=True))
        return prior_where_blind(loc, scale, observed)

    def _encode(self, tokens: Tensor, observed: Tensor) -> Tensor:
        """Return the mean output over observed tokens, shape `(*lead, B, width)`."""
        # A sequence with nothing to attend to would be NaN; it may look at everything, and is replaced by the prior.
        hidden = ~observed & observed.any(dim=-1, keepdim=True)
        flat = tokens.expand(*observed.shape, tokens.shape[-1]).reshape(-1, *tokens.shape[-2:])
        # PyTorch's attention does not take an empty batch; a graph that is exported is for any size.
        out = (
            self.encoder(flat, hidden.reshape(-1, hidden.shape[-1]))
            if torch.compiler.is_compiling() or len(flat)
            else flat
        )
        weights = observed.unsqueeze(-1).to(out.dtype)
        out = out.reshape(*observed.shape, out.shape[-1])
        return (out * weights).sum(-2) / weights.sum(-2).clamp_min(1)


class _Encoder(nn.Module):
    """What `nn.TransformerEncoder` computes.

    That copies one layer, so that all begin alike; and a copy of a tensor without memory, on a fake device, is
    undefined.
    """

    def __init__(self, width: int, heads: int, layers: int) -> None:
        super().__init__()
        made = partial(nn.TransformerEncoderLayer, dropout=0.0, batch_first=True, norm_first=True)
        self.layers = nn.ModuleList(made(width, heads, 2 * width) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def forward(self, tokens: Tensor, hidden: Tensor) -> Tensor:
        for layer in self.layers:
            tokens = layer(tokens, src_key_padding_mask=hidden)
        normalised: Tensor = self.norm(tokens)
        return normalised
