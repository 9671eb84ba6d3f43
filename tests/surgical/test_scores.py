"""Scores of segmentations, baselines, and posteriors judged under rising noise."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from pyro_mmvae import Batch, Modality, MultimodalVAE, guides, objectives
from pyro_mmvae.likelihoods import Segmentation
from pyro_mmvae.surgical.dataset import ViewBatch
from pyro_mmvae.surgical.evaluation import judge, sweep
from pyro_mmvae.surgical.layout import CLASSES, View
from pyro_mmvae.surgical.scores import baselines, class_counts, confusion_of, score

TRUE = torch.tensor([[[1, 1], [2, 3]], [[1, 2], [2, 2]]])
PREDICTED = torch.tensor([[[1, 2], [2, 3]], [[1, 2], [2, 0]]])


def test_scores_by_hand():
    found = score(confusion_of(PREDICTED, TRUE))
    # liver: 2 right of 3; fat: 3 right, 1 wrongly, 1 missed, said to be nothing; wall: 1 of 1
    assert found["iou_by_class"] == pytest.approx({"liver": 2 / 3, "fat": 3 / 5, "wall": 1.0})
    assert found["iou"] == pytest.approx((2 / 3 + 3 / 5 + 1) / 3)
    assert found["f1"] == pytest.approx((4 / 5 + 6 / 8 + 1) / 3)
    assert found["accuracy"] == 6 / 8
    first, second = (1 / 2 + 1 / 2 + 1) / 3, (1 + 2 / 3) / 2
    assert found["per_sample"]["iou"] == pytest.approx((first + second) / 2)
    assert found["summed"] == {"iou": found["iou"], "f1": found["f1"]}
    assert score(confusion_of(PREDICTED, TRUE), "per_sample")["iou"] == found["per_sample"]["iou"]
    assert score(confusion_of(PREDICTED, TRUE), averaged="all")["iou_by_class"]["nothing"] == 0


def test_baselines_are_the_most_frequent_classes():
    counts = class_counts(TRUE)
    assert counts.shape == (2, 2, len(CLASSES))
    assert counts.sum() == TRUE.numel()
    found = baselines(counts)
    assert found["majority"].tolist() == [[2, 2], [2, 2]]
    assert found["pixel_prior"][0, 0] == 1
    assert found["pixel_prior"][1, 0] == 2
    # Where it was counted, no prediction that looks at nothing has more pixels right than the prior of each pixel.
    right = {name: (value == TRUE).sum() for name, value in found.items()}
    assert right["pixel_prior"] >= right["majority"]


def item(images, clouds, seen_cloud, truth):
    everything = torch.ones(len(images), dtype=torch.bool)
    batch = Batch(
        {"rgb": images, "cloud": clouds, "segmentation": truth},
        {"rgb": everything, "cloud": seen_cloud, "segmentation": everything},
    )
    views = tuple(View(1, i) for i in range(len(images)))
    return ViewBatch(batch, views, {n: torch.zeros_like(everything) for n in ("rgb", "cloud")}, (("scene_1", "bad"),))


@pytest.fixture(scope="module")
def loss():
    torch.manual_seed(0)
    size = (2, 2)
    decoder = nn.Sequential(nn.Linear(3, 4 * len(CLASSES)), nn.Unflatten(-1, (len(CLASSES), *size)))
    parts = [
        Modality("rgb", encoder=nn.Sequential(nn.Flatten(), nn.Linear(12, 6))),
        Modality("cloud", encoder=nn.Sequential(nn.Flatten(), nn.Linear(9, 6))),
        Modality("segmentation", Segmentation(len(CLASSES), size), decoder),
    ]
    guide = guides.load("gpoe")(parts, 3)
    objective = objectives.load("mixing")(guide.inputs, {"segmentation": 1.0})
    return objective(MultimodalVAE(parts, 3), guide).eval()


def batches(levels=None, seen=(True, False, True)):
    generator = torch.Generator().manual_seed(1)
    images, clouds = torch.rand(3, 3, 2, 2, generator=generator), torch.rand(3, 3, 3, generator=generator)
    truth = torch.randint(1, 6, (3, 2, 2), generator=generator)
    levels = levels or {}
    images = images * (1 - levels.get("rgb", 0.0))
    found = item(images, clouds + levels.get("cloud", 0.0), torch.tensor(seen), truth)
    return [found, found._replace(batch=found.batch[:0], views=())]


def test_posteriors_are_judged_where_they_see_anything(loss):
    judged = judge(loss, batches(), 0)
    metrics = judged.metrics(class_counts(TRUE))
    assert list(metrics["posteriors"]) == ["rgb", "cloud", "joint"]
    assert list(metrics["baseline"]) == ["majority", "pixel_prior"]
    assert metrics["samples"] == {"used": 3, "skipped": {"bad": 2}}
    assert set(metrics["weights"]) == {"rgb", "cloud"}
    assert sum(w["clean"] for w in metrics["weights"].values()) == pytest.approx(1)
    assert sum(w["clean"] for w in metrics["influence"].values()) == pytest.approx(1)
    assert math.isfinite(metrics["elbo"]["bound"])
    predicted = judged.segmentations(batches()[0])
    there = torch.tensor([True, False, True])
    truth = batches()[0].batch.data["segmentation"]
    assert metrics["posteriors"]["cloud"]["iou"] == score(confusion_of(predicted["cloud"][there], truth[there]))["iou"]
    assert metrics["posteriors"]["rgb"]["iou"] == score(confusion_of(predicted["rgb"], truth))["iou"]


def test_nothing_to_judge_is_an_error(loss):
    with pytest.raises(ValueError, match=r"not one view could be judged, skipped: \{'bad': 1\}"):
        judge(loss, batches()[1:], 0)


def test_a_sweep_judges_each_level(loss):
    found = sweep(loss, batches, {"rgb": (0.0, 0.9), "cloud": (0.0, 5.0, 9.0)})
    assert found["rgb"]["levels"] == [0.0, 0.9]
    clean = judge(loss, batches(), 0).scores()
    for sensor, rows in found.items():
        for name, values in rows["iou"].items():
            assert values[0] == clean[name]["iou"]
            assert len(values) == len(rows["levels"])
        assert {len(values) for values in rows["weights"].values()} == {len(rows["levels"])}
        other = "cloud" if sensor == "rgb" else "rgb"
        assert len(set(rows["iou"][other])) == 1  # one sensor's noise does not touch the other's posterior
    assert sweep(loss, batches, {"rgb": (), "cloud": ()}) == {}
