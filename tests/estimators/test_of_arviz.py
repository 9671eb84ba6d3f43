"""k-hat by either release of ArviZ, whose signs differ."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from pyro_mmvae.estimators.of_arviz import from_groups, pareto_shapes


@pytest.mark.parametrize("shape", [0.2, 0.5, 0.9])
def test_the_shape_of_pareto_weights_is_found(shape):
    """Of weights, not of their inverses, whose tail is thin."""
    weights = stats.genpareto(shape).rvs((40, 4000), random_state=0) + 1.0
    found = pareto_shapes(np.log(weights))
    assert found.shape == (40,)
    assert found.mean() == pytest.approx(shape, abs=0.05)


def test_groups():
    groups = {"posterior": {"z": np.zeros((1, 3, 2, 4))}, "observed_data": {"x": np.zeros((2, 5))}}
    found = from_groups(groups, {"sample": range(2), "latent": range(4)}, {"z": ["sample", "latent"], "x": ["sample"]})
    assert dict(found.posterior["z"].sizes) == {"chain": 1, "draw": 3, "sample": 2, "latent": 4}
    assert found.observed_data["x"].shape == (2, 5)
