"""Maps of latent spaces."""

from __future__ import annotations

import numpy as np

from pyro_mmvae.plots import on_a_plane


def test_latents_on_a_plane():
    rng = np.random.default_rng(0)
    flat = {"a": rng.normal(size=(5, 2)), "b": rng.normal(size=(4, 2))}
    placed, how = on_a_plane(flat)
    assert how == "the two latent dimensions"
    np.testing.assert_array_equal(placed["b"], flat["b"])
    centres = rng.normal(size=(2, 8)) * 20
    many = {"a": centres[0] + rng.normal(size=(20, 8)), "b": centres[1] + rng.normal(size=(15, 8))}
    placed, how = on_a_plane(many)
    assert how == "t-SNE"
    gap = np.linalg.norm(placed["a"].mean(0) - placed["b"].mean(0))
    assert gap > 2 * placed["a"].std()
