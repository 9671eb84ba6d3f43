"""Throughput of the hand loader against a ResNet-18 training step at the same image size.

    python benchmarks/loader.py --data FOLDER [--image-size 128] [--batches 12]

Two workers decode and augment; the bar is that they keep ahead of a ResNet-18 step. The loader and the step are timed
apart, each with the machine to itself.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from pathlib import Path

import torch

from pyro_mmvae.data.loader import make_loader
from pyro_mmvae.hands.rhd import RHD
from pyro_mmvae.networks import ResNetEncoder


def loader_seconds(folder: Path, image_size: int, batch: int, batches: int) -> float:
    """Return seconds per batch that two workers take, decoding, cropping, augmenting and collating."""
    split = RHD(folder, "training", image_size=image_size, augment=True)
    loader = make_loader(split, batch, shuffle=True, workers=2)
    iterator = iter(loader)
    for _ in range(2):  # the workers' start is not throughput
        next(iterator)
    begin, done = time.perf_counter(), 0
    for _ in range(batches):
        if next(iterator, None) is None:
            break
        done += 1
    return (time.perf_counter() - begin) / max(done, 1)


def step_seconds(image_size: int, batch: int, repeats: int = 3) -> float:
    """Return seconds of forward and backward of a ResNet-18 with all cores."""
    network, images = ResNetEncoder(), torch.rand(batch, 3, image_size, image_size)
    network(images).sum().backward()
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        network(images).sum().backward()
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


def main() -> None:
    """Print a markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder in RHD's layout")
    parser.add_argument("--image-size", type=int, default=128)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--batches", type=int, default=12)
    chosen = parser.parse_args()
    load = loader_seconds(chosen.data, chosen.image_size, chosen.batch, chosen.batches)
    work = step_seconds(chosen.image_size, chosen.batch)
    print(f"{os.cpu_count()} cores, {torch.get_num_threads()} threads, torch {torch.__version__}\n")
    print("| image size | batch | loader, two workers, ms | samples/s | ResNet-18 step, ms | step / loader |")
    print("|---|---|---|---|---|---|")
    print(
        f"| {chosen.image_size} | {chosen.batch} | {1000 * load:.0f} | {chosen.batch / load:.0f} "
        f"| {1000 * work:.0f} | {work / load:.1f} |"
    )


if __name__ == "__main__":
    main()
