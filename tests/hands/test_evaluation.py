"""Predictions of posteriors on hands, projected and scored."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from rhd_factory import write_set

from pyro_mmvae.hands.metrics import pose_errors_mm, pose_metrics
from pyro_mmvae.hands.rhd import MODALITIES, RHD, collate
from pyro_mmvae.hands.scores import PoseErrors


@pytest.fixture(scope="module")
def item(tmp_path_factory):
    root = tmp_path_factory.mktemp("rhd")
    write_set(root, "training", 4)
    split = RHD(root, "training", image_size=64, modalities=MODALITIES, augment=True, progress=False)
    return collate([split[i] for i in range(4)])


def test_true_poses_are_projected_onto_the_keypoints(item):
    found = item.hands.to_crop(item.batch.data["pose"])
    torch.testing.assert_close(found, item.hands.keypoints_uv, atol=0.05, rtol=1e-3)


def test_errors_of_batches_are_those_of_the_whole(item):
    true, scores = item.batch.data["pose"], PoseErrors()
    predicted = true + 0.1 * torch.randn(true.shape, generator=torch.Generator().manual_seed(0))
    for _ in range(2):
        scores.add("rgb", predicted, item, ("rgb",))
    errors = pose_errors_mm(predicted, true, item.hands.scale)
    whole = pose_metrics(np.concatenate([errors] * 2), np.concatenate([item.hands.visible.numpy()] * 2))
    assert scores.metrics() == {"rgb": whole}
    assert (scores.count("rgb"), scores.count("cloud")) == (8, 0)


def test_samples_without_anything_to_look_at_do_not_count(item):
    scores = PoseErrors()
    blind = item._replace(batch=item.batch.given(("cloud",)))
    scores.add("rgb", item.batch.data["pose"], blind, ("rgb",))
    assert scores.count("rgb") == 0
    assert scores.metrics() == {}
