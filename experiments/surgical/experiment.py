"""The surgical experiment: segmentation from RGB, a point cloud or both, with sensors that fail."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar

from pyro_mmvae import Loss, Modality
from pyro_mmvae.experiments.common import experiment
from pyro_mmvae.experiments.common.columns import Column, Curve, trust_columns
from pyro_mmvae.experiments.common.experiment import Evaluation, RunData
from pyro_mmvae.experiments.surgical.config import RULES, Config
from pyro_mmvae.experiments.surgical.data import SurgicalData
from pyro_mmvae.experiments.surgical.figures import draw_figures
from pyro_mmvae.experiments.surgical.networks import build_modalities
from pyro_mmvae.experiments.surgical.presets import published
from pyro_mmvae.schedules import Weight
from pyro_mmvae.surgical.evaluation import judge, sweep
from pyro_mmvae.surgical.report import report
from pyro_mmvae.surgical.training import SurgicalTraining

FIRST = ("rgb", "joint", "cloud")
"""Order of posteriors in comparisons; the paper judges segmentations from RGB."""


class Experiment(experiment.Experiment[Config]):
    """Surgical views (Joshi et al., "Generalized Product-of-Experts ... in Noisy Environments", 2022)."""

    training_class = SurgicalTraining
    sheets: ClassVar[tuple[str, ...]] = ("noise.png", "segmentation.png")

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        # The loss, which rises with beta, could not decide about an early stop.
        self.watched = f"val/wrong|{config.flow.inputs[0]}"

    def modalities(self) -> list[Modality]:
        """Return the modalities of the setting."""
        return build_modalities(self.config)

    def targets(self) -> dict[str, Weight]:
        """Return the weights of what the setting decodes."""
        return {name: getattr(self.config, f"lambda_{name}") for name in self.config.flow.targets}

    def data(self) -> SurgicalData:
        """Open the data, making the synthetic scenes if they are not there."""
        return SurgicalData(self.config)

    def evaluate(self, loss: Loss, data: RunData) -> Evaluation:
        """Judge the segmentations of every posterior beside predictions that look at nothing, and under noise."""
        assert isinstance(data, SurgicalData)
        config = self.config
        rules: dict[str, Any] = {name: getattr(config, name) for name in RULES}
        judged = judge(loss, data.judged_views(), config.seed, **rules)
        judged.skipped.update(data.samples.log.counts)
        levels = {"rgb": config.pixel_levels, "cloud": config.cloud_levels}
        metrics = judged.metrics(data.class_counts()) | {"sweep": sweep(loss, data.judged_under, levels, **rules)}
        return Evaluation(metrics, report(metrics), partial(draw_figures, judged, data, metrics))

    @staticmethod
    def columns(metrics: Mapping[str, Any]) -> dict[str, Column]:
        """Return IoU and F1 of every posterior, from RGB first, with what the paper prints of them."""
        posteriors = sorted(metrics["posteriors"].items(), key=lambda item: FIRST.index(item[0]))
        found = {}
        for place, (key, title) in enumerate((("iou", "IoU"), ("f1", "F1"))):
            for name, scores in posteriors:
                found[f"{title}, {name}"] = Column.of(scores[key], published=published(metrics["config"], name)[place])
        return found | trust_columns(metrics)

    @staticmethod
    def curves(metrics: Mapping[str, Any]) -> dict[str, Curve]:
        """Return IoU over the noise of each sensor, for every posterior."""
        units = {"rgb": "share of random pixels", "cloud": "standard deviation of points"}
        return {
            f"IoU under noise of {sensor}, {name}": Curve(rows["levels"], values, (units[sensor], "IoU"))
            for sensor, rows in metrics["sweep"].items()
            for name, values in rows["iou"].items()
        }
