"""What is seen from touch: errors of pictures and depths from every kind of input, beside the mean picture."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from pyro_mmvae import Batch, Loss
from pyro_mmvae.data.samples import Draws
from pyro_mmvae.data.split import permutation
from pyro_mmvae.estimators import conditional_log_likelihood, log_likelihood
from pyro_mmvae.estimators.estimate import Estimate
from pyro_mmvae.estimators.seeds import batch_seed
from pyro_mmvae.experiments.touch.data import TouchData
from pyro_mmvae.predictions import points, predictions, seen_by
from pyro_mmvae.table import Subset
from pyro_mmvae.touch.dataset import Touch
from pyro_mmvae.touch.layout import ACTION, DEPTH, FORCE, RGB, SENSORS
from pyro_mmvae.touch.metrics import PictureErrors, clustered, picture_errors, where

TOUCH, JOINT, MEAN = "force+action", "joint", "mean_picture"
GIVEN: dict[str, Subset] = {
    TOUCH: (FORCE, ACTION),
    FORCE: (FORCE,),
    ACTION: (ACTION,),
    RGB: (RGB,),
    DEPTH: (DEPTH,),
    JOINT: SENSORS,
}
"""What posteriors look at, by name."""
MOST_AVERAGED = 2000
"""Training samples that the mean picture is the mean of."""
_AVERAGED = 17


def subsets(loss: Loss) -> dict[str, Subset]:
    """Return what the guide's posteriors may look at."""
    return {name: given for name, given in GIVEN.items() if set(given) <= set(loss.guide.inputs)}


@torch.no_grad()
def decoded(loss: Loss, batch: Batch) -> dict[str, dict[str, Tensor]]:
    """Return picture and depth from every posterior, `(B, *event)` by posterior and modality."""
    given = subsets(loss)
    z = points(loss.guide, batch.to(next(loss.parameters()).device), given)
    found = predictions(loss.model, z, list(given), (RGB, DEPTH))
    return {name: {target: value.float().cpu() for target, value in row.items()} for name, row in found.items()}


def mean_picture(samples: Touch) -> tuple[dict[str, Tensor], dict[str, float]]:
    """Return mean picture `(3, S, S)` and depth `(1, S, S)` of training samples, and pixels' deviations about them.

    Of a large set a part is taken.
    """
    rows = permutation(len(samples), _AVERAGED)[:MOST_AVERAGED]
    total: dict[str, Tensor] = {}
    squares, count = dict.fromkeys((RGB, DEPTH), 0.0), dict.fromkeys((RGB, DEPTH), 0)
    for part in rows.split(200):
        batch = samples.batch(Draws(part))
        for name in squares:
            value = batch.data[name].double()
            total[name] = total.get(name, 0.0) + value.sum(0)
            squares[name] += float(value.square().sum())
            count[name] += int(batch.observed[name].sum())
    mean = {name: value / max(count[name], 1) for name, value in total.items()}
    spread = {n: squares[n] / max(count[n], 1) / m.numel() - float(m.square().mean()) for n, m in mean.items()}
    return {n: m.float() for n, m in mean.items()}, {n: max(v, 1e-6) ** 0.5 for n, v in spread.items()}


class Judged:
    """Errors of every posterior on the judged samples, and of the mean picture.

    A posterior is judged where it has anything to look at, against what was there before any sensor failed.

    Args:
        loss: in evaluation mode.
        data: of the run.
    """

    def __init__(self, loss: Loss, data: TouchData) -> None:
        self.mean, _ = mean_picture(data.train)
        places = data.samples.places
        self.attempt = torch.tensor([number for number, _ in places])
        self.step = torch.tensor([step for _, step in places])
        self.observed = dict.fromkeys(SENSORS, 0)
        parts: dict[str, list[PictureErrors]] = {}
        for rows in torch.arange(len(places)).split(100):
            batch, truth = data.samples.batch(Draws(rows)), data.truth.batch(Draws(rows))
            for name in SENSORS:
                self.observed[name] += int(batch.observed[name].sum())
            for name, found in decoded(loss, batch).items():
                parts.setdefault(name, []).append(_errors(found, truth, seen_by(batch, GIVEN[name])))
            blind = {name: value.expand(len(rows), *value.shape) for name, value in self.mean.items()}
            parts.setdefault(MEAN, []).append(_errors(blind, truth, torch.ones(len(rows), dtype=torch.bool)))
        self.errors = {name: PictureErrors(*map(torch.cat, zip(*many, strict=True))) for name, many in parts.items()}

    def gain(self, name: str, other: str) -> dict[str, float]:
        """Return by how much one is better than another, paired by sample, with standard errors over attempts."""
        one, two = self.errors[name], self.errors[other]
        psnr, psnr_se = clustered(one.psnr - two.psnr, self.attempt)
        depth, depth_se = clustered(two.depth_mm - one.depth_mm, self.attempt)
        return {"psnr": psnr, "psnr_se": psnr_se, "depth_mm": depth, "depth_mm_se": depth_se}

    def along(self) -> dict[str, Any]:
        """Return the mean PSNR of every step of an attempt."""
        steps = self.step.unique()
        psnr = {n: [float(e.psnr[self.step == s].nanmean()) for s in steps] for n, e in self.errors.items()}
        return {"step": steps.tolist(), "psnr": psnr}

    def metrics(self) -> dict[str, Any]:
        """Return what `metrics.json` has of it."""
        scores = {name: errors.summary() for name, errors in self.errors.items()}
        mean = scores.pop(MEAN)
        gains = {f"{name} over the mean picture": self.gain(name, MEAN) for name in scores}
        if {TOUCH, ACTION} <= set(scores):
            gains["force+action over action"] = self.gain(TOUCH, ACTION)
        baseline = {MEAN: mean, **({"without_force": scores[ACTION]} if ACTION in scores else {})}
        shares = {name: count / len(self.step) for name, count in self.observed.items()}
        return {
            "posteriors": scores,
            "baseline": baseline,
            "gain": gains,
            "along": self.along(),
            "observed": shares,
        }


def _errors(found: dict[str, Tensor], truth: Batch, seen: Tensor) -> PictureErrors:
    errors = picture_errors(found[RGB], found[DEPTH], truth.data[RGB], truth.data[DEPTH])
    return PictureErrors(
        where(seen & truth.observed[RGB], errors.rgb), where(seen & truth.observed[DEPTH], errors.depth_mm)
    )


def likelihoods(loss: Loss, data: TouchData) -> dict[str, dict[str, float]]:
    """Return log-likelihoods of some judged samples: of everything, and of what is seen given what is felt and done.

    The proposal looks at everything; that of the evidence, log p(force, action), at force and action.
    """
    config = data.config
    options: dict[str, Any] = {"num_samples": config.num_samples, "refine": config.refine}
    device = next(loss.parameters()).device
    found: dict[str, list[Estimate]] = {}
    for number, whole in enumerate(data.judged(config.test_samples)):
        batch, seed = whole.to(device), batch_seed(config.seed, number)
        model, guide = loss.model, loss.guide
        joint = log_likelihood(model, guide, batch, of=SENSORS, seed=seed, **options)
        felt: dict[str, Any] = {"on": (FORCE, ACTION), "evidence": "importance", "seed": seed, **options}
        seen = conditional_log_likelihood(model, guide, batch, of=(RGB, DEPTH), **felt)
        for name, estimate in (("joint", joint), ("seen_given_touch", seen)):
            found.setdefault(name, []).append(estimate)
    return {name: Estimate.cat(parts).summary() for name, parts in found.items()}
