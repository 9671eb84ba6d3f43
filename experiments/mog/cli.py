"""Command line of the mixture-of-Gaussians experiment."""

from __future__ import annotations

from collections.abc import Sequence

from pyro_mmvae.experiments.common.command import run_command
from pyro_mmvae.experiments.common.configuration import parse
from pyro_mmvae.experiments.mog.config import Config, resolved

PROG = "python -m experiments.mog"
ABOUT = """Two modalities, each a mixture of Gaussians whose classes coincide in part: JMVAE, TELBO and M2VAE compared.

    python -m experiments.mog                                            a minute or two
    python -m experiments.mog --guide poe --guide-options --objectives mvae mopoe

The run folder holds metrics.json, figures (data, latent spaces) and a run folder for each objective."""


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line; errors that a user can mend end in one line and exit code 2."""
    run_command(PROG, _run, argv)


def _run(arguments: list[str]) -> None:
    config = resolved(parse(Config, arguments, PROG, ABOUT))
    from pyro_mmvae.experiments.mog.train import train  # heavy imports wait until it is clear what to do

    train(config)
