"""Trained runs, opened for use: the same call for every experiment.

Each experiment provides `pyro_mmvae.experiments.NAME.reuse.open_run(run, samples, best) -> OpenedRun`.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

import torch
import yaml

from pyro_mmvae import Batch, Guide, Loss, MultimodalVAE, experiments
from pyro_mmvae.experiments.common import configuration
from pyro_mmvae.experiments.common.runs import BEST, CHECKPOINT, CONFIG, load_checkpoint, loss_state

C = TypeVar("C")


@dataclass(frozen=True)
class OpenedRun:
    """Model and guide of a run, and its test samples.

    Attributes:
        experiment: name of the experiment.
        config: of the run.
        model: trained, in evaluation mode.
        guide: likewise.
        batches: test samples.
    """

    experiment: str
    config: Any
    model: MultimodalVAE
    guide: Guide
    batches: Iterable[Batch]


def open_run(run: Path, samples: int | None = None, best: bool | None = None) -> OpenedRun:
    """Open the folder of a run of any experiment; nothing in it is executed.

    Args:
        run: the folder.
        samples: number of test samples, always the same ones; None: all.
        best: take the best checkpoint rather than the last; None: if the run stops early.

    Raises:
        FileNotFoundError: there is no run, no checkpoint yet, or its data are gone.
        ValueError: configuration or checkpoint are damaged or do not fit each other.
    """
    if samples is not None and samples < 1:
        raise ValueError(f"expected at least one test sample, got {samples}")
    module = importlib.import_module(f"pyro_mmvae.experiments.{experiment_of(run)}.reuse")
    opened: OpenedRun = module.open_run(run, samples, best)
    return opened


def experiment_of(run: Path) -> str:
    """Return which experiment a run is of: what its configuration says or, if it is older, whose options it holds.

    Raises:
        FileNotFoundError: there is no run.
        ValueError: no experiment has such runs.
    """
    path = _config_of(run)
    try:
        content = yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        raise ValueError(f"{path} is not YAML: {error}") from error
    options = set(content) if isinstance(content, dict) else set()
    known = _configurations()
    if configuration.EXPERIMENT in options:
        found = [name for name in known if name == content[configuration.EXPERIMENT]]
    else:
        found = [name for name, cls in known.items() if options and options <= {f.name for f in fields(cls)}]
    if len(found) != 1:
        raise ValueError(f"{path} is of no experiment that can be opened; there are {sorted(known)}")
    return found[0]


def _configurations() -> dict[str, Any]:
    """Return the configurations of the experiments whose runs can be opened."""
    found = {}
    for info in pkgutil.iter_modules(experiments.__path__):
        folders = [Path(path, info.name) for path in experiments.__path__]
        if any((folder / "reuse.py").is_file() for folder in folders):
            found[info.name] = importlib.import_module(f"pyro_mmvae.experiments.{info.name}.config").Config
    return found


def load_run(cls: type[C], run: Path, build_loss: Callable[[C], Loss], best: bool | None = None) -> tuple[C, Loss]:
    """Return configuration and trained model of a run folder; nothing in it is executed.

    Args:
        cls: the experiment's configuration.
        run: the folder.
        build_loss: makes the untrained model.
        best: take the best checkpoint rather than the last; None: if the run stops early.

    Raises:
        FileNotFoundError: there is no run, or no checkpoint yet.
        ValueError: configuration or checkpoint are damaged or do not fit each other.
    """
    config: Any = configuration.read(cls, _config_of(run))
    wanted = config.early_stop is not None if best is None else best
    path = run / (BEST if wanted else CHECKPOINT)
    loss = build_loss(config)
    state = loss_state(load_checkpoint(path), path)
    try:
        loss.load_state_dict(state)
    except RuntimeError as error:
        raise ValueError(f"{path} does not fit {run / CONFIG}: {error}") from error
    return config, loss.eval()


def _config_of(run: Path) -> Path:
    if not (run / CONFIG).is_file():
        raise FileNotFoundError(f"no run in {run}: expected a file {CONFIG} there")
    return run / CONFIG


def device_of(name: str) -> torch.device:
    """Return a device by name; `auto` is CUDA if there is one.

    Raises:
        ValueError: there is no such device.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"--device {name}: {error}") from error
