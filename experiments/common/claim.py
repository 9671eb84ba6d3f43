"""A run folder belongs to one run and, while it trains, to one process."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from lightning.pytorch.utilities import rank_zero_only

from pyro_mmvae.experiments.common import configuration
from pyro_mmvae.experiments.common.run_options import RunOptions
from pyro_mmvae.experiments.common.runs import CHECKPOINT, CONFIG, lock

FREE = frozenset({"resume", "config", "figures", "device", "devices", "nodes", "logger", "out"})
"""Options that may differ between a run and its continuation."""


@contextmanager
def claimed(config: RunOptions, free: Collection[str] = FREE) -> Iterator[None]:
    """Hold the run folder, a new one or that of the run to be resumed, with the configuration written there.

    Args:
        config: of the run.
        free: options that may differ from those that a resumed run began with.

    Raises:
        FileExistsError: the folder holds a run already and is not to be resumed, or another process writes there.
        FileNotFoundError: there is nothing to resume.
        ValueError: options differ from those of the run to be resumed.
    """
    if config.resume and not (config.run / CHECKPOINT).exists():
        raise FileNotFoundError(
            f"nothing to resume: {config.run / CHECKPOINT} does not exist; leave out --resume to begin"
        )
    first = getattr(rank_zero_only, "rank", 0) == 0  # known before the processes have met
    with lock(config.run) if first else nullcontext():
        if first:
            _claim(config.run, config, free)
        yield


def _claim(run: Path, config: Any, free: Collection[str]) -> None:
    if (run / CHECKPOINT).exists() and not config.resume:
        raise FileExistsError(f"{run} holds a run already: go on with --resume, or give another folder with --out")
    if (run / CONFIG).exists():
        _refuse_changes(configuration.read(type(config), run / CONFIG), config, free)
    configuration.write(replace(config, resume=False), run / CONFIG)


def _refuse_changes(before: Any, now: Any, free: Collection[str]) -> None:
    old, new = asdict(before), asdict(now)
    changed = {n: (old[n], new[n]) for n in old if n not in free and old[n] != new[n]}
    if changed:
        listed = ", ".join(f"{n}: {a} -> {b}" for n, (a, b) in changed.items())
        raise ValueError(
            f"{before.run} holds a run with other options ({listed}); begin in another folder with --out, "
            f"or go on with the options it began with"
        )
