"""Command line: train (the default), evaluate, predict."""

from __future__ import annotations

from collections.abc import Sequence

from pyro_mmvae.experiments.common.command import run_command
from pyro_mmvae.experiments.common.configuration import parse
from pyro_mmvae.experiments.rhd.config import Config, resolved
from pyro_mmvae.experiments.rhd.options import EvaluateOptions, PredictOptions

PROG = "python -m experiments.rhd"
ABOUT = """Learn 3-D hand pose from RGB, with point clouds and heat maps as companions in training.

    python -m experiments.rhd --guide gpoe                    demo on synthetic hands, minutes on two cores
    python -m experiments.rhd --data RHD_published_v2          the papers' experiment, for a GPU
    python -m experiments.rhd evaluate RUN --help             metrics of a trained run, on other data or noise
    python -m experiments.rhd predict RUN FOLDER --help       poses for a folder of hand images

A run folder holds config.yaml, checkpoints, history.csv, metrics.json and figures."""


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line; errors that a user can mend end in one line and exit code 2."""
    run_command(PROG, _run, argv)


def _run(arguments: list[str]) -> None:
    # Heavy imports wait until it is clear what to do: --help answers at once.
    command = arguments[0] if arguments else ""
    if command == "evaluate":
        chosen = parse(EvaluateOptions, arguments[1:], f"{PROG} evaluate", EvaluateOptions.__doc__ or "")
        from pyro_mmvae.experiments.rhd.reuse import evaluate_run

        evaluate_run(chosen)
    elif command == "predict":
        wanted = parse(PredictOptions, arguments[1:], f"{PROG} predict", PredictOptions.__doc__ or "")
        from pyro_mmvae.experiments.rhd.reuse import predict_folder

        predict_folder(wanted)
    else:
        config = resolved(parse(Config, arguments, PROG, ABOUT))
        from pyro_mmvae.experiments.rhd.train import train

        train(config)
