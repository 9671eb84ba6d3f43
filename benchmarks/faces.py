"""Faces: the training step on six modalities, the memory it takes, and how fast a worker reads.

    python benchmarks/faces.py step [--repeats 31]      set guide and smvae against the same written by hand in PyTorch
    python benchmarks/faces.py memory                   what a step keeps for its gradient, by number of modalities
    python benchmarks/faces.py loader --data FOLDER     a worker against bare decoding and transforms

Bars: at most 1.15 for the step, at least 0.8 for the worker; memory linear in the number of modalities.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from random import Random

import numpy as np
import pyro
import torch
from PIL import Image
from torch import Tensor

from pyro_mmvae import Batch, Loss, Modality, MultimodalVAE, Objective, Table, Term, guides, objectives
from pyro_mmvae.data.loader import make_loader
from pyro_mmvae.data.samples import Samples
from pyro_mmvae.experiments.celeba.networks import picture
from pyro_mmvae.experiments.transforms.config import Config
from pyro_mmvae.experiments.transforms.experiment import Experiment
from pyro_mmvae.faces.archive import FOLDER, Pictures
from pyro_mmvae.faces.attributes import DISTINCTIVE
from pyro_mmvae.faces.dataset import FaceBatch, Faces
from pyro_mmvae.faces.index import FaceIndex, read_index
from pyro_mmvae.faces.pictures import Square, moved, squared
from pyro_mmvae.faces.pixels import Pixels
from pyro_mmvae.faces.transformed import CHANNELS, TransformedFaces
from pyro_mmvae.faces.transforms import edges_of, grey_of, half_masked, landmark_picture, watermarked
from pyro_mmvae.table import Subset, powerset

BATCH = 32
CONFIG = Config(objective="smvae", objective_options=(), guide_options=(), beta_start=1.0)


def data_of(config: Config) -> dict[str, Tensor]:
    """Return random pictures of zeros and ones."""
    return {n: torch.rand(BATCH, c, config.side, config.side).round() for n, c in CHANNELS.items()}


def by_hand(loss: Loss, data: dict[str, Tensor], subsets: Sequence[Subset], encoded: Sequence[str]) -> Tensor:
    """The bound of some subsets without plates, sites, masks or tables: what one writes for complete data.

    Args:
        loss: whose networks are used.
        data: by modality.
        subsets: of what is looked at and decoded.
        encoded: what is encoded; what is not in a subset is masked in its attention.
    """
    guide, model = loss.guide, loss.model
    embedded = torch.stack([guide.embeddings[n](guide.encoders[n](data[n])) for n in encoded], dim=1)
    query, keys, values = (
        layer(value).unflatten(-1, (guide.heads, -1))
        for layer, value in ((guide.queries, guide.query), (guide.keys, embedded), (guide.values, embedded))
    )
    match = torch.einsum("hd,bmhd->bhm", query, keys) / query.shape[-1] ** 0.5
    seen = torch.tensor([[name in subset for name in encoded] for subset in subsets])
    weights = match.masked_fill(~seen[:, None, None], -1e9).softmax(-1)
    hidden = guide.query + guide.merge(torch.einsum("tbhm,bmhd->tbhd", weights, values).flatten(2))
    loc, scale = guide.moments(hidden + guide.connected(hidden))
    z = loc + scale * torch.randn_like(loc)
    total = (0.5 * (scale.square() + loc.square() - 1) - scale.log()).sum()
    for name in dict.fromkeys(name for subset in subsets for name in subset):
        rows = [i for i, subset in enumerate(subsets) if name in subset]
        decoded = model.decoders[name](torch.cat([z[i] for i in rows])).unflatten(0, (len(rows), -1))
        total = total - model.likelihoods[name](decoded).log_prob(data[name]).sum()
    return total / z.shape[1]


def step(compute: Callable[[], Tensor], optimiser: torch.optim.Optimizer) -> Callable[[], None]:
    """Return a full training step."""

    def run() -> None:
        optimiser.zero_grad()
        compute().backward()
        optimiser.step()

    return run


def seconds(run: Callable[[], object]) -> float:
    """Time one call."""
    begin = time.perf_counter()
    run()
    return time.perf_counter() - begin


def time_steps(repeats: int) -> None:
    """Print a markdown table of the step, ours against two by hand, in turns, on the same subsets."""
    print("| subsets in a step | by hand | ours, ms | by hand, ms | ratio |\n|---|---|---|---|---|")
    for count in (1, 3):
        found = step_times(repeats, count)
        ours, *others = (statistics.median(values) * 1000 for values in zip(*found, strict=True))
        kinds = ("all six are encoded, masked where not looked at", "what some subset looks at is encoded")
        for place, (kind, other) in enumerate(zip(kinds, others, strict=True), start=1):
            ratio = statistics.median(times[0] / times[place] for times in found)
            print(f"| {count} | {kind} | {ours:.1f} | {other:.1f} | {ratio:.2f} |", flush=True)


def step_times(repeats: int, count: int) -> list[tuple[float, ...]]:
    """Return seconds of our step and of the two by hand, for some draws of so many subsets."""
    loss, data = Experiment(CONFIG).loss(), data_of(CONFIG)
    batch, names = Batch.of(data), tuple(CHANNELS)
    optimisers = [torch.optim.Adam(loss.parameters(), lr=1e-4) for _ in range(3)]
    rng, found = Random(0), []
    with pyro.validation_enabled(False):
        for number in range(repeats + 3):
            subsets = rng.sample(powerset(names), count)
            union = [name for name in names if any(name in subset for subset in subsets)]
            table = Table([Term(subset, dict.fromkeys(subset, 1.0)) for subset in subsets])
            one = Objective(table)(loss.model, loss.guide)
            if not number:
                check(one, loss, data, subsets)
            computed: list[Callable[[], Tensor]] = [
                partial(one, batch),
                partial(by_hand, loss, data, subsets, names),
                partial(by_hand, loss, data, subsets, union),
            ]
            found.append(tuple(seconds(step(c, o)) for c, o in zip(computed, optimisers, strict=True)))
    return found[3:]


def check(ours: Loss, loss: Loss, data: dict[str, Tensor], subsets: Sequence[Subset]) -> None:
    """Both must compute the same loss: compare their means over draws."""
    with torch.no_grad():
        found = torch.stack([ours(Batch.of(data)) for _ in range(20)])
        hand = torch.stack([by_hand(loss, data, subsets, tuple(CHANNELS)) for _ in range(20)])
    gap, error = found.mean() - hand.mean(), (found.std() + hand.std()) / 4
    if gap.abs() > 5 * error + 1e-3 * hand.mean().abs():
        raise AssertionError(f"the two losses differ: {found.mean():.4f} and {hand.mean():.4f} +- {error:.4f}")


def measure_memory() -> None:
    """Print what a step over all modalities together keeps for its gradient."""
    print("| modalities | kept for the gradient, MiB | for each modality |\n|---|---|---|")
    for count in (1, 2, 4, 6, 9, 12):
        parts: list[Modality] = [picture(f"picture{i}", 3, CONFIG) for i in range(count)]
        model, guide = MultimodalVAE(parts, CONFIG.latent_dim), guides.load("set")(parts, CONFIG.latent_dim)
        loss = objectives.load("extended")(guide.inputs, guide.inputs)(model, guide)
        batch = Batch.of({m.name: torch.rand(BATCH, 3, CONFIG.side, CONFIG.side) for m in parts})
        kept: dict[int, int] = {}

        def keep(tensor: Tensor, kept: dict[int, int] = kept) -> Tensor:
            storage = tensor.untyped_storage()
            kept[storage.data_ptr()] = storage.nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            value = loss(batch)
        total = sum(kept.values()) / 2**20
        print(f"| {count} | {total:.1f} | {total / count:.1f} |", flush=True)
        del value


def bare(root: Path, index: FaceIndex, rows: range, square: Square, six: bool) -> None:
    """Decode, cut, shrink and transform, and nothing else."""
    for begin in range(0, len(rows), BATCH):
        part = rows[begin : begin + BATCH]
        squares, points = [], []
        for row in part:
            with Image.open(root / FOLDER / index.names[row]) as file:
                image = file.convert("RGB")
            squares.append(squared(image, square))
            points.append(moved(index.landmarks[row], image.size, square))
        colour = torch.from_numpy(np.stack(squares)).float().div_(255)
        if six:
            grey = grey_of(colour)
            torch.from_numpy(np.stack([edges_of(one) for one in grey[:, 0].numpy()])).float()
            torch.from_numpy(landmark_picture(np.stack(points), square.side)).float()
            half_masked(colour), watermarked(colour)
        else:
            torch.from_numpy(index.targets(DISTINCTIVE)[list(part)]).float()


def time_loader(root: Path, repeats: int) -> None:
    """Print a markdown table of one worker's pictures per second, against bare decoding in turns."""
    pictures = Pictures(root)
    index = read_index(root, pictures, landmarks=True)
    rows = range(min(index.size, 40 * BATCH))
    print("| data set | bare, pictures/s | a worker, pictures/s | ratio |\n|---|---|---|---|")
    for name, six, side in (("picture and attributes", False, 64), ("six pictures", True, 64)):
        square = Square(side)
        pixels = Pixels(pictures, index, rows, square)
        samples: Samples[FaceBatch] = TransformedFaces(pixels) if six else Faces(pixels)
        found = []
        loader = make_loader(samples, BATCH, workers=1)
        for _ in loader:  # the worker's start is not throughput
            pass
        for _ in range(repeats):
            without = len(rows) / seconds(lambda s=square, x=six: bare(root, index, rows, s, x))
            found.append((without, len(rows) / seconds(lambda b=loader: sum(1 for _ in b))))
        a, b = (statistics.median(values) for values in zip(*found, strict=True))
        print(f"| {name} | {a:.0f} | {b:.0f} | {statistics.median(y / x for x, y in found):.2f} |", flush=True)


def main() -> None:
    """Print a markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["step", "memory", "loader"])
    parser.add_argument("--repeats", type=int, default=31)
    parser.add_argument("--data", type=Path, help="folder in CelebA's layout, for the loader")
    chosen = parser.parse_args()
    print(f"{os.cpu_count()} cores, {torch.get_num_threads()} threads, torch {torch.__version__}\n")
    if chosen.what == "step":
        time_steps(chosen.repeats)
    elif chosen.what == "memory":
        measure_memory()
    elif chosen.data is None:
        parser.error("loader: expected --data FOLDER")
    else:
        time_loader(chosen.data, max(chosen.repeats // 10, 3))


if __name__ == "__main__":
    main()
