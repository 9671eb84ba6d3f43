"""A robot with a touch array, a force sensor and a material label that is only predicted."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pyro_mmvae import Batch, Modality, MultimodalVAE
from pyro_mmvae.guides.poe import PoE
from pyro_mmvae.likelihoods import Categorical, Laplace, Normal
from pyro_mmvae.networks import MLPDecoder, MLPEncoder
from pyro_mmvae.objectives.extended import extended

LATENT = 6


# [encoder]
class TouchEncoder(nn.Module):
    """Convolutions over a 16 x 16 touch array; the features go to whatever the guide makes of them."""

    def __init__(self) -> None:
        super().__init__()
        self.out_features = 32  # the guide reads the number of features here
        self.layers = nn.Sequential(
            nn.Conv2d(1, 8, 4, stride=4),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(8 * 4 * 4, self.out_features),
            nn.ReLU(),
        )

    def forward(self, value: Tensor) -> Tensor:
        """Map arrays `(N, 16, 16)` to features `(N, 32)`."""
        return self.layers(value.unsqueeze(1))


# [modalities]
touch_likelihood = Normal((16, 16), scale=0.1)
force_likelihood = Laplace((3,), scale="predicted")  # the decoder returns location and scale
material_likelihood = Categorical(5)

parts = [
    Modality("touch", touch_likelihood, MLPDecoder(LATENT, touch_likelihood.param_shape), TouchEncoder()),
    Modality("force", force_likelihood, MLPDecoder(LATENT, force_likelihood.param_shape), MLPEncoder((3,), (32,))),
    Modality("material", material_likelihood, MLPDecoder(LATENT, material_likelihood.param_shape)),  # predicted only
    Modality("temperature", encoder=MLPEncoder((1,), (16,))),  # looked at, never decoded
]
model, guide = MultimodalVAE(parts, LATENT), PoE(parts, LATENT)

# [batch]
values = {
    "touch": torch.rand(8, 16, 16),
    "force": torch.randn(8, 3),
    "material": nn.functional.one_hot(torch.randint(5, (8,)), 5).float(),
    "temperature": torch.randn(8, 1),
}
values["force"][:3] = float("nan")  # the sensor was off
batch = Batch.of(values, observed={"force": ~values["force"].isnan().any(-1)})

# [train]
objective = extended(guide.inputs, {"touch": 1.0, "force": 1.0, "material": 10.0})
loss = objective(model, guide)
loss(batch).backward()

# [predict]
with torch.no_grad():
    seen = batch.given(["touch", "temperature"])
    material = model.predict(guide.point(seen), "material")  # probabilities, (8, 5)
    posterior = guide.posterior(seen)  # batch shape (8,), event shape (6,)
    force = model.decode(posterior.sample((100,)), "force")  # a distribution of batch shape (100, 8)
    within = force.log_prob(values["force"].nan_to_num())  # (100, 8)
