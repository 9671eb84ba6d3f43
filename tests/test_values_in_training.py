"""Batches of every size and of other types than the networks', through a whole training."""

from __future__ import annotations

import math

import lightning
import pytest
import torch
from support import build, data, pair
from torch.utils.data import DataLoader

from pyro_mmvae import Batch
from pyro_mmvae.training import History, Training


def as_it_is(batch):
    return batch


def fit(tmp_path, batches, **options):
    torch.manual_seed(0)
    model, guide = pair("poe")
    loss = build("mixing", guide)(model, guide)
    history = History(tmp_path / "history.csv")
    trainer = lightning.Trainer(
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        callbacks=[history],
        max_epochs=1,
        **options,
    )
    loader = DataLoader(batches, batch_size=None, collate_fn=as_it_is)
    trainer.fit(Training(loss, learning_rate=0.0), loader, loader)
    return history.rows[0], loss


@pytest.mark.parametrize("place", [0, 1, 3])
def test_an_empty_batch_changes_no_mean_of_an_epoch(tmp_path, place):
    """Wherever it is; what depends on the noise, which is of a batch's place, is compared by name alone."""
    whole = Batch.of(data(), {"a": torch.arange(6) % 2 == 0})
    batches = [whole[:1], whole[1:3], whole[3:]]
    with_empty = [*batches[:place], whole[:0], *batches[place:]]
    rows = []
    for number, several in enumerate((batches, with_empty)):
        (tmp_path / str(number)).mkdir()
        row, loss = fit(tmp_path / str(number), several)
        rows.append(row)
        assert all(torch.isfinite(p).all() for p in loss.parameters())
    assert rows[0].keys() == rows[1].keys()
    for name, value in rows[0].items():
        if "kl|" in name:  # in closed form, whatever the noise
            assert rows[1][name] == pytest.approx(value, rel=1e-5), name
        assert math.isfinite(rows[1][name]), name


def test_an_epoch_of_empty_batches_alone(tmp_path):
    row, _ = fit(tmp_path, [Batch.of(data())[:0]] * 2)
    assert not any("kl|" in name for name in row)  # a mean over nothing is left out


@pytest.mark.parametrize("precision", ["64-true", "bf16-true", "16-true", "bf16-mixed"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16])
def test_true_precision(tmp_path, precision, dtype):
    row, loss = fit(tmp_path, [Batch.of(data(dtype=dtype))], precision=precision)
    expected = {"64-true": torch.float64, "bf16-true": torch.bfloat16, "16-true": torch.float16}
    assert {p.dtype for p in loss.parameters()} == {expected.get(precision, torch.float32)}
    assert math.isfinite(row["train/loss"])
