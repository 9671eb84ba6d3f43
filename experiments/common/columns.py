"""What comparisons show of a run."""

from __future__ import annotations

from collections.abc import Mapping

from pyro_mmvae.columns import Column as Column
from pyro_mmvae.columns import Curve as Curve
from pyro_mmvae.columns import trust_columns as trust_columns
from pyro_mmvae.estimators.grid import Quantity, Summaries


def likelihood_columns(
    found: Summaries, quantities: Mapping[str, Quantity], published: Mapping[tuple[str, str], float | None]
) -> dict[str, Column]:
    """Return what `grid` found as columns of a comparison, with each proposal's share of high k-hats.

    Args:
        found: as `metrics.json` has it.
        quantities: by name.
        published: by proposal, `a+b`, and quantity.
    """
    places = [(given, name) for given, names in found.items() for name in names]
    values = {
        f"{quantities[name].title} from q(z|{given})": Column.of(
            found[given][name]["mean"], published=published.get((given, name))
        )
        for given, name in places
    }
    khats = {given: next(iter(names.values()))["khat_over_0.7"] for given, names in found.items()}
    return values | {f"k-hat > 0.7 from q(z|{given})": Column.of(share, "lower") for given, share in khats.items()}
