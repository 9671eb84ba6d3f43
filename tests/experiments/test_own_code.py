"""Code of the user's own on command lines: used where it is named, imported nowhere else, its errors its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from pyro_mmvae.experiments.__main__ import main as mmvae
from pyro_mmvae.experiments.common import driver, runs
from pyro_mmvae.experiments.compare import execute as execution
from pyro_mmvae.experiments.compare.__main__ import main as compare
from pyro_mmvae.experiments.likelihood.__main__ import main as likelihood

SNIPPETS = Path(__file__).parents[2] / "docs" / "snippets"
POOL = f"{SNIPPETS / 'guides' / 'logarithmic_pool.py'}:LogarithmicPool"
BOUND = f"{SNIPPETS / 'objectives' / 'leave_one_out.py'}:leave_one_out"
STUDENT = f"{SNIPPETS / 'likelihoods' / 'student.py'}:Student"
WEATHER = "weather.experiment:Experiment"
QUICK = ("--device", "cpu", "--no-figures")
EVIL = "raise SystemExit('imported')\n"


def tiny(name, out, *more):
    return [*driver.config_class(name).tiny, *QUICK, "--out", str(out), *more]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run whose guide and objective are the user's own."""
    out = tmp_path_factory.mktemp("own") / "run"
    driver.main("mog", tiny("mog", out, "--guide", POOL, "--objective", BOUND))
    return out


def said(error, capsys):
    assert error.value.code == 2
    return capsys.readouterr().err


def test_a_run_says_what_it_is_of(run):
    config = yaml.safe_load((run / "config.yaml").read_text())
    assert (config["guide"], config["objective"]) == (POOL, BOUND)


def test_a_run_is_resumed_and_opened_where_its_code_is_named_again(run):
    before = json.loads((run / "metrics.json").read_text())["log_likelihood"]
    driver.main("mog", tiny("mog", run, "--guide", POOL, "--objective", BOUND, "--resume"))
    assert json.loads((run / "metrics.json").read_text())["log_likelihood"] == before
    assert type(runs.open_run(run, allow=[POOL, BOUND]).loss.guide).__name__ == "LogarithmicPool"
    words = [str(run), "--of", "mu", "--num-samples", "5", "--test-samples", "5"]
    words[2] = next(iter(runs.open_run(run, allow=[POOL, BOUND]).loss.model.names))
    likelihood([*words, "--allow", POOL, BOUND])
    assert list((run / "likelihood").glob("*.json"))


@pytest.mark.parametrize("allow", [[], [POOL], [BOUND, "other.py:LogarithmicPool"]])
def test_what_is_not_named_again_is_not_imported(run, allow, capsys, monkeypatch):
    monkeypatch.setattr("pyro_mmvae.own_code.find", lambda path: pytest.fail(f"{path} was imported"))
    with pytest.raises(SystemExit) as error:
        likelihood([str(run), "--of", "a", *(["--allow", *allow] if allow else [])])
    message = said(error, capsys)
    assert "was not imported" in message
    assert "--allow" in message


@pytest.mark.parametrize("key", ["experiment", "guide", "objective"])
@pytest.mark.parametrize("name", ["subprocess:Popen", "evil.py:Guide", "RUN/evil.py:Guide"])
def test_a_run_folder_runs_no_code(run, tmp_path, monkeypatch, key, name):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("pyro_mmvae.own_code.find", lambda path: pytest.fail(f"{path} was imported"))
    for file in (tmp_path / "evil.py", tmp_path / "run" / "evil.py"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(EVIL)
    config = yaml.safe_load((run / "config.yaml").read_text()) | {"guide": "poe", "objective": "mvae"}
    config[key] = name.replace("RUN", str(tmp_path / "run"))
    (tmp_path / "run" / "config.yaml").write_text(yaml.safe_dump(config))
    with pytest.raises(ValueError, match="was not imported"):
        runs.open_run(tmp_path / "run")


def test_a_file_of_options_runs_no_code_unless_the_command_line_names_it(tmp_path, capsys):
    (tmp_path / "c.yaml").write_text(f"guide: {POOL}\n")
    with pytest.raises(SystemExit) as error:
        driver.main("mog", tiny("mog", tmp_path / "run", "--config", str(tmp_path / "c.yaml")))
    assert "was not imported" in said(error, capsys)
    assert not (tmp_path / "run").exists()
    driver.main("mog", tiny("mog", tmp_path / "run", "--config", str(tmp_path / "c.yaml"), "--guide", POOL))
    assert (tmp_path / "run" / "metrics.json").is_file()


@pytest.mark.parametrize(
    ("option", "name", "message"),
    [
        ("--guide", "subprocess:Popen", "expected a subclass of Guide"),
        ("--guide", "nowhere.py:Guide", "there is no file nowhere.py"),
        ("--guide", "no_such_package.fusion:Guide", "there is no module 'no_such_package'"),
        ("--guide", POOL.replace("LogarithmicPool", "Pool"), "has no 'Pool'"),
        ("--guide", "a b:c", "expected an import path"),
        ("--guide", ":", "expected an import path"),
        ("--objective", "os:getcwd", "do not fit the objective 'os:getcwd'"),
        ("--objective", "math:pi", "expected a function"),
    ],
)
def test_what_is_no_such_part_is_told_in_a_line(tmp_path, capsys, option, name, message):
    with pytest.raises(SystemExit) as error:
        driver.main("mog", tiny("mog", tmp_path / "run", option, name))
    assert message in said(error, capsys)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("raise TypeError('of my own')", TypeError),
        ("raise RuntimeError('of my own')", RuntimeError),
        ("raise ValueError('of my own')", ValueError),
    ],
)
@pytest.mark.parametrize("where", ["__init__", "posterior"])
def test_an_error_in_own_code_is_shown_as_what_it_is(tmp_path, body, kind, where):
    signature = {"__init__": "self, modalities, latent_dim", "posterior": "self, batch"}[where]
    (tmp_path / "mine.py").write_text(
        f"from pyro_mmvae.guide import ExpertGuide\nclass Mine(ExpertGuide):\n"
        f"    def posterior(self, batch): ...\n    def {where}({signature}):\n        {body}\n"
    )
    with pytest.raises(kind, match="of my own"):
        driver.main("mog", tiny("mog", tmp_path / "run", "--guide", f"{tmp_path / 'mine.py'}:Mine"))


@pytest.mark.parametrize(
    ("text", "kind"),
    [("import no_such_dependency\n", ImportError), ("x =\n", SyntaxError), ("1 / 0\n", ZeroDivisionError)],
)
def test_an_error_while_own_code_is_imported_is_shown_as_what_it_is(tmp_path, text, kind):
    (tmp_path / "mine.py").write_text(text)
    with pytest.raises(kind):
        driver.main("mog", tiny("mog", tmp_path / "run", "--guide", f"{tmp_path / 'mine.py'}:Mine"))


def test_options_of_own_code(tmp_path, capsys):
    with pytest.raises(SystemExit) as error:
        driver.main("mog", tiny("mog", tmp_path / "run", "--guide", POOL, "--guide-options", "sharpness=2"))
    assert "do not fit the guide" in said(error, capsys)


def test_own_likelihood(tmp_path):
    words = tiny("mnist", tmp_path / "run", "--binarisation", "none", "--density", STUDENT)
    driver.main("mnist", words)
    with pytest.raises(ValueError, match="was not imported"):
        runs.open_run(tmp_path / "run")
    opened = runs.open_run(tmp_path / "run", allow=[STUDENT])
    assert type(opened.loss.model.likelihood("image")).__name__ == "Student"


def test_comparison_of_own_code(tmp_path, monkeypatch):
    monkeypatch.setattr(execution, "_do", lambda command, *_: driver.main(command[2], command[3:]) or "")
    words = ["--experiment", "mog", "--guides", "poe", f"{POOL}", "--objectives", BOUND, "--seeds", "1"]
    compare([*words, "--out", str(tmp_path), *driver.config_class("mog").tiny, *QUICK])
    content = json.loads((tmp_path / "comparison.json").read_text())
    assert {row["variant"] for row in content["comparison"]} == {f"poe/{BOUND}", f"{POOL}/{BOUND}"}


def test_own_experiment_outside_of_the_package(tmp_path, monkeypatch):
    """In a process of its own, as the toy is an experiment among the others in this one."""
    (tmp_path / "weather").symlink_to(SNIPPETS / "experiments" / "weather")
    command = [sys.executable, "-c", "from pyro_mmvae.experiments.__main__ import main; main()"]

    def done(*words):
        return subprocess.run([*command, *words], cwd=tmp_path, capture_output=True, text=True, check=False)

    shown = done(WEATHER, "--help")
    assert "--missing" in shown.stdout, shown.stderr
    assert "Share of training samples without a picture" in shown.stdout
    made = done(WEATHER, "--samples", "60", "--epochs", "2", *QUICK)
    run = tmp_path / "runs" / "weather.experiment-Experiment" / "poe-mvae-s0"
    assert (run / "metrics.json").is_file(), made.stderr
    assert yaml.safe_load((run / "config.yaml").read_text())["experiment"] == WEATHER
    refused = done("likelihood", str(run), "--of", "camera", "--num-samples", "5")
    assert refused.returncode == 2
    assert "was not imported" in refused.stderr
    allowed = done("likelihood", str(run), "--of", "camera", "--num-samples", "5", "--allow", WEATHER)
    assert "log p(camera)" in allowed.stdout, allowed.stderr
    compared = done(
        *("compare", "--experiment", WEATHER, "--guides", "poe", "--seeds", "1"),
        *("--samples", "60", "--epochs", "2", *QUICK),
    )
    assert "poe/mvae" in compared.stdout, compared.stderr


def test_an_unknown_program_is_told(capsys):
    with pytest.raises(SystemExit) as error:
        mmvae(["weahter"])
    assert "or your own, file.py:Experiment" in said(error, capsys)
