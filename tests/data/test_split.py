"""Samples held out from training."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyro_mmvae.data.split import hold_out


@given(st.sets(st.integers(0, 10**6), min_size=4, max_size=60), st.floats(0, 1), st.integers(0, 9), st.integers(1, 2))
def test_every_sample_is_on_one_side(ids, share, seed, least):
    ordered = sorted(ids)
    kept, held_out = hold_out(ordered, share, seed, least)
    assert sorted(kept + held_out) == ordered
    assert (kept, held_out) == (sorted(kept), sorted(held_out))
    assert len(held_out) == max(least, round(share * len(ids)))
    assert hold_out(ordered, share, seed, least) == (kept, held_out)


def test_too_few_samples():
    with pytest.raises(ValueError, match="at least 4 training samples, got 3"):
        hold_out([1, 2, 3], 0.05, seed=0, least=2)
