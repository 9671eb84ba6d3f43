"""Attempts of a run: a folder of Vision&Touch's files, or insertions simulated on the spot."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from pyro_mmvae import Batch
from pyro_mmvae.data.loader import make_loader
from pyro_mmvae.data.samples import Draws
from pyro_mmvae.data.split import count_of, hold_out, permutation
from pyro_mmvae.experiments.common.experiment import RunData
from pyro_mmvae.experiments.touch.config import Config
from pyro_mmvae.files import read_json, write_json
from pyro_mmvae.touch.dataset import Attempts, Touch, find_attempts
from pyro_mmvae.touch.failures import Failing
from pyro_mmvae.touch.layout import CONTROLS
from pyro_mmvae.touch.synthetic import generate
from pyro_mmvae.touch.views import ViewOptions

TEST_SHARE = 0.15
"""Of the attempts, the same ones in every run; the public split is random, and not published."""
ACTIONS = "actions.json"
_CHOICE, _JUDGED = 13, 5
"""Keys that keep random choices apart."""


class TouchData(RunData):
    """Loaders of one run; each process of a distributed run takes its part of every batch.

    Args:
        config: of the run.

    Attributes:
        samples: those that results are of; what is not there is told at once.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.samples = self._part(self._judged, self.options, self._failing("test"))

    @cached_property
    def root(self) -> Path:
        """The folder of the set, made if it is the simulated one."""
        config = self.config
        if config.data is not None:
            return config.data
        name = f"{config.attempts}-{config.file_side}"
        return generate(config.synthetic / name, config.attempts, size=config.file_side)

    @cached_property
    def attempts(self) -> Attempts:
        """All files that can be used."""
        return find_attempts(self.root, self.config.image_size)

    @cached_property
    def splits(self) -> dict[str, list[int]]:
        """Attempts to train on, held out from that, and to test on."""
        config = self.config
        train, test = hold_out(range(len(self.attempts.paths)), TEST_SHARE, seed=0)
        chosen = permutation(len(train), config.seed, _CHOICE)[: count_of(config.samples, len(train))]
        train = [train[i] for i in chosen.sort().values.tolist()]
        training, held_out = hold_out(train, config.validation, config.seed, least=config.num_processes)
        return {"training": training, "held_out": held_out, "test": test}

    @cached_property
    def options(self) -> ViewOptions:
        """How files become samples; what actions are divided by is taken from training data and kept with the run."""
        config = self.config
        options = ViewOptions(config.image_size, config.force_scale, next_action=config.next_action)
        path = config.run / ACTIONS
        if not path.is_file():
            actions = self._part("training", options, preload=False).actions()
            if not len(actions):
                raise ValueError(f"{self.root}: expected actions that are finite, got none")
            std = np.maximum(actions.std(0), 1e-6)
            write_json({"mean": actions.mean(0).tolist(), "std": std.tolist()}, path)
        mean, std = _kept(path)
        return options._replace(action_mean=mean, action_std=std)

    @cached_property
    def train(self) -> Touch:
        """Samples to train on."""
        return self._part("training", self.options, self._failing("train"))

    @cached_property
    def validation(self) -> Touch:
        """Samples held out from training."""
        return self._part("held_out", self.options, self._failing("train"))

    @cached_property
    def truth(self) -> Touch:
        """The same before any sensor fails."""
        return self._part(self._judged, self.options) if self.samples.failing.sensors else self.samples

    @property
    def _judged(self) -> str:
        return "held_out" if self.config.judge == "validation" else "test"

    def _failing(self, where: str) -> Failing:
        config = self.config
        sensors = config.failing if config.corrupt in (where, "both") else ()
        return Failing(sensors, config.failing_samples, config.failing_values, config.failing_known)

    def _part(self, split: str, options: ViewOptions, failing: Failing | None = None, **more: Any) -> Touch:
        numbers, known = self.splits[split], self.attempts
        chosen: dict[str, Any] = {"seed": self.config.seed, "preload": self.config.preload, **more}
        paths, steps = [known.paths[i] for i in numbers], [known.steps[i] for i in numbers]
        return Touch(paths, steps, options, failing=failing, **chosen)

    def counts(self) -> dict[str, int]:
        """Return the number of samples in each split."""
        return {"training": len(self.train), "held_out": len(self.validation), "judged": len(self.samples)}

    def describe(self) -> str:
        """Return where the attempts are from and how many samples there are."""
        kind = "attempts in" if self.config.data else "simulated attempts in"
        return f"{kind} {self.root}: " + ", ".join(f"{n} {k.replace('_', ' ')}" for k, n in self.counts().items())

    def steps_per_epoch(self) -> int:
        """Return the number of training steps in an epoch."""
        return len(self.train_dataloader())

    def train_dataloader(self) -> DataLoader[Batch]:
        """Return shuffled batches."""
        return self._loader(self.train, shuffle=True)

    def val_dataloader(self) -> DataLoader[Batch]:
        """Return the held-out batches."""
        return self._loader(self.validation)

    def _loader(self, samples: Touch, shuffle: bool = False) -> DataLoader[Batch]:
        config = self.config
        pinned = config.device != "cpu" and torch.cuda.is_available()
        options: dict[str, Any] = {"seed": config.seed, "workers": config.workers, "pin_memory": pinned}
        return make_loader(samples, config.batch_size, shuffle=shuffle, trainer=self.trainer, **options)

    def rows(self, samples: int | None = None) -> Tensor:
        """Return the numbers of the judged samples: so many, drawn at random but always the same, or all."""
        return permutation(len(self.samples), _JUDGED)[:samples].sort().values

    def judged(self, samples: int | None = None) -> Iterator[Batch]:
        """Yield the judged samples; see `RunData`."""
        for rows in self.rows(samples).split(self.config.batch_size):
            yield self.samples.batch(Draws(rows))


def _kept(path: Path) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return what was kept of the training actions.

    Raises:
        ValueError: the file is damaged.
    """
    found = read_json(path)
    mean, std = (_numbers(found.get(name)) for name in ("mean", "std"))
    if len(mean) != CONTROLS or len(std) != CONTROLS or min(std) <= 0:
        raise ValueError(f"{path}: expected {CONTROLS} means and deviations, got {found}; delete it and run again")
    return mean, std


def _numbers(values: Any) -> tuple[float, ...]:
    fine = isinstance(values, list) and all(isinstance(value, float) and math.isfinite(value) for value in values)
    return tuple(values) if fine else ()
