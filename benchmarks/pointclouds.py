"""Time Chamfer distance, earth mover's distance and mixture density, forward and backward.

Each is timed against the same quantity from the libraries that it stands on: all distances by `torch.cdist` for
Chamfer, scipy's assignment cloud by cloud for the earth mover's distance, `torch.logsumexp` over `torch.cdist` for
the mixture. All run interleaved in one process; a line gives medians and their ratio.

    python benchmarks/pointclouds.py --repeats 9 --batch 64 --points 256 --step
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from torchvision.models import resnet18

from pyro_mmvae.distributions.point_mixture import PointMixture
from pyro_mmvae.pointclouds import chamfer_distance, earth_movers_distance


class Contest(NamedTuple):
    """One quantity, ours and theirs, as functions (prediction, target) -> (B,)."""

    name: str
    library: str
    ours: Callable[[Tensor, Tensor], Tensor]
    theirs: Callable[[Tensor, Tensor], Tensor]


def cdist_chamfer(x: Tensor, y: Tensor) -> Tensor:
    distance = torch.cdist(x, y)
    return distance.amin(-1).mean(-1) + distance.amin(-2).mean(-1)


def loop_emd(x: Tensor, y: Tensor) -> Tensor:
    cost = torch.cdist(x.detach(), y).cpu().numpy()
    match = torch.stack([torch.from_numpy(linear_sum_assignment(c)[1]) for c in cost]).to(x.device)
    matched = y.gather(1, match.unsqueeze(-1).expand_as(y))
    return torch.linalg.vector_norm(x - matched, dim=-1).mean(-1)


def mixture(x: Tensor, y: Tensor, scale: float) -> Tensor:
    return PointMixture(x, scale, num_points=y.shape[-2], validate_args=False).log_prob(y)


def logsumexp_mixture(x: Tensor, y: Tensor, scale: float) -> Tensor:
    return (torch.cdist(y, x) / -scale).logsumexp(-1).sum(-1)


def mixtures(scale: float) -> Contest:
    functions = partial(mixture, scale=scale), partial(logsumexp_mixture, scale=scale)
    return Contest(f"mixture density, b = {scale}", "torch.cdist, logsumexp", *functions)


CONTESTS = [
    Contest("Chamfer", "torch.cdist", chamfer_distance, cdist_chamfer),
    Contest("EMD", "scipy, one by one", earth_movers_distance, loop_emd),
    mixtures(0.05),
    mixtures(0.01),
]


def surfaces(batch: int, points: int, device: str) -> dict[str, tuple[Tensor, Tensor]]:
    """Predictions and targets: close to each other, and as early in training, where the prediction is a blob."""
    directions = torch.nn.functional.normalize(torch.randn(2, batch, points, 3), dim=-1)
    bumps = 0.6 + 0.1 * torch.sin(5 * directions).sum(-1, keepdim=True)
    target, other = (directions * bumps).unbind(0)
    near = other + 0.05 * torch.randn_like(other)
    pairs = {"near": (near, target), "far": (0.05 * torch.randn_like(other), target)}
    return {name: (x.to(device), y.to(device)) for name, (x, y) in pairs.items()}


def seconds(loss: Callable[[], Tensor], device: str) -> float:
    """Wall time of a forward and a backward pass."""
    start = time.perf_counter()
    loss().backward()
    if device != "cpu":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def contest(entry: Contest, x: Tensor, y: Tensor, repeats: int, device: str) -> tuple[float, float]:
    """Median seconds of ours and theirs, interleaved, after one round to warm up."""
    leaf = x.clone().requires_grad_()
    sides = (entry.ours, entry.theirs)
    rounds = [[seconds(lambda side=side: side(leaf, y).sum(), device) for side in sides] for _ in range(repeats + 1)]
    ours, theirs = zip(*rounds[1:], strict=True)
    return statistics.median(ours), statistics.median(theirs)


def resnet_step(batch: int, size: int, repeats: int, device: str) -> float:
    """Median seconds of a forward and a backward pass of a ResNet-18."""
    network, images = resnet18(weights=None).to(device), torch.randn(batch, 3, size, size, device=device)
    times = [seconds(lambda: network(images).sum(), device) for _ in range(repeats + 1)]
    return statistics.median(times[1:])


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    result.add_argument("--repeats", type=int, default=9, help="timed rounds; medians are printed")
    result.add_argument("--batch", type=int, default=64, help="clouds")
    result.add_argument("--points", type=int, default=256, help="points per cloud")
    result.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    result.add_argument("--step", action="store_true", help="also give the share of a ResNet-18 step (slow)")
    result.add_argument("--image-size", type=int, default=128, help="of that step, in pixels")
    return result


def main(arguments: list[str] | None = None) -> None:
    options = parser().parse_args(arguments)
    torch.manual_seed(0)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    print(f"{options.batch} x {options.points} points, forward and backward, {options.device}, {cores} cores, ", end="")
    print(f"{torch.get_num_threads()} torch threads, torch {torch.__version__}\n")
    step = resnet_step(options.batch, options.image_size, 3, options.device) if options.step else None
    share_head = f" share of a ResNet-18 step at {options.image_size} px ({step:.2f} s) |" if step else ""
    print(f"| quantity | clouds | ours, ms | library | library, ms | ratio |{share_head}")
    print("|---|---|---|---|---|---|" + "---|" * bool(step))
    for regime, (x, y) in surfaces(options.batch, options.points, options.device).items():
        for entry in CONTESTS:
            ours, theirs = contest(entry, x, y, options.repeats, options.device)
            share = f" {ours / step:.1%} |" if step else ""
            cells = f"{entry.name} | {regime} | {1e3 * ours:.1f} | {entry.library} | {1e3 * theirs:.1f}"
            print(f"| {cells} | {ours / theirs:.2f} |{share}")


if __name__ == "__main__":
    main()
