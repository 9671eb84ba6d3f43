"""Command line of the experiment with entangled sets."""

from __future__ import annotations

from collections.abc import Sequence

from pyro_mmvae.experiments.common.command import run_command
from pyro_mmvae.experiments.common.configuration import parse
from pyro_mmvae.experiments.entangled.config import Config, resolved

PROG = "python -m experiments.entangled"
ABOUT = """Conditional autoencoders of two sets make an entangled set of pairs; JMVAE and M2VAE are trained on it, and
on the same set with the pairs mixed within each class.

    python -m experiments.entangled                                      digits and rendered shapes, minutes
    python -m experiments.entangled --first MNIST --second FASHION        folders of the published files

The run folder holds metrics.json, figures and a run folder for each set and objective."""


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line; errors that a user can mend end in one line and exit code 2."""
    run_command(PROG, _run, argv)


def _run(arguments: list[str]) -> None:
    config = resolved(parse(Config, arguments, PROG, ABOUT))
    from pyro_mmvae.experiments.entangled.train import train  # heavy imports wait until it is clear what to do

    train(config)
