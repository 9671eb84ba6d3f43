"""What a likelihood is: a module that turns a decoder's output into a distribution."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Self

from pyro.distributions import TorchDistribution
from torch import Tensor, nn

from pyro_mmvae.recorded import Recorded


class Likelihood(Recorded, nn.Module, ABC):
    """The conditional density p(x_m | z) of one modality, given its decoder's output.

    Args:
        event_shape: shape of one observed value, without batch dimensions.

    Attributes:
        event_shape: as given.
        normalised: False for an energy: `log_prob` of the distribution is then known only up to a
            parameter-dependent constant, and estimators of log-likelihoods refuse it.
    """

    normalised: bool = True

    def __init__(self, event_shape: tuple[int, ...]) -> None:
        super().__init__()
        self.event_shape = tuple(event_shape)

    @property
    def param_shape(self) -> tuple[int, ...]:
        """Shape of the decoder's output for one sample; the event's shape unless a likelihood says otherwise."""
        return self.event_shape

    @property
    def param_size(self) -> int:
        """Number of values in `param_shape`: the width of a fully connected decoder's last layer."""
        return math.prod(self.param_shape)

    @abstractmethod
    def forward(self, params: Tensor) -> TorchDistribution:
        """Return the distribution of x_m.

        Args:
            params: decoder output, shape `(*lead, *param_shape)`.

        Returns:
            A distribution with batch shape `lead` and event shape `event_shape`.
        """

    def predict(self, params: Tensor) -> Tensor:
        """Return a point estimate of x_m, shape `(*lead, *event_shape)`; the parameters themselves by default."""
        return params

    @classmethod
    def example(cls) -> Self:
        """Return a tiny instance, which the contract tests of the likelihoods' folder use; nothing else needs it.

        Raises:
            NotImplementedError: the likelihood does not give one.
        """
        raise NotImplementedError(f"{cls.__name__} gives no example; write a classmethod `example`")
