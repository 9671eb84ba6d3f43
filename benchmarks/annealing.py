"""How near to the truth is which estimate, at what cost: plain, refined, and annealed from several starts.

    python -m experiments.mnist --guide poe --objective mvae --data DIR --latent-dim 64 --out RUN
    python benchmarks/annealing.py RUN --points 200 --simulate 60

Decoder passes for each data point (a gradient counts three, a Hessian-vector product five) do not depend on how busy a
machine is; seconds do. The reference is the last row, ten times as long as the others. Then gaps of bounds on data that
the model makes. `--rows plain reference` makes these rows alone, and `--simulate 0` no bounds.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn

from pyro_mmvae.estimators import Annealing, Estimate, annealed_log_likelihood, bidirectional, log_likelihood
from pyro_mmvae.experiments.common.runs import open_run

STARTS = {"laplace": Annealing(38), "refined": Annealing(38), "guide": Annealing(40), "prior": Annealing(20, 8, 4)}
MORE = {"laplace as it comes": Annealing(), "laplace of 40 chains": Annealing(38, 40)}
REFERENCE = Annealing(200, 20)
BOUNDS = (Annealing(48, 5), Annealing(110, 8))


class Meter:
    """Rows that a decoder sees, those under a gradient three times."""

    def __init__(self) -> None:
        self.rows = 0

    def __call__(self, module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        """Count; a forward hook."""
        self.rows += inputs[0].shape[:-1].numel() * (3 if inputs[0].requires_grad else 1)

    @contextmanager
    def on(self, decoder: nn.Module) -> Iterator[Meter]:
        """Count the rows of a decoder for a while."""
        handle = decoder.register_forward_hook(self)
        try:
            yield self
        finally:
            handle.remove()


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--points", type=int, default=200)
    parser.add_argument("--simulate", type=int, default=60)
    parser.add_argument("--rows", nargs="*", help="beginnings of the names of rows")
    words = parser.parse_args()
    opened = open_run(words.run, None, ())
    model, guide = opened.loss.model, opened.loss.guide
    (batch,) = opened.experiment.data().judged(words.points)
    hessian = 5 * model.latent_dim
    decoder = model.decoders[next(iter(model.decoders))]

    def annealed(start: str, settings: Annealing) -> Callable[[], Estimate]:
        return lambda: annealed_log_likelihood(model, batch, guide=guide, start=start, annealing=settings)

    jobs: list[tuple[str, Callable[[], Estimate]]] = [
        ("plain", lambda: log_likelihood(model, guide, batch)),
        ("refined, 50 steps", lambda: log_likelihood(model, guide, batch, refine=50)),
        *((f"{start}, annealed", annealed(start, settings)) for start, settings in STARTS.items()),
        *((name, annealed("laplace", settings)) for name, settings in MORE.items()),
        ("reference, laplace", annealed("laplace", REFERENCE)),
    ]
    print(f"{words.points} points, {torch.get_num_threads()} threads, torch {torch.__version__}\n")
    print(
        "| estimate | decodes | s | mean, nats | Monte-Carlo se | effective share | k-hat > 0.7 |\n" + "|---" * 7 + "|"
    )
    for name, job in jobs:
        if words.rows is not None and not name.startswith(tuple(words.rows)):
            continue
        with Meter().on(decoder) as meter:
            begin = time.perf_counter()
            found = job()
        seconds, s = time.perf_counter() - begin, found.summary()
        decodes = meter.rows / words.points + (hessian if "laplace" in name else 0)
        print(
            f"| {name} | {decodes:.0f} | {seconds:.1f} | {s['mean']:.3f} | {s['mc_se']:.3f} "
            f"| {s['ess'] / found.num_samples:.2f} | {s['khat_over_0.7']:.2f} |",
            flush=True,
        )
    if not words.simulate:
        return
    print("\n| chains, temperatures, leapfrog steps | decodes | lower | upper | gap |\n" + "|---" * 5 + "|")
    for settings in BOUNDS:
        with Meter().on(decoder) as meter:
            s = bidirectional(model, words.simulate, guide=guide, annealing=settings).summary()
        shape = f"{settings.num_chains}, {settings.num_temperatures}, {settings.leapfrog_steps}"
        decodes = meter.rows / words.simulate + hessian
        print(f"| {shape} | {decodes:.0f} | {s['lower']:.3f} | {s['upper']:.3f} | {s['gap']:.3f} ± {s['gap_se']:.3f} |")


if __name__ == "__main__":
    main()
