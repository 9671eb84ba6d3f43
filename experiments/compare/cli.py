"""Command line of a comparison."""

from __future__ import annotations

from collections.abc import Sequence

import tyro

from pyro_mmvae.experiments.common.command import run_command
from pyro_mmvae.experiments.compare.config import Config, checked

PROG = "python -m experiments.compare"
ABOUT = """Train every combination of guides, objectives and seeds, and compare the results.

    python -m experiments.compare --guides poe set --objectives mvae smvae --seeds 3 --epochs 30
    python -m experiments.compare --experiment rhd --guides poe gpoe --objectives mixing --seeds 2 --jobs 2

Options that are not named below go to every run; see python -m experiments.mnist --help. Writes comparison.md, .csv,
.json and .png into --out. A comparison that was stopped goes on when it is started again; a run that failed is tried
again."""


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line; errors that a user can mend end in one line and exit code 2."""
    run_command(PROG, _run, argv)


def _run(arguments: list[str]) -> None:
    config, handed_on = tyro.cli(Config, args=arguments, prog=PROG, description=ABOUT, return_unknown_args=True)
    from pyro_mmvae.experiments.compare.compare import compare  # heavy imports wait until it is clear what to do

    compare(checked(config), handed_on)
