"""Train a model for each objective, judge them on the same samples, and draw their latent spaces."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import lightning

from pyro_mmvae import Loss
from pyro_mmvae.data.gaussian_mixture import log_prob
from pyro_mmvae.estimators import Estimate
from pyro_mmvae.experiments.common import configuration
from pyro_mmvae.experiments.common.announcement import announcement
from pyro_mmvae.experiments.common.claim import FREE, claimed
from pyro_mmvae.experiments.common.files import write_json
from pyro_mmvae.experiments.common.log_likelihoods import estimate, posterior_given, table
from pyro_mmvae.experiments.common.runs import METRICS, lock, versions
from pyro_mmvae.experiments.common.timed import history_of
from pyro_mmvae.experiments.common.trainer import build_trainer, fit
from pyro_mmvae.experiments.mog.build import NAMES, build_loss
from pyro_mmvae.experiments.mog.config import Config
from pyro_mmvae.experiments.mog.data import MixtureData
from pyro_mmvae.experiments.mog.figures import draw_figures
from pyro_mmvae.training import Training

QUANTITIES = {"joint": NAMES, "a": NAMES[:1], "b": NAMES[1:]}
"""Log-likelihoods that are estimated: of what."""


def train(config: Config) -> None:
    """Train, judge and draw everything into the run folder.

    Args:
        config: resolved.

    Raises:
        FileExistsError: a folder holds a run already and is not to be resumed, or another process writes there.
        ValueError: parts that cannot work together, or options that differ from those of the run to be resumed.
    """
    for name in config.objectives:
        build_loss(config.of(name))  # what does not fit is told before anything is trained
    with lock(config.run):
        data = MixtureData(config)
        losses = {name: _train_one(config.of(name), data) for name in config.objectives}
        judged = {name: _judge(loss, data, config) for name, loss in losses.items()}
        metrics = {name: _metrics(found) for name, found in judged.items()}
        truth = {name: float(log_prob(**{n: data.test.data[n] for n in of}).mean()) for name, of in QUANTITIES.items()}
        more = {"truth": truth, "config": configuration.plain(config), "versions": versions()}
        write_json({"objectives": metrics, **more}, config.run / METRICS)
        if config.figures:
            draw_figures(losses, data, config.run / "figures")
        print(f"\n{report(metrics, truth)}\n\nmetrics and figures: {config.run}")


def _train_one(config: Config, data: MixtureData) -> Loss:
    lightning.seed_everything(config.seed, workers=True, verbose=False)
    loss = build_loss(config)
    trainer = build_trainer(config, watched="train/loss", refresh=50)
    with claimed(config, FREE | {"num_samples", "test_samples"}):
        print(announcement(f"mixture of Gaussians, objective {config.objectives[0]}", config, loss), flush=True)
        fit(
            config,
            trainer,
            Training(loss, learning_rate=config.learning_rate, schedule="cosine", seed=config.seed),
            data,
        )
        write_json(history_of(trainer).cost(), config.run / METRICS)
    return loss.to(trainer.strategy.root_device).eval()


def _judge(loss: Loss, data: MixtureData, config: Config) -> dict[str, dict[str, Estimate]]:
    """Return estimates by what the proposal was given and by quantity."""
    return {
        "+".join(given): {
            name: estimate(loss.model, loss.guide, [data.test], of=of, given=given, num_samples=config.num_samples)
            for name, of in QUANTITIES.items()
            if set(given) <= set(of)
        }
        for given in (NAMES, NAMES[:1], NAMES[1:])
    }


def _metrics(judged: Mapping[str, Mapping[str, Estimate]]) -> dict[str, Any]:
    return {
        "log_likelihood": {given: {name: e.summary() for name, e in found.items()} for given, found in judged.items()}
    }


def report(metrics: Mapping[str, Any], truth: Mapping[str, float]) -> str:
    """Return a table of log-likelihoods for the terminal, with the exact ones of the data below."""
    rows = [
        (f"{objective}: log p({', '.join(QUANTITIES[name])})", posterior_given(given.split("+")), found)
        for objective, numbers in metrics.items()
        for given, estimates in numbers["log_likelihood"].items()
        for name, found in estimates.items()
    ]
    exact = ", ".join(f"log p({', '.join(QUANTITIES[name])}) = {value:.3f}" for name, value in truth.items())
    return f"{table(rows)}\n\nthe density that the data are from: {exact}"
