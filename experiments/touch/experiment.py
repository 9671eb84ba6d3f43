"""The touch experiment: what cameras see, from force and action ("Generalizing ... to sets", section 4.4)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property, partial
from typing import Any, ClassVar

import torch

from pyro_mmvae import Loss, Modality
from pyro_mmvae.estimators.tables import table
from pyro_mmvae.experiments.common import experiment
from pyro_mmvae.experiments.common.columns import Column, Curve
from pyro_mmvae.experiments.common.experiment import Evaluation, RunData
from pyro_mmvae.experiments.touch.config import Config
from pyro_mmvae.experiments.touch.data import TouchData
from pyro_mmvae.experiments.touch.evaluation import MEAN, TOUCH, Judged, likelihoods, mean_picture
from pyro_mmvae.experiments.touch.figures import draw_figures
from pyro_mmvae.experiments.touch.networks import StillDecoder, StillEncoder
from pyro_mmvae.likelihoods import Likelihood, Normal
from pyro_mmvae.networks import MLPDecoder, MLPEncoder
from pyro_mmvae.schedules import Weight
from pyro_mmvae.touch.layout import ACTION, AXES, CONTROLS, DEPTH, FORCE, RGB, SENSORS, WINDOW

TITLES = {"joint": f"log p({', '.join(SENSORS)})", "seen_given_touch": "log p(rgb, depth | force, action)"}
START = {RGB: 0.05, DEPTH: 0.03, FORCE: 0.2, ACTION: 0.9}
"""Where the learned deviations begin."""


class Experiment(experiment.Experiment[Config]):
    """Colour, depth, force and action of a robot that puts a peg into a hole."""

    sheets: ClassVar[tuple[str, ...]] = ("sequence.png",)

    def modalities(self) -> list[Modality]:
        """Return four sensors, each with a normal density of one learned deviation."""
        side = self.config.image_size
        return [
            self._picture(RGB, (3, side, side)),
            self._picture(DEPTH, (1, side, side)),
            self._numbers(FORCE, (AXES, WINDOW)),
            self._numbers(ACTION, (CONTROLS,)),
        ]

    def _picture(self, name: str, shape: tuple[int, int, int]) -> Modality:
        config = self.config
        decoder = StillDecoder(config.latent_dim, shape, 2 * config.width)
        return Modality(name, _normal(name, shape), decoder, StillEncoder(shape, config.width))

    def _numbers(self, name: str, shape: tuple[int, ...]) -> Modality:
        config = self.config
        decoder = MLPDecoder(config.latent_dim, shape, config.force_widths[::-1])
        return Modality(name, _normal(name, shape), decoder, MLPEncoder(shape, config.force_widths))

    def targets(self) -> dict[str, Weight]:
        """Return the weights of the sensors."""
        return {name: getattr(self.config, f"lambda_{name}") for name in SENSORS}

    @cached_property
    def attempts(self) -> TouchData:
        """The data of the run."""
        return TouchData(self.config)

    def data(self) -> TouchData:
        """Open the files, making the simulated ones if they are not there."""
        return self.attempts

    def begin(self, loss: Loss) -> None:
        """Let pictures begin with the mean of the training samples."""
        still, deviations = mean_picture(self.attempts.train)
        for name, picture in still.items():
            decoder, encoder = loss.model.decoders[name], loss.guide.encoders[name]
            assert isinstance(decoder, StillDecoder)
            assert isinstance(encoder, StillEncoder)
            decoder.begin_with(picture)
            encoder.begin_with(picture, deviations[name])

    def evaluate(self, loss: Loss, data: RunData) -> Evaluation:
        """Judge pictures and depths from every posterior, and estimate log-likelihoods."""
        assert isinstance(data, TouchData)
        judged = Judged(loss, data)
        scales = {n: _deviation(loss.model.likelihood(n)) for n in loss.model.names}
        metrics = {
            **judged.metrics(),
            "log_likelihood": likelihoods(loss, data),
            "deviations": scales,
            "samples": data.counts(),
            "left_out": dict(data.attempts.log.counts),
        }
        return Evaluation(metrics, _report(metrics), partial(draw_figures, loss, data, judged))

    @staticmethod
    def columns(metrics: Mapping[str, Any]) -> dict[str, Column]:
        """Return errors of pictures and depths from touch and from everything, the baselines', and log-likelihoods."""
        rows = {**metrics["posteriors"], "the mean picture": metrics["baseline"][MEAN]}
        found = {f"PSNR from {n}": Column.of(v["psnr"]) for n, v in rows.items()}
        found |= {f"depth error from {n}, mm": Column.of(v["depth_mm"], "lower") for n, v in rows.items()}
        for name, summary in metrics["log_likelihood"].items():
            found[TITLES[name]] = Column.of(summary["mean"])
            found[f"k-hat > 0.7 of {TITLES[name]}"] = Column.of(summary["khat_over_0.7"], "lower")
        return found

    @staticmethod
    def curves(metrics: Mapping[str, Any]) -> dict[str, Curve]:
        """Return the mean PSNR along an attempt from force and action."""
        along = metrics["along"]
        names = [name for name in (TOUCH,) if name in along["psnr"]]
        labels = ("step of the attempt", "PSNR, dB")
        return {f"PSNR from {n} along an attempt": Curve(along["step"], along["psnr"][n], labels) for n in names}


def _normal(name: str, shape: tuple[int, ...]) -> Normal:
    return Normal(shape, "learned", initial_scale=START[name])


def _deviation(likelihood: Likelihood) -> float:
    assert isinstance(likelihood, Normal)
    return float(torch.as_tensor(likelihood.scale).detach())


def _report(metrics: Mapping[str, Any]) -> str:
    head = f"{'seen from':<30}{'PSNR, dB':>10}{'depth error, mm':>18}"
    rows = {"mean training picture": metrics["baseline"][MEAN], **metrics["posteriors"]}
    lines = [f"{name:<30}{v['psnr']:>10.2f}{v['depth_mm']:>18.2f}" for name, v in rows.items()]
    gains = [
        f"{name}: {v['psnr']:+.2f} ± {v['psnr_se']:.2f} dB, depth {v['depth_mm']:+.2f} ± {v['depth_mm_se']:.2f} mm"
        for name, v in metrics["gain"].items()
    ]
    found = metrics["log_likelihood"]
    estimates = table((TITLES[name], "q(z | all)", summary) for name, summary in found.items())
    return "\n".join([head, *lines, "", "better by (standard errors over attempts):", *gains, "", estimates])
