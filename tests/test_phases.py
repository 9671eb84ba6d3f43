"""Phases: each trains what it names and nothing else, and a run that is killed in any of them ends the same."""

from __future__ import annotations

import copy
import csv
import re

import lightning
import pytest
import torch
from killed import run, same_when_killed
from support import LATENT, SIZES, build, data
from torch import nn

from pyro_mmvae import Batch, IncompatibleError, Modality, MultimodalVAE, guides
from pyro_mmvae.data.loader import EpochLoader, make_loader
from pyro_mmvae.data.samples import InMemory
from pyro_mmvae.history import History
from pyro_mmvae.likelihoods.normal import Normal
from pyro_mmvae.objectives.mixing import mixing
from pyro_mmvae.phases import Phase, fit_phases
from pyro_mmvae.training import Training

PHASES = [[2, ["guide", "model.decoders"]], [2, ["guide.heads.a"]], [2, ["model", "guide"]]]


@pytest.mark.parametrize("kill", [(1, 0), (2, 0), (3, 1), (4, 2), (5, 1)])
def test_a_run_killed_in_any_phase_ends_the_same(tmp_path, kill):
    rows = same_when_killed(tmp_path, kill, phases=PHASES)
    assert [row["phase"] for row in rows] == [0, 0, 1, 1, 2, 2]
    assert [row["epoch"] for row in rows] == list(range(6))
    assert [row["step"] for row in rows] == [3.0 * (epoch + 1) for epoch in range(6)]
    with (tmp_path / "cut" / "history.csv").open() as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == [f"{epoch}.0" for epoch in range(6)]


def test_a_run_killed_in_every_phase_with_workers_ends_the_same(tmp_path):
    same_when_killed(tmp_path, (1, 2), (3, 0), (5, 1), phases=PHASES, workers=2, persistent=True)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 1])
def test_two_processes_killed_in_every_phase_end_the_same(tmp_path, workers):
    same_when_killed(tmp_path, (1, 2), (2, 1), (5, 1), phases=PHASES, workers=workers, devices=2)


@pytest.mark.slow
def test_two_processes_train_in_phases_as_one_does(tmp_path):
    phases = [[1, ["guide.heads.a"]], [1, ["model", "guide"]]]
    one = run(tmp_path / "one", same_noise=True, phases=phases)
    two = run(tmp_path / "two", same_noise=True, phases=phases, devices=2)
    torch.testing.assert_close(two["state"], one["state"], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("kill", [(1, 1), (2, 1), (3, 1)])
def test_a_phase_that_stopped_early_is_over(tmp_path, kill):
    """The loss hardly falls by 0.5 in an epoch, so that every phase stops after its second."""
    rows = same_when_killed(tmp_path, kill, phases=[[5, ["model", "guide"]], [5, ["model", "guide"]]], patience=1)
    assert [row["phase"] for row in rows] == [0, 0, 1, 1]
    assert [row["epoch"] for row in rows] == [0, 1, 2, 3]


def test_a_run_that_is_over_can_be_resumed(tmp_path):
    for options in ({"phases": PHASES}, {"phases": [[5, ["model"]], [5, ["model", "guide"]]], "patience": 1}):
        whole = run(tmp_path, **options)
        again = run(tmp_path, resume=True, **options)
        torch.testing.assert_close(again["state"], whole["state"], rtol=0, atol=0)
        assert again["rows"] == whole["rows"]


def test_one_phase_is_a_plain_run(tmp_path):
    plain, phase = run(tmp_path / "plain", epochs=2), run(tmp_path / "phase", phases=[[2, ["model", "guide"]]])
    torch.testing.assert_close(phase["state"], plain["state"], rtol=0, atol=0)
    assert phase["rows"] == plain["rows"]
    assert "phase" not in plain["rows"][0]


def test_another_plan_is_refused(tmp_path):
    run(tmp_path, phases=PHASES[:2])
    run(tmp_path, phases=PHASES, resume=True, expect=1)
    assert "2 phases, not of 3" in (tmp_path / "errors.txt").read_text()


def of_other_networks(checkpoint):
    names = list(checkpoint["state_dict"])
    return {**checkpoint, "state_dict": {name: torch.ones(7) for name in names}}


def lost(*names):
    return lambda checkpoint: {name: value for name, value in checkpoint.items() if name not in names}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda _: {}, "is not a checkpoint from which a run goes on (KeyError('loops'))"),
        (lost("state_dict"), "holds no trained model and guide"),
        (lost("callbacks"), "is not a checkpoint from which a run goes on"),
        (lost("optimizer_states", "lr_schedulers"), "is not a checkpoint from which this run goes on (KeyError"),
        (lambda c: {**c, "loops": [1]}, "is not a checkpoint from which a run goes on (TypeError"),
        (lambda c: {**c, "global_step": "x"}, "expected counts"),
        (lambda c: {**c, "optimizer_states": [{}]}, "is not a checkpoint from which this run goes on"),
        (of_other_networks, "is of another model, guide or objective: "),
    ],
)
def test_foreign_checkpoints_are_refused_in_one_line(tmp_path, change, message):
    def fit(epochs, last=None):
        model, guide = networks()
        phases = [Phase(objective(guide), epochs)]
        return fit_phases(phases, model, guide, Memory(), make_trainer=make_trainer(tmp_path), last=last).trainer

    fit(1).save_checkpoint(path := tmp_path / "last.ckpt")
    torch.save(change(torch.load(path, weights_only=True)), path)
    with pytest.raises(ValueError, match=re.escape(path.name)) as error:
        fit(2, path)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


class Seen(InMemory):
    """Notes what it is asked for."""

    def __init__(self, values):
        super().__init__(values)
        self.asked = []

    def batch(self, draws):
        self.asked.append((draws.epoch, draws.rows.tolist()))
        return super().batch(draws)


def test_orders_go_on_over_phases(tmp_path):
    model, guide = networks()
    seen = Seen(Batch.of({n: data()[n] for n in SIZES}))
    memory = Memory()
    memory.train_dataloader = lambda: make_loader(seen, 6, shuffle=True)
    memory.val_dataloader = lambda: []
    phases = [Phase(objective(guide), 2, ("guide",)), Phase(objective(guide), 2)]
    fit_phases(phases, model, guide, memory, make_trainer=make_trainer(tmp_path))
    assert [epoch for epoch, _ in seen.asked] == [0, 1, 2, 3]
    assert len({tuple(rows) for _, rows in seen.asked}) == 4


def test_noise_differs_between_phases(tmp_path):
    """Nothing is learnt, so that the same noise in the same order would give the same losses."""
    rows = run(tmp_path, phases=[[1, ["model", "guide"]]] * 2, learning_rate=0.0)["rows"]
    assert rows[0]["train/loss"] != rows[1]["train/loss"]


# What is frozen -----------------------------------------------------------------------------------------------------


def networks():
    """Return a model and a guide with all that moves without a gradient: running averages, dropout, power iteration."""

    def network(inputs, outputs):
        body = nn.utils.parametrizations.spectral_norm(nn.Linear(inputs, 5))
        return nn.Sequential(body, nn.BatchNorm1d(5), nn.Dropout(0.5), nn.Linear(5, outputs))

    parts = [Modality(n, Normal((k,), scale=0.5), network(LATENT, k), network(k, 5)) for n, k in SIZES.items()]
    return MultimodalVAE(parts, LATENT), guides.load("gpoe")(parts, LATENT)


class Memory(lightning.LightningDataModule):
    def train_dataloader(self):
        return EpochLoader([Batch.of({n: data()[n] for n in SIZES})] * 4, batch_size=None)

    val_dataloader = train_dataloader


def make_trainer(folder, **options):
    return lambda phase, number: lightning.Trainer(
        accelerator="cpu",
        max_epochs=options.get("max_epochs", phase.epochs),
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        num_sanity_val_steps=0,
        default_root_dir=folder,
        callbacks=options.get("callbacks", []),
    )


def eager(loss, phase, number):
    return Training(loss, learning_rate=0.1, weight_decay=0.5)


def objective(guide):
    return mixing(guide.inputs, tuple(SIZES))


@pytest.mark.parametrize(
    "trainable", [("guide",), ("model",), ("guide.encoders.a",), ("model.decoders.b.3", "guide.encoders.b")]
)
def test_what_is_not_trained_does_not_move_by_a_bit(tmp_path, trainable):
    model, guide = networks()
    guide.encoders["c"].eval()  # someone else's choice, which is to be kept
    guide.encoders["c"][0].bias.requires_grad_(False)
    before = copy.deepcopy({"model": model.state_dict(), "guide": guide.state_dict()})
    settings = [(m.training, [p.requires_grad for p in m.parameters()]) for m in (*model.modules(), *guide.modules())]
    phase = Phase(objective(guide), 2, trainable)
    trainer, _ = fit_phases([phase], model, guide, Memory(), make_trainer=make_trainer(tmp_path), make_training=eager)
    moved = {
        f"{part}.{name}"
        for part, module in (("model", model), ("guide", guide))
        for name, value in module.state_dict().items()
        if not torch.equal(value, before[part][name])
    }
    assert moved
    assert all(any(name.startswith(f"{prefix}.") for prefix in trainable) for name in moved)
    held = {id(p) for group in trainer.optimizers[0].param_groups for p in group["params"]}
    named = {"model." + n: p for n, p in model.named_parameters()} | {
        "guide." + n: p for n, p in guide.named_parameters()
    }
    assert {n for n, p in named.items() if id(p) in held} <= {
        n for n in named if n.startswith(tuple(f"{t}." for t in trainable))
    }
    assert settings == [
        (m.training, [p.requires_grad for p in m.parameters()]) for m in (*model.modules(), *guide.modules())
    ]


def test_a_phase_may_have_a_learning_rate_of_its_own(tmp_path):
    """At a rate of zero nothing moves; the other phase has that of its `Training`."""
    model, guide = networks()
    before = copy.deepcopy(guide.state_dict())
    options = {"make_trainer": make_trainer(tmp_path), "make_training": eager}
    still = Phase(objective(guide), 1, learning_rate=0.0)
    trainer, training = fit_phases([still], model, guide, Memory(), **options)
    assert training.learning_rate == 0
    assert all(group["lr"] == 0 for group in trainer.optimizers[0].param_groups)
    parameters = [name for name, _ in guide.named_parameters()]
    assert all(torch.equal(guide.state_dict()[name], before[name]) for name in parameters)
    fit_phases([still, Phase(objective(guide), 1)], model, guide, Memory(), **options)
    assert any(not torch.equal(guide.state_dict()[name], before[name]) for name in parameters)
    with pytest.raises(ValueError, match="learning_rate"):
        Phase(objective(guide), 1, learning_rate=-1.0)


class Explode(lightning.Callback):
    def on_train_batch_end(self, *_):
        raise RuntimeError("lightning strikes")


def test_all_is_thawed_after_an_error(tmp_path):
    model, guide = networks()
    with pytest.raises(RuntimeError, match="strikes"):
        fit_phases(
            [Phase(objective(guide), 1, ("guide",))],
            model,
            guide,
            Memory(),
            make_trainer=make_trainer(tmp_path, callbacks=[Explode()]),
        )
    assert all(p.requires_grad for p in model.parameters())
    assert all(m.training for m in model.modules())


class Modes(lightning.Callback):
    """Notes which modules are in training mode in every step."""

    def __init__(self):
        self.seen = set()

    def on_train_batch_start(self, trainer, module, *_):
        self.seen.add(frozenset(n for n, m in module.loss.named_modules() if m.training))


def test_only_trained_modules_are_in_training_mode(tmp_path):
    model, guide = networks()
    modes = Modes()
    phase = Phase(objective(guide), 2, ("guide.encoders.a.3", "model.decoders.b.1.weight"))
    fit_phases([phase], model, guide, Memory(), make_trainer=make_trainer(tmp_path, callbacks=[modes]))
    assert modes.seen == {frozenset({"", "guide.encoders.a.3", "model.decoders.b.1"})}


@pytest.mark.parametrize(
    ("prefix", "known"),
    [
        ("guides", "of the loss are ['guide', 'model']"),
        ("guide.encoders.z", "of 'guide.encoders' are ['a', 'b', 'c']"),
        ("guide.encoders.a.3.weight.x", "of 'guide.encoders.a.3.weight' are []"),
        ("", "of the loss are ['guide', 'model']"),
        ("guide.encoder", "encoders"),
    ],
)
def test_unknown_parts_are_refused_before_anything_is_trained(tmp_path, prefix, known):
    model, guide = networks()
    phases = [Phase(objective(guide), 1), Phase(objective(guide), 1, (prefix,))]
    with pytest.raises(ValueError, match="there is no part") as error:
        fit_phases(phases, model, guide, Memory(), make_trainer=None)
    assert known in str(error.value)
    with pytest.raises(ValueError, match="there is no part"):
        Training(phases[0].objective(model, guide), trainable=(prefix,))


def test_what_is_shared_is_trained_in_all_places_or_none(tmp_path):
    model, guide = networks()
    guide.encoders["a"][2] = model.decoders["a"][2]  # dropout has nothing that could move
    loss = objective(guide)(model, guide)
    Training(loss, trainable=("guide",))
    guide.encoders["a"][3] = model.decoders["b"][3] = nn.Linear(5, 5)
    with pytest.raises(ValueError, match=r"model.decoders.b.3.weight and guide.encoders.a.3.weight are one"):
        Training(loss, trainable=("guide",))
    Training(loss, trainable=("guide", "model.decoders.b"))


@pytest.mark.parametrize("trainable", [(), ("model.likelihoods",)])
def test_a_phase_that_trains_nothing_is_refused(tmp_path, trainable):
    model, guide = networks()
    with pytest.raises(ValueError, match="takes a gradient"):
        fit_phases([Phase(objective(guide), 1, trainable)], model, guide, Memory(), make_trainer=make_trainer(tmp_path))
    assert all(p.requires_grad for p in model.parameters())


def test_misfits_are_refused(tmp_path):
    model, guide = networks()
    phase = Phase(objective(guide), 1)
    with pytest.raises(ValueError, match="at least one phase"):
        fit_phases([], model, guide, Memory(), make_trainer=make_trainer(tmp_path))
    with pytest.raises(ValueError, match="at least one epoch"):
        Phase(phase.objective, 0)
    with pytest.raises(ValueError, match="max_epochs=7"):
        fit_phases([phase], model, guide, Memory(), make_trainer=make_trainer(tmp_path, max_epochs=7))
    with pytest.raises(IncompatibleError):
        fit_phases([phase, Phase(build("mmvae", guide), 1)], model, guide, Memory(), make_trainer=None)
    with pytest.raises(FileNotFoundError):
        fit_phases([phase], model, guide, Memory(), make_trainer=make_trainer(tmp_path), last=tmp_path / "none.ckpt")


def test_phases_pass_on_weights_and_history(tmp_path):
    """Two phases of one objective are one run but for the optimiser, whose memory is not handed on."""
    torch.manual_seed(0)
    model, guide = networks()
    paths = [tmp_path / "history.csv"] * 2
    histories = []

    def trainer(phase, number):
        histories.append(History(paths[number]))
        return make_trainer(tmp_path, callbacks=[histories[-1]])(phase, number)

    phases = [Phase(objective(guide), 2, ("guide",), "inference"), Phase(objective(guide), 3)]
    fitted = fit_phases(phases, model, guide, Memory(), make_trainer=trainer)
    assert fitted.training.loss.model is model
    assert [row["phase"] for row in histories[-1].rows] == [0, 0, 1, 1, 1]
    assert histories[-1].rows[:2] == histories[0].rows
