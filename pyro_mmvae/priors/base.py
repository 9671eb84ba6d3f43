"""What a prior is: a module whose call returns p(z)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pyro.distributions import TorchDistribution
from torch import Tensor, nn

from pyro_mmvae.distributions.mixture import central_point
from pyro_mmvae.recorded import Recorded
from pyro_mmvae.requirements import Requirement

if TYPE_CHECKING:
    from pyro_mmvae.batch import Batch
    from pyro_mmvae.guide import Guide


class Prior(Recorded, nn.Module, ABC):
    """The density p(z) of a model; its parameters are trained with those of the model.

    Args:
        latent_dim: dimension D of z.

    Attributes:
        standard: whether it is N(0, I), which guides build in (see `Guide.posterior`).
        requires: what it needs of the guide that it is used with.
        borrowed: modules that it uses and does not own. They are no part of its state dict or parameters.
    """

    standard: ClassVar[bool] = False
    requires: ClassVar[tuple[Requirement, ...]] = ()
    borrowed: tuple[nn.Module, ...] = ()

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        self.latent_dim = latent_dim

    @abstractmethod
    def forward(self) -> TorchDistribution:
        """Return p(z), batch shape `()` and event shape `(D,)`.

        Its `log_prob` is differentiable for z and for the parameters. It need not have an `rsample`.
        """

    def point(self) -> Tensor:
        """Return the z that a point estimate decodes where nothing is observed, shape `(D,)`; see `Guide.point`."""
        return central_point(self())

    @classmethod
    def of(cls, guide: Guide, start: Batch, **options: Any) -> Self:
        """Return a prior for the latent space of a guide; the one way to build all of them.

        Args:
            guide: that will be used with the prior.
            start: complete samples for priors that start from data; the others do not look at it.
            options: of the class.
        """
        return cls(guide.latent_dim, **options)
