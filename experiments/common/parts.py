"""Guides and objectives by name, with their options from the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pyro_mmvae import Guide, Modality, Objective, guides, objectives
from pyro_mmvae.experiments.common.configuration import options
from pyro_mmvae.schedules import Weight


def build_guide(name: str, modalities: Sequence[Modality], latent_dim: int, pairs: Sequence[str] = ()) -> Guide:
    """Return a guide.

    Args:
        name: file in `guides`.
        modalities: see `Guide`.
        latent_dim: dimension D of z.
        pairs: its options, `name=value` each.

    Raises:
        ValueError: an unknown guide, or an option that it does not have.
    """
    chosen = options(pairs)
    try:
        return guides.load(name)(modalities, latent_dim, **chosen)
    except TypeError as error:
        raise ValueError(f"--guide-options {chosen} do not fit the guide {name!r}: {error}") from error


def build_objective(
    name: str, inputs: Sequence[str], targets: Mapping[str, Weight], pairs: Sequence[str] = (), **given: Any
) -> Objective:
    """Return an objective.

    Args:
        name: file in `pyro_mmvae.objectives`.
        inputs: modalities that are looked at.
        targets: decoded modalities with their weights.
        pairs: its own options, `name=value` each.
        given: beta and number of particles.

    Raises:
        ValueError: an unknown objective, an option that it does not have, or one that does not fit the inputs.
    """
    chosen = options(pairs)
    try:
        return objectives.load(name)(inputs, targets, **given, **chosen)
    except TypeError as error:
        raise ValueError(f"--objective-options {chosen} do not fit the objective {name!r}: {error}") from error
