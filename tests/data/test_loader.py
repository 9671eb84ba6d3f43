"""Loaders: an epoch is what its number says, and begins when its first batch is asked for."""

import pytest
import torch

from pyro_mmvae import Batch
from pyro_mmvae.data.loader import make_loader
from pyro_mmvae.data.samples import InMemory

VALUES = InMemory(Batch.of({"row": torch.arange(12.0)[:, None]}))


def rows(batches):
    return [batch.data["row"].flatten().tolist() for batch in batches]


@pytest.mark.parametrize("persistent", [False, True])
@pytest.mark.parametrize("workers", [0, 1, 2])
def test_an_epoch_that_is_chosen_after_iter_is_the_one_that_is_loaded(workers, persistent):
    def loader():
        return make_loader(VALUES, 4, shuffle=True, workers=workers, persistent=persistent)

    expected = loader()
    expected.sampler.set_epoch(5)
    late = loader()
    batches = iter(late)
    late.sampler.set_epoch(5)
    assert rows(batches) == rows(expected)


def test_numbers_of_batches():
    assert len(make_loader(VALUES, 5)) == 3
    assert len(make_loader(VALUES, 5, shuffle=True)) == 2
    assert len(make_loader(VALUES, 50, shuffle=True)) == 1
