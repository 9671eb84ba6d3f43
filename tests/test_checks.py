"""Values that do not belong to their likelihood are refused, in training and in estimators."""

import pytest
import torch
from torch import nn
from torch.nn.functional import one_hot

from pyro_mmvae import Batch, Modality, MultimodalVAE
from pyro_mmvae.estimators import log_likelihood, to_inference_data
from pyro_mmvae.guides.poe import PoE
from pyro_mmvae.likelihoods import Bernoulli, Categorical, Normal
from pyro_mmvae.objectives.extended import extended

LATENT, SIZE = 3, 8
LABELS = one_hot(torch.arange(SIZE) % 3, 3).float()


def parts(likelihood):
    """One modality that is seen, and one that is decoded alone: no encoder looks at its shape."""
    return [
        Modality("x", Normal((2,)), nn.Linear(LATENT, 2), nn.Linear(2, 4), 4),
        Modality(
            "y",
            likelihood,
            nn.Sequential(nn.Linear(LATENT, likelihood.param_size), nn.Unflatten(1, likelihood.param_shape)),
        ),
    ]


def uses(likelihood, y, observed=None):
    modalities = parts(likelihood)
    model, guide = MultimodalVAE(modalities, LATENT), PoE(modalities, LATENT)
    batch = Batch.of({"x": torch.randn(SIZE, 2), "y": y}, observed={} if observed is None else {"y": observed})
    return {
        "train": lambda: extended(["x"], ["x", "y"])(model, guide)(batch),
        "estimate": lambda: log_likelihood(model, guide, batch, of=["y"], num_samples=30),
        "arviz": lambda: to_inference_data(model, guide, batch, num_samples=5),
    }


USES = ("train", "estimate", "arviz")


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize(
    ("likelihood", "shape"),
    [
        (Categorical(3), (5,)),
        (Categorical(3), (2,)),
        (Categorical(3), (1,)),
        (Normal((6,)), (1,)),
        (Normal((6,)), ()),
        (Bernoulli((2, 3)), (1, 1)),
        (Bernoulli((2, 3)), (6,)),
    ],
)
def test_other_shapes_are_not_broadcast(use, likelihood, shape):
    with pytest.raises(ValueError, match=r"'y': its likelihood .* is of values of shape"):
        uses(likelihood, torch.zeros(SIZE, *shape))[use]()


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize(
    ("likelihood", "y"),
    [
        (Categorical(3), torch.full((SIZE, 3), 1 / 3)),
        (Categorical(3), torch.zeros(SIZE, 3)),
        (Bernoulli((4,)), torch.full((SIZE, 4), 0.5)),
    ],
)
def test_values_that_cannot_be_generated(use, likelihood, y):
    with pytest.raises(ValueError, match="cannot generate"):
        uses(likelihood, y)[use]()


@pytest.mark.parametrize("use", USES)
def test_what_is_missing_may_hold_anything(use):
    y = LABELS.clone()
    y[2:] = 0.0
    uses(Categorical(3), y, torch.arange(SIZE) < 2)[use]()


def test_an_empty_batch_is_refused():
    modalities = parts(Categorical(3))
    model, guide = MultimodalVAE(modalities, LATENT), PoE(modalities, LATENT)
    batch = Batch.of({"x": torch.randn(SIZE, 2), "y": LABELS})[:0]
    with pytest.raises(ValueError, match="at least one data point"):
        log_likelihood(model, guide, batch)
