"""What a run prints before it trains."""

from __future__ import annotations

import textwrap

from pyro_mmvae import Loss
from pyro_mmvae.experiments.common import configuration
from pyro_mmvae.experiments.common.run_options import RunOptions


def announcement(title: str, config: RunOptions, loss: Loss) -> str:
    """Return title, options, the objective's table and the run folder, as text for the terminal."""
    options = "  ".join(f"{name}={value}" for name, value in configuration.plain(config).items() if value is not None)
    lines = textwrap.fill(options, 110, break_long_words=False, break_on_hyphens=False)
    return f"\n{title}\n{lines}\n\n{loss.elbo}\n\nrun folder: {config.run} (a stopped run goes on with --resume)\n"
