"""The training step with encoders and decoders compiled by torch.compile, against the same step as it comes.

    python benchmarks/compiled.py [--repeats 15] [--networks mlp hands] [--batch 128]

Both train the gPoE guide on the mixing bound (three rows) with Adam, from the same weights, with validation off. They
take turns within one run; the figure that counts is the median of the pairwise ratios. A CPU needs a C++ compiler.
"""

from __future__ import annotations

import argparse
import copy
import os
import statistics

import pyro
import torch
from training_step import BETA, hands_setup, mlp_setup, seconds, step

from pyro_mmvae import Batch, MultimodalVAE, guides
from pyro_mmvae.compiling import compile_networks
from pyro_mmvae.objectives.mixing import mixing


def compare(name: str, batch_size: int, repeats: int) -> str:
    """Return a row of the table."""
    modalities, data, weights = {"mlp": mlp_setup, "hands": hands_setup}[name](batch_size)
    pair = MultimodalVAE(modalities, 64), guides.load("gpoe")(modalities, 64)
    other = copy.deepcopy(pair)
    compile_networks(*other)
    batch = Batch.of(data)
    with pyro.validation_enabled(False):
        losses = [mixing(g.inputs, weights, beta=BETA)(m, g) for m, g in (pair, other)]
        plain, compiled = (step(lambda loss=loss: loss(batch), list(loss.parameters())) for loss in losses)
        first = seconds(compiled)
        for _ in range(2):
            plain(), compiled()
        pairs = [(seconds(plain), seconds(compiled)) for _ in range(repeats)]
    a, b = (statistics.median(values) for values in zip(*pairs, strict=True))
    ratio = statistics.median(y / x for x, y in pairs)
    return f"| {name} | {batch_size} | {1000 * a:.1f} | {1000 * b:.1f} | {ratio:.2f} | {first:.0f} |"


def main() -> None:
    """Print a markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--networks", nargs="+", choices=["mlp", "hands"], default=["mlp", "hands"])
    parser.add_argument("--batch", type=int, default=32)
    chosen = parser.parse_args()
    print(f"{os.cpu_count()} cores, {torch.get_num_threads()} threads, torch {torch.__version__}\n")
    print("| networks | batch | as it comes, ms | compiled, ms | compiled / as it comes | first step, s |")
    print("|---|---|---|---|---|---|")
    for name in chosen.networks:
        print(compare(name, chosen.batch, chosen.repeats), flush=True)


if __name__ == "__main__":
    main()
