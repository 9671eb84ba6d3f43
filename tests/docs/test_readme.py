"""What the documentation shows does what it says: commands, examples, lists, and the files that the how-tos add."""

from __future__ import annotations

import math
import re
import runpy
import shlex
from pathlib import Path

import pytest
import torch
from support import LATENT, TARGETS, data, every_subset, modalities, with_pattern
from torch.distributions import Normal

from pyro_mmvae import Batch, MultimodalVAE, guides, likelihoods, objectives, priors
from pyro_mmvae.divergences import kl
from pyro_mmvae.experiments.rhd.config import FLOWS, Config
from pyro_mmvae.registry import load_member, member_names

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
SNIPPETS = ROOT / "docs" / "snippets"


def block_after(marker: str, language: str) -> str:
    """Return the content of the fenced block that follows a comment."""
    (found,) = re.findall(rf"<!-- {marker} -->\n```{language}\n(.*?)```", README, re.DOTALL)
    return found


# -- README


@pytest.mark.parametrize(
    ("marker", "line"),
    [
        ("main command", "pip install -e . && python -m experiments.rhd --guide gpoe"),
        ("test command", 'pip install -e ".[test]" && python -m pytest'),
    ],
)
def test_commands_are_one_line_each(marker, line):
    assert block_after(marker, "bash") == line + "\n"


def test_the_example_predicts_the_label_from_one_sensor(tmp_path, monkeypatch):
    scope: dict = {}
    exec(compile(block_after("example", "python"), "README.md", "exec"), scope)
    assert scope["accuracy"] > 0.6  # one in three by chance
    assert scope["probability"].shape == (300, 3)
    exec(compile(block_after("likelihood example", "python"), "README.md, likelihood", "exec"), scope)
    exec(compile(block_after("lightning example", "python"), "README.md, Lightning", "exec"), scope)
    assert scope["trainer"].global_step == 18
    monkeypatch.chdir(tmp_path)
    exec(compile(block_after("saving example", "python"), "README.md, saving", "exec"), scope)
    assert scope["camera"].mean["camera"].shape == (300, 32)


def test_there_is_one_place_for_results():
    assert README.count("<!-- results -->") == 1


def test_local_links_lead_somewhere():
    documents = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]
    broken = [
        f"{document.relative_to(ROOT)}: {target}"
        for document in documents
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", document.read_text())
        if "://" not in target and not (document.parent / target).exists()
    ]
    assert broken == []


def test_lists_are_complete():
    for name in (*guides.available(), *objectives.available(), *priors.available()):
        assert f"`{name}`" in README, name
    for name in guides.available():
        assert f"### {name}\n" in (ROOT / "docs" / "guides.md").read_text(), name
    for name in objectives.available():
        assert f"objective-table}} {name}\n" in (ROOT / "docs" / "objectives.md").read_text(), name
    for name in likelihoods.__all__:
        assert name == "Likelihood" or f"`{name}`" in README, name


def test_settings_are_complete():
    page = (ROOT / "docs" / "hands.md").read_text()
    for name in FLOWS:
        assert f"| `{name}` |" in page, name


@pytest.mark.parametrize("document", ["README.md", "docs/hands.md", "docs/index.md"])
def test_options_on_command_lines_exist(document):
    fields = {f"--{name.replace('_', '-')}" for name in Config.__dataclass_fields__}
    lines = re.findall(r"^python -m experiments\.rhd (?!evaluate|predict)(.*)$", (ROOT / document).read_text(), re.M)
    used = {word for line in lines for word in shlex.split(line, comments=True) if word.startswith("--")}
    assert used <= fields | {f"--no-{name[2:]}" for name in fields} | {"--help"}


def test_the_licence_is_the_one_that_is_named():
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License" in text
    assert "Version 2.0, January 2004" in text
    assert text.rstrip().endswith("limitations under the License.")


# -- snippets of the documentation


def test_getting_started():
    scope = runpy.run_path(str(SNIPPETS / "getting_started.py"))
    assert scope["value"].item() < 0.5 * scope["before"]
    # The sound that follows from the motion is nearer to the truth than the mean sound.
    seen, sound = scope["batch"].observed["motion"], scope["values"]["sound"]
    error = (scope["sound"] - sound)[seen].square().mean()
    assert error < 0.5 * sound[seen].var(0).mean()


def test_a_guide_is_judged():
    scope = runpy.run_path(str(SNIPPETS / "calibration.py"))
    assert list(scope["gaps"]) == [("camera",), ("force",), ("camera", "force")]
    assert all(gap.summary()["amortisation"] > 0.1 for gap in scope["gaps"].values())
    assert all(abs(gap.summary()["approximation"]) < 0.05 for gap in scope["gaps"].values())
    assert scope["ranks"].summary()["width"] > 1.1
    assert {path.name for path in scope["folder"].glob("*.png")} == {"gaps.png", "ranks.png"}


def test_own_modalities():
    scope = runpy.run_path(str(SNIPPETS / "modality.py"))
    assert scope["guide"].inputs == ("touch", "force", "temperature")
    assert scope["model"].names == ("touch", "force", "material")
    torch.testing.assert_close(scope["material"].sum(-1), torch.ones(8))
    assert scope["within"].shape == (100, 8)
    parameters = list(scope["loss"].parameters())
    assert parameters
    assert all(torch.isfinite(p.grad).all() for p in parameters)


def test_hands_of_the_papers(tmp_path):
    from rhd_factory import write_set

    from pyro_mmvae.hands.rhd import RHD, collate

    write_set(tmp_path, number=2)
    scope = runpy.run_path(str(SNIPPETS / "hands_of_papers.py"))
    for name in ("GUPTA_2021", "JOSHI_2022", "THEODORIDIS_2020"):
        dataset = RHD(tmp_path, "training", image_size=32, **scope[name])
        assert collate([dataset[0], dataset[1]]).batch.size == 2


@pytest.fixture
def own_files(monkeypatch):
    """Put the files of the how-tos where they belong."""
    for package, folder in ((guides, "guides"), (objectives, "objectives"), (likelihoods, "likelihoods")):
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(SNIPPETS / folder)])


def test_a_file_in_the_folder_is_all_it_takes(own_files):
    assert "logarithmic_pool" in guides.available()
    assert "leave_one_out" in objectives.available()
    assert "student" in member_names(likelihoods.__name__)


@pytest.mark.usefixtures("own_files")
def test_own_guide():
    guide = guides.load("logarithmic_pool")(modalities(), LATENT)
    batch = with_pattern(Batch.of(data()))
    experts = Normal(*guide.experts(guide.features(batch)))
    z = torch.randn(2, 6, LATENT)
    for subset in every_subset(guide.inputs):
        seen = guide.observed(batch.given(subset))
        pooled = (experts.log_prob(z.unsqueeze(2)).sum(-1) * seen).sum(-1) / seen.sum(-1).clamp_min(1)
        expected = torch.where(seen.any(-1), pooled, Normal(0.0, 1.0).log_prob(z).sum(-1))
        got = guide.posterior(batch.given(subset)).log_prob(z)
        # The geometric mean is known up to its normaliser, which does not depend on z.
        torch.testing.assert_close(got[0] - got[1], expected[0] - expected[1])


@pytest.mark.usefixtures("own_files")
def test_own_objective():
    parts = modalities()
    model, guide = MultimodalVAE(parts, LATENT), guides.load("poe")(parts, LATENT)
    objective = objectives.load("leave_one_out")(guide.inputs, TARGETS, beta=0.5)
    assert objective.table.subsets == [("b", "c"), ("a", "c"), ("a", "b")]
    assert [term.weight for term in objective.table.terms] == [1 / 3] * 3
    batch = Batch.of(data())
    bound = objective.evaluate(model, guide, batch)
    for row, subset in enumerate(objective.table.subsets):
        expected = kl(guide.posterior(batch.given(subset)), model.prior(), torch.zeros(LATENT))
        torch.testing.assert_close(bound.kl[0, 0, row], expected)
    torch.testing.assert_close(bound.per_sample, bound.rows.mean(0))
    with pytest.raises(ValueError, match="at least two inputs"):
        objectives.load("leave_one_out")(["a"], TARGETS)(model, guide)


@pytest.mark.usefixtures("own_files")
def test_own_likelihood():
    student = load_member(likelihoods.__name__, "student").Student((), scale=0.5, degrees=4.0)
    grid = torch.linspace(-400, 400, 400_001, dtype=torch.float64)
    density = student(torch.full((1,), 0.3, dtype=torch.float64)).log_prob(grid).exp()
    assert torch.trapezoid(density, grid).item() == pytest.approx(1, abs=1e-5)
    example = type(student).example()
    assert example(torch.zeros(4, *example.param_shape)).batch_shape == (4,)
    assert example.predict(torch.ones(4, 2, 3)).shape == (4, 2, 3)
    with pytest.raises(ValueError, match="expected positive"):
        type(student)((2,), scale=0.0)


def test_priors():
    scope = runpy.run_path(str(SNIPPETS / "priors.py"))
    assert all(math.isfinite(value) for value in scope["results"].values())
    assert scope["results"]["vamp"] > scope["results"]["standard_normal"]


def test_estimators_and_comparison():
    scope = runpy.run_path(str(SNIPPETS / "estimators.py"))
    assert set(scope["found"]) == {"poe", "set"}
    # The label follows from the image, and the image from the label but for its noise: 20 pixels, flipped one in ten.
    assert scope["image_alone"].mean > -20 * 0.693
    assert scope["generated"].mean > scope["image_alone"].mean
    assert scope["generated"].summary()["khat_over_0.7"] < 0.6


def test_your_own_data():
    scope = runpy.run_path(str(SNIPPETS / "your_own_data.py"))
    assert scope["held_out"].observed["force"].float().mean() < 0.9
    assert all(share > 0.8 for share in scope["accuracy"].values())  # one in three by chance
    assert 0.75 < scope["within"].float().mean() < 0.99  # nine in ten are to be
    picture = scope["held_out"].data["picture"]
    alone = scope["predictive"](scope["model"], scope["guide"], scope["held_out"], given="picture", of="label")
    assert (scope["probability"].argmax(-1) == alone.mean["label"].argmax(-1)).float().mean() > 0.95
    assert scope["label_of"](picture[:1], torch.zeros(1, 4)).shape == (1, 3)


def test_save_load_share():
    scope = runpy.run_path(str(SNIPPETS / "save_load_share.py"))
    assert "Spectrum" in scope["refusal"]
    assert "not imported" in scope["refusal"]
    assert scope["force"].draws["force"].shape == (200, 5, 3)
    assert scope["whole"].filled["force"].tolist() == [True, True, False, False, False]
    assert torch.equal(scope["again"].decoders["sound"].output.weight, scope["model"].decoders["sound"].output.weight)


def test_with_pyro():
    scope = runpy.run_path(str(SNIPPETS / "with_pyro.py"))
    assert scope["losses"][-1] < 0.7 * scope["losses"][0]
    assert scope["bent_losses"][-1] < 0.7 * scope["bent_losses"][0]
    assert scope["again"].decoders["sound"].output.weight.equal(scope["model"].decoders["sound"].output.weight)
    assert scope["draws"]["motion"].shape == (20, 200, 4)
    assert scope["sampler"].get_samples()["z"].shape == (20, 3, 2)


def test_with_lightning():
    scope = runpy.run_path(str(SNIPPETS / "with_lightning.py"))
    assert scope["again"].loss.elbo.step == scope["trainer"].global_step == 30
    # Checkpoint and module end with the averaged weights.
    for ours, kept in zip(scope["training"].loss.parameters(), scope["again"].loss.parameters(), strict=True):
        torch.testing.assert_close(ours, kept)
    assert math.isfinite(scope["results"]["val/log_prob/motion|sound"])


def test_phases():
    scope = runpy.run_path(str(SNIPPETS / "phases.py"))
    (history,) = (c for c in scope["fitted"].trainer.callbacks if isinstance(c, scope["History"]))
    assert [row["phase"] for row in history.rows] == [0] * 20 + [1] * 20 + [2] * 10
    _, losses = history.series("train/loss")
    assert losses[19] < losses[0]
    assert losses[49] < losses[40]


def test_alignment():
    scope = runpy.run_path(str(SNIPPETS / "alignment.py"))
    truth = scope["batch"].data["motion"]
    spread = truth.var(0).mean()
    for name in ("mapped", "with_mapper", "without"):
        assert (scope[name] - truth).square().mean() < 0.5 * spread, name
    assert (scope["guessed"] == scope["label"]).float().mean() > 0.8
