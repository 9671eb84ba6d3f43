"""Command line: train and evaluate."""

from __future__ import annotations

from collections.abc import Sequence

from pyro_mmvae.experiments.common.command import run_command
from pyro_mmvae.experiments.common.configuration import parse
from pyro_mmvae.experiments.mnist.config import Config, resolved

PROG = "python -m experiments.mnist"
ABOUT = """Images and their labels as two modalities; log-likelihoods, label accuracy, coherence, pictures.

    python -m experiments.mnist --guide set --objective smvae                demo on scikit-learn's digits, minutes
    python -m experiments.mnist --guide joint --data DIR                     the literature's MNIST experiment
    python -m experiments.mnist --guide poe --data DIR --dataset fashion --download

A run folder holds config.yaml, checkpoints, history.csv, metrics.json and figures."""


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line; errors that a user can mend end in one line and exit code 2."""
    run_command(PROG, _run, argv)


def _run(arguments: list[str]) -> None:
    config = resolved(parse(Config, arguments, PROG, ABOUT))
    from pyro_mmvae.experiments.mnist.train import train  # heavy imports wait until it is clear what to do

    train(config)
