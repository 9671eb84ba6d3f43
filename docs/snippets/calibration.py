"""What a guide loses in nats, and whether it is as wide as the model's posterior."""

from __future__ import annotations

from pathlib import Path
from tempfile import mkdtemp

import torch

from pyro_mmvae.estimators import Annealing, calibration, gaps_table, inference_gaps
from pyro_mmvae.guides.poe import PoE
from pyro_mmvae.linear_gaussian import LinearGaussian
from pyro_mmvae.plots import plot_calibration, plot_gaps

truth = LinearGaussian({"camera": 4, "force": 3}, latent_dim=2)
model, batch = truth.model(), truth.sample(20)
guide = PoE(truth.modalities(), 2).double()
truth.set_exact_experts(guide)
with torch.no_grad():  # narrower than the exact posterior
    for head in guide.heads.values():
        head.linear.bias[2:] -= 0.5
folder = Path(mkdtemp())
few = Annealing(8)

# [judge]
gaps = inference_gaps(model, guide, batch, annealing=few)  # of camera, of force, of both
print(gaps_table(gaps).round(2).to_string())  # log p, ELBO, and the gap in two parts
plot_gaps({"poe": gaps}, folder / "gaps.png")

ranks = calibration(model, guide, 1000, given=["camera"])
print(ranks)  # widths, shifts, p-values
plot_calibration(ranks, folder / "ranks.png")
