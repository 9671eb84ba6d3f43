"""What is done with a trained run: the folder of one set and objective inside a run folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pyro_mmvae.experiments.common.opened import OpenedRun, load_run
from pyro_mmvae.experiments.entangled.build import build_loss
from pyro_mmvae.experiments.entangled.config import Config
from pyro_mmvae.experiments.entangled.cvae import load_cvae
from pyro_mmvae.experiments.entangled.data import NAMES, autoencoder_path, draw, untrained

CHUNK = 500


def open_run(run: Path, samples: int | None, best: bool | None) -> OpenedRun:
    """Return one model with its test pairs, drawn again; see `pyro_mmvae.experiments.common.opened.open_run`."""
    config, loss = load_run(Config, run, build_loss, best)
    whole = replace(config, out=run.absolute().parent)
    first, second = (load_cvae(autoencoder_path(whole, name), untrained(whole)) for name in NAMES)
    batch = draw(config, config.sets[0], first, second, test=True).batch()[:samples]
    batches = [batch[begin : begin + CHUNK] for begin in range(0, batch.size, CHUNK)]
    return OpenedRun(config.experiment, config, loss.model, loss.guide, batches)
