"""Means over seeds, and differences of runs that share a seed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from pyro_mmvae.experiments.compare.plan import Run


def collect(runs: Sequence[Run]) -> pd.DataFrame:
    """Return the results of finished runs: a row for each run and column of the table.

    Returns:
        Columns `guide`, `objective`, each varied option, `model` (guide and objective), `variant`, `seed`, `column`,
        `value`, `better` ("higher" or "lower") and `published`.
    """
    rows = []
    for run in runs:
        base: dict[str, Any] = {"guide": run.guide, "objective": run.objective, **dict(run.varied)}
        base |= {"model": run.model, "variant": run.variant, "seed": run.seed}
        for name, column in run.columns().items():
            published = math.nan if column.published is None else column.published
            rows.append(
                {**base, "column": name, "value": column.value, "better": column.better, "published": published}
            )
    return pd.DataFrame(rows)


def compared(values: pd.DataFrame, reference: str | None = None) -> pd.DataFrame:
    """Return means over seeds, and differences to a reference.

    Differences are between runs with the same seed, hence with the same split and order of data: what a seed does to
    both cancels. Standard errors are those over seeds, and NaN with a single one.

    Args:
        values: see `collect`.
        reference: variant to compare with; the best mean in the first column by default.

    Returns:
        A row for each variant and column: what `collect` has of it, without the seeds, and `mean`, `se`, `seeds`,
        `difference`, `difference_se` and `reference`.

    Raises:
        ValueError: no run of the reference has finished.
    """
    columns, variants = list(dict.fromkeys(values["column"])), list(dict.fromkeys(values["variant"]))
    table = {column: _by_seed(values, column, variants) for column in columns}
    if reference is None:
        means = table[columns[0]].mean()
        lower = values.loc[values["column"] == columns[0], "better"].iloc[0] == "lower"
        reference = str(means.idxmin() if lower else means.idxmax())
    if reference not in variants:
        raise ValueError(f"--reference {reference}: no such run has finished; there are {', '.join(variants)}")
    rows = []
    for (column, variant), found in values.groupby(["column", "variant"], sort=False):
        by_seed = table[str(column)]
        one, gap = by_seed[variant].dropna(), (by_seed[variant] - by_seed[reference]).dropna()
        row: dict[str, Any] = {str(n): v for n, v in found.iloc[0].items() if n not in ("seed", "value")}
        row |= {**_mean(one, ("mean", "se")), "seeds": len(one)}
        row |= {**_mean(gap, ("difference", "difference_se")), "reference": reference}
        rows.append(row)
    return pd.DataFrame(rows)


def _by_seed(values: pd.DataFrame, column: str, variants: list[str]) -> pd.DataFrame:
    chosen = values[values["column"] == column]
    return chosen.pivot(index="seed", columns="variant", values="value").astype(float).reindex(columns=variants)


def _mean(values: pd.Series[float], names: tuple[str, str]) -> dict[str, float]:
    error = values.std(ddof=1) / math.sqrt(len(values)) if len(values) > 1 else math.nan
    return {names[0]: float(values.mean()) if len(values) else math.nan, names[1]: float(error)}


def markdown(comparison: pd.DataFrame) -> str:
    """Return tables for people: means over seeds with standard errors, differences to the reference, what is known."""
    seeds, reference = comparison["seeds"].max(), comparison["reference"].iloc[0]
    parts = [
        f"Mean over up to {seeds} seeds ± standard error over seeds",
        _wide(comparison, "mean", "se", ""),
        f"Difference to {reference}, paired by seed",
        _wide(comparison, "difference", "difference_se", "+"),
    ]
    if comparison["published"].notna().any():
        parts += ["Published, or known otherwise", _wide(comparison.assign(none=math.nan), "published", "none", "")]
    return "\n\n".join(parts)


def _wide(comparison: pd.DataFrame, value: str, error: str, sign: str) -> str:
    columns = list(dict.fromkeys(comparison["column"]))
    lines = [["variant", *columns], ["---"] * (len(columns) + 1)]
    for variant, rows in comparison.groupby("variant", sort=False):
        found = {row["column"]: _cell(row[value], row[error], sign) for _, row in rows.iterrows()}
        lines.append([str(variant), *(found.get(column, "") for column in columns)])
    # A bar inside a cell would begin the next one.
    escaped = [[cell.replace("|", r"\|") for cell in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in escaped)


def _cell(value: float, error: float, sign: str) -> str:
    if math.isnan(value):
        return ""
    return f"{value:{sign}.4g}" if math.isnan(error) else f"{value:{sign}.4g} ± {error:.2g}"
