"""IoU and F1 against scikit-learn."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix, f1_score, jaccard_score

from pyro_mmvae.metrics import confusion_matrices, segmentation_metrics

CLASSES = 5


def pair(seed=0, number=6, present=CLASSES, size=(7, 9)):
    """Predictions that are right about half of the time, of the first so many classes."""
    generator = torch.Generator().manual_seed(seed)
    true, guess = (torch.randint(present, (number, *size), generator=generator) for _ in range(2))
    right = torch.rand(true.shape, generator=generator) < 0.5
    return torch.where(right, true, guess), true


def flat(value):
    return value.flatten().numpy()


@settings(deadline=None)
@given(st.integers(0, 2**31), st.integers(1, CLASSES), st.integers(1, 4))
def test_scores_of_the_summed_counts_are_scikit_learns(seed, present, number):
    predicted, true = pair(seed, number, present)
    metrics = segmentation_metrics(confusion_matrices(predicted, true, CLASSES))
    # scikit-learn, too, averages over the classes that are true or predicted.
    assert metrics.iou == pytest.approx(jaccard_score(flat(true), flat(predicted), average="macro"))
    assert metrics.f1 == pytest.approx(f1_score(flat(true), flat(predicted), average="macro"))
    labels = sorted(metrics.iou_by_class)
    assert labels == np.union1d(flat(true), flat(predicted)).tolist()
    for score, found in ((jaccard_score, metrics.iou_by_class), (f1_score, metrics.f1_by_class)):
        expected = score(flat(true), flat(predicted), average=None, labels=labels)
        np.testing.assert_allclose(list(found.values()), expected)


@settings(deadline=None)
@given(st.integers(0, 2**31))
def test_scores_per_sample_are_means_of_scikit_learns(seed):
    predicted, true = pair(seed, 4, size=(2, 3))  # small: classes are absent from some samples
    metrics = segmentation_metrics(confusion_matrices(predicted, true, CLASSES), per_sample=True)
    for score, found in ((jaccard_score, metrics.iou), (f1_score, metrics.f1)):
        each = [score(flat(t), flat(p), average="macro") for p, t in zip(predicted, true, strict=True)]
        assert found == pytest.approx(np.mean(each))


def test_confusion_is_scikit_learns():
    predicted, true = pair()
    found = confusion_matrices(predicted, true, CLASSES)
    assert found.dtype == torch.int64
    for matrix, p, t in zip(found, predicted, true, strict=True):
        np.testing.assert_array_equal(matrix, confusion_matrix(flat(t), flat(p), labels=range(CLASSES)))


def test_batches_put_together_or_added_up_are_the_whole():
    predicted, true = pair()
    whole = confusion_matrices(predicted, true, CLASSES)
    parts = [confusion_matrices(p, t, CLASSES) for p, t in zip(predicted.split(4), true.split(4), strict=True)]
    assert torch.equal(torch.cat(parts), whole)
    summed = sum(part.sum(0) for part in parts)
    assert segmentation_metrics(summed) == segmentation_metrics(whole)
    assert confusion_matrices(predicted[:0], true[:0], CLASSES).shape == (0, CLASSES, CLASSES)


@pytest.mark.parametrize("per_sample", [False, True])
def test_means_over_chosen_classes(per_sample):
    predicted, true = pair(present=3)
    confusion = confusion_matrices(predicted, true, CLASSES)
    metrics = segmentation_metrics(confusion, per_sample=per_sample, classes=(1, 2, 4))
    everything = segmentation_metrics(confusion, per_sample=per_sample)
    assert metrics.iou_by_class == {name: everything.iou_by_class[name] for name in (1, 2)}
    assert metrics.iou == pytest.approx(np.mean(list(metrics.iou_by_class.values())))  # present in every sample
    for score, found in ((jaccard_score, metrics.iou), (f1_score, metrics.f1)):
        if not per_sample:
            assert found == pytest.approx(score(flat(true), flat(predicted), average="macro", labels=[1, 2]))


def test_by_hand():
    true, predicted = torch.tensor([[0, 0, 1, 1]]), torch.tensor([[0, 1, 1, 1]])
    metrics = segmentation_metrics(confusion_matrices(predicted, true, 3))
    assert metrics.iou_by_class == {0: 1 / 2, 1: 2 / 3}
    assert metrics.f1_by_class == {0: 2 / 3, 1: 4 / 5}
    assert metrics.iou == pytest.approx((1 / 2 + 2 / 3) / 2)


@pytest.mark.parametrize("per_sample", [False, True])
def test_best_and_worst(per_sample):
    _, true = pair()
    best = segmentation_metrics(confusion_matrices(true, true, CLASSES), per_sample=per_sample)
    worst = segmentation_metrics(confusion_matrices((true + 1) % CLASSES, true, CLASSES), per_sample=per_sample)
    assert (best.iou, best.f1, worst.iou, worst.f1) == (1, 1, 0, 0)


def test_f1_follows_from_iou_in_each_class():
    metrics = segmentation_metrics(confusion_matrices(*pair(), CLASSES))
    for name, iou in metrics.iou_by_class.items():
        assert metrics.f1_by_class[name] == pytest.approx(2 * iou / (1 + iou))


def test_samples_without_the_chosen_classes_are_left_out():
    true = torch.tensor([[0, 1], [0, 0]])
    confusion = confusion_matrices(true, true, 2)
    assert segmentation_metrics(confusion, per_sample=True, classes=[1]).iou == 1


def test_dictionary_can_be_written_as_json():
    metrics = segmentation_metrics(confusion_matrices(*pair(present=2), CLASSES))
    read = json.loads(json.dumps(metrics.to_dict(), allow_nan=False))
    assert read["iou"] == {"mean": metrics.iou, "by_class": {str(k): v for k, v in metrics.iou_by_class.items()}}
    assert read["f1"]["mean"] == metrics.f1


def test_predictions_of_the_likelihood_are_taken():
    from pyro_mmvae.likelihoods import Segmentation

    likelihood = Segmentation(3, (4, 5))
    logits = torch.randn(2, 3, 4, 5)
    found = confusion_matrices(likelihood.predict(logits), logits.argmax(1), 3)
    assert segmentation_metrics(found).iou == 1


ZEROS = torch.zeros(2, 3, dtype=torch.long)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: confusion_matrices(ZEROS, ZEROS[:, :2], 2), "one shape"),
        (lambda: confusion_matrices(ZEROS[0], ZEROS[0], 2), "one shape"),
        (lambda: confusion_matrices(ZEROS.float(), ZEROS, 2), "predicted classes as whole numbers.*float32"),
        (lambda: confusion_matrices(ZEROS, ZEROS + 2, 2), "true classes as whole numbers from 0 to 1, got 2 to 2"),
        (lambda: confusion_matrices(ZEROS - 1, ZEROS, 2), "predicted classes"),
        (lambda: segmentation_metrics(torch.zeros(2, 3)), r"\(N, C, C\)"),
        (lambda: segmentation_metrics(torch.ones(2, 2), per_sample=True), "per_sample"),
        (lambda: segmentation_metrics(torch.ones(2, 2), classes=[2]), "classes from 0 to 1"),
        (lambda: segmentation_metrics(torch.ones(2, 2), classes=[]), "classes from 0 to 1"),
        (lambda: segmentation_metrics(torch.zeros(4, 2, 2)), "got none"),
        (lambda: segmentation_metrics(torch.zeros(0, 2, 2)), "got none"),
    ],
)
def test_misuse_is_explained(call, message):
    with pytest.raises(ValueError, match=message):
        call()
