"""Train, evaluate, report: one run of the experiment with images and labels."""

from __future__ import annotations

from pathlib import Path

import lightning

from pyro_mmvae import Loss
from pyro_mmvae.data.labelled_samples import LabelledSamples
from pyro_mmvae.experiments.common import configuration
from pyro_mmvae.experiments.common.announcement import announcement
from pyro_mmvae.experiments.common.claim import FREE, claimed
from pyro_mmvae.experiments.common.files import write_json
from pyro_mmvae.experiments.common.runs import METRICS, versions
from pyro_mmvae.experiments.common.timed import Timed, history_of
from pyro_mmvae.experiments.common.trainer import build_trainer, fit
from pyro_mmvae.experiments.mnist.build import build_objective, build_pair
from pyro_mmvae.experiments.mnist.config import Config
from pyro_mmvae.experiments.mnist.data import MnistData
from pyro_mmvae.experiments.mnist.evaluation import evaluate, report
from pyro_mmvae.experiments.mnist.figures import draw_figures
from pyro_mmvae.training import Training


def train(config: Config) -> Path:
    """Train as configured, evaluate the result and write everything into the run folder.

    Args:
        config: resolved.

    Returns:
        The run folder.

    Raises:
        FileExistsError: the folder holds a run already and is not to be resumed, or another process writes there.
        FileNotFoundError: files of the data set are not there, or there is nothing to resume.
        ValueError: options that do not fit together, or differ from those of the run to be resumed.
    """
    lightning.seed_everything(config.seed, workers=True, verbose=False)
    model, guide = build_pair(config)  # what does not fit is told before anything is read or written
    trainer = build_trainer(config, watched="val/loss", refresh=50)
    data = MnistData(config)
    with claimed(config, FREE | {"num_samples", "test_samples", "refine", "download"}):
        loss = build_objective(config, guide, data.steps)(model, guide)
        module = Training(loss, learning_rate=config.learning_rate, schedule=config.lr_schedule, seed=config.seed)
        if trainer.is_global_zero:
            print(announcement(_title(config, data), config, loss), flush=True)
        fit(config, trainer, module, data)
        if trainer.is_global_zero:
            finish(config, loss.to(trainer.strategy.root_device).eval(), data, history_of(trainer))
    return config.run


def finish(config: Config, loss: Loss, data: MnistData, history: Timed) -> None:
    """Evaluate the trained model and write metrics, table and figures."""
    run = config.run
    evaluation = evaluate(loss.model, loss.guide, config, data)
    more = {
        **history.cost(),
        "samples": {name: len(part) for part, name in _named(data)},
        "pixels": describe_pixels(config),
        "config": configuration.plain(config),
        "versions": versions(),
    }
    write_json({**evaluation.metrics, **more}, run / METRICS)
    if config.figures:
        draw_figures(config, loss, evaluation.made, data, history, run / "figures")
    print(f"\npixels: {describe_pixels(config)}\n{report(evaluation.metrics, config.refine)}\n")
    print(f"metrics: {run / METRICS}" + (f", figures: {run / 'figures'}" if config.figures else ""))


def _title(config: Config, data: MnistData) -> str:
    source = f"from {config.data}" if config.data else "from an installed package"
    counts = " + ".join(f"{len(part)} {name.replace('_', '-')}" for part, name in _named(data))
    return f"{config.dataset} {source}: {counts} samples; pixels: {describe_pixels(config)}"


def _named(data: MnistData) -> list[tuple[LabelledSamples, str]]:
    return [(data.train, "training"), (data.validation, "held_out"), (data.test, "test")]


def describe_pixels(config: Config) -> str:
    """Return in words what a pixel is, and so what the log-likelihood of an image means."""
    if config.binarisation == "static":
        return "binary, drawn once from the grey values"
    if config.binarisation == "dynamic":
        return "binary, drawn from the grey values anew at every sight (test images once)"
    return f"grey values in [0, 1], under a {config.density} density of scale {config.density_scale:g}"
