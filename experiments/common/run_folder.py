"""Run folders: their files, and whose they are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, replace
from pathlib import Path

from pyro_mmvae import files
from pyro_mmvae.experiments.common import configuration
from pyro_mmvae.experiments.common.configuration import CONFIG as CONFIG
from pyro_mmvae.experiments.common.run_config import RunConfig

METRICS = "metrics.json"
HISTORY = "history.csv"
FIGURES = "figures"
CHECKPOINT = Path("checkpoints") / "last.ckpt"
BEST = Path("checkpoints") / "best.ckpt"

FREE = frozenset({"resume", "config", "figures", "device", "devices", "nodes", "logger", "out"})
"""Options that may differ between a run and its continuation, whatever the experiment."""


@contextmanager
def claimed(config: RunConfig) -> Iterator[None]:
    """Hold the run folder, a new one or that of the run to be resumed, with the configuration written there.

    Raises:
        FileExistsError: the folder holds a run already and is not to be resumed, or another process writes there.
        FileNotFoundError: there is nothing to resume.
        ValueError: options differ from those of the run to be resumed.
    """
    from lightning.pytorch.utilities import rank_zero_only

    if config.resume and not (config.run / CHECKPOINT).exists():
        raise FileNotFoundError(
            f"nothing to resume: {config.run / CHECKPOINT} does not exist; leave out --resume to begin"
        )
    first = getattr(rank_zero_only, "rank", 0) == 0  # known before the processes have met
    with files.claimed(config.run) if first else nullcontext():
        if first:
            _claim(config)
        yield


def _claim(config: RunConfig) -> None:
    if (config.run / CHECKPOINT).exists() and not config.resume:
        raise FileExistsError(f"{config.run} holds a run already: go on with --resume, or give another --out")
    refuse_other_options(config)
    configuration.write(replace(config, resume=False), config.run / CONFIG)


def refuse_other_options(config: RunConfig) -> None:
    """Refuse a run folder that was begun with other options.

    Raises:
        ValueError: names them.
    """
    path = config.run / CONFIG
    begun = any((config.run / file).exists() for file in (CHECKPOINT, METRICS))
    if not (path.exists() and begun):  # one that failed before its first epoch leaves its configuration and no more
        return
    old, new = asdict(configuration.read(type(config), path)), asdict(config)
    changed = {n: (old[n], new[n]) for n in old if n not in FREE | config.free and old[n] != new[n]}
    if changed:
        listed = ", ".join(f"{n}: {a} -> {b}" for n, (a, b) in changed.items())
        raise ValueError(
            f"{config.run} holds a run with other options ({listed}); begin in another folder with --out, "
            f"or go on with the options it began with"
        )
