"""Six pictures made from one face: any of them from any subset."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar

from pyro_mmvae import Loss, Modality
from pyro_mmvae.experiments.celeba.data import FaceData
from pyro_mmvae.experiments.celeba.networks import picture
from pyro_mmvae.experiments.common import experiment
from pyro_mmvae.experiments.common.columns import Column
from pyro_mmvae.experiments.common.experiment import Evaluation
from pyro_mmvae.experiments.transforms.config import Config
from pyro_mmvae.experiments.transforms.evaluation import ALL, conditional_likelihoods, mean_pictures, similarities
from pyro_mmvae.experiments.transforms.figures import draw_figures
from pyro_mmvae.faces.transformed import BINARY, CHANNELS, COLOUR, EDGES, GREY, MASKED, WATERMARK, TransformedFaces
from pyro_mmvae.likelihoods import Bernoulli
from pyro_mmvae.schedules import Weight


class Experiment(experiment.Experiment[Config]):
    """Colour, grey, edges, landmarks, half masked, watermarked: "Generalizing multimodal ... to sets", section 4.3."""

    sheets: ClassVar[tuple[str, ...]] = ("to_colour.png", "from_colour.png")

    def modalities(self) -> list[Modality]:
        """Return the six pictures, each with an encoder and a decoder."""
        side = self.config.side
        binary = {name: Bernoulli((CHANNELS[name], side, side)) for name in BINARY}
        return [picture(name, channels, self.config, binary.get(name)) for name, channels in CHANNELS.items()]

    def targets(self) -> dict[str, Weight]:
        """Return the weights of the six."""
        return {name: self.config.lambda_binary if name in BINARY else 1.0 for name in CHANNELS}

    def data(self) -> FaceData:
        """Open the set."""
        make = partial(TransformedFaces, sigma=self.config.edge_sigma, keep=self.config.preload)
        return FaceData(self.config, make, landmarks=True)

    def evaluate(self, loss: Loss, data: experiment.RunData) -> Evaluation:
        """Decode everything from everything, and estimate how likely it was."""
        assert isinstance(data, FaceData)
        config = self.config
        found = None
        if loss.model.normalised(CHANNELS):
            batches = data.judged(config.test_samples)
            found = conditional_likelihoods(loss, batches, num_samples=config.num_samples, seed=config.seed)
        metrics = {
            **similarities(loss, data.judged(), mean_pictures(data.train)),
            "log_likelihood": found,
            "samples": data.counts(),
            "left_out": data.left_out(),
            "pixels": config.pixels,
        }
        return Evaluation(metrics, _report(metrics), partial(draw_figures, loss, data, metrics))

    @staticmethod
    def columns(metrics: Mapping[str, Any]) -> dict[str, Column]:
        """Return how well the coloured picture and the edges are decoded, and means over pairs of given and target."""
        found = {}
        for name in ("psnr", "ssim"):
            rows = metrics[name]
            for given, target in (
                (GREY, COLOUR),
                (MASKED, COLOUR),
                (WATERMARK, COLOUR),
                (ALL, COLOUR),
                (COLOUR, EDGES),
            ):
                if given in rows:
                    found[f"{name.upper()} of {target} from {given}"] = Column.of(rows[given][target])
            found[f"{name.upper()}, mean over others"] = Column.of(mean_over_others(rows))
        return found


def mean_over_others(rows: Mapping[str, Mapping[str, float]]) -> float:
    """Return the mean over pairs of an input and another modality that is decoded from it."""
    values = [v for given, row in rows.items() for target, v in row.items() if given not in (target, ALL)]
    known = [v for v in values if v is not None and not math.isnan(v)]
    return sum(known) / len(known) if known else math.nan


def _report(metrics: Mapping[str, Any]) -> str:
    lines = [f"pixels: {metrics['pixels']}"]
    for name, form in (("psnr", "{:.2f}"), ("ssim", "{:.3f}")):
        rows = {**metrics[name], **{given: row[name] for given, row in metrics["baseline"].items()}}
        lines += ["", _table(name.upper(), rows, form)]
    if metrics["log_likelihood"] is not None:
        found = metrics["log_likelihood"]
        rows = {given: {t: s["mean"] for t, s in row.items()} for given, row in found.items()}
        khats = {given: {t: s["khat_over_0.7"] for t, s in row.items()} for given, row in found.items()}
        lines += ["", _table("log p(target | given), log p(given) on the diagonal", rows, "{:.0f}")]
        lines += ["", _table("share of k-hats above 0.7", khats, "{:.0%}")]
    return "\n".join(lines)


def _table(title: str, rows: Mapping[str, Mapping[str, float]], form: str) -> str:
    head = f"{title}\n{'given':<18}" + "".join(f"{target:>11}" for target in CHANNELS)
    texts = {g: [form.format(row[t]) if t in row else "" for t in CHANNELS] for g, row in rows.items()}
    return "\n".join([head, *(f"{g:<18}" + "".join(f"{text:>11}" for text in row) for g, row in texts.items())])
