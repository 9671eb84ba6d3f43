"""Training: resumed runs and distributed runs end with the numbers of plain ones."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import lightning
import pytest
import torch
from support import build, data, pair

from pyro_mmvae import Batch
from pyro_mmvae.training import History, Training, batch_of

SCRIPT = Path(__file__).parent / "training_script.py"


def run(out, devices=1, epochs=4, resume="fresh", kill="never", noise="own", expect=0):
    out.mkdir(exist_ok=True)
    command = [sys.executable, str(SCRIPT), str(out), str(devices), str(epochs), resume, kill, noise]
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}, timeout=300
    )
    assert done.returncode == expect, done.stderr[-3000:]
    return torch.load(out / "result.pt", weights_only=True) if expect == 0 else None


def test_a_killed_run_resumes_to_the_same_numbers(tmp_path):
    whole = run(tmp_path / "whole")
    run(tmp_path / "cut", kill="2", expect=9)
    resumed = run(tmp_path / "cut", resume="resume")
    torch.testing.assert_close(resumed["state"], whole["state"], rtol=0, atol=0)
    assert resumed["rows"] == whole["rows"]
    with (tmp_path / "cut" / "history.csv").open() as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == ["0.0", "1.0", "2.0", "3.0"]


def test_two_processes_give_the_numbers_of_one(tmp_path):
    one = run(tmp_path / "one", noise="same", epochs=2)
    two = run(tmp_path / "two", noise="same", epochs=2, devices=2)
    for name, value in one["state"].items():
        torch.testing.assert_close(two["state"][name], value, rtol=1e-9, atol=1e-9, msg=name)
    for ours, theirs in zip(one["rows"], two["rows"], strict=True):
        assert ours["train/loss"] == pytest.approx(theirs["train/loss"], rel=1e-9)


def trainer(tmp_path, **options):
    return lightning.Trainer(
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        default_root_dir=tmp_path,
        **options,
    )


def test_a_diverged_run_stops_with_advice(tmp_path):
    model, guide = pair("poe")
    module = Training(build("mixing", guide)(model, guide), learning_rate=1e30)
    loader = torch.utils.data.DataLoader([Batch.of(data())] * 4, batch_size=None)
    with pytest.raises(FloatingPointError, match="Lower the learning rate"):
        trainer(tmp_path, max_epochs=3).fit(module, loader)


def test_the_loss_falls_and_the_parts_are_logged(tmp_path):
    model, guide = pair("gpoe")
    history = History(tmp_path / "history.csv")
    module = Training(build("mixing", guide)(model, guide), learning_rate=1e-2, warmup=2)
    loader = torch.utils.data.DataLoader([Batch.of(data())] * 8, batch_size=None)
    trainer(tmp_path, max_epochs=4, callbacks=[history]).fit(module, loader, loader)
    _, values = history.series("train/loss")
    assert values[-1] < values[0]
    assert {"val/loss", "train/kl|a", "train/log_prob/y|a+b+c"} <= set(history.rows[-1])


def test_learning_rates():
    model, guide = pair("poe")
    module = Training(build("mixing", guide)(model, guide), schedule="cosine", warmup=3)
    rates = [module._rate(step, 103) for step in range(104)]
    assert rates[:4] == [0.25, 0.5, 0.75, 1.0]
    assert rates[53] == pytest.approx(0.5)
    assert rates[103] == pytest.approx(0.0)


def test_anything_but_a_batch_is_refused():
    with pytest.raises(TypeError, match="expected a Batch"):
        batch_of({"a": torch.zeros(2)})


def test_parts_are_averaged_over_the_samples_that_have_them(tmp_path):
    """Batches of unequal numbers of observed samples: the epoch's mean is over samples, not over batches."""
    model, guide = pair("poe")
    masks = torch.arange(6) < 1, torch.arange(6) < 6
    batches = [Batch.of(data(), {"b": mask}) for mask in masks]
    history = History(tmp_path / "history.csv")
    module = Training(build("mixing", guide)(model, guide), learning_rate=0.0)
    loader = torch.utils.data.DataLoader(batches, batch_size=None)
    trainer(tmp_path, max_epochs=1, callbacks=[history]).fit(module, loader)
    rows = torch.cat([Batch.of(data())[mask].data["b"] for mask in masks])
    expected = torch.distributions.kl_divergence(guide.posterior(Batch.of({"b": rows})), model.prior()).mean()
    assert history.rows[0]["train/kl|b"] == pytest.approx(expected.item(), rel=1e-4)
