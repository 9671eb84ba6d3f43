"""`python -m experiments.likelihood`."""

from __future__ import annotations

from collections.abc import Sequence

from pyro_mmvae.command import run_command
from pyro_mmvae.experiments.common.by_name import prog
from pyro_mmvae.experiments.common.configuration import parse
from pyro_mmvae.experiments.likelihood.options import ABOUT, Options, checked


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line; errors that a user can mend end in one line and exit code 2."""
    run_command(prog("likelihood"), _run, argv)


def _run(words: list[str]) -> None:
    options = checked(parse(Options, words, prog("likelihood"), ABOUT))
    from pyro_mmvae.experiments.likelihood.estimate import (
        estimate_run,  # heavy imports wait until it is clear what to do
    )

    estimate_run(options)


if __name__ == "__main__":
    main()
