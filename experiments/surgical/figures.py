"""Figures of a run of the surgical experiment."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pyro_mmvae.experiments.surgical.config import Config
from pyro_mmvae.experiments.surgical.data import SurgicalData
from pyro_mmvae.plots import plot_clouds, plot_history
from pyro_mmvae.surgical.dataset import CLOUD, RGB, SEGMENTATION
from pyro_mmvae.surgical.evaluation import SHOWN, Judged
from pyro_mmvae.surgical.plots import plot_segmentations, plot_sweep
from pyro_mmvae.training import History

SHEET = 2
"""Views of the sheet under rising noise."""


def draw_figures(
    judged: Judged, data: SurgicalData, metrics: Mapping[str, Any], folder: Path, history: History | None
) -> None:
    """Draw segmentations, clouds, the sheet under rising noise, scores over noise, training curves."""
    folder.mkdir(parents=True, exist_ok=True)
    assert judged.shown is not None
    shown = judged.shown._replace(batch=judged.shown.batch[:SHOWN])
    decoded = judged.decoded(shown, [name for name in (SEGMENTATION, CLOUD) if name in data.config.flow.targets])
    truth = shown.batch.data
    made = {name: found[SEGMENTATION] for name, found in decoded.items()}
    plot_segmentations(truth[RGB], truth[SEGMENTATION], made, folder / "segmentation.png")
    clouds = {name: found[CLOUD] for name, found in decoded.items() if CLOUD in found}
    if clouds and bool(shown.batch.observed[CLOUD].all()):
        plot_clouds(truth[CLOUD], clouds, folder / "clouds.png", units=f"{data.config.unit:g} of the depth's unit")
    if metrics["sweep"]:
        baseline = {name: found["iou"] for name, found in metrics["baseline"].items()}
        plot_sweep(metrics["sweep"], baseline, folder / "sweep.png")
    draw_sheet(judged, data, folder / "noise.png")
    if history is not None:
        plot_history(history.rows, folder / "training.png")


def draw_sheet(judged: Judged, data: SurgicalData, path: Path) -> None:
    """Draw the first views of the test under rising noise: image, truth and every posterior (after G, Fig. 6)."""
    config: Config = data.config
    levels = config.pixel_levels or (0.0,)
    items = [next(iter(data.judged_under({RGB: level}))) for level in levels]
    count = min(SHEET, items[0].batch.size)
    # One view after the other, each under all levels.
    order = [(level, view) for view in range(count) for level in range(len(levels))]
    made = [judged.segmentations(item._replace(batch=item.batch[:count])) for item in items]

    def gather(values: list[Tensor]) -> Tensor:
        return torch.stack([values[level][view] for level, view in order])

    images, truth = (gather([item.batch.data[name] for item in items]) for name in (RGB, SEGMENTATION))
    clean = next(iter(data.judged_under({}))).batch.data[RGB]
    below = torch.stack([clean[view] for _, view in order])
    predicted = {name: gather([found[name] for found in made]) for name in judged.subsets}
    titles = [f"{levels[level]:.0%} of pixels" for level, _ in order]
    plot_segmentations(images, truth, predicted, path, titles, below)
