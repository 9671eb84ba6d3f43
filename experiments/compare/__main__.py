"""`python -m experiments.compare`."""

from __future__ import annotations

from collections.abc import Sequence

import tyro

from pyro_mmvae.command import run_command
from pyro_mmvae.experiments.common.by_name import prog
from pyro_mmvae.experiments.compare.config import ABOUT, Config, checked


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line; errors that a user can mend end in one line and exit code 2."""
    run_command(prog("compare"), _run, argv)


def _run(words: list[str]) -> None:
    config, handed_on = tyro.cli(Config, args=words, prog=prog("compare"), description=ABOUT, return_unknown_args=True)
    checked(config)
    from pyro_mmvae.experiments.compare.compare import compare  # heavy imports wait until it is clear what to do

    compare(config, handed_on)


if __name__ == "__main__":
    main()
