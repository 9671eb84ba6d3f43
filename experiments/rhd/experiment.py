"""The hand experiment: 3-D pose from RGB, trained with more than RGB."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar

from pyro_mmvae import Guide, Loss, Modality, MultimodalVAE, Objective
from pyro_mmvae.experiments.common import experiment
from pyro_mmvae.experiments.common.columns import Column, Curve, trust_columns
from pyro_mmvae.experiments.common.experiment import Evaluation, RunData
from pyro_mmvae.experiments.rhd.alignment import branches, phases, upper_branch
from pyro_mmvae.experiments.rhd.baseline import run_mean_pose
from pyro_mmvae.experiments.rhd.config import RULES, Config
from pyro_mmvae.experiments.rhd.data import HandData
from pyro_mmvae.experiments.rhd.networks import build_modalities
from pyro_mmvae.experiments.rhd.predict import predict_folder
from pyro_mmvae.experiments.rhd.presets import published
from pyro_mmvae.experiments.rhd.reuse import evaluate_run
from pyro_mmvae.hands.evaluation import judge
from pyro_mmvae.hands.plots.judged import draw_figures
from pyro_mmvae.hands.report import report
from pyro_mmvae.hands.scores import CLEAN
from pyro_mmvae.hands.training import HandTraining
from pyro_mmvae.phases import Phase
from pyro_mmvae.schedules import Weight


class Experiment(experiment.Experiment[Config]):
    """Hands from RGB, with point clouds, heat maps and segmentations as companions in training (Gupta 2021)."""

    training_class = HandTraining
    sheets: ClassVar[tuple[str, ...]] = ("skeletons_3d.png", "skeletons.png")
    commands: ClassVar[Mapping[str, Callable[[Any], None]]] = {"evaluate": evaluate_run, "predict": predict_folder}

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        # The loss, which rises with beta, could not decide about an early stop.
        self.watched = f"val/epe_mm|{config.flow.inputs[0]}"

    def modalities(self) -> list[Modality]:
        """Return the modalities of the setting."""
        return build_modalities(self.config)

    def targets(self) -> dict[str, Weight]:
        """Return the weights of what the setting decodes."""
        return {name: getattr(self.config, f"lambda_{name}") for name in self.config.flow.targets}

    def branches(self, guide: Guide) -> dict[str, MultimodalVAE]:
        """Return the upper branch of variational alignment."""
        return {"upper": upper_branch(self.config, guide)} if self.config.aligned else {}

    def phases(self, guide: Guide, steps_per_epoch: int) -> list[Phase]:
        """Return one phase, or those of variational alignment."""
        if not self.config.aligned:
            return super().phases(guide, steps_per_epoch)
        return phases(self.config, guide, self.targets(), self.beta, steps_per_epoch)

    def objective(self, guide: Guide, steps: int) -> Objective:
        """Return the objective; of variational alignment that of its last phase."""
        return self.phases(guide, steps)[-1].objective if self.config.aligned else super().objective(guide, steps)

    def data(self) -> HandData:
        """Open the data, making the synthetic hands if they are not there."""
        return HandData(self.config)

    def evaluate(self, loss: Loss, data: RunData) -> Evaluation:
        """Judge the poses that every posterior predicts, beside the mean training pose."""
        assert isinstance(data, HandData)
        config = self.config
        rules: dict[str, Any] = {name: getattr(config, name) for name in RULES}
        average = run_mean_pose(config, data)
        judged = judge(loss, data.judged_hands(), config.seed, targets=config.flow.targets, mean_pose=average, **rules)
        judged.skipped.update(data.samples.skipped)
        metrics = judged.metrics() | ({"branches": branches(judged)} if config.aligned else {})
        return Evaluation(metrics, report(judged), partial(draw_figures, judged))

    @staticmethod
    def columns(metrics: Mapping[str, Any]) -> dict[str, Column]:
        """Return end-point error and AUC of every posterior, the joint one first, with what papers print of them."""
        posteriors = sorted(metrics["posteriors"].items(), key=lambda item: item[0] != "joint")
        printed = {name: published(metrics["config"], name) for name, _ in posteriors}
        errors = {f"EPE mm, {n}": Column(m["epe_mm"]["mean"], "lower", printed[n].epe_mm) for n, m in posteriors}
        areas = {f"AUC 20-50, {n}": Column(m["auc_20_50"], "higher", printed[n].auc) for n, m in posteriors}
        segmented = [(n, m["segmentation"]) for n, m in posteriors if "segmentation" in m]
        scores = {f"{s.upper()}, {n}": Column(m[s]["mean"]) for n, m in segmented for s in ("iou", "f1")}
        conditions = {
            f"EPE mm, {name}, {condition if condition == CLEAN else f'corrupted {condition}'}": Column(value, "lower")
            for condition, found in metrics.get("conditions", {}).items()
            for name, value in found.items()
        }
        return errors | areas | scores | conditions | trust_columns(metrics)

    @staticmethod
    def curves(metrics: Mapping[str, Any]) -> dict[str, Curve]:
        """Return the share of joints within each threshold, for every posterior."""
        axes = ("threshold in mm", "share of correct joints")
        curves = {name: found["pck"] for name, found in metrics["posteriors"].items()}
        return {f"PCK, {name}": Curve(pck["thresholds_mm"], pck["values"], axes) for name, pck in curves.items()}
