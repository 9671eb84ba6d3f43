"""Variational alignment of hands: the upper branch, the phases, and the results of branches and mapper."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from pyro_mmvae import Guide, MultimodalVAE
from pyro_mmvae.alignment import alignment_phases
from pyro_mmvae.experiments.common.by_name import built
from pyro_mmvae.experiments.rhd.config import ALIGNMENT, Config
from pyro_mmvae.experiments.rhd.networks import build_modalities
from pyro_mmvae.guides.mapper import Mapper
from pyro_mmvae.hands.evaluation import Judged
from pyro_mmvae.phases import Phase
from pyro_mmvae.schedules import Weight


def upper_branch(config: Config, guide: Guide) -> MultimodalVAE:
    """Return the model that decodes the targets from the sources' own latent space (D1)."""
    assert isinstance(guide, Mapper)
    assert guide.upper is not None
    above = replace(config, latent_dim=guide.upper.latent_dim)
    return MultimodalVAE(build_modalities(above, encoders=False), above.latent_dim)


def phases(
    config: Config, guide: Guide, targets: Mapping[str, Weight], beta: Callable[[int], Weight], steps_per_epoch: int
) -> list[Phase]:
    """Return the phases of Theodoridis et al. 2020; beta rises in the first, and is at its end in the others.

    Args:
        config: of the run.
        guide: the mapper.
        targets: what the lower branch decodes.
        beta: its weight in a phase of so many steps.
        steps_per_epoch: number of training steps in an epoch.
    """
    epochs = config.phase_epochs
    assert epochs is not None
    end = {"beta": config.beta_end}
    given: dict[str, Any] = {"mapper": end, "everything": end, "num_particles": config.particles}
    given["beta"] = beta(steps_per_epoch * max(epochs[0], 1))
    arguments, pairs = (guide.inputs, targets, epochs), config.objective_options or ()
    found: list[Phase] = built("objective", ALIGNMENT, alignment_phases, *arguments, pairs=pairs, **given)
    return found


def branches(judged: Judged) -> dict[str, Any]:
    """Return the errors of the upper branch, of the lower one and of the mapper, as `metrics.json` has them."""
    guide, found = judged.loss.guide, judged.poses
    assert isinstance(guide, Mapper)
    mapped = {"mapper" if len(guide.sources) == 1 else f"mapper, {n}": found[n] for n in guide.sources if n in found}
    lower = {"lower": found[guide.onto]} if guide.onto in found else {}
    return {name: metrics.to_dict() for name, metrics in {**judged.branch_poses, **lower, **mapped}.items()}
