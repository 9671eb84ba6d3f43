"""How fast a worker reads Vision&Touch's files, beside the bare reading and transforms that they need.

    python benchmarks/touch_loader.py [--data FOLDER] [--samples 600]

Without a folder, attempts are simulated. The bare loop opens a file for every sample, as public readers do, or keeps
all of them open; it checks nothing and knows no missing sensors. In turns, one process, files in the system's cache.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch

from pyro_mmvae.data.samples import Draws
from pyro_mmvae.data.split import permutation
from pyro_mmvae.touch.dataset import Touch, find_attempts
from pyro_mmvae.touch.synthetic import generate
from pyro_mmvae.touch.views import ViewOptions

SIDE, BATCH = 64, 32


def bare(file: Any, step: int) -> tuple[Any, ...]:
    """Read a sample and make it what a model sees, without a look at whether it is what it should be."""
    image = np.asarray(file["image"][step])
    cell = len(image) // SIDE
    small = image.reshape(SIDE, cell, SIDE, cell, 3).mean((1, 3)).transpose(2, 0, 1).astype(np.float32) / 255
    depth = np.asarray(file["depth_data"][step], np.float32)[..., 0].reshape(SIDE, cell, SIDE, cell).mean((1, 3))[None]
    force = np.tanh(np.asarray(file["ee_forces_continuous"][step], np.float32)[-32:]).T
    return small, depth, force, np.asarray(file["action"][step + 1], np.float32)


def reopened(samples: Touch, rows: torch.Tensor) -> None:
    """Open a file for every sample."""
    for part in rows.split(BATCH):
        found = []
        for row in part.tolist():
            number, step = samples.places[row]
            with h5py.File(samples.paths[number], "r") as file:
                found.append(bare(file, step))
        [torch.from_numpy(np.stack(values)) for values in zip(*found, strict=True)]


def kept_open(samples: Touch, rows: torch.Tensor) -> None:
    """Keep all files open."""
    files = [h5py.File(path, "r") for path in samples.paths]
    for part in rows.split(BATCH):
        places = [samples.places[row] for row in part.tolist()]
        found = [bare(files[number], step) for number, step in places]
        [torch.from_numpy(np.stack(values)) for values in zip(*found, strict=True)]
    for file in files:
        file.close()


def ours(samples: Touch, rows: torch.Tensor) -> None:
    """Read as a worker does."""
    for part in rows.split(BATCH):
        samples.batch(Draws(part))


def seconds(work: Callable[[Touch, torch.Tensor], None], samples: Touch, rows: torch.Tensor) -> float:
    """Return how long it takes."""
    begin = time.perf_counter()
    work(samples, rows)
    return time.perf_counter() - begin


def main() -> None:
    """Print a markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder in Vision&Touch's layout")
    parser.add_argument("--samples", type=int, default=600)
    parser.add_argument("--repeats", type=int, default=5)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = chosen.data or generate(Path(folder) / "set", 20, workers=1)
        attempts = find_attempts(root, SIDE)
        rows = permutation(sum(attempts.steps) - len(attempts.steps), 0)[: chosen.samples]
        times: dict[Any, list[float]] = {reopened: [], kept_open: [], ours: []}
        for _ in range(chosen.repeats):
            for work, found in times.items():  # each with files of its own to open
                samples = Touch(attempts.paths, attempts.steps, ViewOptions(SIDE))
                found.append(seconds(work, samples, rows))
    medians = {work: statistics.median(found) for work, found in times.items()}
    print(f"{len(attempts.paths)} files, {len(rows)} samples in random order\n")
    print("| reading | samples/s | ours / it |\n|---|---|---|")
    for work, found in medians.items():
        name = {reopened: "bare, a file opened for each sample", kept_open: "bare, files kept open", ours: "ours"}[work]
        print(f"| {name} | {len(rows) / found:.0f} | {found / medians[ours]:.2f} |")


if __name__ == "__main__":
    main()
