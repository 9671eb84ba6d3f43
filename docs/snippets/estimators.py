"""Two guides on one model: log-likelihoods with error bars, conditionals, and a paired comparison."""

from __future__ import annotations

import torch
from torch.nn.functional import one_hot

from pyro_mmvae import Batch, Guide, Modality, MultimodalVAE
from pyro_mmvae.estimators import compare, conditional_log_likelihood, log_likelihood
from pyro_mmvae.guides.poe import PoE
from pyro_mmvae.guides.set import SetGuide
from pyro_mmvae.likelihoods import Bernoulli, Categorical
from pyro_mmvae.networks import MLPDecoder, MLPEncoder
from pyro_mmvae.objectives.mvae import mvae
from pyro_mmvae.objectives.smvae import smvae

D = 3
torch.manual_seed(0)
kind = torch.randint(3, (800,))
pattern = (torch.rand(3, 20)[kind] > 0.5).float()
image = torch.where(torch.rand(800, 20) < 0.1, 1 - pattern, pattern)
batch = Batch.of({"image": image, "label": one_hot(kind, 3).float()})
train, test = batch[:600], batch[600:]


def pair(guide_class: type[Guide]) -> tuple[MultimodalVAE, Guide]:
    """Return a model of its own and a guide."""
    parts = [
        Modality("image", Bernoulli((20,)), MLPDecoder(D, (20,), (32,)), MLPEncoder((20,), (32,))),
        Modality("label", Categorical(3), MLPDecoder(D, (3,), (32,)), MLPEncoder((3,), (32,))),
    ]
    return MultimodalVAE(parts, D), guide_class(parts, D)


# [train]
found = {}
for name, guide_class, objective in (("poe", PoE, mvae), ("set", SetGuide, smvae)):
    model, guide = pair(guide_class)
    loss = objective(["image", "label"], ["image", "label"])(model, guide)
    optimiser = torch.optim.Adam(loss.parameters(), lr=3e-3)
    for _ in range(300):
        optimiser.zero_grad()
        loss(train[torch.randperm(train.size)[:128]]).backward()
        optimiser.step()
    found[name] = log_likelihood(model, guide, test)  # log p(image, label) from q(z | image, label)
    print(name, found[name])  # mean, errors, ESS, k-hat

image_alone = log_likelihood(model, guide, test, of=["image"], given=["image"])
generated = conditional_log_likelihood(model, guide, test, of=["image"], on=["label"])
print(image_alone.summary()["mean"], generated.summary()["mean"])
print(compare(found).round(3).to_string())  # means, paired differences and their standard errors
