"""Options of Lightning's Trainer: what the page "With Lightning" says of them."""

from __future__ import annotations

import contextlib
import copy
import math
from pathlib import Path

import lightning
import pytest
import torch
import yaml
from lightning.pytorch.callbacks import (
    Callback,
    EarlyStopping,
    EMAWeightAveraging,
    ModelCheckpoint,
    StochasticWeightAveraging,
    WeightAveraging,
)
from lightning.pytorch.loggers import CSVLogger
from support import TARGETS, data, pair
from torch.utils.data import DataLoader

from pyro_mmvae import Batch, Schedule, objectives
from pyro_mmvae.checkpoints import load_checkpoint
from pyro_mmvae.training import History, Training

PLAIN = {
    "accelerator": "cpu",
    "logger": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
    "enable_checkpointing": False,
    "max_epochs": 1,
}


def trainer(**options):
    return lightning.Trainer(**{**PLAIN, **options})


def module(kind=Training, beta=1.0, **options):
    model, guide = pair("poe")
    loss = objectives.load("mixing")(guide.inputs, TARGETS, beta=beta)(model, guide)
    return kind(loss, **{"learning_rate": 1e-2, **options})


def loader(number=4):
    return DataLoader([Batch.of(data())] * number, batch_size=None)


def weights(training):
    return {name: p.detach().clone() for name, p in training.named_parameters()}


def checkpoint(folder, **options):
    return ModelCheckpoint(folder, **{"save_on_train_epoch_end": True, **options})


# -- noise


class Noting(Training):
    """Notes the seed of every batch and the mean of the loss."""

    def training_step(self, batch, batch_idx):
        self.seeds = [*getattr(self, "seeds", []), torch.initial_seed()]
        return super().training_step(batch, batch_idx)


@pytest.mark.parametrize("accumulated", [1, 3])
def test_no_two_batches_share_their_noise(accumulated):
    """Neither those whose gradients are accumulated, nor those of several fits of one module, aborted ones too."""
    training = module(Noting)
    for aborted in (False, True, False):
        with contextlib.suppress(RuntimeError):
            callbacks = [Abort(RuntimeError("a full disk"))] if aborted else []
            trainer(max_epochs=2, accumulate_grad_batches=accumulated, callbacks=callbacks).fit(training, loader())
    assert len(training.seeds) == len(set(training.seeds)) == 8 + 2 + 8


def test_accumulated_gradients_are_the_mean_over_batches():
    training = module(optimiser="rmsprop", learning_rate=0.0)
    reference = copy.deepcopy(training.loss)
    seen = {}

    class Look(Callback):
        def on_before_optimizer_step(self, trainer, pl_module, optimizer):
            seen.update({n: p.grad.clone() for n, p in pl_module.loss.named_parameters() if p.grad is not None})

    noted = module(Noting)
    trainer(max_epochs=1).fit(noted, loader(3))  # the seeds of three batches
    trainer(accumulate_grad_batches=3, callbacks=[Look()]).fit(training, loader(3))
    for seed in noted.seeds:
        torch.manual_seed(seed)
        (reference(Batch.of(data())) / 3).backward()
    for name, p in reference.named_parameters():
        if p.grad is not None:
            torch.testing.assert_close(seen[name], p.grad)


# -- numbers


@pytest.mark.parametrize("precision", ["16-true", "16-mixed", "bf16-true", "bf16-mixed", "32-true", "64-true"])
@pytest.mark.parametrize("clip", [None, "norm", "value"])
def test_precisions_and_clipping(precision, clip):
    if precision == "16-mixed":
        pytest.skip("Lightning has it on accelerators alone")
    norms = []

    class Look(Callback):
        def on_before_zero_grad(self, trainer, pl_module, optimizer):
            found = [p.grad.float().flatten() for p in pl_module.parameters() if p.grad is not None]
            if found:
                whole = torch.cat(found)
                norms.append(float(whole.norm() if clip == "norm" else whole.abs().max()))

    options = {} if clip is None else {"gradient_clip_val": 1e-2, "gradient_clip_algorithm": clip}
    training = module()
    before = weights(training)
    trainer(precision=precision, max_epochs=2, callbacks=[Look()], **options).fit(training, loader(2), loader(1))
    after = weights(training)
    assert all(torch.isfinite(value).all() for value in after.values())
    assert any(not torch.equal(after[n].float(), before[n]) for n in before)
    assert norms
    assert clip is None or max(norms) <= 1e-2 * 1.02
    assert clip is not None or max(norms) > 1e-2


def test_the_loop_may_be_cut_everywhere():
    """Each of these ends, and has the means of what it saw."""
    for options in (
        {"fast_dev_run": 2},
        {"limit_train_batches": 2, "limit_val_batches": 1},
        {"max_steps": 3, "max_epochs": -1},
        {"overfit_batches": 1},
        {"max_time": {"seconds": 0}},
        {"val_check_interval": 0.5},
        {"check_val_every_n_epoch": 2, "max_epochs": 2},
        {"num_sanity_val_steps": 2},
        {"detect_anomaly": True},
        {"inference_mode": False},
        {"barebones": True, "enable_checkpointing": None, "logger": None},
        {"log_every_n_steps": 1},
        {"reload_dataloaders_every_n_epochs": 1, "max_epochs": 2},
        {"profiler": "simple"},
        {"deterministic": "warn"},
    ):
        barebones = {"enable_progress_bar": None, "enable_model_summary": None} if "barebones" in options else {}
        run, training = trainer(**{**options, **barebones}), module()
        run.fit(training, loader(), loader(2))
        assert all(torch.isfinite(value).all() for value in weights(training).values())
        if not barebones and "max_time" not in options:
            assert math.isfinite(run.callback_metrics["train/loss"]), options


# -- monitors, loggers, validate and test


def every_name():
    run = trainer()
    run.fit(module(), loader(1), loader(1))
    return sorted(name for name in run.callback_metrics if "/" in name)


def test_every_part_can_be_monitored(tmp_path):
    names = every_name()
    assert {"train/loss", "val/loss", "val/kl|a", "train/log_prob/y|a+b+c"} <= set(names)
    stops = [EarlyStopping(name, patience=9) for name in names]
    files = [checkpoint(tmp_path / str(i), monitor=name) for i, name in enumerate(names)]
    trainer(max_epochs=2, callbacks=[*stops, *files], enable_checkpointing=True).fit(module(), loader(1), loader(1))
    assert all(stop.best_score.isfinite() for stop in stops)
    assert all(math.isfinite(file.best_model_score) for file in files)


def test_a_run_that_a_validation_in_its_middle_stops_has_the_means_of_the_cut_epoch(tmp_path):
    stop = EarlyStopping("val/loss", patience=0, mode="max", check_on_train_epoch_end=False)
    run, training = trainer(callbacks=[stop], val_check_interval=1, max_epochs=3), module()
    run.fit(training, loader(8), loader(1))
    assert run.global_step < 8
    assert math.isfinite(run.callback_metrics["train/loss"])


@pytest.mark.parametrize("several", [False, True])
def test_hyperparameters_and_means_are_in_the_loggers_that_the_trainer_has(tmp_path, several):
    found = [CSVLogger(tmp_path / str(i)) for i in range(1 + several)]
    run = trainer(logger=found if several else found[0], log_every_n_steps=1)
    run.fit(module(weight_decay=0.5, schedule="cosine", trainable=["model", "guide.heads"]), loader(), loader(1))
    for logger in found:
        folder = Path(logger.log_dir)
        options = yaml.safe_load((folder / "hparams.yaml").read_text())
        assert options == {
            "learning_rate": 1e-2,
            "weight_decay": 0.5,
            "optimiser": "adam",
            "schedule": "cosine",
            "warmup": 0,
            "decay": 0.99,
            "seed": 0,
            "trainable": ["model", "guide.heads"],
            "compiled": False,
        }
        assert "val/loss" in (folder / "metrics.csv").read_text()


@pytest.mark.parametrize("inference_mode", [True, False])
@pytest.mark.parametrize("stage", ["validate", "test"])
def test_validate_and_test_give_means_over_samples_and_change_nothing(stage, inference_mode):
    training, batch = module(beta=Schedule(0.0, 1.0, steps=4)), Batch.of(data())
    before, run = weights(training), trainer(inference_mode=inference_mode)
    parts = DataLoader([batch[:1], batch[1:]], batch_size=None)
    (found,) = getattr(run, stage)(training, parts, verbose=False)
    (again,) = getattr(run, stage)(training, parts, verbose=False)
    name = "val" if stage == "validate" else "test"
    expected = torch.distributions.kl_divergence(
        training.loss.guide.posterior(batch.given("a")), training.loss.model.prior()
    ).mean()
    for result in (found, again):
        assert result[f"{name}/kl|a"] == pytest.approx(expected.item(), rel=1e-5)
    assert training.loss.elbo.step == 0
    assert all(torch.equal(value, before[n]) for n, value in weights(training).items())


def test_predict_says_what_does_it():
    with pytest.raises(NotImplementedError, match=r"pyro_mmvae\.predictive"):
        trainer().predict(module(), loader(1))


# -- several fits, aborted fits


class Abort(Callback):
    """Ends a fit in the middle of an epoch."""

    def __init__(self, error):
        self.error = error

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if batch_idx == 2:
            raise self.error


@pytest.mark.parametrize("error", [RuntimeError("a full disk"), KeyboardInterrupt()])
def test_an_aborted_fit_leaves_nothing_behind(error):
    training = module(trainable=["guide"])
    with contextlib.suppress(RuntimeError, SystemExit, KeyboardInterrupt):  # what is raised depends on the version
        trainer(callbacks=[Abort(error)]).fit(training, loader())
    assert all(p.requires_grad for p in training.parameters())
    fresh = module(trainable=["guide"], learning_rate=0.0)
    fresh.loss.load_state_dict(training.loss.state_dict())
    training.learning_rate = 0.0
    found = []
    for one in (training, fresh):
        run = trainer()
        run.fit(one, loader())
        found.append(run.callback_metrics["train/kl|a"].item())
    assert found[0] == pytest.approx(found[1], rel=1e-6)


@pytest.mark.parametrize("same_trainer", [True, False])
def test_one_module_may_be_fitted_several_times(same_trainer):
    training = module(beta=Schedule(0.0, 1.0, steps=8))
    run, before = trainer(), weights(training)
    for number in range(3):
        if not same_trainer:
            run = trainer()
        run.fit_loop.max_epochs = number + 1 if same_trainer else 1
        run.fit(training, loader(), loader(1))
        after = weights(training)
        assert any(not torch.equal(after[n], before[n]) for n in after)
        before = after
    assert training.loss.elbo.step == 12
    assert sum(type(c).__name__ == "_TeardownWhenAborted" for c in run.callbacks) == 1


# -- checkpoints and averages


def test_load_from_checkpoint(tmp_path):
    training = module(beta=Schedule(0.0, 1.0, steps=8), weight_decay=0.25, seed=3, trainable=["guide"])
    trainer(callbacks=[checkpoint(tmp_path, filename="last")], enable_checkpointing=True).fit(training, loader())
    path = tmp_path / "last.ckpt"
    load_checkpoint(path)  # plain values and tensors alone
    fresh = module(beta=Schedule(0.0, 1.0, steps=8)).loss
    again = Training.load_from_checkpoint(path, loss=fresh)
    for name, value in weights(again).items():
        assert torch.equal(value, weights(training)[name])
    assert again.loss.elbo.step == 4
    assert (again.weight_decay, again.seed, again.trainable) == (0.25, 3, ("guide",))
    assert Training.load_from_checkpoint(path, loss=fresh, seed=4).seed == 4
    with pytest.raises(TypeError, match="loss=objective"):
        Training.load_from_checkpoint(path)


class Ends(Callback):
    """Keeps the weights after every step."""

    def __init__(self):
        self.steps = []

    def on_train_batch_end(self, trainer, pl_module, *_):
        self.steps.append(weights(pl_module))


def mean(states):
    return {name: torch.stack([state[name] for state in states]).mean(0) for name in states[0]}


def test_stochastic_weight_averaging_ends_with_the_mean_of_its_epochs():
    """Lightning takes the weights at the start of every epoch from `swa_epoch_start` on, counted from 1."""
    ends, training = Ends(), module()
    start = weights(training)
    average = StochasticWeightAveraging(swa_lrs=1e-2, swa_epoch_start=1, annealing_epochs=1)
    trainer(max_epochs=4, callbacks=[ends, average]).fit(training, loader(2))
    expected = mean([start, ends.steps[1], ends.steps[3], ends.steps[5]])
    for name, value in weights(training).items():
        torch.testing.assert_close(value, expected[name], atol=1e-6, rtol=0)


@pytest.mark.parametrize("kind", [WeightAveraging, EMAWeightAveraging])
def test_averaged_weights_are_those_of_validation_checkpoint_and_end(tmp_path, kind):
    ends, training = Ends(), module(beta=Schedule(0.0, 1.0, steps=100))
    average = kind() if kind is WeightAveraging else kind(decay=0.5)
    history = History(tmp_path / "history.csv")
    last = checkpoint(tmp_path, filename="last")
    run = trainer(max_epochs=2, callbacks=[ends, average, history, last], enable_checkpointing=True)
    run.fit(training, loader(3), loader(1))
    if kind is WeightAveraging:
        expected = mean(ends.steps)
    else:
        expected = ends.steps[0]
        for state in ends.steps[1:]:
            expected = {n: 0.5 * expected[n] + 0.5 * state[n] for n in state}
    for name, value in weights(training).items():
        torch.testing.assert_close(value, expected[name], atol=1e-6, rtol=0)
    # A file of averaged weights has the step count of the run, not that of the copy when it was made.
    again = Training.load_from_checkpoint(tmp_path / "last.ckpt", loss=module(beta=Schedule(0.0, 1.0, steps=100)).loss)
    assert again.loss.elbo.step == 6
    kl = torch.distributions.kl_divergence(
        again.loss.guide.posterior(Batch.of(data()).given("a")), again.loss.model.prior()
    ).mean()
    assert history.rows[-1]["val/kl|a"] == pytest.approx(kl.item(), rel=1e-4)


def test_a_run_with_averages_resumes_to_the_same_numbers(tmp_path):
    found = []
    for cut in (False, True):
        folder = tmp_path / str(cut)
        path = None
        for epochs in (2, 4) if cut else (4,):
            torch.manual_seed(0)
            training = module(beta=Schedule(0.0, 1.0, steps=8))
            callbacks = [
                EMAWeightAveraging(decay=0.5),
                checkpoint(folder, filename="last", enable_version_counter=False),
            ]
            run = trainer(max_epochs=epochs, callbacks=callbacks, enable_checkpointing=True)
            run.fit(training, loader(), ckpt_path=path, weights_only=True)
            path = folder / "last.ckpt"
        found.append(weights(training))
    for name, value in found[0].items():
        torch.testing.assert_close(found[1][name], value, rtol=0, atol=0)
