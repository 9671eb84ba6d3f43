"""A mapper on top of a finished run, whose model and guide stay as they are."""

from __future__ import annotations

import inspect
from typing import Any

from pyro_mmvae import Guide, Loss, MultimodalVAE, Objective
from pyro_mmvae.alignment import mapper_phase
from pyro_mmvae.experiments.common.experiment import Evaluation, Experiment, RunData
from pyro_mmvae.guides.mapper import Mapper
from pyro_mmvae.named_options import built
from pyro_mmvae.objectives.variational_alignment import variational_alignment
from pyro_mmvae.phases import Phase
from pyro_mmvae.tensor_files import load_weights

OPTION = "mapper"
_WEIGHTS = frozenset(inspect.signature(variational_alignment).parameters) - {"onto"}


class OnTop(Experiment[Any]):
    """What an experiment becomes with `--mapper-on`: the mapper over its guide, trained alone.

    "+ Mapper" of "Cross-modal Variational Alignment of Latent Spaces", Table 1. It stands before the experiment's own
    class among the bases of one that `on_top` makes.
    """

    def pair(self) -> tuple[MultimodalVAE, Guide]:
        """Return the run's model, and a mapper over its guide.

        Raises:
            ValueError: the run has a mapper or a single input, or an option that the mapper does not have.
        """
        model, guide = super().pair()
        if model.branches or isinstance(guide, Mapper):
            raise ValueError("--mapper-on: expected a run without a mapper, got one of the guide `mapper`")
        if len(guide.inputs) < 2:
            raise ValueError(f"--mapper-on: expected a run that looks at two inputs, got one of {list(guide.inputs)}")
        pairs = [pair for pair in self.config.mapper_options if not self._is_weight(pair)]
        onto = {} if any(pair.startswith("onto=") for pair in pairs) else {"onto": guide.inputs[-1]}
        mapper: Mapper = built(OPTION, OPTION, Mapper.over, guide, pairs=pairs, **onto)
        return model, mapper

    def objective(self, guide: Guide, steps: int) -> Objective:
        """Return the objective that the mapper is trained with."""
        return self._phase(guide, steps).objective

    def phases(self, guide: Guide, steps_per_epoch: int) -> list[Phase]:
        """Return the one phase, in which the mapper moves and nothing else."""
        return [self._phase(guide, steps_per_epoch * self.config.epochs)]

    def _phase(self, guide: Guide, steps: int) -> Phase:
        config = self.config
        pairs = [pair for pair in config.mapper_options if self._is_weight(pair)]
        given = {"beta": self.beta(steps), "num_particles": config.particles}
        found: Phase = built(
            OPTION, OPTION, mapper_phase, guide.inputs, self.targets(), config.epochs, pairs=pairs, **given
        )
        return found

    @staticmethod
    def _is_weight(pair: str) -> bool:
        return pair.partition("=")[0] in _WEIGHTS

    def begin(self, loss: Loss) -> None:
        """Take the weights of the run."""
        from pyro_mmvae.experiments.common.runs import open_run

        below = open_run(self.config.mapper_on, allow=self.config.code).loss
        for mine, theirs in ((loss.model, below.model), (self._below(loss.guide), below.guide)):
            load_weights(
                mine, theirs.state_dict(), f"--mapper-on {self.config.mapper_on}: the options do not fit the run"
            )

    def evaluate(self, loss: Loss, data: RunData) -> Evaluation:
        """Judge the run with the mapper, and as it is."""
        guide = self._below(loss.guide)
        plain = super().objective(guide, 1)(loss.model, guide).eval()
        # `evaluate` is abstract in the base named here, and not in the class that `on_top` puts behind it.
        without, found = (super(OnTop, self).evaluate(one, data) for one in (plain, loss))  # type: ignore[safe-super]
        metrics = {**found.metrics, "without_mapper": without.metrics}
        report = f"without the mapper:\n{without.report}\n\nwith the mapper:\n{found.report}"
        return Evaluation(metrics, report, found.draw)

    @staticmethod
    def _below(guide: Guide) -> Guide:
        assert isinstance(guide, Mapper)
        return guide.lower


def on_top(cls: type[Experiment[Any]]) -> type[Experiment[Any]]:
    """Return an experiment's class with a mapper on top of what it was."""
    return type(f"{cls.__name__}OnTop", (OnTop, cls), {"__doc__": cls.__doc__})
