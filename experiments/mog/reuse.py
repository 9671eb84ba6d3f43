"""What is done with a trained run: the folder of one objective inside a run folder."""

from __future__ import annotations

from pathlib import Path

from pyro_mmvae.experiments.common.opened import OpenedRun, load_run
from pyro_mmvae.experiments.mog.build import build_loss
from pyro_mmvae.experiments.mog.config import Config
from pyro_mmvae.experiments.mog.data import MixtureData


def open_run(run: Path, samples: int | None, best: bool | None) -> OpenedRun:
    """Return one objective's run with its test samples; see `pyro_mmvae.experiments.common.opened.open_run`."""
    config, loss = load_run(Config, run, build_loss, best)
    return OpenedRun(config.experiment, config, loss.model, loss.guide, [MixtureData(config).test[:samples]])
