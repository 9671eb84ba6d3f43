"""Two views of one latent vector: build, train, look at the parts, infer from either view."""

from __future__ import annotations

import torch

from pyro_mmvae import Batch, Modality, MultimodalVAE, Schedule
from pyro_mmvae.guides.gpoe import GPoE
from pyro_mmvae.likelihoods import Normal
from pyro_mmvae.networks import MLPDecoder, MLPEncoder
from pyro_mmvae.objectives.mixing import mixing

# [data]
torch.manual_seed(0)
cause = torch.randn(400, 2)
values = {
    "sound": cause @ torch.randn(2, 10) + 0.3 * torch.randn(400, 10),
    "motion": cause @ torch.randn(2, 4) + 0.3 * torch.randn(400, 4),
}
batch = Batch.of(values, observed={"motion": torch.rand(400) > 0.2})

# [model]
D = 2
parts = [
    Modality("sound", Normal((10,), scale=0.3), MLPDecoder(D, (10,), (32,)), MLPEncoder((10,), (32,))),
    Modality("motion", Normal((4,), scale=0.3), MLPDecoder(D, (4,), (32,)), MLPEncoder((4,), (32,))),
]
model = MultimodalVAE(parts, D)
guide = GPoE(parts, D)

# [objective]
objective = mixing(["sound", "motion"], ["sound", "motion"], beta=Schedule(0.1, 1.0, steps=100))
print(objective)

# [train]
loss = objective(model, guide)
optimiser = torch.optim.Adam(loss.parameters(), lr=5e-3)
before = loss(batch).item()
for _ in range(150):
    optimiser.zero_grad()
    value = loss(batch)
    value.backward()
    optimiser.step()

# [parts]
loss.eval()  # calls no longer count as steps of the schedule
with torch.no_grad():
    bound = loss.bound(batch)
print(bound.per_sample.shape)  # torch.Size([400]), nats
for name, part in bound.parts().items():
    print(f"{name:28}{float(part):9.2f}")

# [infer]
with torch.no_grad():
    z = guide.point(batch.given(["motion"]))  # from the motion alone
    sound = model.predict(z, "sound")  # (400, 10); the prior's guess where motion is missing
