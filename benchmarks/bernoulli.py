"""Log probability of binary images: one logarithm for a hundred pixels, against Pyro's one for each.

    python benchmarks/bernoulli.py

1,000 rows of 784 pixels, as an importance sampler scores them in a chunk, and the same with the gradient that training
needs. The two take turns; medians.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import pyro
import pyro.distributions as dist
import torch
from torch import Tensor

from pyro_mmvae.distributions.independent_bernoulli import IndependentBernoulli

DRAWS, POINTS, PIXELS, REPEATS = 5, 200, 784, 100


def seconds(run: Callable[[], object]) -> float:
    """Return wall seconds."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def main() -> None:
    """Print the table."""
    torch.manual_seed(0)
    logits = (4 * torch.randn(DRAWS, POINTS, PIXELS)).requires_grad_()
    value = torch.randint(2, (POINTS, PIXELS)).float()

    def theirs() -> Tensor:
        return dist.Bernoulli(logits=logits).to_event(1).log_prob(value)

    def ours() -> Tensor:
        return IndependentBernoulli(logits, 1).log_prob(value)

    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}\n")
    print("| | Pyro, ms | ours, ms | ratio | largest difference, nats |\n|---|---|---|---|---|")
    with pyro.validation_enabled(False):
        apart = (theirs() - ours()).abs().max().item()
        for name, gradient in (("forward", False), ("forward and backward", True)):
            times = []
            for _ in range(REPEATS):
                with torch.set_grad_enabled(gradient):
                    runs = [
                        (lambda f=f: torch.autograd.grad(f().sum(), logits)) if gradient else f for f in (theirs, ours)
                    ]
                    times.append([seconds(run) for run in runs])
            a, b = (1000 * statistics.median(column) for column in zip(*times, strict=True))
            ratio = statistics.median(x / y for x, y in times)
            print(f"| {name} | {a:.2f} | {b:.2f} | {ratio:.1f} | {apart:.1e} |")


if __name__ == "__main__":
    main()
