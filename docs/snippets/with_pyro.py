"""The library from Pyro's side: SVI with a stock bound, the parameter store, Predictive, NUTS, a flow as a guide."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pyro
import torch
import zuko
from pyro.distributions import TorchDistribution
from pyro.infer import MCMC, NUTS, SVI, Predictive, Trace_ELBO
from torch import Tensor

from pyro_mmvae import Batch, Guide, Modality, MultimodalVAE, take_from_store
from pyro_mmvae.distributions.flow import FlowDistribution
from pyro_mmvae.guides.moe_moments import MoEMoments
from pyro_mmvae.likelihoods import Normal
from pyro_mmvae.networks import MLPDecoder, MLPEncoder
from pyro_mmvae.objectives.mixing import mixing
from pyro_mmvae.priors.mixture_of_gaussians import MixtureOfGaussians

torch.manual_seed(0)
D, sizes = 2, {"sound": 6, "motion": 4}
cause = torch.randn(200, D)
batch = Batch.of({name: cause @ torch.randn(D, size) for name, size in sizes.items()})


def parts() -> list[Modality]:
    """Return the two modalities with new networks."""
    return [
        Modality(n, Normal((k,), scale=0.3), MLPDecoder(D, (k,), (32,)), MLPEncoder((k,), (32,)))
        for n, k in sizes.items()
    ]


def make() -> tuple[MultimodalVAE, Guide]:
    """Return a model with a learned prior, and a guide."""
    made = parts()
    return MultimodalVAE(made, D, prior=MixtureOfGaussians(D, num_components=4)), MoEMoments(made, D)


# [svi]
model, guide = make()
svi = SVI(model, guide, pyro.optim.Adam({"lr": 5e-3}), loss=Trace_ELBO())  # a stock bound: the sum over the batch
losses = [svi.step(batch) for _ in range(100)]

objective = mixing(guide.inputs, guide.inputs)  # a bound of this library: the mean over the batch
svi = SVI(model, guide, pyro.optim.Adam({"lr": 5e-3}), loss=objective)
svi.step(batch)

# [store]
path = Path(tempfile.mkdtemp()) / "weights.pyro"
pyro.get_param_store().save(path)
pyro.clear_param_store()

pyro.get_param_store().load(path)
again, reader = make()
take_from_store(again, reader)  # without it SVI, NUTS and Predictive refuse: the store would not be used

# [predictive]
seen = batch.given("sound")
draws = Predictive(again, guide=reader, num_samples=20)(seen)
print(draws["z"].shape, draws["motion"].shape)  # (20, 200, 2), (20, 200, 4)

# [nuts]
sampler = MCMC(NUTS(again.eval()), num_samples=20, warmup_steps=20, disable_progbar=True)
sampler.run(batch[:3])
print(sampler.get_samples()["z"].shape)  # (20, 3, 2)


# [flow]
class FlowGuide(Guide):
    """q(z | x) = a spline flow whose context are the features of what is observed."""

    def __init__(self, modalities: list[Modality], latent_dim: int) -> None:
        super().__init__(modalities, latent_dim)
        width = sum(self.feature_sizes.values()) + len(self.inputs)
        self.flow = zuko.flows.NSF(latent_dim, context=width, transforms=2, hidden_features=(32,))

    def posterior(self, batch: Batch) -> TorchDistribution:
        """Return the flow."""
        seen = self.observed(batch)  # (*lead, B, M)
        features = [f * seen[..., m : m + 1] for m, f in enumerate(self.features(batch))]
        return FlowDistribution(self.flow(torch.cat([*features, seen.to(features[0])], dim=-1)))

    def point(self, batch: Batch) -> Tensor:
        """Return what the flow makes of the centre of its base: its mean has no closed form."""
        flow = self.posterior(batch).flow
        return flow.transform.inv(flow.base.mean)


pyro.clear_param_store()
made = parts()
bent = FlowGuide(made, D)
svi = SVI(MultimodalVAE(made, D), bent, pyro.optim.Adam({"lr": 5e-3}), loss=mixing(bent.inputs, bent.inputs))
bent_losses = [svi.step(batch) for _ in range(100)]
# [end]
