"""Means over seeds, and differences of runs that share a seed."""

from __future__ import annotations

import importlib
import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from pyro_mmvae.experiments.compare.plan import Run


def collect(runs: Sequence[Run]) -> pd.DataFrame:
    """Return the results of finished runs: a row for each run and column of the table.

    Returns:
        Columns `guide`, `objective`, `variant`, `seed`, `column` and `value`.
    """
    rows = []
    for run in runs:
        summary: Mapping[str, float] = _module(run.experiment).summary(run.metrics())
        base: dict[str, Any] = {
            "guide": run.guide,
            "objective": run.objective,
            "variant": run.variant,
            "seed": run.seed,
        }
        rows += [{**base, "column": name, "value": value} for name, value in summary.items()]
    return pd.DataFrame(rows, columns=["guide", "objective", "variant", "seed", "column", "value"])


def lower_is_better(experiment: str, column: str) -> bool:
    """Whether less of a quantity is better, such as an error."""
    return column in _module(experiment).LOWER_IS_BETTER


def _module(experiment: str) -> Any:
    return importlib.import_module(f"pyro_mmvae.experiments.{experiment}.summary")


def compared(values: pd.DataFrame, experiment: str, reference: str | None = None) -> pd.DataFrame:
    """Return means over seeds, and differences to a reference.

    Differences are between runs with the same seed, hence with the same split and order of data: what a seed does to
    both cancels. Standard errors are those over seeds, and NaN with a single one.

    Args:
        values: see `collect`.
        experiment: says which columns are better when they are less.
        reference: variant to compare with; the best mean in the first column by default.

    Returns:
        A row for each variant and column: `mean`, `se`, `seeds`, `difference` and `difference_se`.

    Raises:
        ValueError: no run of the reference has finished.
    """
    columns, variants = list(dict.fromkeys(values["column"])), list(dict.fromkeys(values["variant"]))
    table = {column: _by_seed(values, column, variants) for column in columns}
    if reference is None:
        means = table[columns[0]].mean()
        reference = str(means.idxmin() if lower_is_better(experiment, columns[0]) else means.idxmax())
    if reference not in variants:
        raise ValueError(f"--reference {reference}: no such run has finished; there are {', '.join(variants)}")
    rows = []
    for column, by_seed in table.items():
        for variant in variants:
            one, gap = by_seed[variant].dropna(), (by_seed[variant] - by_seed[reference]).dropna()
            guide, objective = variant.split("/")
            rows.append(
                {
                    "guide": guide,
                    "objective": objective,
                    "variant": variant,
                    "column": column,
                    **_mean(one, ("mean", "se")),
                    "seeds": len(one),
                    **_mean(gap, ("difference", "difference_se")),
                    "reference": reference,
                }
            )
    return pd.DataFrame(rows)


def _by_seed(values: pd.DataFrame, column: str, variants: list[str]) -> pd.DataFrame:
    chosen = values[values["column"] == column]
    return chosen.pivot(index="seed", columns="variant", values="value").astype(float).reindex(columns=variants)


def _mean(values: pd.Series[float], names: tuple[str, str]) -> dict[str, float]:
    error = values.std(ddof=1) / math.sqrt(len(values)) if len(values) > 1 else math.nan
    return {names[0]: float(values.mean()) if len(values) else math.nan, names[1]: float(error)}


def markdown(comparison: pd.DataFrame) -> str:
    """Return two tables for people: means over seeds with standard errors, and differences to the reference."""
    seeds, reference = comparison["seeds"].max(), comparison["reference"].iloc[0]
    return "\n\n".join(
        [
            f"Mean over up to {seeds} seeds ± standard error over seeds",
            _wide(comparison, "mean", "se", ""),
            f"Difference to {reference}, paired by seed",
            _wide(comparison, "difference", "difference_se", "+"),
        ]
    )


def _wide(comparison: pd.DataFrame, value: str, error: str, sign: str) -> str:
    columns = list(dict.fromkeys(comparison["column"]))
    lines = [["guide", "objective", *columns], ["---"] * (len(columns) + 2)]
    for variant, rows in comparison.groupby("variant", sort=False):
        found = {row["column"]: _cell(row[value], row[error], sign) for _, row in rows.iterrows()}
        lines.append([*str(variant).split("/"), *(found.get(column, "") for column in columns)])
    # A bar inside a cell would begin the next one.
    escaped = [[cell.replace("|", r"\|") for cell in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in escaped)


def _cell(value: float, error: float, sign: str) -> str:
    if math.isnan(value):
        return ""
    return f"{value:{sign}.4g}" if math.isnan(error) else f"{value:{sign}.4g} ± {error:.2g}"
