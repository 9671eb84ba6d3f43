"""Variational alignment in phases: what moves, what it finds, and that a killed run ends the same."""

from __future__ import annotations

import copy
from itertools import pairwise

import lightning
import pytest
import torch
from killed import same_when_killed
from support import LATENT, SIZES, data
from torch import nn

from pyro_mmvae import Batch, IncompatibleError, Modality, MultimodalVAE, Schedule, load, save
from pyro_mmvae.alignment import BRANCHES, MAPPER, alignment_phases, latent_classifier, mapper_phase
from pyro_mmvae.data.loader import EpochLoader
from pyro_mmvae.estimators import log_likelihood
from pyro_mmvae.guides.mapper import Mapper
from pyro_mmvae.guides.poe import PoE
from pyro_mmvae.likelihoods import Categorical, Normal
from pyro_mmvae.linear_gaussian import LinearGaussian
from pyro_mmvae.objectives.crossvae import crossvae
from pyro_mmvae.objectives.variational_alignment import variational_alignment
from pyro_mmvae.phases import Phase, fit_phases
from pyro_mmvae.training import Training


def network(inputs, outputs):
    """Return one with all that moves without a gradient."""
    return nn.Sequential(nn.Linear(inputs, 5), nn.BatchNorm1d(5), nn.Dropout(0.5), nn.Linear(5, outputs))


def system(**options):
    """Return model and guide with two sources, a and b, whose upper branch lives in another space than c."""

    def decoded(size):
        return Modality("c", Normal((SIZES["c"],), scale=0.5), network(size, SIZES["c"]))

    parts = [Modality(n, encoder=network(k, 5)) for n, k in SIZES.items()]
    model = MultimodalVAE([decoded(LATENT)], LATENT, branches={"upper": MultimodalVAE([decoded(3)], 3)})
    return model, Mapper(parts, LATENT, upper_dim=3, intermediate_dim=4, **options)


class Memory(lightning.LightningDataModule):
    def __init__(self, batch=None):
        super().__init__()
        self.batch = Batch.of({n: data()[n] for n in SIZES}) if batch is None else batch

    def train_dataloader(self):
        return EpochLoader([self.batch] * 4, batch_size=None)


def fit(phases, model, guide, folder, batch=None, **options):
    def make_trainer(phase, number):
        return lightning.Trainer(
            accelerator="cpu",
            max_epochs=phase.epochs,
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            enable_checkpointing=False,
            default_root_dir=folder,
        )

    def make_training(loss, phase, number):
        return Training(loss, **{"learning_rate": 0.05, "weight_decay": 0.1, **options})

    return fit_phases(
        phases, model, guide, Memory(batch), make_trainer=make_trainer, make_training=make_training
    ).training.loss


def states(model, guide):
    parts = {"model": model, "guide": guide}
    return {f"{p}.{n}": v.clone() for p, module in parts.items() for n, v in module.state_dict().items()}


def moved(before, after):
    return {name for name in before if not torch.equal(before[name], after[name])}


class TestPhases:
    def test_each_moves_what_it_trains_and_nothing_else_by_a_bit(self, tmp_path):
        """Running averages included; in the first phase the mapper stays, in the second all but the mapper."""
        model, guide = system()
        phases = alignment_phases(guide.inputs, ["c"], (1, 2, 1))
        seen = [states(model, guide)]
        for phase in phases:
            fit([phase], model, guide, tmp_path)
            seen.append(states(model, guide))
        changed = [moved(a, b) for a, b in pairwise(seen)]
        parts = {name for name in seen[0]}
        for found, prefixes in zip(changed, (BRANCHES, MAPPER, ("model", "guide")), strict=True):
            expected = {n for n in parts if any(n.startswith(f"{p}.") for p in prefixes)}
            assert found <= expected
            assert {n for n in expected if not n.endswith("bias")} <= found
        assert any("running_mean" in name for name in changed[0])

    def test_the_branches_are_independent(self):
        """The gradient of each branch's loss is zero for the other one, and that of the sum is theirs together."""
        torch.manual_seed(0)
        model, guide = system()
        objective = variational_alignment(guide.inputs, ["c"], part="branches", upper_targets=["c"])
        loss = objective(model, guide).eval()
        batch = Batch.of(data())
        parts = {"upper": [*model.branches.parameters(), *guide.upper.parameters()]}
        parts["lower"] = [*model.decoders.parameters(), *guide.lower.parameters()]
        bound = loss.bound(batch)
        for name, value in (
            ("upper", bound.branches["upper"].loss),
            ("lower", bound.loss - bound.branches["upper"].loss),
        ):
            own = torch.autograd.grad(value, parts[name], retain_graph=True)
            assert any((g != 0).any() for g in own)
            other = parts["lower" if name == "upper" else "upper"]
            for gradient in torch.autograd.grad(value, other, retain_graph=True, allow_unused=True):
                assert gradient is None or (gradient == 0).all()
            whole = torch.autograd.grad(bound.loss, parts[name], retain_graph=True)
            torch.testing.assert_close(own, whole)
            mapper = torch.autograd.grad(value, list(guide.mappers.parameters()), retain_graph=True, allow_unused=True)
            assert all(g is None or (g == 0).all() for g in mapper)

    def test_the_upper_branch_is_a_crossmodal_pair(self):
        model, guide = system()
        objective = variational_alignment(guide.inputs, ["c"], part="all", upper_targets={"c": 0.5}, beta_upper=0.3)
        above = objective.branches["upper"]
        assert [(t.given, dict(t.decode), t.kl) for t in above.table.terms] == [
            (("a",), {"c": 0.5}, 0.3),
            (("b",), {"c": 0.5}, 0.3),
        ]
        loss = objective(model, guide).eval()
        batch = Batch.of(data())
        torch.manual_seed(1)
        bound = loss.bound(batch)
        torch.testing.assert_close(
            bound.loss - (bound.loss - bound.branches["upper"].loss), -bound.branches["upper"].per_sample.mean()
        )
        assert {"upper/log_prob/c|a", "upper/kl|b", "alignment/a|c", "log_prob/c|a+b"} <= set(bound.parts())

    def test_an_encoder_runs_once_in_a_step(self):
        """Both losses look at the sources; batch statistics count the batch once."""
        model, guide = system()
        runs = []
        for name, encoder in guide.encoders.items():
            encoder.register_forward_hook(lambda *_, name=name: runs.append(name))
        loss = variational_alignment(guide.inputs, ["c"], upper_targets=["c"])(model, guide)
        loss(Batch.of(data())).backward()
        assert sorted(runs) == ["a", "b", "c"]
        assert int(guide.encoders["a"][1].num_batches_tracked) == 1
        assert all(p.grad is not None for p in loss.parameters())

    def test_options_reach_the_phases(self):
        phases = alignment_phases(
            ("a", "c"), ["c"], (1, 0, 2), mapper={"distance": 7.0}, everything={"distance": 3.0, "decoded_from": "own"}
        )
        assert [(p.name, p.epochs) for p in phases] == [("branches", 1), ("all", 2)]
        assert phases[1].objective.table.alignments[0].weight == 3.0
        with pytest.raises(ValueError, match="expected three numbers"):
            alignment_phases(("a", "c"), ["c"], (0, 0, 0))

    def test_schedules_of_branches_follow_the_steps_of_the_whole(self):
        model, guide = system()
        loss = variational_alignment(guide.inputs, ["c"], upper_targets=["c"], beta_upper=Schedule(0.0, 1.0, steps=4))(
            model, guide
        )
        for step in range(3):
            assert loss.bound(Batch.of(data())).branches["upper"].step == step
        other = variational_alignment(guide.inputs, ["c"], upper_targets=["c"])(*system())
        other.load_state_dict(loss.state_dict())
        assert other.bound(Batch.of(data())).branches["upper"].step == 3

    def test_an_empty_batch_has_gradients_of_zero(self):
        model, guide = system()
        loss = variational_alignment(guide.inputs, ["c"], upper_targets=["c"])(model, guide)
        before = states(model, guide)
        value = loss(Batch.of(data())[:0])
        value.backward()
        assert value == 0
        assert all((p.grad == 0).all() for p in loss.parameters())
        assert not moved(before, states(model, guide))

    def test_a_branch_that_is_not_there_is_refused(self):
        model, guide = system()
        objective = variational_alignment(guide.inputs, ["c"], upper_targets=["c"])
        with pytest.raises(IncompatibleError, match=r"branch 'upper', but MultimodalVAE has the branches \[\]"):
            objective(MultimodalVAE([Modality("c", Normal((4,)), nn.Linear(2, 4))], LATENT), guide)
        with pytest.raises(IncompatibleError, match=r"branch 'upper', but PoE has the branches \[\].*`mapper`"):
            objective(model, PoE([Modality(n, encoder=network(k, 5)) for n, k in SIZES.items()], LATENT))

    def test_a_system_is_saved_whole(self, tmp_path):
        model, guide = system()
        fit(alignment_phases(guide.inputs, ["c"], (1, 1, 1)), model, guide, tmp_path)
        save(tmp_path / "pair", model, guide)
        pair = load(tmp_path / "pair")
        assert not moved(states(model, guide), states(*pair))
        assert pair[0].branches["upper"].latent_dim == 3
        objective, batch = variational_alignment(guide.inputs, ["c"], upper_targets=["c"]), Batch.of(data())
        losses = []
        for both in ((model, guide), pair):
            torch.manual_seed(0)
            losses.append(objective(*both).eval()(batch))
        assert losses[0] == losses[1]


@pytest.mark.parametrize("kill", [(1, 2), (3, 1), (5, 0)])
def test_a_run_killed_in_any_phase_ends_the_same(tmp_path, kill):
    rows = same_when_killed(tmp_path, kill, alignment=[2, 2, 2])
    assert [row["phase"] for row in rows] == [0, 0, 1, 1, 2, 2]
    assert "train/upper/log_prob/b|a" in rows[0]
    assert "train/upper/log_prob/b|a" not in rows[2]


class TestOptimum:
    """Linear-Gaussian branches: what the mapper should be is known."""

    def trained(self, steps=400, **options):
        truth = LinearGaussian({"a": 3, "b": 2}, latent_dim=2, seed=1)
        torch.manual_seed(0)
        parts = truth.modalities()
        exact = PoE(parts, 2, prior_expert="always").double()
        truth.set_exact_experts(exact)
        guide = Mapper.over(exact, "b").double()
        loss = mapper_phase(guide.inputs, ["b"], 1, **options).objective(truth.model(), guide)
        loss.elbo.validate = False
        batch = truth.sample(2000, seed=5)
        optimiser = torch.optim.Adam(guide.mappers.parameters(), lr=0.03)
        decay = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
        for _ in range(steps):
            optimiser.zero_grad()
            loss(batch).backward()
            optimiser.step()
            decay.step()
        return truth, exact, guide

    @pytest.mark.parametrize(
        "options", [{"distance": 1.0}, {"distance": 0.0, "steps": 1500}, {"distance": 5.0, "beta": 1.0}]
    )
    def test_it_is_found(self, options):
        """The best Gaussian of z given a has the mean E[mu_2(b) | a] and the standard deviation sigma_2.

        So it is for E[log p(b | z)] - KL, whose optimum is p(z) exp E[log p(b | z) | a] up to a constant, and for W,
        as mu_2 given a is symmetric about its mean. With exact branches E[mu_2 | a] = (1 - sigma_2^2) mu_1. The best
        intermediate Gaussian is a point.
        """
        truth, exact, guide = self.trained(**options)
        batch = truth.sample(500, seed=9)
        with torch.no_grad():
            mapped, lower = guide.posterior(batch.given(["a"])), exact.posterior(batch.only(["b"]))
            above = exact.posterior(batch.only(["a"]))
            expected = (1 - lower.variance) * above.mean
            assert (mapped.mean - expected).abs().mean() < 0.1 * expected.std()
            assert (mapped.stddev / lower.stddev - 1).abs().mean() < 0.1
            assert mapped.inner.stddev.mean() < 0.1 * mapped.inner.mean.std()
            unmapped = (above.mean - expected).abs().mean()
            assert (mapped.mean - expected).abs().mean() < 0.5 * unmapped

    def test_kl_of_the_intermediate_makes_it_wide_and_log_likelihoods_stay_right(self):
        _, _, point = self.trained(kl_of="mapped")
        truth, _, wide = self.trained(kl_of="intermediate")
        batch = truth.sample(60, seed=7)
        spread = [guide.posterior(batch.given(["a"])).inner.stddev.mean() for guide in (point, wide)]
        assert spread[1] > 3 * spread[0]
        estimate = log_likelihood(truth.model(), wide, batch, of=["b"], given=["a"], num_samples=4000, defensive=0.1)
        z = (estimate.value - truth.log_prob(batch, ["b"])) / estimate.standard_error
        assert z.abs().max() < 5
        assert abs(z.mean()) < 0.6


class TestOverAFinishedPair:
    def test_it_stays_as_it_is_to_the_last_bit(self, tmp_path):
        """Batch statistics and dropout included: without the mapper the numbers are those of before."""
        parts = [Modality(n, Normal((k,), scale=0.5), network(LATENT, k), network(k, 5)) for n, k in SIZES.items()]
        model, finished = MultimodalVAE(parts, LATENT), PoE(parts, LATENT, prior_expert="never")
        fit([Phase(crossvae(finished.inputs, ["a", "c"]), 1)], model, finished, tmp_path)
        before, batch = states(model, finished), Batch.of(data())
        with torch.no_grad():
            mean = copy.deepcopy(finished).eval().posterior(batch.given(["a"])).mean
        guide = Mapper.over(finished, "c", ["a"])
        start = states(model, guide)
        fit([mapper_phase(guide.inputs, ["c"], 2, distance=2.0)], model, guide, tmp_path)
        assert not moved(before, states(model, finished))
        assert {n.split(".")[1] for n in moved(start, states(model, guide))} == {"mappers"}
        with torch.no_grad():
            assert torch.equal(guide.lower.eval().posterior(batch.given(["a"])).mean, mean)

    def test_a_classifier_on_the_latent_is_one_layer(self, tmp_path):
        parts = [Modality(n, encoder=network(k, 5)) for n, k in SIZES.items()]
        guide = PoE(parts, LATENT)
        model = latent_classifier(guide, "label", Categorical(2))
        assert sum(p.numel() for p in model.parameters()) == 2 * LATENT + 2
        values = data(200)
        label = (guide.eval().posterior(Batch.of(values).given(["a"])).mean[:, 0] > 0).long()
        batch = Batch.of({**{n: values[n] for n in SIZES}, "label": torch.eye(2)[label]})
        before = states(model, guide)
        phase = Phase(crossvae(["a"], ["label"], beta=0.0), 40, trainable=("model",))
        fit([phase], model, guide, tmp_path, batch)
        assert all(n.startswith("model.") for n in moved(before, states(model, guide)))
        found = model.predict(guide.point(batch.given(["a"])), "label").argmax(-1)
        assert (found == label).float().mean() > 0.9
