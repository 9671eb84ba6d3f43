"""What an experiment is: one class, made from one configuration."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar, get_args

import lightning

from pyro_mmvae import Batch, Guide, Loss, Modality, MultimodalVAE, Objective, Schedule, guides, objectives
from pyro_mmvae.cross_correlation import with_cross_correlation
from pyro_mmvae.experiments.common.by_name import built
from pyro_mmvae.experiments.common.columns import Column, Curve
from pyro_mmvae.experiments.common.run_config import RunConfig
from pyro_mmvae.phases import Phase
from pyro_mmvae.schedules import Weight
from pyro_mmvae.training import History, Training

C = TypeVar("C", bound=RunConfig)


class RunData(lightning.LightningDataModule, ABC):
    """Loaders of a run, and the samples that its results are of."""

    @abstractmethod
    def steps_per_epoch(self) -> int:
        """Return the number of training steps in an epoch."""

    @abstractmethod
    def judged(self, samples: int | None = None) -> Iterable[Batch]:
        """Return the samples that the results are of (`--judge`), batch by batch, the same draw every time.

        Args:
            samples: so many, always the same ones; None: all.
        """

    @abstractmethod
    def describe(self) -> str:
        """Return in a line what the data are."""


@dataclass
class Evaluation:
    """What a trained model did.

    Attributes:
        metrics: the experiment's part of `metrics.json`.
        report: the same for people.
        draw: writes figures into a folder, if there are any; the history is None where a finished run is judged again.
    """

    metrics: dict[str, Any]
    report: str
    draw: Callable[[Path, History | None], None] | None = None


class Experiment(ABC, Generic[C]):
    """One experiment, configured.

    Adding one is adding a folder with `config.py` (a `Config`, light), `experiment.py` (a subclass named
    `Experiment`) and `__main__.py`; command line, resume, comparison and likelihoods follow. One outside of this
    package is any subclass of `Experiment[Config]`, found by its import path.

    Args:
        config: checked.
    """

    watched: str = "val/loss"
    """Metric that decides about an early stop, at its least; one that does not change its meaning in training."""
    training_class: ClassVar[type[Training]] = Training
    """How the loss is trained; a subclass of `Training` may watch more than the loss."""
    commands: ClassVar[Mapping[str, Callable[[Any], None]]] = {}
    """What can be done with a trained run besides; the options stand in `Config.commands`."""

    sheets: ClassVar[tuple[str, ...]] = ()
    """Figures of a run that a comparison shows one below the other, besides `cross_correlation.png`."""

    def __init__(self, config: C) -> None:
        self.config = config

    @classmethod
    @cache
    def config_class(cls, name: str) -> type[RunConfig]:
        """Return the class of the options, that of `Experiment[...]`, for an experiment that goes by a name."""
        bases = [base for c in cls.__mro__ for base in vars(c).get("__orig_bases__", ())]
        found = next(c for base in bases for c in get_args(base) if isinstance(c, type) and issubclass(c, RunConfig))
        return type(found.__name__, (found,), {"experiment": name, "__doc__": found.__doc__})

    @abstractmethod
    def modalities(self) -> list[Modality]:
        """Return the modalities with their networks, not trained."""

    @abstractmethod
    def data(self) -> RunData:
        """Open the data.

        Raises:
            FileNotFoundError: they are not there.
            ValueError: they are damaged or too few.
        """

    @abstractmethod
    def evaluate(self, loss: Loss, data: RunData) -> Evaluation:
        """Judge model and guide, in evaluation mode on the device of their parameters."""

    @staticmethod
    @abstractmethod
    def columns(metrics: Mapping[str, Any]) -> dict[str, Column]:
        """Return the numbers of a run's `metrics.json` that a comparison shows; the first one decides by default."""

    @staticmethod
    def curves(metrics: Mapping[str, Any]) -> dict[str, Curve]:
        """Return curves of a run's `metrics.json`, by title, that a comparison draws over one another."""
        return {}

    def targets(self) -> dict[str, Weight]:
        """Return the weights of the decoded modalities; one each by default."""
        return dict.fromkeys((m.name for m in self.modalities() if m.decoder is not None), 1.0)

    def pair(self) -> tuple[MultimodalVAE, Guide]:
        """Return model and guide, not trained.

        Raises:
            ValueError: an option that the guide does not have, or parts that cannot work together.
        """
        config, modalities = self.config, self.modalities()
        build, pairs = guides.load(config.guide), config.guide_options or ()
        guide = built("guide", config.guide, build, modalities, config.latent_dim, pairs=pairs)
        return MultimodalVAE(modalities, config.latent_dim, branches=self.branches(guide)), guide

    def branches(self, guide: Guide) -> dict[str, MultimodalVAE]:
        """Return further models that the guide's branches of the same names infer from; none by default."""
        return {}

    def objective(self, guide: Guide, steps: int) -> Objective:
        """Return the objective for a run of so many steps.

        Raises:
            ValueError: an option that the objective does not have, or one that does not fit the inputs.
        """
        config = self.config
        name, weights = config.objective or "", {"beta": self.beta(steps), "num_particles": config.particles}
        build, pairs = objectives.load(name), config.objective_options or ()
        objective = built("objective", name, build, guide.inputs, self.targets(), pairs=pairs, **weights)
        if not isinstance(objective, Objective):
            raise ValueError(f"--objective {name}: expected a function that returns an Objective, got {objective!r}")
        if config.cross_correlation:
            return with_cross_correlation(objective, config.cross_correlation, config.cross_correlation_norm)
        return objective

    def beta(self, steps: int) -> Weight:
        """Return the weight of the KL in a run of so many steps."""
        config = self.config
        start = config.beta_end if config.beta_start is None else config.beta_start
        if start == config.beta_end:
            return start
        warmup = max(round(config.beta_share * steps), 1)
        return Schedule(start, config.beta_end, steps=warmup, geometric=config.beta_shape == "geometric" and start > 0)

    def phases(self, guide: Guide, steps_per_epoch: int) -> list[Phase]:
        """Return what is trained after one another; one phase, of the objective and all epochs, by default."""
        epochs = self.config.epochs
        return [Phase(self.objective(guide, steps_per_epoch * epochs), epochs)]

    def loss(self, steps: int = 1) -> Loss:
        """Return model, guide and objective as one module, not trained, checked to fit each other.

        Raises:
            ValueError: parts that cannot work together.
        """
        model, guide = self.pair()
        return self.objective(guide, steps)(model, guide)

    def begin(self, loss: Loss) -> None:
        """Give a new run the weights that it begins with, if they are not those of `loss`.

        Raises:
            FileNotFoundError: they are not there.
            ValueError: they do not fit.
        """

    def training(self, loss: Loss) -> Training:
        """Return the loss with its optimiser."""
        config = self.config
        return self.training_class(
            loss,
            learning_rate=config.learning_rate,
            optimiser=config.optimiser,
            schedule=config.lr_schedule,
            decay=config.lr_decay,
            warmup=config.warmup,
            seed=config.seed,
            compiled=config.compiled,
        )
