"""Training: resumed runs and distributed runs end with the numbers of plain ones."""

from __future__ import annotations

import copy
import csv
import math
import signal
from pathlib import Path

import lightning
import numpy as np
import pytest
import torch
from killed import run, same_when_killed
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import CSVLogger
from support import build, data, pair

from pyro_mmvae import Batch
from pyro_mmvae.batch import batch_of
from pyro_mmvae.learning_rate import LearningRate
from pyro_mmvae.training import History, Training


def test_a_killed_run_resumes_to_the_same_numbers(tmp_path):
    same_when_killed(tmp_path, (2, 1))
    with (tmp_path / "cut" / "history.csv").open() as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == ["0.0", "1.0", "2.0", "3.0"]


@pytest.mark.parametrize("persistent", [False, True])
@pytest.mark.parametrize("workers", [1, 2])
def test_workers_do_not_fetch_the_order_of_another_epoch(tmp_path, workers, persistent):
    same_when_killed(tmp_path, (2, 1), workers=workers, persistent=persistent)


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, {"workers": 1}, {"workers": 2, "persistent": True}])
def test_a_run_may_be_killed_again_and_again(tmp_path, options):
    same_when_killed(tmp_path, (1, 0), (1, 2), (3, 1), **options)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 1])
def test_two_processes_that_are_killed_resume_to_the_same_numbers(tmp_path, workers):
    same_when_killed(tmp_path, (2, 1), devices=2, workers=workers)


def test_the_number_of_workers_does_not_matter(tmp_path):
    plain, some = run(tmp_path / "plain"), run(tmp_path / "some", workers=2)
    torch.testing.assert_close(some["state"], plain["state"], rtol=0, atol=0)
    assert some["rows"] == plain["rows"]


def test_two_processes_give_the_numbers_of_one(tmp_path):
    one = run(tmp_path / "one", same_noise=True, epochs=2)
    two = run(tmp_path / "two", same_noise=True, epochs=2, devices=2)
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
    cosine = LearningRate("cosine", warmup=3)
    rates = [cosine.factor(step, 103) for step in range(104)]
    assert rates[:4] == [0.25, 0.5, 0.75, 1.0]
    assert rates[53] == pytest.approx(0.5)
    assert rates[103] == pytest.approx(0.0)
    exponential = LearningRate("exponential", warmup=1, decay=0.5)
    assert [exponential.factor(step, 9, 3) for step in range(9)] == [0.5, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25]
    assert [LearningRate(warmup=1).factor(step) for step in range(3)] == [0.5, 1, 1]


@pytest.mark.parametrize("options", [{"schedule": "linear"}, {"decay": 0.0}, {"decay": 1.1}, {"optimiser": "sgd"}])
def test_unknown_options_are_refused(options):
    model, guide = pair("poe")
    with pytest.raises(ValueError, match=next(iter(options))):
        Training(build("mixing", guide)(model, guide), **options)


class Rates(Callback):
    """Keeps the learning rate of every step."""

    def __init__(self):
        self.seen = []

    def on_train_batch_start(self, trainer, *_):
        self.seen.append(trainer.optimizers[0].param_groups[0]["lr"])


@pytest.mark.parametrize("optimiser", ["adam", "rmsprop"])
def test_the_rate_decays_after_every_epoch(tmp_path, optimiser):
    model, guide = pair("poe")
    module = Training(
        build("mixing", guide)(model, guide), learning_rate=0.1, optimiser=optimiser, schedule="exponential", decay=0.9
    )
    rates, loader = Rates(), torch.utils.data.DataLoader([Batch.of(data())] * 4, batch_size=None)
    trainer(tmp_path, max_epochs=3, callbacks=[rates], accumulate_grad_batches=2).fit(module, loader)
    assert rates.seen == pytest.approx([0.1] * 4 + [0.09] * 4 + [0.081] * 4)


def test_rmsprop_takes_the_steps_of_torch(tmp_path):
    torch.manual_seed(0)
    model, guide = pair("poe")
    loss = build("mixing", guide)(model, guide)
    reference = copy.deepcopy(loss)
    module = Training(loss, learning_rate=1e-2, optimiser="rmsprop", weight_decay=0.1)
    loader = torch.utils.data.DataLoader([Batch.of(data())], batch_size=None)
    trainer(tmp_path, max_epochs=1).fit(module, loader)
    optimiser = torch.optim.RMSprop(reference.parameters(), lr=1e-2, weight_decay=0.1)
    state = np.random.SeedSequence([0, 0, 0]).generate_state(2)
    torch.manual_seed(int(state[0]) << 32 | int(state[1]))
    reference(Batch.of(data())).backward()
    optimiser.step()
    for ours, theirs in zip(loss.parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_a_process_without_a_sample_in_the_last_batch_changes_nothing(tmp_path):
    found = []
    for empty in (0, 1):
        torch.manual_seed(0)
        model, guide = pair("poe")
        whole, history = Batch.of(data()), History(tmp_path / "history.csv")
        held_out = torch.utils.data.DataLoader([whole] + [whole[:0]] * empty, batch_size=None)
        train = torch.utils.data.DataLoader([whole], batch_size=None)
        module = Training(build("mixing", guide)(model, guide))
        trainer(tmp_path, max_epochs=1, callbacks=[history]).fit(module, train, held_out)
        found.append(history.rows[0]["val/loss"])
    assert found[0] == found[1]


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


def test_checkpoints_of_the_middle_of_an_epoch_are_refused(tmp_path):
    run(tmp_path, kill=(2, 1), every_n_train_steps=2, expect=-signal.SIGKILL)
    run(tmp_path, resume=True, expect=1)
    assert "in the middle of an epoch" in (tmp_path / "errors.txt").read_text()


def test_plain_loaders_with_workers_are_warned_of(tmp_path):
    run(tmp_path, kill=(2, 1), workers=1, plain_loader=True, expect=-signal.SIGKILL)
    run(tmp_path, workers=1, plain_loader=True, resume=True)
    assert "EpochLoader" in (tmp_path / "errors.txt").read_text()


class TestLoggers:
    """Every logger and callback of Lightning has the means, without `History`."""

    def trainer(self, **options):
        common = {"accelerator": "cpu", "enable_progress_bar": False, "enable_model_summary": False, "max_epochs": 2}
        return lightning.Trainer(**{**common, "logger": False, "enable_checkpointing": False, **options})

    def test_a_logger_of_lightning_has_the_means(self, tmp_path):
        logger = CSVLogger(tmp_path)
        history = History(tmp_path / "history.csv")
        self.trainer(logger=logger, log_every_n_steps=1, callbacks=[history]).fit(Training(small_loss()), *loaders())
        with Path(logger.log_dir, "metrics.csv").open() as file:
            rows = [row for row in csv.DictReader(file) if row["val/loss"]]
        assert [float(row["val/loss"]) for row in rows] == pytest.approx(history.series("val/loss")[1])
        assert {"train/loss", "val/kl|a", "train/kl|a"} <= set(rows[0])

    @pytest.mark.parametrize("stage", ["val", "test"])
    def test_validate_and_test_return_means_over_samples(self, stage):
        loss = small_loss().eval()
        batches = [Batch.of(data())[:4], Batch.of(data())[4:]]
        trainer = self.trainer()
        run = trainer.validate if stage == "val" else trainer.test
        (found,) = run(Training(loss), torch.utils.data.DataLoader(batches, batch_size=None), verbose=False)
        assert math.isfinite(found[f"{stage}/loss"])
        assert f"{stage}/kl|a" in found

    def test_any_mean_can_be_monitored(self):
        stop = lightning.pytorch.callbacks.EarlyStopping("val/kl|a", patience=1, mode="max")
        self.trainer(callbacks=[stop]).fit(Training(small_loss()), *loaders())
        assert stop.best_score.isfinite()


def loaders():
    batch = Batch.of(data())
    return [torch.utils.data.DataLoader([batch, batch], batch_size=None) for _ in range(2)]


def small_loss():
    model, guide = pair("poe")
    return build("mixing", guide)(model, guide)


class _Later(torch.utils.data.IterableDataset):
    """Batches of its own for each epoch."""

    def __init__(self, epochs):
        self.epochs = iter(epochs)

    def __iter__(self):
        return iter(next(self.epochs))


def test_a_mean_over_nothing_is_not_that_of_an_earlier_epoch(tmp_path):
    """A resumed run does not know the earlier one, and would have another history."""
    model, guide = pair("poe")
    epochs = [[Batch.of(data())], [Batch.of(data(), {"b": torch.zeros(6, dtype=torch.bool)})], [Batch.of(data())]]
    history = History(tmp_path / "history.csv")
    loader = torch.utils.data.DataLoader(_Later(epochs), batch_size=None)
    fitted = Training(build("mixing", guide)(model, guide))
    trainer(tmp_path, max_epochs=3, callbacks=[history]).fit(fitted, loader)
    assert ["train/kl|b" in row for row in history.rows] == [True, False, True]
