"""What pairs of an entangled set share, and what is left of it when they are mixed."""

from __future__ import annotations

import numpy as np
import torch

from pyro_mmvae.data.entangled import WITHIN, Pairs, entangled, mixed

CLASSES = 10


def decoder(seed):
    """A random probability for each of 12 values."""
    weights = torch.randn(2 + CLASSES, 12, generator=torch.Generator().manual_seed(seed))
    return lambda z, label: torch.cat([z, torch.nn.functional.one_hot(label, CLASSES)], -1).matmul(weights).sigmoid()


def drawn(count, seed=1) -> Pairs:
    return entangled(decoder(1), decoder(2), latent_dim=2, classes=CLASSES, num_samples=count, seed=seed)


def test_entangled_pairs_share_latent_vector_and_class():
    pairs = drawn(3000)
    assert torch.equal(pairs.z_a, pairs.z_b)
    assert pairs.z_a.abs().max() <= WITHIN
    assert 0.8 < pairs.z_a.std() < 0.95  # a standard normal cut off at two has 0.88
    assert set(pairs.a.unique().tolist()) == {0.0, 1.0}
    assert torch.bincount(pairs.label).min() > 200


def test_values_are_drawn_from_the_decoded_probabilities():
    pairs = drawn(4000)
    expected = decoder(2)(pairs.z_b, pairs.label)
    torch.testing.assert_close(pairs.b.mean(0), expected.mean(0), atol=0.04, rtol=0)


def test_mixed_pairs_share_the_class_alone():
    pairs = drawn(2000)
    swapped = mixed(pairs, seed=2)
    assert torch.equal(swapped.a, pairs.a)
    assert not torch.equal(swapped.b, pairs.b)
    for label in range(CLASSES):
        rows = pairs.label == label
        before, after = (np.sort(p.z_b[rows].numpy(), axis=0) for p in (pairs, swapped))
        np.testing.assert_array_equal(before, after)  # the same images of the class, in another order
    together = torch.corrcoef(torch.stack([swapped.z_a[:, 0], swapped.z_b[:, 0]]))[0, 1]
    assert abs(together) < 0.1


def test_grey_pairs_are_the_probabilities_of_binary_ones():
    options = {"latent_dim": 2, "classes": CLASSES, "num_samples": 1500, "seed": 1}
    pairs = entangled(decoder(1), decoder(2), **options, grey=True)
    assert torch.equal(pairs.z_a, entangled(decoder(1), decoder(2), **options).z_a)
    torch.testing.assert_close(pairs.a, decoder(1)(pairs.z_a, pairs.label))


def test_the_same_seed_draws_the_same():
    one, two, other = (drawn(20, seed) for seed in (1, 1, 2))
    assert torch.equal(one.b, two.b)
    assert not torch.equal(one.b, other.b)
