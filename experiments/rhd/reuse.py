"""A trained run, opened again and evaluated on other data or under other noise."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

from pyro_mmvae.environment import device_of
from pyro_mmvae.experiments.common.run_folder import METRICS
from pyro_mmvae.experiments.common.runs import Opened, open_run, write_results
from pyro_mmvae.experiments.rhd.baseline import run_mean_pose
from pyro_mmvae.experiments.rhd.config import NOISE, RULES, Config
from pyro_mmvae.experiments.rhd.options import EvaluateOptions

OF_DATA = ("data", "dataset", "seed")


def open_hands(run: Path, best: bool | None = None, allow: Collection[str] = ()) -> Opened:
    """Open a run of this experiment; see `runs.open_run`.

    Raises:
        ValueError: it is a run of another experiment.
    """
    opened = open_run(run, best, allow)
    if not isinstance(config := opened.experiment.config, Config):
        raise ValueError(f"{run} is a run of {config.experiment!r}, not of {Config.experiment!r}")
    return opened


def evaluate_run(chosen: EvaluateOptions) -> None:
    """Write metrics.json and figures of a trained run into a folder of their own, and print the table.

    Raises:
        FileExistsError: the folder holds other results.
    """
    opened = open_hands(chosen.run, chosen.best, chosen.allow)
    config = opened.experiment.config
    changed, changes = with_changes(config, chosen)
    name = "+".join(f"{n}={Path(str(v)).name}" for n, v in changes.items()) or "again"
    out = chosen.out or chosen.run / "evaluation" / name
    if (out / METRICS).exists():
        raise FileExistsError(f"{out / METRICS} exists; give another folder with --out, or remove it")
    run_mean_pose(config)  # of the run's own data, before others take their place
    experiment = type(opened.experiment)(changed)
    evaluation = experiment.evaluate(opened.loss.to(device_of(chosen.device)), experiment.data())
    write_results(evaluation, changed, out)
    print(f"\n{evaluation.report}\n\nmetrics: {out / METRICS}")


def with_changes(config: Config, chosen: EvaluateOptions) -> tuple[Config, dict[str, Any]]:
    """Return the configuration of an evaluation, and what was asked to differ from the run.

    Noise that is asked for acts on the judged samples. If the run had its noise in training alone, the noise that is
    not asked for stays away.

    Raises:
        ValueError: a number is out of range, or the judged samples would not be those held out from training.
    """
    names = ("data", "dataset", *NOISE, *RULES, "seed", "judge", "workers")
    changes = {name: getattr(chosen, name) for name in names if getattr(chosen, name) is not None}
    noise: dict[str, Any] = {}
    if set(NOISE) & set(changes):
        noise = {"corrupt": "test"}
        if config.corrupt == "train":
            noise |= dict(zip(NOISE, (0.0, 0.0, 1.0, None), strict=True))
    changed = replace(config, **{**noise, **changes}, figures=chosen.figures)
    changed.check()
    if changed.judge == "validation" and any(getattr(changed, n) != getattr(config, n) for n in OF_DATA):
        raise ValueError("--judge validation: the held-out samples are those of the run's own data and seed")
    return changed, {n: v for n, v in changes.items() if n != "workers"}
