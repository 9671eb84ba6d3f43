"""Make the sets, train on them, judge and draw."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import lightning

from pyro_mmvae import Loss
from pyro_mmvae.data.labelled_images import LabelledImages
from pyro_mmvae.experiments.common import configuration
from pyro_mmvae.experiments.common.announcement import announcement
from pyro_mmvae.experiments.common.claim import FREE, claimed
from pyro_mmvae.experiments.common.elbo import elbos
from pyro_mmvae.experiments.common.files import write_json
from pyro_mmvae.experiments.common.log_likelihoods import estimate, posterior_given, table
from pyro_mmvae.experiments.common.runs import METRICS, lock, versions
from pyro_mmvae.experiments.common.timed import history_of
from pyro_mmvae.experiments.common.trainer import build_trainer, fit
from pyro_mmvae.experiments.entangled.build import build_loss
from pyro_mmvae.experiments.entangled.config import KINDS, Config
from pyro_mmvae.experiments.entangled.cvae import ConditionalVAE, train_cvae
from pyro_mmvae.experiments.entangled.data import (
    NAMES,
    PairData,
    Pairs,
    autoencoder_path,
    draw,
    unimodal_sets,
    untrained,
)
from pyro_mmvae.experiments.entangled.figures import draw_figures
from pyro_mmvae.training import Training

PUBLISHED = {"entangled": -199.23, "mixed": -204.48}
"""Joint bounds of JMVAE (Korthals et al. 2019, figure 1), of grey pixels scored by cross-entropy."""


def train(config: Config) -> None:
    """Do everything and write it into the run folder.

    Args:
        config: resolved.

    Raises:
        FileExistsError: a folder holds a run already and is not to be resumed, or another process writes there.
        FileNotFoundError: a data folder does not hold the files.
        ValueError: parts that cannot work together, or options that differ from those of the run to be resumed.
    """
    wanted = [(kind, name) for kind in config.sets for name in config.objectives]
    for kind, name in wanted:
        build_loss(config.of(kind, name))  # what does not fit is told before anything is trained
    with lock(config.run):
        _refuse_a_second_run(config)
        images = unimodal_sets(config)
        autoencoders = [_autoencoder(config, name, part) for name, part in zip(NAMES, images, strict=True)]
        sets = _sets(config, *autoencoders)
        data = {(k, n): PairData(config.of(k, n), *sets[k]) for k, n in wanted}
        losses: dict[tuple[str, str], Loss] = {
            (kind, name): _train_one(config.of(kind, name), data[kind, name]) for kind, name in wanted
        }
        metrics = {f"{k}/{n}": _judge(losses[k, n], data[k, n], config) for k, n in wanted}
        more = {"published_grey": PUBLISHED, "config": configuration.plain(config), "versions": versions()}
        write_json({"models": metrics, **more}, config.run / METRICS)
        if config.figures:
            draw_figures(config, images, autoencoders, {k: test for k, (_, test) in sets.items()}, losses)
        print(f"\n{report(metrics)}\n\nmetrics and figures: {config.run}")


def _refuse_a_second_run(config: Config) -> None:
    if (config.run / METRICS).exists() and not config.resume:
        raise FileExistsError(
            f"{config.run} holds a run already: go on with --resume, or give another folder with --out"
        )


def _autoencoder(config: Config, name: str, images: LabelledImages) -> ConditionalVAE:
    print(f"conditional autoencoder of modality {name}: {len(images.labels)} images", flush=True)
    return train_cvae(
        images,
        autoencoder_path(config, name),
        untrained(config),
        epochs=config.cvae_epochs,
        batch_size=config.batch_size,
        seed=config.seed,
        device=config.device,
    )


def _sets(config: Config, first: ConditionalVAE, second: ConditionalVAE) -> dict[str, tuple[Pairs, Pairs]]:
    """Return training and test pairs by kind."""
    return {kind: (draw(config, kind, first, second, False), draw(config, kind, first, second, True)) for kind in KINDS}


def _train_one(config: Config, data: PairData) -> Loss:
    lightning.seed_everything(config.seed, workers=True, verbose=False)
    loss = build_loss(config)
    trainer = build_trainer(config, watched="train/loss", refresh=20)
    with claimed(config, FREE | {"num_samples", "test_samples"}):
        print(announcement(f"{config.sets[0]} pairs, objective {config.objectives[0]}", config, loss), flush=True)
        module = Training(loss, learning_rate=config.learning_rate, schedule="cosine", seed=config.seed)
        fit(config, trainer, module, data)
        write_json(history_of(trainer).cost(), config.run / METRICS)
    return loss.to(trainer.strategy.root_device).eval()


def _judge(loss: Loss, data: PairData, config: Config) -> dict[str, Any]:
    """Return the joint bound and log-likelihoods of held-out pairs."""
    given = tuple(n for n in NAMES if n in loss.guide.inputs)
    quantities = {"joint": NAMES, "a": NAMES[:1], "b": NAMES[1:]}
    batches = [data.test[i : i + 500] for i in range(0, data.test.size, 500)]
    (bound,) = elbos(loss.model, loss.guide, data.test, [(given, NAMES)], seed=config.seed)
    found = {
        name: estimate(loss.model, loss.guide, batches, of=of, given=given, num_samples=config.num_samples).summary()
        for name, of in quantities.items()
    }
    return {"elbo": bound, "log_likelihood": found}


def report(metrics: Mapping[str, Any]) -> str:
    """Return the results as text for the terminal."""
    quantities = {"joint": "log p(a, b)", "a": "log p(a)", "b": "log p(b)"}
    rows = [
        (f"{name}: {quantities[q]}", posterior_given(("a", "b")), found)
        for name, numbers in metrics.items()
        for q, found in numbers["log_likelihood"].items()
    ]
    bounds = [f"joint bound of {n}: {m['elbo']['mean']:.2f} ± {m['elbo']['se']:.2f}" for n, m in metrics.items()]
    published = ", ".join(f"{kind} {value}" for kind, value in PUBLISHED.items())
    note = f"published for JMVAE on grey MNIST and FashionMNIST, another quantity: {published}"
    return "\n".join([table(rows), "", *bounds, note])
