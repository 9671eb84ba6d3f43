import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pyro_mmvae.hands.metrics import PoseMetrics, mean_pose, pose_errors_mm, pose_metrics


def test_errors_are_scaled_distances_in_millimetres():
    true = np.zeros((2, 1, 3))
    predicted = np.array([[[3.0, 4.0, 0.0]], [[0.0, 0.0, 1.0]]])
    errors = pose_errors_mm(predicted, true, np.array([0.01, 0.025]))
    np.testing.assert_allclose(errors, [[50.0], [25.0]])


def test_errors_take_tensors_that_require_gradients():
    predicted = torch.ones(4, 21, 3, requires_grad=True)
    errors = pose_errors_mm(predicted, torch.zeros(4, 21, 3), torch.full((4,), 0.03))
    np.testing.assert_allclose(errors, np.full((4, 21), 30 * np.sqrt(3)), rtol=1e-6)


def test_mean_median_and_pck_are_per_joint_then_over_joints():
    errors = np.array([[10.0, 30.0], [20.0, 999.0], [60.0, 999.0]])
    visible = np.array([[True, True], [True, False], [True, False]])
    metrics = pose_metrics(errors, visible, thresholds_mm=[10, 20, 30, 60])
    assert metrics.epe_mean_mm == pytest.approx((30 + 30) / 2)
    assert metrics.epe_median_mm == pytest.approx((20 + 30) / 2)
    assert metrics.thresholds_mm == (10, 20, 30, 60)
    np.testing.assert_allclose(metrics.pck, [(1 / 3 + 0) / 2, (2 / 3 + 0) / 2, (2 / 3 + 1) / 2, 1])


def test_all_joints_ignores_visibility():
    errors = np.array([[10.0, 30.0], [20.0, 50.0]])
    visible = np.array([[True, True], [False, False]])
    assert pose_metrics(errors, visible).epe_mean_mm == pytest.approx((10 + 30) / 2)
    assert pose_metrics(errors, visible, joints="all").epe_mean_mm == pytest.approx((15 + 40) / 2)


def test_a_joint_that_is_never_visible_is_left_out():
    errors = np.array([[10.0, 500.0], [20.0, 500.0]])
    visible = np.array([[True, False], [True, False]])
    metrics = pose_metrics(errors, visible)
    alone = pose_metrics(errors[:, :1], visible[:, :1])
    assert metrics == alone


@pytest.mark.parametrize(("error", "auc"), [(0.0, 1.0), (20.0, 1.0), (35.0, 0.5), (44.0, 0.2), (50.1, 0.0)])
def test_exact_auc_of_one_error(error, auc):
    metrics = pose_metrics([[error]], [[True]], auc_rule="exact")
    assert metrics.auc_20_50 == pytest.approx(auc, abs=1e-12)


def test_grid_auc_of_one_error_by_hand():
    # The grid's steps are 50/19 mm wide; it has 11 of them from 21.05 mm (the 9th threshold) to 50 mm. An error
    # of 30 mm is within the thresholds from 31.58 mm (the 13th) on: 7 whole steps and half of the one before.
    metrics = pose_metrics([[30.0]], [[True]])
    assert metrics.auc_20_50 == pytest.approx(7.5 / 11)


def test_even_auc_of_one_error_by_hand():
    # 19 steps of 30/19 mm from 20 mm; 30 mm is within the thresholds from 31.05 mm (the 8th) on: 12 whole steps and
    # half of the one before.
    assert pose_metrics([[30.0]], [[True]], auc_rule="even").auc_20_50 == pytest.approx(12.5 / 19)


def test_average_over_keypoints_weighs_a_joint_by_how_often_it_counts():
    errors = np.array([[10.0, 30.0], [20.0, 999.0], [60.0, 999.0]])
    visible = np.array([[True, True], [True, False], [True, False]])
    metrics = pose_metrics(errors, visible, average="keypoint", thresholds_mm=[10, 20, 30, 60])
    assert metrics.epe_mean_mm == pytest.approx((10 + 20 + 60 + 30) / 4)
    assert metrics.epe_median_mm == pytest.approx(25)
    np.testing.assert_allclose(metrics.pck, [1 / 4, 2 / 4, 3 / 4, 1])


@pytest.mark.parametrize("auc_rule", ["grid", "even", "exact"])
def test_with_all_joints_both_averages_agree(auc_rule):
    errors = np.random.default_rng(0).gamma(4.0, 6.0, size=(50, 21))
    visible = np.random.default_rng(1).random((50, 21)) < 0.3
    one, other = (
        pose_metrics(errors, visible, joints="all", average=average, auc_rule=auc_rule)
        for average in ("joint", "keypoint")
    )
    assert one.epe_mean_mm == pytest.approx(other.epe_mean_mm)
    assert one.auc_20_50 == pytest.approx(other.auc_20_50)
    np.testing.assert_allclose(one.pck, other.pck)


def test_auc_rules_agree_roughly():
    errors = np.random.default_rng(0).gamma(4.0, 6.0, size=(2000, 21))
    visible = np.ones_like(errors, dtype=bool)
    grid = pose_metrics(errors, visible).auc_20_50
    exact = pose_metrics(errors, visible, auc_rule="exact").auc_20_50
    dense = np.linspace(20, 50, 3001)
    curve = np.array([(errors <= t).mean() for t in dense])
    assert exact == pytest.approx(((curve[1:] + curve[:-1]) / 2).mean(), abs=1e-4)
    assert 0.001 < abs(grid - exact) < 0.03
    assert pose_metrics(errors, visible, auc_rule="even").auc_20_50 == pytest.approx(exact, abs=1e-3)


@given(arrays(np.float64, (5, 3), elements=st.floats(0, 100)), arrays(bool, (5, 3)))
def test_laws(errors, visible):
    visible[0] = True
    metrics = pose_metrics(errors, visible)
    assert 0 <= metrics.auc_20_50 <= 1
    assert all(np.diff(metrics.pck) >= 0)
    worse = pose_metrics(errors + 1, visible)
    assert worse.epe_mean_mm == pytest.approx(metrics.epe_mean_mm + 1)
    assert worse.auc_20_50 <= metrics.auc_20_50 + 1e-12
    order = [2, 0, 1]
    shuffled = pose_metrics(errors[::-1][:, order], visible[::-1][:, order])
    assert shuffled.epe_mean_mm == pytest.approx(metrics.epe_mean_mm)
    assert shuffled.auc_20_50 == pytest.approx(metrics.auc_20_50)


def test_pck_counts_an_error_that_equals_the_threshold():
    assert pose_metrics([[25.0]], [[True]], thresholds_mm=[24.9, 25.0]).pck == (0.0, 1.0)


def test_dictionary_is_the_one_of_metrics_json_and_comes_back():
    metrics = pose_metrics([[10.0, 40.0]], [[True, True]], thresholds_mm=[20, 50])
    assert metrics.to_dict() == {
        "epe_mm": {"mean": 25.0, "median": 25.0},
        "auc_20_50": metrics.auc_20_50,
        "pck": {"thresholds_mm": [20.0, 50.0], "values": [0.5, 1.0]},
    }
    assert PoseMetrics.from_dict(json.loads(json.dumps(metrics.to_dict()))) == metrics


def test_mean_pose_is_the_best_constant_in_squares():
    poses = torch.randn(50, 21, 3, generator=torch.Generator().manual_seed(0))
    np.testing.assert_allclose(mean_pose(poses), poses.double().mean(0), atol=1e-12)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -1.0])
def test_bad_errors_are_refused_even_where_invisible(bad):
    with pytest.raises(ValueError, match="1 of 2"):
        pose_metrics([[10.0, bad]], [[True, False]])


def test_nan_in_a_prediction_reaches_the_check():
    predicted = np.full((1, 2, 3), np.nan)
    errors = pose_errors_mm(predicted, np.zeros((1, 2, 3)), np.ones(1))
    with pytest.raises(ValueError, match="finite"):
        pose_metrics(errors, np.ones((1, 2), dtype=bool))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: pose_errors_mm(np.zeros((2, 3)), np.zeros((2, 3)), np.ones(2)), "N, J, 3"),
        (lambda: pose_errors_mm(np.zeros((2, 4, 3)), np.zeros((2, 4, 3)), np.ones(3)), "scale_m"),
        (lambda: pose_metrics([[1.0, 2.0]], [[True]]), "visible"),
        (lambda: pose_metrics([[1.0]], [[False]]), "joints='all'"),
        (lambda: pose_metrics([[1.0]], [[True]], joints="some"), "'some'"),
        (lambda: pose_metrics([[1.0]], [[True]], average="mean"), "'mean'"),
        (lambda: pose_metrics([[1.0]], [[True]], auc_rule="sum"), "'sum'"),
        (lambda: mean_pose(np.zeros((0, 21, 3))), "N > 0"),
    ],
)
def test_misuse_is_explained(call, message):
    with pytest.raises(ValueError, match=message):
        call()
