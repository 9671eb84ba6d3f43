"""What is done with a trained run."""

from __future__ import annotations

from pathlib import Path

from pyro_mmvae.experiments.common.opened import OpenedRun, load_run
from pyro_mmvae.experiments.mnist.build import build_loss
from pyro_mmvae.experiments.mnist.config import Config
from pyro_mmvae.experiments.mnist.data import MnistData
from pyro_mmvae.experiments.mnist.evaluation import CHUNK


def open_run(run: Path, samples: int | None, best: bool | None) -> OpenedRun:
    """Return a run with its test samples; see `pyro_mmvae.experiments.common.opened.open_run`."""
    config, loss = load_run(Config, run, build_loss, best)
    batch = MnistData(config).test_batch(samples)
    batches = [batch[begin : begin + CHUNK] for begin in range(0, batch.size, CHUNK)]
    return OpenedRun(config.experiment, config, loss.model, loss.guide, batches)
