"""A run from claim to figures, and trained runs opened again."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import lightning

from pyro_mmvae import Loss
from pyro_mmvae.checkpoints import load_checkpoint, loss_state
from pyro_mmvae.cross_correlation import latent_correlations
from pyro_mmvae.environment import versions
from pyro_mmvae.experiments.common import configuration
from pyro_mmvae.experiments.common.driver import configured, read_config
from pyro_mmvae.experiments.common.experiment import Evaluation, Experiment, RunData
from pyro_mmvae.experiments.common.run_config import RunConfig
from pyro_mmvae.experiments.common.run_folder import BEST, CHECKPOINT, CONFIG, FIGURES, METRICS, claimed
from pyro_mmvae.experiments.common.trainer import build_trainer, fit
from pyro_mmvae.files import write_json
from pyro_mmvae.history import Timed, history_of
from pyro_mmvae.phases import Phase
from pyro_mmvae.plots import plot_cross_correlations
from pyro_mmvae.tensor_files import load_weights


def train(config: RunConfig) -> Path:
    """Train as configured, evaluate the result and write everything into the run folder.

    Args:
        config: checked.

    Returns:
        The run folder.

    Raises:
        FileExistsError: the folder holds a run already and is not to be resumed, or another process writes there.
        FileNotFoundError: data are not there, or there is nothing to resume.
        ValueError: options that do not fit together, or differ from those of the run to be resumed.
    """
    experiment = configured(config)
    lightning.seed_everything(config.seed, workers=True, verbose=False)
    # What does not fit, or is not there, is told before anything is read or written.
    loss = experiment.loss()
    if not config.resume:
        experiment.begin(loss)
    first = build_trainer(config, experiment.watched, config.epochs).is_global_zero
    with claimed(config):
        data = experiment.data()
        phases = experiment.phases(loss.guide, data.steps_per_epoch())
        if first:
            print(announcement(config, data, phases), flush=True)
        trainer, module = fit(experiment, phases, loss.model, loss.guide, data)
        if first:
            _finish(experiment, module.loss.to(trainer.strategy.root_device).eval(), data, history_of(trainer))
    return config.run


CORRELATED = 1000
"""Samples at most over which latents are correlated."""


def _finish(experiment: Experiment[Any], loss: Loss, data: RunData, history: Timed) -> None:
    evaluation = experiment.evaluate(loss, data)
    config = experiment.config
    print(f"\n{evaluation.report}\n", flush=True)
    several = config.figures and len(loss.guide.inputs) > 1
    if matrices := latent_correlations(loss.guide, data.judged(CORRELATED)) if several else {}:
        plot_cross_correlations(matrices, config.run / FIGURES / "cross_correlation.png")
    write_results(evaluation, config, config.run, history)
    if history.skipped:
        print(f"{history.skipped} training samples could not be read and were left out of every epoch")
    drawn = f", figures: {config.run / FIGURES}" if config.figures else ""
    print(f"metrics: {config.run / METRICS}{drawn}")


def write_results(evaluation: Evaluation, config: RunConfig, folder: Path, history: Timed | None = None) -> None:
    """Write figures and `metrics.json` of a run, or of a finished run that was judged again.

    The latter comes last: where it is, nothing else is missing, whenever the process was killed.
    """
    if config.figures and evaluation.draw is not None:
        evaluation.draw(folder / FIGURES, history)
    cost = history.cost() if history else {}
    more = {**cost, "config": configuration.plain(replace(config, resume=False)), "versions": versions()}
    write_json({**evaluation.metrics, **more}, folder / METRICS)


def announcement(config: RunConfig, data: RunData, phases: Sequence[Phase]) -> str:
    """Return what a run prints first: data, options and whose they are, the objective's table, the run folder."""
    options = configuration.listed(config, config.preset)
    title = f"settings: {config.preset.title}\n" if config.preset else ""
    notes = "".join(f"note: {note}\n" for note in (config.preset.notes if config.preset else ()))
    tables = "\n\n".join(f"{p.name}{': ' * bool(p.name)}{p.objective}" for p in phases)
    going_on = f"run folder: {config.run} (a stopped run goes on with --resume)"
    return f"\n{data.describe()}\n{title}{options}\n{notes}\n{tables}\n\n{going_on}\n"


@dataclass(frozen=True)
class Opened:
    """A trained run: its experiment, and model, guide and objective in evaluation mode."""

    experiment: Experiment[Any]
    loss: Loss


def open_run(run: Path, best: bool | None = None, allow: Collection[str] = ()) -> Opened:
    """Open the folder of a run of any experiment; nothing in it is executed, nothing that it names is imported.

    Args:
        run: the folder.
        best: take the best checkpoint rather than the last; None: if the run stops early.
        allow: see `read_config`.

    Raises:
        FileNotFoundError: there is no run, or no checkpoint yet.
        ValueError: configuration or checkpoint are damaged or do not fit each other.
    """
    config = read_config(run, allow)
    wanted = config.early_stop is not None if best is None else best
    path = run / (BEST if wanted else CHECKPOINT)
    state = loss_state(load_checkpoint(path), path)
    loss = configured(config.reopened()).loss()
    load_weights(loss, state, f"{path} does not fit {run / CONFIG}")
    return Opened(configured(config), loss.eval())
