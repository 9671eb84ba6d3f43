"""Our training step against the same networks and loss written by hand in PyTorch.

    python benchmarks/training_step.py [--repeats 15] [--networks mlp hands]

Both do forward, backward and an Adam step on the gPoE guide with the mixing bound (three rows), with validation off.
They take turns within one run; the figure that counts is the median of the pairwise ratios.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable

import pyro
import torch
from torch import Tensor, nn

from pyro_mmvae import Batch, Loss, Modality, MultimodalVAE, guides
from pyro_mmvae.experiments.rhd.config import Config
from pyro_mmvae.experiments.rhd.networks import build_modalities
from pyro_mmvae.likelihoods import Bernoulli, Normal
from pyro_mmvae.networks import MLPDecoder, MLPEncoder
from pyro_mmvae.objectives.mixing import mixing

BETA = 1e-3


def mlp_setup(batch_size: int) -> tuple[list[Modality], dict[str, Tensor], dict[str, float]]:
    """Return two modalities with networks 784-512-512, one of them decoded only in part, and random data."""
    modalities = [
        Modality(
            "image",
            Bernoulli((784,)),
            MLPDecoder(64, (784,), (512, 512)),
            MLPEncoder((784,), (512, 512)),
        ),
        Modality("sound", Normal((128,)), MLPDecoder(64, (128,), (512, 512)), MLPEncoder((128,), (512, 512))),
        Modality("pose", Normal((63,)), MLPDecoder(64, (63,), (512, 512))),
    ]
    data = {
        "image": (torch.rand(batch_size, 784) > 0.5).float(),
        "sound": torch.randn(batch_size, 128),
        "pose": torch.randn(batch_size, 63),
    }
    return modalities, data, {"image": 1.0, "sound": 0.5, "pose": 1.0}


def hands_setup(batch_size: int) -> tuple[list[Modality], dict[str, Tensor], dict[str, float]]:
    """Return the modalities of the hand demo and random data of its shapes."""
    config = Config()
    size, points = config.map_size or 0, config.num_points or 0
    pixels = config.image_size or 0
    data = {
        "rgb": torch.rand(batch_size, 3, pixels, pixels),
        "cloud": torch.randn(batch_size, points, 3),
        "heatmap": torch.rand(batch_size, 21, size, size),
        "pose": torch.randn(batch_size, 21, 3),
    }
    return build_modalities(config), data, {"cloud": 1.0, "heatmap": 0.01, "pose": 1.0}


def by_hand(loss: Loss, data: dict[str, Tensor], weights: dict[str, float]) -> Tensor:
    """The same loss without plates, sites, masks or tables: what one writes for complete data."""
    guide, model = loss.guide, loss.model
    features = [guide.encoders[n](data[n]) for n in guide.inputs]
    locs, scales = zip(*(guide.heads[n](f) for n, f in zip(guide.inputs, features, strict=True)), strict=True)
    loc, scale = torch.stack(locs, 1), torch.stack(scales, 1)
    alpha = guide.credibility(torch.cat(features, -1)).unflatten(-1, (-1, guide.latent_dim)).softmax(1)
    precision = (alpha * scale.pow(-2)).sum(1)
    joint_loc, joint_scale = (alpha * scale.pow(-2) * loc).sum(1) / precision, precision.rsqrt()
    row_loc = torch.stack([*locs, joint_loc])
    row_scale = torch.stack([*scales, joint_scale])
    z = row_loc + row_scale * torch.randn_like(row_loc)
    rows, size = z.shape[:2]
    total = z.new_zeros(())
    for name, weight in weights.items():
        decoded = model.decoders[name](z.flatten(0, 1))
        decoded = decoded.reshape(rows, size, *decoded.shape[1:])
        total = total - weight * model.likelihoods[name](decoded).log_prob(data[name]).sum()
    kl = 0.5 * (scale.square() + loc.square() - 1) - scale.log()
    return (total + BETA * kl.sum()) / size


def step(compute: Callable[[], Tensor], parameters: list[nn.Parameter]) -> Callable[[], None]:
    """Return a full training step."""
    optimiser = torch.optim.Adam(parameters, lr=1e-4)

    def run() -> None:
        optimiser.zero_grad()
        compute().backward()
        optimiser.step()

    return run


def seconds(run: Callable[[], None]) -> float:
    """Time one call."""
    begin = time.perf_counter()
    run()
    return time.perf_counter() - begin


def compare(name: str, batch_size: int, repeats: int) -> str:
    """Return a row of the table."""
    modalities, data, weights = {"mlp": mlp_setup, "hands": hands_setup}[name](batch_size)
    latent = 64
    model, guide = MultimodalVAE(modalities, latent), guides.load("gpoe")(modalities, latent)
    loss = mixing(guide.inputs, weights, beta=BETA)(model, guide)
    batch = Batch.of(data)
    with pyro.validation_enabled(False):
        ours = step(lambda: loss(batch), list(loss.parameters()))
        theirs = step(lambda: by_hand(loss, data, weights), list(loss.parameters()))
        for _ in range(3):
            ours(), theirs()
        pairs = [(seconds(ours), seconds(theirs)) for _ in range(repeats)]
    a, b = (statistics.median(values) for values in zip(*pairs, strict=True))
    ratio = statistics.median(x / y for x, y in pairs)
    return f"| {name} | {batch_size} | {1000 * a:.1f} | {1000 * b:.1f} | {ratio:.2f} |"


def check(batch_size: int = 8) -> None:
    """Both must compute the same loss: compare their means over draws."""
    modalities, data, weights = mlp_setup(batch_size)
    model, guide = MultimodalVAE(modalities, 64), guides.load("gpoe")(modalities, 64)
    loss = mixing(guide.inputs, weights, beta=BETA)(model, guide)
    with torch.no_grad():
        ours = torch.stack([loss(Batch.of(data)) for _ in range(100)])
        theirs = torch.stack([by_hand(loss, data, weights) for _ in range(100)])
    gap, error = ours.mean() - theirs.mean(), (ours.std() + theirs.std()) / 10
    if gap.abs() > 5 * error:
        raise AssertionError(f"the two losses differ: {ours.mean():.4f} and {theirs.mean():.4f} +- {error:.4f}")


def main() -> None:
    """Print a markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--networks", nargs="+", choices=["mlp", "hands"], default=["mlp", "hands"])
    parser.add_argument("--batch", type=int, default=32)
    chosen = parser.parse_args()
    check()
    print(f"{os.cpu_count()} cores, {torch.get_num_threads()} threads, torch {torch.__version__}\n")
    print("| networks | batch | ours, ms | by hand, ms | ratio |\n|---|---|---|---|---|")
    for name in chosen.networks:
        print(compare(name, chosen.batch, chosen.repeats), flush=True)


if __name__ == "__main__":
    main()
