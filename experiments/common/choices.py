"""Types of options that are names of guides and objectives."""

from __future__ import annotations

from typing import Annotated

import tyro

from pyro_mmvae.experiments.common.names import names_in

GUIDES, OBJECTIVES = "pyro_mmvae.guides", "pyro_mmvae.objectives"

GuideName = Annotated[str, tyro.conf.arg(help_behavior_hint=f"one of: {', '.join(names_in(GUIDES))}")]
"""Name of a guide; `--help` lists them."""
ObjectiveName = Annotated[str, tyro.conf.arg(help_behavior_hint=f"one of: {', '.join(names_in(OBJECTIVES))}")]
"""Name of an objective; `--help` lists them."""
