"""What bounds, divergences and guides need of each other, declared by those that need it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from pyro_mmvae.guide import Guide
    from pyro_mmvae.model import MultimodalVAE
    from pyro_mmvae.table import Table


@dataclass(frozen=True)
class Requirement:
    """Something that a model, a guide and a table must have together. `Objective.check` is where it is looked at.

    An objective declares it by `Objective(..., requires=[...])`, a divergence by an attribute `requires` (see
    `requiring`), a guide by `Guide.requires`, a prior by `Prior.requires`.

    Args:
        name: what is needed, in a word or two.
        met: whether they have it.
        message: what is lacking and what to do, with the fields `{who}`, the one that needs it, `{guide}` and
            `{prior}`, classes, and `{inputs}`, the modalities that the table looks at.
    """

    name: str
    met: Callable[[MultimodalVAE, Guide, Table], bool]
    message: str

    def __str__(self) -> str:
        return self.name

    def explain(self, who: str, model: MultimodalVAE, guide: Guide, table: Table) -> str:
        """Return the message."""
        names = {"guide": type(guide).__name__, "prior": type(model.prior).__name__}
        return self.message.format(who=who, inputs=list(table.inputs), **names)


F = TypeVar("F", bound=Callable[..., object])


def requiring(*requirements: Requirement) -> Callable[[F], F]:
    """Return a decorator that declares what a divergence requires."""

    def declare(function: F) -> F:
        function.requires = requirements  # type: ignore[attr-defined]
        return function

    return declare


TWO_INPUTS = Requirement(
    "two inputs",
    lambda model, guide, table: len(table.inputs) > 1,
    "{who} needs at least two inputs, got {inputs}; use `extended` for one",
)

ONE_GAUSSIAN = Requirement(
    "one Gaussian",
    lambda model, guide, table: guide.num_components == 1,
    "{who} compares single Gaussians, but the posterior of {guide} is a mixture; use a guide such as `poe`, or the "
    "divergence `kl`",
)

COMPONENT = Requirement(
    "one Gaussian for each subset",
    lambda model, guide, table: guide.has_component,
    "{who} infers every row from one Gaussian, but the posterior of {guide} is a mixture without one for a whole "
    "subset; use `mopoe` or `poe`, or the objective `mmvae`",
)

MIXTURE = Requirement(
    "a mixture",
    lambda model, guide, table: guide.num_components > 1 or len(guide.inputs) == 1,
    "{who} scores under a mixture, but the posterior of {guide} is one Gaussian; use a mixture guide such as `moe`, or "
    "the objective `extended` for the same rows",
)
"""A single expert is the mixture of itself: a guide with one input has it."""

STANDARD_PRIOR = Requirement(
    "the prior N(0, I)",
    lambda model, guide, table: model.prior.standard,
    "{who} multiplies the prior N(0, I) into its products, but the model's prior is {prior}; use prior_expert='never'",
)

PRIOR_OF_NOTHING = Requirement(
    "the prior N(0, I) for an empty subset",
    lambda model, guide, table: model.prior.standard,
    "{who} infers z from nothing, which {guide} does by N(0, I), but the model's prior is {prior}; use subsets that "
    "are not empty",
)

INNER = Requirement(
    "an inner draw",
    lambda model, guide, table: guide.has_inner,
    "{who} pays a KL for what the guide draws on the way to z, but {guide} draws nothing there; use `mapper`, or rows "
    "with kl_inner = 0",
)

SAME_GUIDE = Requirement(
    "the guide that it was made from",
    lambda model, guide, table: all(module is guide for module in model.prior.borrowed),
    "{who} borrows the weights of another guide than the {guide} that is trained; use a prior made from that one",
)
