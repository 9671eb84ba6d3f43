"""Options of a comparison."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pyro_mmvae.experiments.common.names import known


@dataclass(frozen=True)
class Config:
    """Options of a comparison. All others, such as --epochs or --data, are handed on to every run."""

    experiment: Literal["mnist", "rhd"] = "mnist"
    """What is run."""
    guides: tuple[str, ...] = ("poe", "moe", "mopoe", "set", "joint")
    """Inference programs; each is combined with each objective."""
    objectives: tuple[str, ...] = ("mvae", "mmvae", "mopoe", "smvae", "jmvae", "telbo", "m2vae")
    """Training bounds. A combination that cannot work is left out and named at the end, with the reason."""
    seeds: int = 3
    """Number of seeds, 0 to SEEDS - 1, for each combination."""
    jobs: int = 1
    """Runs at a time, each in a process of its own; they share the processor's cores."""
    scheduler: str | None = None
    """Address of a Dask scheduler whose workers do the runs, on machines that share this folder (extra: sweep)."""
    reference: str | None = None
    """Combination that the others are compared with, as GUIDE/OBJECTIVE. None: the best in the first column."""
    out: Path = Path("runs/compare")
    """Folder for runs, tables and figure. Runs that are finished there are taken as they are."""


def checked(config: Config) -> Config:
    """Refuse names that do not exist and numbers out of range.

    Raises:
        ValueError: there is one.
    """
    for name in config.guides:
        known("pyro_mmvae.guides", name)
    for name in config.objectives:
        known("pyro_mmvae.objectives", name)
    for name in ("seeds", "jobs"):
        if getattr(config, name) < 1:
            raise ValueError(f"--{name}: expected at least 1, got {getattr(config, name)}")
    return config
