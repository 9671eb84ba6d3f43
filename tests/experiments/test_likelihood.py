"""`python -m experiments.likelihood` on runs of several experiments."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from pyro_mmvae import estimators
from pyro_mmvae.experiments.common import driver, runs
from pyro_mmvae.experiments.likelihood.__main__ import main
from pyro_mmvae.hands.synthetic import generate

TINY = ["--widths", "16", "--label-widths", "16", "--latent-dim", "3", "--epochs", "1", "--num-samples", "2"]
HANDS = [
    *("--image-size=32", "--num-points=16", "--map-size=16", "--width=8", "--decoder-width=4", "--cloud-width=32"),
    *("--latent-dim=8", "--batch-size=8", "--pretrained=False", "--workers=0", "--preload=True"),
]
SHORT = ["--device", "cpu", "--no-figures"]


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    out = tmp_path_factory.mktemp("digits") / "run"
    driver.main("mnist", ["--guide", "poe", "--samples", "64", "--test-samples", "4", "--out", str(out), *TINY, *SHORT])
    return out


@pytest.fixture(scope="module")
def hands(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hands")
    data = generate(folder / "set", 16, 6, seed=1, workers=1, progress=False)
    driver.main(
        "rhd", ["--guide", "gpoe", "--data", str(data), "--epochs", "1", "--out", str(folder / "run"), *HANDS, *SHORT]
    )
    return folder / "run"


def opened(run, samples=None):
    """Return model, guide and the one batch of judged samples."""
    found = runs.open_run(run)
    (batch,) = found.experiment.data().judged(samples)
    return found.loss.model, found.loss.guide, batch


def saved(run):
    (path,) = (run / "likelihood").glob("*.json")
    content = json.loads(path.read_text())
    text = path.with_suffix(".md").read_text()
    path.unlink()
    return content, text


def test_the_numbers_are_those_of_the_estimators(digits, capsys):
    arguments = ["--of", "image", "--given", "image", "label", "--num-samples", "30", "--device", "cpu"]
    main([str(digits), *arguments, "--defensive", "0.1", "--refine", "2"])
    content, text = saved(digits)
    assert text.strip() in capsys.readouterr().out
    assert content["quantity"] == "log p(image)"
    assert content["experiment"] == "mnist"
    found = content["log_likelihood"]
    assert found["n"] == 300
    assert f"{found['mean']:.2f} ± {found['se']:.2f}" in text
    model, guide, batch = opened(digits)
    own = estimators.log_likelihood(model, guide, batch, of=["image"], num_samples=30, defensive=0.1, refine=2, seed=7)
    assert found["mean"] == pytest.approx(own.mean, abs=5 * np.hypot(found["mc_se"], own.summary()["mc_se"]))
    assert found["mean"] != own.mean  # another seed


def test_conditionals_and_their_evidence(digits):
    # Half of the draws from the prior: after one epoch the label's posterior is far too narrow.
    base = [str(digits), "--of", "image", "--num-samples", "400", "--device", "cpu", "--test-samples", "50"]
    base += ["--defensive", "0.5"]
    means = {}
    for evidence in ("prior", "importance"):
        main([*base, "--on", "label", "--evidence", evidence])
        content, _ = saved(digits)
        assert content["quantity"] == "log p(image | label)"
        assert content["log_likelihood"]["n"] == 50
        means[evidence] = content["log_likelihood"]["mean"]
    main([*base[:2], "image", "label", *base[3:]])
    joint = saved(digits)[0]["log_likelihood"]["mean"]
    assert means["prior"] == pytest.approx(means["importance"], abs=0.2)
    model, _, batch = opened(digits, 50)
    with torch.no_grad():
        probabilities = model.decode(model.prior().sample((20_000,)), "label").probs.mean(0)
    evidence = probabilities.log()[batch.data["label"].argmax(-1)].mean().item()
    assert joint - means["prior"] == pytest.approx(evidence, abs=0.1)


@pytest.mark.parametrize("start", ["prior", "guide", "refined", "laplace"])
def test_annealed_between_bounds(digits, capsys, start):
    arguments = ["--of", "image", "--anneal", start, "--temperatures", "6", "--chains", "3", "--leapfrog", "2"]
    main([str(digits), *arguments, "--test-samples", "5", "--device", "cpu", "--simulate", "4"])
    content, text = saved(digits)
    assert text.strip() in capsys.readouterr().out
    assert "annealed from " in text
    assert "6 temperatures, 3 chains" in text
    model, guide, batch = opened(digits, 5)
    common = {"guide": guide, "of": ["image"], "start": start, "annealing": estimators.Annealing(6, 3, 2)}
    direct = estimators.annealed_log_likelihood(model, batch, seed=estimators.batch_seed(0, 0), **common)
    assert content["log_likelihood"]["mean"] == pytest.approx(direct.mean)
    assert content["log_likelihood"]["n"] == 5
    assert content["options"]["given"] == ([] if start == "prior" else ["image", "label"])
    simulated = estimators.bidirectional(model, 4, seed=0, **common)
    assert content["simulated"] == pytest.approx(simulated.summary())
    assert str(simulated) in text


def test_annealed_conditionals_have_no_gap(digits):
    arguments = ["--of", "image", "--on", "label", "--anneal", "laplace", "--chains", "3", "--temperatures", "4"]
    main([str(digits), *arguments, "--test-samples", "3", "--device", "cpu"])
    content, text = saved(digits)
    assert content["quantity"] == "log p(image | label)"
    assert np.isfinite(content["log_likelihood"]["mean"])
    assert "simulated" not in content
    assert "laplace from q(z | image, label), 4 temperatures, 3 chains; log p(label) from p(z)" in text.replace(
        "\\", ""
    )


def test_poses_have_a_log_likelihood(hands):
    main([str(hands), "--of", "pose", "--num-samples", "30", "--device", "cpu", "--test-samples", "5"])
    content, _ = saved(hands)
    assert content["experiment"] == "rhd"
    assert content["options"]["given"] == ["rgb", "cloud"]
    assert np.isfinite(content["log_likelihood"]["mean"])
    assert content["log_likelihood"]["n"] == 5


def test_poses_are_annealed_and_their_gap_is_printed(hands):
    arguments = ["--anneal", "laplace", "--temperatures", "3", "--chains", "2", "--leapfrog", "1", "--simulate", "3"]
    main([str(hands), "--of", "pose", *arguments, "--device", "cpu", "--test-samples", "3"])
    content, text = saved(hands)
    assert np.isfinite(content["log_likelihood"]["mean"])
    assert content["simulated"]["n"] == 3
    assert "a gap of" in text


def test_best_and_last_have_files_of_their_own(digits):
    main([str(digits), "--of", "label", "--num-samples", "5", "--device", "cpu", "--best", "False"])
    (path,) = (digits / "likelihood").glob("*.json")
    assert path.stem.endswith("-last")
    path.unlink()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--of: expected at least one modality"),
        (["--of", "cloud"], "are energies, known up to a constant"),
        (["--of", "rgb"], "does not decode ['rgb']"),
        (["--of", "pose", "--given", "heatmap"], "does not encode ['heatmap']"),
        (["--of", "pose", "--on", "pose"], "cannot be conditioned on"),
        (["--of", "pose", "--num-samples", "0"], "--num-samples: expected int of at least 1"),
        (["--of", "pose", "--defensive", "1"], "--defensive: expected float below 1"),
        (["--of", "pose", "--simulate", "3"], "--simulate: it belongs to --anneal, which is missing"),
        (["--of", "pose", "--temperatures", "3"], "--temperatures: it belongs to --anneal, which is missing"),
        (["--of", "pose", "--anneal", "prior", "--given", "rgb"], "has no use for --given"),
        (["--of", "pose", "--anneal", "guide", "--refine", "3"], "has no use for --refine"),
        (["--of", "pose", "--on", "rgb", "--anneal", "guide", "--simulate", "3"], "leave --on out"),
        (["--of", "pose", "--refine", "-1"], "--refine: expected int of at least 0"),
        (["--of", "pose", "--test-samples", "0"], "--test-samples: expected int of at least 1"),
        (["--of", "pose", "--best", "True"], "no checkpoint"),
        (["--gaps", "--of", "pose"], "--gaps: it has no use for --of"),
        (["--gaps", "--calibration", "3"], "got both"),
        (["--calibration", "3", "--test-samples", "3"], "--calibration: it has no use for --test-samples"),
        (["--gaps"], "has a density and is in the batch"),
    ],
)
def test_mistakes_end_in_one_line(arguments, message, hands, capsys):
    with pytest.raises(SystemExit) as error:
        main([str(hands), "--device", "cpu", *arguments])
    assert error.value.code == 2
    assert message in capsys.readouterr().err
    assert not list((hands / "likelihood").glob("*.json"))


def test_a_folder_without_a_run(tmp_path, capsys):
    with pytest.raises(SystemExit):
        main([str(tmp_path), "--of", "image"])
    assert f"no run in {tmp_path}" in capsys.readouterr().err


def test_evidence_is_importance_sampled_unless_it_is_of_labels(digits):
    """Draws from the prior never hit an image: log p(label | image) came out above zero."""
    common = ["--num-samples", "100", "--device", "cpu", "--test-samples", "20"]
    main([str(digits), "--of", "label", "--on", "image", *common])
    content, text = saved(digits)
    assert content["options"]["evidence"] == "importance"
    assert content["log_likelihood"]["mean"] < 0
    assert "log p(image) from its posterior" in text
    main([str(digits), "--of", "image", "--on", "label", *common])
    content, text = saved(digits)
    assert content["options"]["evidence"] == "prior"
    assert "log p(label) from p(z)" in text


def test_gaps_of_a_guide(digits, capsys):
    few = ["--chains", "2", "--temperatures", "3", "--leapfrog", "1", "--test-samples", "4", "--device", "cpu"]
    main([str(digits), "--gaps", *few])
    content, text = saved(digits)
    assert text.strip() in capsys.readouterr().out
    assert list(content["gaps"]) == ["image", "label", "image+label"]
    for row in content["gaps"].values():
        assert row["n"] == 4
        assert row["gap"] == pytest.approx(row["amortisation"] + row["approximation"], abs=1e-4)
    (figure,) = (digits / "likelihood").glob("gaps*.png")
    figure.unlink()
    main([str(digits), "--gaps", "--given", "label", *few])
    assert list(saved(digits)[0]["gaps"]) == ["label"]


def test_calibration_of_a_guide(digits, capsys):
    main([str(digits), "--calibration", "200", "--given", "image", "--device", "cpu"])
    content, text = saved(digits)
    assert text.strip() in capsys.readouterr().out
    assert content["calibration"]["n"] == 200
    assert content["given"] == ["image"]
    assert list((digits / "likelihood").glob("calibration-image-n200-s0.png"))
