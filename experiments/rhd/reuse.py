"""What is done with a trained run: evaluate it elsewhere, predict poses."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor
from torchvision.transforms.v2.functional import pil_to_tensor
from tqdm import tqdm

from pyro_mmvae import Batch, Loss
from pyro_mmvae.experiments.common import opened
from pyro_mmvae.experiments.common.opened import OpenedRun, device_of
from pyro_mmvae.experiments.common.runs import METRICS
from pyro_mmvae.experiments.rhd.build import build_loss
from pyro_mmvae.experiments.rhd.config import Config
from pyro_mmvae.experiments.rhd.data import evaluation_loader
from pyro_mmvae.experiments.rhd.evaluation import evaluate, table
from pyro_mmvae.experiments.rhd.options import EvaluateOptions, PredictOptions
from pyro_mmvae.experiments.rhd.report import draw_figures, draw_predictions
from pyro_mmvae.experiments.rhd.train import MEAN_POSE_FILE, write_metrics


def load_run(run: Path, best: bool | None = None) -> tuple[Config, Loss]:
    """Return configuration and trained model of a run folder; nothing in it is executed.

    Args:
        run: the folder.
        best: take the best checkpoint rather than the last; None: if the run stops early.

    Raises:
        FileNotFoundError: there is no run, or no checkpoint yet.
        ValueError: configuration or checkpoint are damaged or do not fit each other.
    """
    # The weights come from the checkpoint, not from the network.
    return opened.load_run(Config, run, lambda config: build_loss(replace(config, pretrained=False)), best)


def open_run(run: Path, samples: int | None, best: bool | None) -> OpenedRun:
    """Return a run with the batches of its evaluation split; see `pyro_mmvae.experiments.common.opened.open_run`."""
    config, loss = load_run(run, best)
    return OpenedRun(config.experiment, config, loss.model, loss.guide, _EvaluationBatches(config, samples))


class _EvaluationBatches:
    """The first samples of the evaluation split, batch by batch; they are read anew each time."""

    def __init__(self, config: Config, samples: int | None) -> None:
        self.config, self.samples = config, samples

    def __iter__(self) -> Iterator[Batch]:
        left = self.samples
        for item in evaluation_loader(self.config)[1]:
            batch = item.batch[:left] if left is not None else item.batch
            if batch.size:
                yield batch
            if left is not None and (left := left - batch.size) <= 0:
                return


def evaluate_run(chosen: EvaluateOptions) -> None:
    """Write metrics.json, a table and figures of a trained run.

    Raises:
        FileExistsError: the folder holds other results.
    """
    config, loss = load_run(chosen.run, chosen.best)
    config, changes = with_changes(config, chosen)
    name = "+".join(f"{n}={Path(str(v)).name}" for n, v in changes.items()) or "again"
    out = chosen.out or chosen.run / "evaluation" / name
    if (out / METRICS).exists():
        raise FileExistsError(f"{out / METRICS} exists; give another folder with --out, or remove it")
    average = torch.tensor(json.loads((chosen.run / MEAN_POSE_FILE).read_text())["mean_pose"])
    evaluation = evaluate(loss, config, average, device_of(chosen.device))
    out.mkdir(parents=True, exist_ok=True)
    write_metrics(config, evaluation, out / METRICS)
    if chosen.figures:
        draw_figures(config, evaluation, None, out / "figures")
    print(f"\n{table(evaluation.metrics, evaluation.baseline)}\n")
    print(f"{evaluation.used} samples, skipped: {evaluation.skipped or 'none'}; metrics: {out / METRICS}")


def with_changes(config: Config, chosen: EvaluateOptions) -> tuple[Config, dict[str, Any]]:
    """Return the configuration of an evaluation, and what was asked to differ from the run.

    Noise that is asked for acts on the evaluation split. If the run had its noise in training alone, the noise that
    is not asked for stays away.
    """
    names = ("data", "pixel_corruption", "cloud_noise", "corrupted_share", "seed", "workers")
    changes = {name: getattr(chosen, name) for name in names if getattr(chosen, name) is not None}
    noise: dict[str, Any] = {}
    if {"pixel_corruption", "cloud_noise", "corrupted_share"} & set(changes):
        noise = {"corrupt": "test"}
        if config.corrupt == "train":
            noise |= {"pixel_corruption": 0.0, "cloud_noise": 0.0, "corrupted_share": 1.0}
    return replace(config, **{**noise, **changes}), {n: v for n, v in changes.items() if n != "workers"}


def predict_folder(chosen: PredictOptions) -> None:
    """Write poses for a folder of images.

    Raises:
        ValueError: the run does not look at images, or there are none in the folder that can be read.
    """
    config, loss = load_run(chosen.run, chosen.best)
    if "rgb" not in loss.guide.inputs:
        raise ValueError(f"the run {chosen.run} infers from {list(loss.guide.inputs)}, not from images")
    device = device_of(chosen.device)
    loss = loss.to(device)
    torch.manual_seed(config.seed)
    failed: dict[str, str] = {}
    names: list[str] = []
    made: list[tuple[Tensor, Tensor]] = []
    first: list[Tensor] = []
    for part, images in _read_images(chosen, config.image_size or 256, failed):
        names += part
        made.append(_poses(loss, images.to(device), chosen.draws))
        first = first or [images]
    if not names:
        raise ValueError(f"no image in {chosen.images} could be read: expected .png or .jpg files, failed: {failed}")
    pose, spread = (torch.cat(values).cpu().numpy() for values in zip(*made, strict=True))
    shown = first[0]
    if chosen.mirror:
        pose, shown = pose * np.array([-1.0, 1.0, 1.0], dtype=pose.dtype), shown.flip(-1)
    unit = chosen.bone_mm or 1.0
    out = chosen.out or chosen.run / "predictions"
    out.mkdir(parents=True, exist_ok=True)
    np.savez(out / "poses.npz", names=np.array(names), pose=pose * unit, spread=spread * unit)
    _write_csv(out / "poses.csv", names, pose * unit, spread * unit, "mm" if chosen.bone_mm else "bones")
    draw_predictions(shown, pose, names, out / "poses.png")
    for name, reason in failed.items():
        print(f"skipped {name}: {reason}")
    print(f"{len(names)} poses written to {out / 'poses.npz'} and poses.csv; pictures in {out / 'poses.png'}")


@torch.no_grad()
def _poses(loss: Loss, images: Tensor, draws: int) -> tuple[Tensor, Tensor]:
    batch = Batch.of({"rgb": images})
    drawn = loss.model.predict(loss.guide.posterior(batch).sample((draws,)), "pose")
    return loss.model.predict(loss.guide.point(batch), "pose"), drawn.var(0, unbiased=False).sum(-1).sqrt()


def _read_images(chosen: PredictOptions, size: int, failed: dict[str, str]) -> Iterator[tuple[list[str], Tensor]]:
    """Yield names and images batch by batch; what cannot be read goes into `failed` with the reason."""
    if not chosen.images.is_dir():
        raise FileNotFoundError(f"{chosen.images} is not a folder of images")
    paths = sorted(p for p in chosen.images.iterdir() if p.suffix.lower() in (".png", ".jpg", ".jpeg"))
    for begin in tqdm(range(0, len(paths), chosen.batch_size), "predicting", unit="batch"):
        found: dict[str, Tensor] = {}
        for path in paths[begin : begin + chosen.batch_size]:
            try:
                found[path.name] = _read_image(path, size, chosen.mirror)
            except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
                failed[path.name] = str(error)
        if found:
            yield list(found), torch.stack(list(found.values()))


def _read_image(path: Path, size: int, mirror: bool) -> Tensor:
    with Image.open(path) as file:
        upright = ImageOps.exif_transpose(file).convert("RGB")
    image = ImageOps.fit(upright, (size, size), Image.Resampling.BILINEAR)
    tensor: Tensor = pil_to_tensor(ImageOps.mirror(image) if mirror else image)
    return tensor.float() / 255


def _write_csv(path: Path, names: list[str], pose: Any, spread: Any, unit: str) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "joint", f"x_{unit}", f"y_{unit}", f"z_{unit}", f"spread_{unit}"])
        for name, joints, widths in zip(names, pose, spread, strict=True):
            for joint, (point, width) in enumerate(zip(joints, widths, strict=True)):
                writer.writerow([name, joint, *(f"{c:.6g}" for c in point), f"{width:.6g}"])
