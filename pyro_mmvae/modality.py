"""One observed variable of a multimodal model."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from torch import nn

from pyro_mmvae.arguments import check_name
from pyro_mmvae.likelihoods.base import Likelihood


@dataclass(frozen=True, eq=False)
class Modality:
    """A modality: how it is encoded, decoded and scored. Either network may be absent.

    Args:
        name: name of the Pyro site and key of the batch. It has no dots and is none of those that Pyro or PyTorch have
            given away, such as "z", "data" and "type".
        likelihood: turns the decoder's output into p(x_m | z).
        decoder: module `(N, D) -> (N, *likelihood.param_shape)`. Without one the modality is only looked at.
        encoder: module `(N, *event_shape) -> (N, F)`, features from which a guide makes its expert. Without one
            the modality is only predicted (a hand's pose, say).
        features: F; read off the encoder (its `out_features`, or its last linear layer) when left out.

    Raises:
        ValueError: a name that Pyro or PyTorch cannot hold, neither encoder nor decoder, or a decoder without a
            likelihood.
    """

    name: str
    likelihood: Likelihood | None = None
    decoder: nn.Module | None = None
    encoder: nn.Module | None = None
    features: int | None = None

    def __post_init__(self) -> None:
        """Refuse what could not work later."""
        check_name(self.name)
        if self.decoder is None and self.encoder is None:
            raise ValueError(f"modality {self.name!r} needs an encoder, a decoder or both, got neither")
        if self.decoder is not None and self.likelihood is None:
            raise ValueError(f"modality {self.name!r} has a decoder but no likelihood to score its output with")

    @property
    def feature_size(self) -> int:
        """Number of features F that the encoder returns.

        Raises:
            ValueError: there is no encoder, or its width cannot be told.
        """
        if self.encoder is None:
            raise ValueError(f"modality {self.name!r} has no encoder")
        width = self.features or _width(self.encoder)
        if width is None:
            raise ValueError(
                f"cannot tell how many features the encoder of {self.name!r} returns; "
                f"pass Modality(..., features=F) or give the encoder an attribute `out_features`"
            )
        return width


def distinct(modalities: Iterable[Modality]) -> list[Modality]:
    """Return modalities, each of another name.

    Raises:
        TypeError: something else is among them.
        ValueError: two have one name.
    """
    found = list(modalities)
    if others := [type(m).__name__ for m in found if not isinstance(m, Modality)]:
        raise TypeError(f"expected a list of Modality, got {others} in it")
    names = [m.name for m in found]
    if len(set(names)) != len(names):
        raise ValueError(f"modalities need distinct names, got {names}")
    return found


def _width(encoder: nn.Module) -> int | None:
    if isinstance(width := getattr(encoder, "out_features", None), int):
        return width
    linear = [module for module in encoder.modules() if isinstance(module, nn.Linear)]
    return linear[-1].out_features if linear else None
