"""Save a pair with a network of one's own, load it, and see what is refused."""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch
from torch import Tensor, nn

from pyro_mmvae import Batch, Modality, MultimodalVAE, Recorded, impute, load, predictive, save
from pyro_mmvae.guides.poe import PoE
from pyro_mmvae.likelihoods import Normal
from pyro_mmvae.networks import MLPDecoder, MLPEncoder

folder = Path(tempfile.mkdtemp()) / "gripper"
D = 2


# [own]
class Spectrum(Recorded, nn.Module):
    """A network of one's own: Recorded notes what it was constructed with."""

    def __init__(self, size: int, features: int) -> None:
        super().__init__()
        self.out_features = features
        self.layers = nn.Sequential(nn.Linear(size, 16), nn.ReLU(), nn.Linear(16, features))

    def forward(self, value: Tensor) -> Tensor:
        """Map values `(N, size)` to features `(N, features)`."""
        return self.layers(value)


# [save]
parts = [
    Modality("sound", Normal((6,), "learned"), MLPDecoder(D, (6,), (16,)), Spectrum(6, features=8)),
    Modality("force", Normal((3,), "learned"), MLPDecoder(D, (3,), (16,)), MLPEncoder((3,), (8,))),
]
model, guide = MultimodalVAE(parts, D), PoE(parts, D)
save(folder, model, guide)
print(sorted(path.name for path in folder.iterdir()))  # structure.json and weights-....safetensors

# [load]
try:
    load(folder)
except ValueError as error:
    refusal = str(error)
    print(refusal)  # ... names '__main__:Spectrum', which ... was not imported ...
again, reader = load(folder, allow=[Spectrum])

# [use]
batch = Batch.of({"sound": torch.randn(5, 6), "force": torch.randn(5, 3)}, {"force": torch.arange(5) > 1})
force = predictive(again, reader, batch, given=["sound"], of=["force"], num_samples=200)
print(force.mean["force"].shape, force.std["force"].shape)  # (5, 3) each
print(force.quantiles["force"].shape, force.draws["force"].shape)  # (3, 5, 3), (200, 5, 3)
whole = impute(again, reader, batch)
print(whole.filled["force"])  # True, True, False, False, False
