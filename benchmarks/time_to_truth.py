"""How soon is which estimate within 0.5, 0.2 and 0.1 nats of the truth? Plain, refined, annealed, and MultiVae 1.0.3.

    python -m experiments.mnist --guide poe --objective mvae --data DIR --latent-dim 64 --out RUN
    python benchmarks/time_to_truth.py RUN --points 40 --out docs/pictures/time_to_truth.json

Each estimate is made with more and more effort, on the first test images of a run. MultiVae's estimator, installed as
`against_multivae.py` says, has the run's decoders and the run's posterior (left out where it is not installed). The
reference is a long annealing run of ours. Decoder passes for each data point count a gradient three times and a
Hessian-vector product five; seconds are those of the processor, of all threads together. Rows that are in the file
already are not made again, so a run that is cut goes on; the figure lies beside the file.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import logging
import os
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from annealing import Meter
from torch import Tensor

from pyro_mmvae import Batch, Guide, MultimodalVAE
from pyro_mmvae.estimators import Annealing, Laplace, Refinement, annealed_log_likelihood, log_likelihood
from pyro_mmvae.experiments.common.runs import open_run
from pyro_mmvae.plots.style import CURVE_COLOURS, new_figure, save

BARS = (0.5, 0.2, 0.1)
REFERENCE = Annealing(200, 20)
DRAWS = (100, 1000, 10_000, 30_000)
REFINED = ((20, 100), (50, 1000), (100, 10_000), (200, 30_000))
FROM_PRIOR = ((20, 4), (100, 4), (300, 4))
FROM_GUIDE = ((4, 2), (8, 4), (16, 6), (32, 8), (64, 8))
SHORT = ((1, 4), (4, 4), (8, 6), (16, 8), (38, 8), (76, 8))
COLUMNS = ("decodes", "seconds")
Rows = dict[str, list[dict[str, float]]]


def ladder(model: MultimodalVAE, guide: Guide, batch: Batch) -> dict[str, list[tuple[float, Callable[[], float]]]]:
    """Return by method, from cheap to dear, passes that no hook sees, and what gives the mean."""

    def annealed(start: Any, settings: Annealing) -> Callable[[], float]:
        return lambda: annealed_log_likelihood(model, batch, guide=guide, start=start, annealing=settings).mean

    def plain(draws: int, refine: int | Refinement = 0) -> Callable[[], float]:
        return lambda: log_likelihood(model, guide, batch, num_samples=draws, refine=refine).mean

    hessian = 5 * model.latent_dim - 3  # a hook counts its first gradient
    found: dict[str, list[tuple[float, Callable[[], float]]]] = {
        "reference": [(hessian, annealed("laplace", REFERENCE))],
        "plain": [(0, plain(draws)) for draws in DRAWS],
        "refined": [(0, plain(draws, steps)) for steps, draws in REFINED],
        "annealed from the prior": [(0, annealed("prior", Annealing(t, c))) for t, c in FROM_PRIOR],
        "annealed from the guide": [(0, annealed("guide", Annealing(t, c))) for t, c in FROM_GUIDE],
        "annealed from Laplace": [(hessian, annealed(Laplace(), Annealing(t, c))) for t, c in SHORT],
    }
    if importlib.util.find_spec("multivae"):
        found["MultiVae 1.0.3"] = [(0, peer(model, guide, batch, draws)) for draws in DRAWS]
    return found


def peer(model: MultimodalVAE, guide: Guide, batch: Batch, draws: int) -> Callable[[], float]:
    """Return MultiVae's estimator with our decoders and posterior."""
    from against_multivae import their_batch, theirs

    other = theirs("MVAE").eval()
    for name in model.names:
        other.decoders[name].net = model.decoders[name]
    values = their_batch({name: batch.data[name] for name in model.names})

    def moments(*_: Any) -> tuple[Tensor, Tensor]:
        posterior = guide.posterior(batch)
        return posterior.mean, 2 * posterior.stddev.log()

    other.compute_mu_log_var_subset = moments

    def estimate() -> float:
        with torch.no_grad():
            return -float(other.compute_joint_nll(values, K=draws)) / batch.size

    return estimate


def measure(path: Path, out: Path, points: int) -> Rows:
    """Make the rows that the file lacks."""
    opened = open_run(path, None, ())
    model, guide = opened.loss.model.eval(), opened.loss.guide.eval()
    (batch,) = opened.experiment.data().judged(points)
    decoder = model.decoders[model.names[0]]
    rows: Rows = json.loads(out.read_text())["rows"] if out.exists() else {}
    for method, jobs in ladder(model, guide, batch).items():
        done = rows.setdefault(method, [])
        for unseen, job in jobs[len(done) :]:
            with Meter().on(decoder) as meter:
                begin = time.process_time()
                mean = job()
            seconds = time.process_time() - begin  # not the wall's: other work does not count
            done.append({"decodes": meter.rows / points + unseen, "seconds": seconds / points, "mean": mean})
            out.write_text(json.dumps({"points": points, "threads": torch.get_num_threads(), "rows": rows}, indent=1))
            print(method, done[-1], flush=True)
    return rows


def soonest(rows: list[dict[str, float]], truth: float, bar: float, cost: str) -> float | None:
    """Return the cost from which on a method stays within a bar."""
    late = [row["mean"] for row in rows]
    for index, row in enumerate(rows):
        if all(abs(truth - mean) <= bar for mean in late[index:]):
            return row[cost]
    return None


def report(rows: Rows) -> str:
    """Return the table of costs."""
    truth = rows["reference"][0]["mean"]
    head = [f"{cost} until {bar}" for cost in COLUMNS for bar in BARS]
    lines = [
        f"reference: {truth:.3f} nats\n",
        f"| estimate | {' | '.join(head)} | best |",
        "|---" * (len(head) + 2) + "|",
    ]
    for method, found in rows.items():
        if method == "reference":
            continue
        costs = [(soonest(found, truth, bar, cost), cost) for cost in COLUMNS for bar in BARS]
        cells = ["not reached" if c is None else f"{c:.0f}" if what == "decodes" else f"{c:.2f}" for c, what in costs]
        lines.append(f"| {method} | {' | '.join(cells)} | {found[-1]['mean']:.2f} |")
    return "\n".join(lines)


def draw(rows: Rows, path: Path) -> None:
    """Draw errors against passes and seconds."""
    truth = rows["reference"][0]["mean"]
    figure = new_figure(9, 3.8)
    for axes, cost in zip(figure.subplots(1, 2, sharey=True), COLUMNS, strict=True):
        for (method, found), colour in zip(
            [(m, f) for m, f in rows.items() if m != "reference"], CURVE_COLOURS, strict=False
        ):
            errors = [max(abs(truth - row["mean"]), 0.01) for row in found]
            axes.plot([row[cost] for row in found], errors, "o-", color=colour, label=method, markersize=4)
        for bar in BARS:
            axes.axhline(bar, color="0.6", linewidth=0.8, linestyle="--")
        axes.set(
            xscale="log", yscale="log", xlabel=f"{cost} for each data point".replace("seconds", "processor seconds")
        )
        axes.grid(alpha=0.3)
    figure.axes[0].set_ylabel("distance to the reference, nats")
    figure.axes[1].legend(fontsize=7)
    save(figure, path)


def main() -> None:
    """Measure, print the table and draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--points", type=int, default=40)
    parser.add_argument("--out", type=Path, default=Path("time_to_truth.json"))
    words = parser.parse_args()
    warnings.filterwarnings("ignore")
    logging.disable(logging.CRITICAL)
    os.environ["TQDM_DISABLE"] = "1"
    rows = measure(words.run, words.out, words.points)
    print(report(rows))
    draw(rows, words.out.with_suffix(".png"))


if __name__ == "__main__":
    main()
