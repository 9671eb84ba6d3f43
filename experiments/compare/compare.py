"""A comparison from plan to tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict

import pandas as pd

from pyro_mmvae.environment import versions
from pyro_mmvae.experiments.compare.config import Config
from pyro_mmvae.experiments.compare.execute import Outcome, execute
from pyro_mmvae.experiments.compare.figures import draw
from pyro_mmvae.experiments.compare.plan import plan, varied_options
from pyro_mmvae.experiments.compare.results import collect, compared, markdown
from pyro_mmvae.files import write_json, write_text


def compare(config: Config, handed_on: Sequence[str]) -> None:
    """Do what is missing and write the tables.

    Args:
        config: checked.
        handed_on: options for every run.

    Raises:
        ValueError: no run has finished, or options that do not fit.
    """
    runs, misfits = plan(config, handed_on)
    if not runs:
        raise ValueError("none of these combinations can work:\n" + _listed(misfits))
    print(f"{len(runs)} runs of {len(runs) // config.seeds} combinations in {config.folder / 'runs'}", flush=True)
    outcomes = execute(runs, config)
    failed = {f"{o.run.variant} seed {o.run.seed}": o.error for o in outcomes if o.error}
    finished = [o.run for o in outcomes if not o.error]
    if not finished:
        raise ValueError("no run has finished:\n" + _listed(failed))
    values = collect(finished)
    reference = config.reference if config.reference in {run.variant for run in finished} else None
    if reference != config.reference:
        print(f"no run of --reference {config.reference} has finished: differences are to the best instead")
    comparison = compared(values, reference)
    _write(config, handed_on, values, comparison, outcomes, misfits)
    print(f"\n{markdown(comparison)}\n")
    for title, reasons in (("left out, as they cannot work", misfits), ("failed", failed)):
        if reasons:
            print(f"{title}:\n{_listed(reasons)}\n")
    print(f"tables and figures: {config.folder / 'comparison'}.md, .csv, .json, .png")


def _write(
    config: Config,
    handed_on: Sequence[str],
    values: pd.DataFrame,
    comparison: pd.DataFrame,
    outcomes: Sequence[Outcome],
    misfits: Mapping[str, str],
) -> None:
    failed = {f"{o.run.variant} seed {o.run.seed}": o.error for o in outcomes if o.error}
    notes = [f"{title}:\n\n{_listed(r)}" for title, r in (("Left out", misfits), ("Failed", failed)) if r]
    config.folder.mkdir(parents=True, exist_ok=True)
    base = config.folder / "comparison"
    write_text("\n\n".join([markdown(comparison), *notes]) + "\n", base.with_suffix(".md"))
    write_text(comparison.to_csv(index=False), base.with_suffix(".csv"))
    content = {
        "comparison": comparison.to_dict(orient="records"),
        "runs": values.to_dict(orient="records"),
        "failed": failed,
        "left_out": dict(misfits),
        "config": {name: str(value) for name, value in asdict(config).items()},
        "handed_on": list(handed_on),
        "versions": versions(),
    }
    write_json(content, base.with_suffix(".json"))
    finished = [o.run for o in outcomes if not o.error]
    draw(comparison, values, finished, list(varied_options(config)), base)


def _listed(reasons: Mapping[str, str]) -> str:
    return "\n".join(f"- {name}: {reason}" for name, reason in reasons.items())
