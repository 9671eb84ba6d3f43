"""Command line."""

from __future__ import annotations

from collections.abc import Sequence

from pyro_mmvae.experiments.common.command import run_command
from pyro_mmvae.experiments.common.configuration import parse
from pyro_mmvae.experiments.likelihood.options import Options, checked

PROG = "python -m experiments.likelihood"
ABOUT = """Estimate log-likelihoods of a trained run, of any experiment, on its test samples.

    python -m experiments.likelihood RUN --of image --given image label       log p(image) from q(z | image, label)
    python -m experiments.likelihood RUN --of image --on label                log p(image | label)

The table is printed and saved in RUN/likelihood."""


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line; errors that a user can mend end in one line and exit code 2."""
    run_command(PROG, _run, argv)


def _run(arguments: list[str]) -> None:
    options = checked(parse(Options, arguments, PROG, ABOUT))
    from pyro_mmvae.experiments.likelihood.estimate import (
        estimate_run,  # heavy imports wait until it is clear what to do
    )

    estimate_run(options)
