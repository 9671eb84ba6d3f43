"""Compiled networks compute what they did; names, files and copies stay as they are."""

from __future__ import annotations

import copy

import lightning
import pytest
import torch
from support import build, common_noise, data, pair
from torch.utils.data import DataLoader

from pyro_mmvae import Batch, guides, load, save
from pyro_mmvae.compiling import compile_networks
from pyro_mmvae.export import export
from pyro_mmvae.training import Training


@pytest.fixture(autouse=True)
def _clean_dynamo():
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


@pytest.mark.parametrize("guide_name", guides.available())
def test_losses_and_gradients_stay(guide_name):
    model, guide = pair(guide_name)
    objective = build("mmvae" if guide.num_components > 1 else "mixing", guide)
    plain = objective(*copy.deepcopy((model, guide)))
    names = list(objective(model, guide).state_dict())
    compile_networks(model, guide, backend="eager")
    compiled = objective(model, guide)
    assert list(compiled.state_dict()) == names
    for batch in (Batch.of(data()), Batch.of(data())[:1], Batch.of(data())[:0], Batch.of(data())[:5]):
        found = []
        for loss in (plain, compiled):
            loss.zero_grad()
            with common_noise():
                value = loss(batch)
                value.backward()
            found.append([value.detach(), *(p.grad for p in loss.parameters() if p.grad is not None)])
        torch.testing.assert_close(found[1], found[0])


def test_a_compiled_pair_is_saved_exported_and_copied(tmp_path):
    model, guide = pair("poe")
    compile_networks(model, guide, backend="eager")
    batch = Batch.of(data())
    build("mixing", guide)(model, guide)(batch)
    save(tmp_path / "pair", model, guide)
    _, again = load(tmp_path / "pair")
    torch.testing.assert_close(again.point(batch), guide.point(batch))
    torch.testing.assert_close(copy.deepcopy(guide).point(batch), guide.point(batch))
    program = export(guide, batch).module()
    seen = {n: batch.data[n] for n in guide.inputs}, {n: batch.observed[n] for n in guide.inputs}
    torch.testing.assert_close(program(*seen)["z"], guide.point(batch))


def test_training_compiles_by_option(monkeypatch):
    made = []
    monkeypatch.setattr(torch.nn.Module, "compile", lambda module, **options: made.append(module))
    for compiled in (False, True):
        model, guide = pair("poe")
        training = Training(build("mixing", guide)(model, guide), compiled=compiled)
        for _ in range(2):
            trainer = lightning.Trainer(
                accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False, max_epochs=1
            )
            trainer.fit(training, DataLoader([Batch.of(data())], batch_size=None))
        assert made == ([*guide.encoders.values(), *model.decoders.values()] if compiled else [])


@pytest.mark.slow
def test_the_usual_backend_trains():
    model, guide = pair("gpoe")
    training = Training(build("mixing", guide)(model, guide), compiled=True)
    trainer = lightning.Trainer(
        accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False, max_epochs=2
    )
    trainer.fit(training, DataLoader([Batch.of(data())] * 2, batch_size=None))
    assert all(torch.isfinite(p).all() for p in training.parameters())
