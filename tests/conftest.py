"""Shared fixtures: the reference model, and a clean Pyro for every test."""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # tests run in as many processes as there are cores; before PyTorch

import pyro
import pytest
import torch

from pyro_mmvae.linear_gaussian import LinearGaussian


@pytest.fixture(autouse=True)
def _clean_pyro():
    pyro.clear_param_store()
    torch.manual_seed(0)
    with pyro.validation_enabled(True):
        yield


@pytest.fixture
def truth() -> LinearGaussian:
    """Three modalities of unequal size and noise, two latent dimensions, float64."""
    return LinearGaussian({"a": 3, "b": 2, "c": 4}, latent_dim=2, seed=1)
