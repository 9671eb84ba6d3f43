"""Scores of labels against scikit-learn."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, f1_score, log_loss

from pyro_mmvae.metrics.multilabel import best_constants, label_scores


def pair(seed=0, number=40, labels=4):
    generator = torch.Generator().manual_seed(seed)
    true = (torch.rand(number, labels, generator=generator) < torch.linspace(0.2, 0.8, labels)).float()
    noisy = true + torch.randn(number, labels, generator=generator)
    return (noisy - 0.5).sigmoid(), true


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**31))
def test_scores_are_scikit_learns(seed):
    probability, true = pair(seed)
    found = label_scores(probability, true)
    for c in range(4):
        p, t = probability[:, c].double().numpy(), true[:, c].numpy()
        if t.any():
            assert float(found.f1[c]) == pytest.approx(f1_score(t, p > 0.5, zero_division=0))
            assert float(found.average_precision[c]) == pytest.approx(average_precision_score(t, p))
        assert float(found.log_score[c]) == pytest.approx(-log_loss(t, p, labels=[0, 1]), abs=1e-4)
        assert float(found.accuracy[c]) == pytest.approx(float(((p > 0.5) == t).mean()))


def test_a_label_that_is_nowhere_has_no_score():
    probability, true = pair()
    true[:, 1] = 0
    found = label_scores(probability, true)
    assert math.isnan(found.f1[1])
    assert math.isnan(found.average_precision[1])
    assert not math.isnan(found.means()["f1"])
    assert found.by_label("abcd")["b"]["share"] == 0


def test_truth_is_perfect_and_constants_are_their_shares():
    _, true = pair()
    perfect = label_scores(true, true)
    assert perfect.means()["f1"] == perfect.means()["average_precision"] == 1
    constant = best_constants(true, true)
    share = true.double().mean(0)
    assert constant["average_precision"] == pytest.approx(float(share.mean()))
    assert constant["f1"] == pytest.approx(float((2 * share / (1 + share)).mean()))
    assert constant["log_score"] == pytest.approx(float((share * share.log() + (1 - share) * (1 - share).log()).sum()))


@pytest.mark.parametrize(("one", "other"), [((3, 2), (3, 3)), ((0, 2), (0, 2)), ((3,), (3,))])
def test_shapes_that_do_not_fit_are_refused(one, other):
    with pytest.raises(ValueError, match="one shape"):
        label_scores(torch.zeros(one), torch.zeros(other))
