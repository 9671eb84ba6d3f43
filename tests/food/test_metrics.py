"""Scores of lists of ingredients, against ones computed by scikit-learn and by hand."""

from __future__ import annotations

import pytest
import torch
from sklearn.metrics import f1_score, jaccard_score

from pyro_mmvae.food.metrics import (
    choose_threshold,
    f1_by_ingredient,
    ingredient_metrics,
    most_frequent,
    recipe_scores,
)


@pytest.fixture
def case():
    generator = torch.Generator().manual_seed(0)
    true = (torch.rand(40, 7, generator=generator) < 0.4).float()
    true[:, 0] = 1.0
    return torch.rand(40, 7, generator=generator), true


def test_they_are_those_of_scikit_learn(case):
    probability, true = case
    found, said = ingredient_metrics(probability, true, 0.5), (probability > 0.5).int().numpy()
    options = {"zero_division": 0}
    assert found.f1 == pytest.approx(f1_score(true.numpy(), said, average="samples", **options))
    assert found.iou == pytest.approx(jaccard_score(true.numpy(), said, average="samples", **options))
    assert found.f1_global == pytest.approx(f1_score(true.numpy(), said, average="micro"))
    assert found.iou_global == pytest.approx(jaccard_score(true.numpy(), said, average="micro"))
    expected = f1_score(true.numpy(), said, average=None)
    assert f1_by_ingredient(probability, true, 0.5).tolist() == pytest.approx(expected.tolist())


def test_the_published_iou_follows_from_the_published_f1():
    """Recipe1M: F1 49.18 and IoU 32.61, F1 50.05 and IoU 33.38, which global scores have and means do not."""
    for f1, iou in ((0.4918, 0.3261), (0.5005, 0.3338)):
        assert f1 / (2 - f1) == pytest.approx(iou, abs=1e-4)


def test_the_threshold_is_the_best_of_all(case):
    probability, true = case
    best = choose_threshold(probability, true)
    score = float(recipe_scores(probability, true, best)[0].mean())
    for other in (0.02, 0.2, 0.5, 0.8):
        assert score >= float(recipe_scores(probability, true, other)[0].mean())
    assert choose_threshold(true * 0.6, true) == 0.02


def test_the_most_frequent_are_as_many_as_are_best():
    true = torch.tensor([[1.0, 1, 0, 0], [1, 1, 0, 1], [1, 0, 1, 0]])
    assert most_frequent(true).tolist() == [1, 1, 0, 0]
    assert most_frequent(true, 1).tolist() == [1, 0, 0, 0]
    scores = [float(recipe_scores(most_frequent(true, k).expand(3, 4), true, 0.5)[0].mean()) for k in (1, 2, 3, 4)]
    assert max(scores) == scores[1]


def test_nothing_there_and_nothing_said_is_right():
    f1, iou = recipe_scores(torch.zeros(1, 3), torch.zeros(1, 3), 0.5)
    assert f1.item() == iou.item() == 1


@pytest.mark.parametrize("shapes", [((2, 3), (2, 4)), ((0, 3), (0, 3)), ((3,), (3,))])
def test_other_shapes_are_refused(shapes):
    with pytest.raises(ValueError, match="expected probability and true"):
        ingredient_metrics(torch.zeros(shapes[0]), torch.zeros(shapes[1]), 0.5)
