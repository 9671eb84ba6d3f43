"""What every experiment promises; the folder is the list. A toy experiment outside the package promises the same."""

from __future__ import annotations

import csv
import dataclasses
import json
import math
import os
import signal
import subprocess
import sys
import time
import typing
from pathlib import Path
from typing import get_args, get_origin

import pytest
import torch
import yaml
from msgspec import Meta

from pyro_mmvae import Batch
from pyro_mmvae import experiments as package
from pyro_mmvae.checkpoints import load_checkpoint
from pyro_mmvae.experiments.common import configuration, driver, runs
from pyro_mmvae.experiments.common.by_name import experiments
from pyro_mmvae.experiments.common.ranges import option
from pyro_mmvae.experiments.compare import execute as execution
from pyro_mmvae.experiments.compare.__main__ import main as compare
from pyro_mmvae.experiments.likelihood.__main__ import main as likelihood
from pyro_mmvae.history import Timed

ROOT = Path(__file__).parents[2]
TOYS = ROOT / "docs" / "snippets" / "experiments"
TOY = "weather"
package.__path__.append(str(TOYS))  # for this process: a folder is all that an experiment needs
NAMES = experiments()
IN_EVERY_METRICS = {"config", "versions", "seconds", "samples_per_second"}


def words(name, out, *more):
    return [*driver.config_class(name).tiny, "--device", "cpu", "--out", str(out), *more]


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    """A folder in which relative paths of experiments end, the same for all tests: what is rendered is kept."""
    place = tmp_path_factory.mktemp("work")
    before = Path.cwd()
    os.chdir(place)
    yield place
    os.chdir(before)


@pytest.fixture(scope="module")
def run(request, workplace):
    """A finished tiny run with figures."""
    out = workplace / "runs" / request.param
    driver.main(request.param, words(request.param, out))
    return out


each = pytest.mark.parametrize("run", NAMES, indirect=True)


def metrics_of(run):
    return json.loads((run / "metrics.json").read_text())


def results_of(run):
    """What two equal runs have in common."""
    return {n: v for n, v in metrics_of(run).items() if n not in IN_EVERY_METRICS}


def history_of(run):
    with (run / "history.csv").open() as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


def test_the_toy_is_an_experiment_among_the_others():
    assert TOY in NAMES
    assert {"mnist", "mog", "entangled", "rhd"} <= set(NAMES)


@each
def test_a_run_leaves_its_files(run):
    for name in ("config.yaml", "metrics.json", "history.csv", "checkpoints/last.ckpt"):
        assert (run / name).is_file(), name
    content = yaml.safe_load((run / "config.yaml").read_text())
    assert content["experiment"] == run.name
    assert metrics_of(run)["config"]["resume"] is False
    assert len(history_of(run)) == content["epochs"]


@each
def test_metrics_have_columns_that_are_numbers(run):
    columns = driver.experiment_class(run.name).columns(metrics_of(run))
    assert columns
    assert not math.isnan(next(iter(columns.values())).value)
    assert {column.better for column in columns.values()} <= {"higher", "lower"}
    for curve in driver.experiment_class(run.name).curves(metrics_of(run)).values():
        assert len(curve.x) == len(curve.y) > 1


@each
def test_figures_named_as_sheets_are_drawn(run):
    for sheet in driver.experiment_class(run.name).sheets:
        assert (run / "figures" / sheet).is_file(), sheet


@each
def test_keys_of_metrics_are_documented(run):
    pages = [page.read_text() for page in (ROOT / "docs").rglob("*.md")]
    about = "\n".join(page for page in pages if f"experiments.{run.name}" in page)
    undocumented = [key for key in results_of(run) if f"`{key}`" not in about and f"`{key}." not in about]
    assert run.name == TOY or undocumented == []


@each
def test_a_finished_run_is_opened(run):
    opened = runs.open_run(run)
    assert not opened.loss.training
    batches = list(opened.experiment.data().judged(3))
    assert all(isinstance(batch, Batch) for batch in batches)
    assert sum(batch.size for batch in batches) == 3
    state = {
        k.removeprefix("loss."): v for k, v in load_checkpoint(run / "checkpoints/last.ckpt")["state_dict"].items()
    }
    torch.testing.assert_close(opened.loss.state_dict(), state, rtol=0, atol=0)


@each
def test_likelihood_of_a_run(run, capsys):
    model = runs.open_run(run).loss.model
    density = next(name for name in model.names if model.normalised([name]))
    likelihood([str(run), "--of", density, "--num-samples", "5", "--test-samples", "4", "--device", "cpu"])
    assert f"log p({density})" in capsys.readouterr().out


def killed_in_epoch(number, monkeypatch, main, arguments):
    start = Timed.on_train_epoch_start

    def dies(self, trainer, module):
        if trainer.current_epoch == number:
            raise KeyboardInterrupt
        start(self, trainer, module)

    with monkeypatch.context() as patch:
        patch.setattr(Timed, "on_train_epoch_start", dies)
        with pytest.raises(SystemExit) as stopped:
            main(arguments)
    assert stopped.value.code == 130


@each
def test_a_stopped_run_goes_on_to_the_same_numbers(run, workplace, monkeypatch):
    cut = workplace / "cut" / run.name
    arguments = words(run.name, cut, "--no-figures")
    killed_in_epoch(1, monkeypatch, lambda words: driver.main(run.name, words), arguments)
    assert len(history_of(cut)) == 1
    driver.main(run.name, [*arguments, "--resume"])
    whole, gone_on = (load_checkpoint(folder / "checkpoints/last.ckpt") for folder in (run, cut))
    torch.testing.assert_close(gone_on["state_dict"], whole["state_dict"], rtol=0, atol=0)
    assert history_of(cut) == history_of(run)
    assert results_of(cut) == results_of(run)


KILLED = [pytest.param(n, marks=[] if n == "mog" else [pytest.mark.slow]) for n in NAMES if n != TOY]


@pytest.mark.parametrize("name", KILLED)
def test_a_killed_process_is_resumed_in_another(name, workplace):
    out = workplace / "killed" / name
    arguments = words(name, out, "--no-figures", "--epochs", "40" if name == "mog" else "2")
    command = [sys.executable, "-m", f"pyro_mmvae.experiments.{name}", *arguments]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 300
    while not (out / "checkpoints/last.ckpt").is_file() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    driver.main(name, [*arguments, "--resume"])
    whole = workplace / "whole" / name
    driver.main(name, words(name, whole, "--no-figures", *arguments[-2:]))
    assert results_of(out) == results_of(whole)


@each
def test_a_comparison_of_every_experiment(run, workplace, monkeypatch, capsys):
    def in_this_process(command, environment, log):
        driver.main(command[2], command[3:])
        return ""

    monkeypatch.setattr(execution, "_do", in_this_process)
    config = driver.config_class(run.name)
    tiny = [word for word in config.tiny if word not in ("--guide",)]
    own = config.comparison
    out = workplace / "compare" / run.name
    arguments = ["--experiment", run.name, "--guides", *own.guides[:1], "--vary", "learning_rate", "1e-3", "1e-4"]
    arguments += ["--objectives", *own.objectives[:1]] if own.objectives else []
    compare([*arguments, "--seeds", "1", "--out", str(out), *tiny, "--device", "cpu", "--no-figures"])
    content = json.loads((out / "comparison.json").read_text())
    assert len({row["variant"] for row in content["comparison"]}) == 2
    for name in ("comparison.md", "comparison.csv", "comparison.png", "comparison-over-learning_rate.png"):
        assert (out / name).is_file(), name
    assert "learning_rate=1e-4" in (out / "comparison.md").read_text()


def metas(hint):
    """Return the limits in a type, and in the types that it is made of."""
    return [hint] if isinstance(hint, Meta) else [meta for part in get_args(hint) for meta in metas(part)]


def limits(name):
    """Return options that have limits, with values outside of them."""
    cls = driver.config_class(name)
    for field, hint in (
        (f.name, typing.get_type_hints(cls, include_extras=True)[f.name]) for f in dataclasses.fields(cls)
    ):
        several = next((part for part in (hint, *get_args(hint)) if get_origin(part) is tuple), None)
        args = [kind for kind in get_args(several) if kind is not Ellipsis] if several else [hint]
        outside = []
        for meta in metas(hint):
            outside += ["nan", "inf"] if "float" in str(hint) else []
            outside += ["-3"] if (meta.ge, meta.gt) != (None, None) else []
            outside += ["1e9"] if (meta.le, meta.lt) != (None, None) and "int" not in str(hint) else []
        yield from ((field, " ".join([value] * len(args))) for value in dict.fromkeys(outside))


@pytest.mark.parametrize(("name", "field", "value"), [(n, *case) for n in NAMES for case in limits(n)])
def test_options_out_of_range_are_refused_before_training(name, field, value, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as error:
        driver.main(name, [option(field), *value.split()] if " " in value else [f"{option(field)}={value}"])
    assert error.value.code == 2
    said = capsys.readouterr().err
    assert f"{option(field)}: expected" in said
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--guide", "goe"], "unknown name 'goe' in pyro_mmvae.guides; choose one of"),
        (["--objective", "elbo"], "unknown name 'elbo' in pyro_mmvae.objectives"),
        (["--objective", "jmvae", "--objective-options", "gamma=2"], "do not fit the objective 'jmvae'"),
        (["--objective-options", "alpha"], "expected name=value"),
        (["--guide", "gpoe", "--guide-options", "hidden=-3"], "do not fit the guide 'gpoe'"),
        (["--paper", "nobody1900"], "--paper: expected one of"),
        (["--batch-size", "33", "--devices", "2"], "does not divide among 2 processes"),
        (["--resume"], "nothing to resume"),
        (["--config", "nowhere.yaml"], "nowhere.yaml"),
    ],
)
def test_mistakes_end_in_one_line(name, arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as error:
        driver.main(name, [*words(name, tmp_path / "run"), *arguments])
    said = capsys.readouterr().err or str(error.value.code)
    assert error.value.code == 2 or "nowhere" in said
    assert message in said
    assert "Traceback" not in said


@each
def test_another_run_cannot_pass_for_a_resumed_one(run, capsys):
    for more, message in [(["--seed", "5", "--resume"], "seed: 0 -> 5"), ([], "holds a run already")]:
        with pytest.raises(SystemExit):
            driver.main(run.name, words(run.name, run, *more))
        assert message in capsys.readouterr().err


@pytest.mark.parametrize("name", NAMES)
def test_help_prints_the_values_of_a_run_and_does_not_wait_for_pytorch(name):
    code = f"""
import sys
from pyro_mmvae import experiments
experiments.__path__.append({str(TOYS)!r})
from pyro_mmvae.experiments.common.driver import main
try:
    main({name!r}, ["--seed", "12345", "--help"])
except SystemExit:
    pass
print({{"torch", "lightning", "sklearn", "pandas", "matplotlib"}} & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.splitlines()[-1] == "set()"
    assert "default: 12345" in done.stdout
    config = configuration.parse_run(driver.config_class(name), [], "")
    assert f"default: {config.objective})" in " ".join(done.stdout.split()).replace("│ │ ", "")


@pytest.mark.parametrize(("name", "paper"), [(n, p) for n in NAMES for p in driver.config_class(n).presets()])
def test_presets_name_options_and_their_values_are_in_range(name, paper):
    cls = driver.config_class(name)
    preset = cls.presets()[paper]
    fields = {field.name for field in dataclasses.fields(cls)}
    assert set(preset.options) <= fields
    assert not set(preset.printed) & set(preset.chosen)
    config = configuration.parse_run(cls, ["--paper", paper, "--device", "cpu"], "")
    assert {n: getattr(config, n) for n in preset.options} == preset.options
    listed = configuration.listed(config, config.preset)
    for printed in preset.printed:
        shown = [line for line in listed.splitlines() if f"{printed}=" in line]
        assert getattr(config, printed) is None or "(paper)" in shown[0]


@pytest.mark.parametrize("name", NAMES)
def test_config_yaml_is_read_back(name, tmp_path):
    config = configuration.parse_run(driver.config_class(name), ["--out", str(tmp_path)], "")
    configuration.write(config, tmp_path / "config.yaml")
    assert driver.read_config(tmp_path) == config
