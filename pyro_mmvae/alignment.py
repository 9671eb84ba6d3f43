"""Variational alignment in phases, on a system of two branches or on top of a finished pair."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from pyro_mmvae.guide import Guide
from pyro_mmvae.likelihoods.base import Likelihood
from pyro_mmvae.modality import Modality
from pyro_mmvae.model import MultimodalVAE
from pyro_mmvae.networks.mlp import MLPDecoder
from pyro_mmvae.objectives.variational_alignment import variational_alignment
from pyro_mmvae.phases import Phase
from pyro_mmvae.schedules import Weight

BRANCHES = ("model", "guide.upper", "guide.lower")
"""What the first phase trains, as prefixes for `Phase`."""
MAPPER = ("guide.mappers",)
"""What the second phase trains, and "+ mapper" on a finished pair."""
ALL = ("model", "guide")
"""What the third phase trains."""


def alignment_phases(
    inputs: Sequence[str],
    targets: Mapping[str, Weight] | Sequence[str],
    epochs: tuple[int, int, int],
    *,
    mapper: Mapping[str, Any] | None = None,
    everything: Mapping[str, Any] | None = None,
    **options: Any,
) -> list[Phase]:
    """Return the three phases of "Cross-modal Variational Alignment of Latent Spaces", section 3, for `fit_phases`.

    First both branches, side by side and independent of each other; then the mappers alone, with everything else
    frozen and in evaluation mode; then everything. They are for the guide `mapper` and, unless `upper_targets` is None,
    a model with a branch `upper`. Epochs are not printed in the paper. A phase of no epochs is left out.

    Args:
        inputs: see `variational_alignment`.
        targets: what the lower branch decodes.
        epochs: of each phase.
        mapper: options of `variational_alignment` that are others in the second phase.
        everything: and in the third.
        options: of `variational_alignment`, but `part`. What the upper branch decodes is `targets` when left out.

    Raises:
        ValueError: see `variational_alignment`; a negative number of epochs, or none at all.
    """
    if len(epochs) != 3 or min(epochs) < 0 or not any(epochs):
        raise ValueError(f"epochs: expected three numbers, one for each phase and not all of them zero, got {epochs}")
    shared = {"upper_targets": targets, **options}
    plan: list[tuple[Any, Mapping[str, Any], tuple[str, ...]]] = [
        ("branches", {}, BRANCHES),
        ("mapper", mapper or {}, MAPPER),
        ("all", everything or {}, ALL),
    ]
    return [
        Phase(variational_alignment(inputs, targets, part=part, **{**shared, **own}), number, trainable, part)
        for (part, own, trainable), number in zip(plan, epochs, strict=True)
        if number
    ]


def mapper_phase(
    inputs: Sequence[str], targets: Mapping[str, Weight] | Sequence[str], epochs: int, **options: Any
) -> Phase:
    """Return the phase that trains a mapper on top of a finished pair, which stays as it is to the last bit.

    Build the guide by `Mapper.over(guide, onto, sources)`, and train it with the pair's own model:
    `fit_phases([mapper_phase(mapper.inputs, targets, epochs)], model, mapper, data, ...)`. Without the mapper the
    pair's numbers are those of before: its guide is `mapper.lower`.

    Args:
        inputs: of the mapper; the last one is what is mapped onto.
        targets: what the model decodes from mapped draws.
        epochs: how many.
        options: of `variational_alignment`.

    Raises:
        ValueError: see `variational_alignment`.
    """
    return Phase(variational_alignment(inputs, targets, part="mapper", **options), epochs, MAPPER, "mapper")


def latent_classifier(guide: Guide, name: str, likelihood: Likelihood) -> MultimodalVAE:
    """Return a model whose only decoder is one fully connected layer from z to a label: a classifier on the latent.

    It is trained on draws of a finished guide by a phase that leaves the guide alone, `Phase(crossvae(inputs, [name],
    beta=0.0), epochs, trainable=("model",))`, and predicts by `model.predict(guide.point(batch), name)`. Schonfeld et
    al. 2019 (CADA-VAE) classify so.

    Args:
        guide: its posteriors are classified.
        name: of the label.
        likelihood: of the label, such as `Categorical` or `Multilabel`.
    """
    decoder: nn.Module = MLPDecoder(guide.latent_dim, likelihood.param_shape, widths=())
    return MultimodalVAE([Modality(name, likelihood, decoder)], guide.latent_dim)
