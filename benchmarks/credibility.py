"""Does a guide trust a failing sensor less? Two sensors of a known quality, each of which fails in half of the samples.

    python benchmarks/credibility.py --guides moe poe:prior_expert=never gpoe --seeds 3

A pose (10 numbers) follows from four hidden ones; sensor `a` and sensor `b` see them through networks that are fixed at
random. Their noise is known, so it is known which of them is the better one: `--levels` are the standard deviations of
a clean and of a failing sensor, for each. Trained by modality mixing (Joshi et al. 2022, eq. 12-15), on fresh samples
in every step; a mixture by MMVAE's bound.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from pyro_mmvae import Batch, Guide, Modality, MultimodalVAE, guides
from pyro_mmvae.likelihoods import Normal
from pyro_mmvae.metrics import ExpertWeights
from pyro_mmvae.networks import MLPDecoder, MLPEncoder
from pyro_mmvae.objectives.mixing import mixing
from pyro_mmvae.objectives.mmvae import mmvae

HIDDEN, WIDTH, SEEN, POSE, LATENT = 4, 32, 24, 10, 8
SENSORS = ("a", "b")
CONDITIONS = {"clean": (), "a fails": ("a",), "b fails": ("b",), "both fail": ("a", "b")}
GIVEN = {"a": ("a",), "b": ("b",), "joint": SENSORS}


class World:
    """Two sensors and a pose; the same networks for every seed."""

    def __init__(self, levels: dict[str, tuple[float, float]]) -> None:
        fixed = torch.Generator().manual_seed(123)
        sizes = {"pose": POSE, **dict.fromkeys(SENSORS, SEEN)}
        self.levels = levels
        self.layers = {
            name: (
                torch.randn(HIDDEN, WIDTH, generator=fixed) / 2,
                torch.randn(WIDTH, size, generator=fixed) / math.sqrt(WIDTH),
            )
            for name, size in sizes.items()
        }

    def draw(self, count: int, failing: dict[str, Tensor]) -> Batch:
        """Return samples in which sensors fail where they are told to."""
        hidden = torch.randn(count, HIDDEN)
        data = {name: torch.tanh(hidden @ first) @ second for name, (first, second) in self.layers.items()}
        for name, (clean, broken) in self.levels.items():
            level = torch.where(failing[name], broken, clean).unsqueeze(-1)
            data[name] = data[name] + level * torch.randn_like(data[name])
        return Batch.of(data)


def pair(choice: str) -> tuple[MultimodalVAE, Guide]:
    """Return model and guide, not trained; the guide as NAME:option=value."""
    parts = [
        *(Modality(n, Normal((SEEN,)), None, MLPEncoder((SEEN,), (128, 128))) for n in SENSORS),
        Modality("pose", Normal((POSE,), scale=0.1), MLPDecoder(LATENT, (POSE,), (64, 64))),
    ]
    name, _, option = choice.partition(":")
    options = dict([option.split("=")]) if option else {}
    return MultimodalVAE(parts, LATENT), guides.load(name)(parts, LATENT, **options)


def train(world: World, choice: str, steps: int, failures: float) -> tuple[MultimodalVAE, Guide]:
    """Return model and guide, trained on samples in which each sensor fails by itself."""
    model, guide = pair(choice)
    objective = (mmvae if guide.num_components > 1 else mixing)(SENSORS, {"pose": 1.0}, beta=0.1)
    loss = objective(model, guide)
    optimiser = torch.optim.Adam(loss.parameters(), lr=1e-3)
    for _ in tqdm(range(steps), choice, unit="step", leave=False):
        batch = world.draw(64, {name: torch.rand(64) < failures for name in SENSORS})
        optimiser.zero_grad()
        loss(batch).backward()
        optimiser.step()
    return model.eval(), guide.eval()


@torch.no_grad()
def judge(world: World, model: MultimodalVAE, guide: Guide, count: int = 4000) -> dict[str, dict[str, float]]:
    """Return errors of the pose, alpha and influence of sensor a, by condition."""
    found = {}
    for condition, broken in CONDITIONS.items():
        failing = {name: torch.full((count,), name in broken) for name in SENSORS}
        batch = world.draw(count, failing)
        predicted = {name: model.predict(guide.point(batch.given(given)), "pose") for name, given in GIVEN.items()}
        row = {name: (pose - batch.data["pose"]).norm(dim=-1).mean().item() for name, pose in predicted.items()}
        for word in ("weights", "influence"):
            trust = ExpertWeights(word)
            trust.add(guide, batch, {})
            row |= {f"{word} of a": means["clean"] for name, means in trust.mean().items() if name == "a"}
        found[condition] = row
    return found


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--guides", nargs="+", default=["moe", "poe:prior_expert=never", "gpoe"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--failures", type=float, default=0.5, help="share of samples in which a sensor fails")
    parser.add_argument(
        "--levels", type=float, nargs=4, default=[0.3, 3.0, 0.6, 3.0], help="a clean, failing; b likewise"
    )
    parser.add_argument("--out", type=Path, help="JSON file with every number")
    options = parser.parse_args()
    world = World({"a": tuple(options.levels[:2]), "b": tuple(options.levels[2:])})
    runs = {}
    for choice in options.guides:
        for seed in range(options.seeds):
            torch.manual_seed(seed)
            model, guide = train(world, choice, options.steps, options.failures)
            torch.manual_seed(1000 + seed)
            runs.setdefault(choice, []).append(judge(world, model, guide))
    report(runs)
    if options.out:
        options.out.write_text(
            json.dumps({"options": {k: str(v) for k, v in vars(options).items()}, "runs": runs}, indent=1)
        )


def report(runs: dict[str, list[dict[str, dict[str, float]]]]) -> None:
    """Print means and standard errors over seeds."""
    columns = ["a", "b", "joint", "weights of a", "influence of a"]
    print(f"{'guide':<24}{'condition':<12}" + "".join(f"{c:>18}" for c in columns))
    for choice, found in runs.items():
        for condition in CONDITIONS:
            cells = []
            for column in columns:
                values = torch.tensor([run[condition].get(column, math.nan) for run in found])
                error = values.std() / math.sqrt(len(values)) if len(values) > 1 else math.nan
                cells.append("" if values.isnan().any() else f"{values.mean():.3f} ± {error:.3f}")
            print(f"{choice:<24}{condition:<12}" + "".join(f"{cell:>18}" for cell in cells))


if __name__ == "__main__":
    main()
