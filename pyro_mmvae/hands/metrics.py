"""Errors of three-dimensional poses: EPE, PCK and AUC."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.integrate import trapezoid
from torch import Tensor

Floats = NDArray[np.float64]
AUCRule = Literal["grid", "even", "exact"]

GRID_MM: Floats = np.linspace(0, 50, 20)
"""Thresholds at which RHD's and STB's papers evaluate the PCK."""
AUC_GRID_MM: Floats = GRID_MM[8:]
"""Those that they integrate over for "20 to 50 mm"; the first is 21.05 mm."""
EVEN_GRID_MM: Floats = np.linspace(20, 50, 20)
"""As many thresholds, from 20 mm itself."""


@dataclass(frozen=True)
class PoseMetrics:
    """Accuracy of predicted poses; see `pose_metrics` for the definitions.

    Attributes:
        epe_mean_mm: mean end-point error.
        epe_median_mm: median end-point error.
        auc_20_50: area under the PCK curve between 20 and 50 mm, from 0 to 1.
        thresholds_mm: where the PCK curve is evaluated.
        pck: share of correct keypoints at each threshold.
    """

    epe_mean_mm: float
    epe_median_mm: float
    auc_20_50: float
    thresholds_mm: tuple[float, ...]
    pck: tuple[float, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers as `metrics.json` has them."""
        return {
            "epe_mm": {"mean": self.epe_mean_mm, "median": self.epe_median_mm},
            "auc_20_50": self.auc_20_50,
            "pck": {"thresholds_mm": list(self.thresholds_mm), "values": list(self.pck)},
        }

    @classmethod
    def from_dict(cls, numbers: dict[str, Any]) -> Self:
        """Return what `to_dict` has written."""
        epe, pck = numbers["epe_mm"], numbers["pck"]
        return cls(epe["mean"], epe["median"], numbers["auc_20_50"], tuple(pck["thresholds_mm"]), tuple(pck["values"]))


def pose_errors_mm(predicted: Tensor | ArrayLike, true: Tensor | ArrayLike, scale_m: Tensor | ArrayLike) -> Floats:
    """Return the distance of each predicted joint from the true one.

    Args:
        predicted: (N, J, 3) root-relative poses in units of each sample's scale.
        true: (N, J, 3) the same.
        scale_m: (N,) the true scale in metres, which multiplies both.

    Returns:
        (N, J) millimetres.

    Raises:
        ValueError: the shapes do not fit.
    """
    predicted, true, scale_m = _array(predicted), _array(true), _array(scale_m)
    if predicted.ndim != 3 or predicted.shape != true.shape or scale_m.shape != predicted.shape[:1]:
        raise ValueError(
            f"expected predicted and true (N, J, 3) and scale_m (N,), "
            f"got {predicted.shape}, {true.shape} and {scale_m.shape}"
        )
    return np.linalg.norm(predicted - true, axis=-1) * scale_m[:, None] * 1000


def pose_metrics(
    errors_mm: Tensor | ArrayLike,
    visible: Tensor | ArrayLike,
    *,
    joints: Literal["visible", "all"] = "visible",
    average: Literal["joint", "keypoint"] = "joint",
    auc_rule: AUCRule = "grid",
    thresholds_mm: Sequence[float] | Floats = GRID_MM,
) -> PoseMetrics:
    """Summarise errors as the papers on RHD and STB do.

    By default every number is taken per joint over the samples in which the joint counts, and then averaged over the
    joints with equal weights: the mean error (EPE), the median error, the share of errors at most t (PCK). A joint that
    counts in no sample is left out of the average. So do Zimmermann & Brox (2017), with whose numbers the others
    compare theirs. Gupta (2021), Joshi et al. (2022) and Theodoridis et al. (2020) do not say what joints count, how
    they are averaged, or at what thresholds between 20 and 50 mm.

    Args:
        errors_mm: (N, J) from `pose_errors_mm`.
        visible: (N, J) booleans.
        joints: "visible": a joint counts where it is visible; "all": everywhere.
        average: "joint": as above; "keypoint": over all keypoints that count at once, so that a joint which is seen
            more often weighs more. With `joints="all"` only the median differs.
        auc_rule: "grid": the trapezoid rule over `linspace(0, 50, 20)[8:]` (21.05 to 50 mm) divided by that
            range, the number that papers print; "even": the same over `linspace(20, 50, 20)`; "exact": the integral
            from 20 to 50 mm without a grid, divided by 30 mm. The first differs from the others by about 0.01.
        thresholds_mm: where the PCK curve is evaluated.

    Raises:
        ValueError: the shapes do not fit, an error is negative, NaN or infinite, no joint counts anywhere, or an
            option is unknown.

    References:
        Learning to Estimate 3D Hand Pose from Single RGB Images (Zimmermann & Brox, 2017), arXiv:1705.01389.
    """
    errors, counts = _array(errors_mm), _array(visible).astype(bool)
    _check(errors, counts, joints, average, auc_rule)
    counts = counts | (joints == "all")
    groups = [errors[counts]] if average == "keypoint" else [errors[counts[:, j], j] for j in range(errors.shape[1])]
    groups = [values for values in groups if values.size]
    if not groups:
        raise ValueError("expected a visible joint in some sample, got none; pass joints='all' to count them all")
    thresholds = _array(thresholds_mm)
    return PoseMetrics(
        epe_mean_mm=float(np.mean([values.mean() for values in groups])),
        epe_median_mm=float(np.mean([np.median(values) for values in groups])),
        auc_20_50=float(np.mean([_AUC[auc_rule](values) for values in groups])),
        thresholds_mm=tuple(thresholds.tolist()),
        pck=tuple(np.mean([_pck(values, thresholds) for values in groups], axis=0).tolist()),
    )


def mean_pose(train_poses: Tensor | ArrayLike) -> Floats:
    """Return the mean of poses (N, J, 3), shape (J, 3): the baseline that looks at no input.

    Raises:
        ValueError: the shape does not fit, or there is no pose.
    """
    poses = _array(train_poses)
    if poses.ndim != 3 or len(poses) == 0:
        raise ValueError(f"expected poses (N, J, 3) with N > 0, got shape {poses.shape}")
    return poses.mean(0)


def _pck(errors: Floats, thresholds: Floats) -> Floats:
    """Return the share of errors (N,) at most each threshold (T,)."""
    return np.searchsorted(np.sort(errors), thresholds, side="right") / errors.size


def _auc_on(grid: Floats, errors: Floats) -> float:
    return float(trapezoid(_pck(errors, grid), grid) / (grid[-1] - grid[0]))


def _auc_exact(errors: Floats) -> float:
    # An error e is within the threshold from max(e, 20) to 50 mm.
    return float(np.mean(np.clip(50 - errors, 0, 30)) / 30)


_AUC: dict[AUCRule, Callable[[Floats], float]] = {
    "grid": partial(_auc_on, AUC_GRID_MM),
    "even": partial(_auc_on, EVEN_GRID_MM),
    "exact": _auc_exact,
}


def _check(errors: Floats, visible: NDArray[np.bool_], joints: str, average: str, auc_rule: str) -> None:
    if errors.ndim != 2 or errors.shape != visible.shape:
        raise ValueError(f"expected errors_mm and visible (N, J), got {errors.shape} and {visible.shape}")
    if bad := int((~np.isfinite(errors) | (errors < 0)).sum()):
        raise ValueError(f"expected finite errors from 0 mm, got {bad} of {errors.size} that are not")
    if joints not in ("visible", "all"):
        raise ValueError(f"expected joints 'visible' or 'all', got {joints!r}")
    if average not in ("joint", "keypoint"):
        raise ValueError(f"expected average 'joint' or 'keypoint', got {average!r}")
    if auc_rule not in _AUC:
        raise ValueError(f"expected auc_rule {' or '.join(map(repr, _AUC))}, got {auc_rule!r}")


def _array(value: Tensor | ArrayLike) -> Floats:
    if isinstance(value, Tensor):
        value = value.detach().to("cpu", torch.float64).numpy()
    return np.asarray(value, dtype=np.float64)
