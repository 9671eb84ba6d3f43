"""Rendered shapes: ten kinds with factors of variation."""

from __future__ import annotations

import torch

from pyro_mmvae.data.shapes import rendered_shapes


def test_ten_kinds_with_factors_of_variation():
    shapes = rendered_shapes(300, seed=0)
    assert shapes.images.shape == (300, 28, 28)
    assert set(shapes.labels.tolist()) == set(range(10))
    assert torch.equal(shapes.images, rendered_shapes(300, seed=0).images)
    ink = shapes.images.flatten(1).float().mean(1)
    assert ((ink > 5) & (ink < 160)).all()
    assert ink[shapes.labels == 7].std() > 5  # sizes differ within a class
    edge = torch.cat([shapes.images[:, 0], shapes.images[:, -1]]).float()
    assert (edge > 0).float().mean() < 0.02  # nothing is cut off


def test_kinds_differ_more_than_samples_of_a_kind():
    shapes = rendered_shapes(600, seed=1)
    flat = shapes.images.flatten(1).float()
    nearest = torch.cdist(flat[:200], flat[200:]).argmin(1)
    assert (shapes.labels[:200] == shapes.labels[200:][nearest]).float().mean() > 0.7
