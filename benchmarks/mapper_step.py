"""A step of the mapper's phase against the same written by hand: frozen encoders without gradients, in evaluation mode.

    python benchmarks/mapper_step.py [--repeats 15] [--networks resnet demo linear]

Both do forward, backward and an Adam step of what the mapper alone is trained with: the ingredients decoded from a draw
of the mapped Gaussian, its KL and the distance to the ingredients' Gaussian. Validation is off. They take turns within
one run; the figure that counts is the median of the pairwise ratios.
"""

from __future__ import annotations

import argparse
import os
import statistics
from collections.abc import Callable

import pyro
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits
from training_step import seconds, step

from pyro_mmvae import Batch, Loss, Modality, MultimodalVAE
from pyro_mmvae.alignment import MAPPER
from pyro_mmvae.freezing import Freezer
from pyro_mmvae.guides.mapper import Mapper
from pyro_mmvae.likelihoods import Multilabel
from pyro_mmvae.networks import MLPDecoder, MLPEncoder, ResNetEncoder
from pyro_mmvae.objectives.variational_alignment import variational_alignment

LATENT, LABELS, FEATURES, BETA = 64, 32, 512, 0.02


def demo() -> tuple[nn.Module, Tensor]:
    """Return the encoder of the food demo, a very small one, and pictures for it."""
    return ResNetEncoder(width=16), torch.rand(32, 3, 64, 64)


def resnet() -> tuple[nn.Module, Tensor]:
    """Return the same with a finer stem, which is still far below what the paper has."""
    return ResNetEncoder(width=16, stem_stride=2), torch.rand(64, 3, 64, 64)


def linear() -> tuple[nn.Module, Tensor]:
    """Return next to no encoder, as for feature vectors: what the library costs is all that there is."""
    return MLPEncoder((FEATURES,), widths=()), torch.rand(64, FEATURES)


NETWORKS: dict[str, Callable[[], tuple[nn.Module, Tensor]]] = {"resnet": resnet, "demo": demo, "linear": linear}


def system(name: str) -> tuple[Loss, dict[str, Tensor]]:
    """Return the loss of the mapper's phase, with all but the mapper frozen, and data."""
    torch.manual_seed(0)
    encoder, picture = NETWORKS[name]()
    labels = MLPEncoder((LABELS,), widths=())
    lower = Modality("ingredients", Multilabel(LABELS), MLPDecoder(LATENT, (LABELS,), widths=()), labels)
    guide = Mapper([Modality("image", encoder=encoder), lower], LATENT)
    objective = variational_alignment(guide.inputs, ["ingredients"], beta=BETA, part="mapper")
    loss = objective(MultimodalVAE([lower], LATENT), guide).train()
    freezer = Freezer(loss, MAPPER)
    freezer.freeze()
    freezer.still()
    return loss, {"image": picture, "ingredients": (torch.rand(len(picture), LABELS) < 0.3).float()}


def by_hand(loss: Loss, data: dict[str, Tensor]) -> Tensor:
    """The same loss without plates, sites, masks or tables."""
    guide, model = loss.guide, loss.model
    with torch.no_grad():
        source = torch.cat(guide.upper.heads["image"](guide.upper.encoders["image"](data["image"])), -1)
        own, spread = guide.lower.heads["ingredients"](guide.lower.encoders["ingredients"](data["ingredients"]))
    mapping = guide.mappers["image"]
    middle, width = mapping.ve(source)
    loc, scale = mapping.vd(middle + width * torch.randn_like(middle))
    logits = model.decoders["ingredients"](loc + scale * torch.randn_like(loc))
    missed = binary_cross_entropy_with_logits(logits, data["ingredients"], reduction="none").sum(-1)
    kl = (0.5 * (scale.square() + loc.square() - 1) - scale.log()).sum(-1)
    distance = ((loc - own).square() + (scale - spread).square()).sum(-1).sqrt()
    return (missed + BETA * kl + distance).mean()


def check() -> None:
    """Both must compute the same loss: compare their means over draws."""
    loss, data = system("linear")
    with torch.no_grad():
        ours = torch.stack([loss(Batch.of(data)) for _ in range(100)])
        theirs = torch.stack([by_hand(loss, data) for _ in range(100)])
    gap, error = ours.mean() - theirs.mean(), (ours.std() + theirs.std()) / 10
    if gap.abs() > 5 * error:
        raise AssertionError(f"the two losses differ: {ours.mean():.4f} and {theirs.mean():.4f} +- {error:.4f}")


def compare(name: str, repeats: int) -> str:
    """Return a row of the table."""
    loss, data = system(name)
    batch, moving = Batch.of(data), list(loss.guide.mappers.parameters())
    with pyro.validation_enabled(False):
        ours, theirs = step(lambda: loss(batch), moving), step(lambda: by_hand(loss, data), moving)
        for _ in range(3):
            ours(), theirs()
        pairs = [(seconds(ours), seconds(theirs)) for _ in range(repeats)]
    a, b = (statistics.median(values) for values in zip(*pairs, strict=True))
    ratio = statistics.median(x / y for x, y in pairs)
    return f"| {name} | {len(data['image'])} | {1000 * a:.1f} | {1000 * b:.1f} | {ratio:.2f} |"


def main() -> None:
    """Print a markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--networks", nargs="+", choices=list(NETWORKS), default=list(NETWORKS))
    chosen = parser.parse_args()
    check()
    print(f"{os.cpu_count()} cores, {torch.get_num_threads()} threads, torch {torch.__version__}\n")
    print("| networks | batch | ours, ms | by hand, ms | ratio |\n|---|---|---|---|---|")
    for name in chosen.networks:
        print(compare(name, chosen.repeats), flush=True)


if __name__ == "__main__":
    main()
