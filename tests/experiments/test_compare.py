"""The comparison: plan, failures that are not fatal, going on, and tables that are right."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pandas as pd
import pytest

from pyro_mmvae.experiments.common import driver
from pyro_mmvae.experiments.common.columns import Column, Curve
from pyro_mmvae.experiments.common.run_folder import METRICS
from pyro_mmvae.experiments.compare import execute as execution
from pyro_mmvae.experiments.compare.__main__ import main
from pyro_mmvae.experiments.compare.config import Choice, Config, checked
from pyro_mmvae.experiments.compare.execute import Outcome, execute
from pyro_mmvae.experiments.compare.figures import draw_curves
from pyro_mmvae.experiments.compare.plan import plan, varied_options
from pyro_mmvae.experiments.compare.results import collect, compared, markdown
from pyro_mmvae.experiments.mog.config import Config as Mog
from pyro_mmvae.experiments.rhd.config import Config as Rhd

TINY = [*Mog.tiny, "--no-figures"]
LIKELIHOODS = {"a+b": {"joint": {"mean": -1.5, "khat_over_0.7": 0.1}}}


def mog(tmp_path, **options):
    return Config(
        experiment="mog", **{"guides": ("poe",), "objectives": ("mvae",), "seeds": 1, "out": tmp_path, **options}
    )


def write_results(run):
    run.folder.mkdir(parents=True)
    (run.folder / METRICS).write_text(json.dumps({"log_likelihood": LIKELIHOODS, "truth": {"joint": -1.0}}))


def values(better="higher", **by_variant):
    """Return results of one column, a list by variant with an entry for each seed."""
    rows = [
        {"model": v, "variant": v, "seed": s, "column": "c", "value": x, "better": better, "published": math.nan}
        for v, found in by_variant.items()
        for s, x in enumerate(found)
    ]
    return pd.DataFrame(rows)


class TestResults:
    def test_differences_are_paired_by_seed(self):
        """What a seed does to both cancels: the error of the difference is far below that of the means."""
        frame = compared(values(**{"poe/mvae": [1.0, 5.0, 9.0], "set/smvae": [0.5, 4.4, 8.6]}))
        best, other = frame.to_dict(orient="records")
        assert best["reference"] == "poe/mvae"
        assert (best["mean"], best["difference"], best["difference_se"]) == (5.0, 0.0, 0.0)
        assert best["se"] == pytest.approx(4 / math.sqrt(3))
        assert other["difference"] == pytest.approx(-0.5)
        assert other["difference_se"] == pytest.approx(0.1 / math.sqrt(3))

    def test_a_missing_seed_is_left_out_of_the_pairs(self):
        frame = compared(values(**{"poe/mvae": [1.0, 5.0, 9.0], "set/smvae": [0.0, 4.0]}))
        other = frame[frame["variant"] == "set/smvae"].iloc[0]
        assert other["seeds"] == 2
        assert other["difference"] == pytest.approx(-1.0)

    def test_one_seed_has_no_error(self):
        frame = compared(values(**{"poe/mvae": [1.0]}))
        assert frame["se"].isna().all()
        assert "| poe/mvae | 1 |" in markdown(frame)

    def test_bars_in_names_do_not_break_the_table(self):
        frame = compared(values(**{"poe/mvae": [1.0]}).assign(column="log p(x) from q(z|image)"))
        (head,) = {line for line in markdown(frame).splitlines() if "variant" in line}
        assert head == "| variant | log p(x) from q(z\\|image) |"

    def test_less_is_better_where_it_is_an_error(self):
        frame = values("lower", **{"poe/mvae": [30.0], "set/smvae": [20.0]})
        assert compared(frame)["reference"].iloc[0] == "set/smvae"

    def test_an_unknown_reference(self):
        with pytest.raises(ValueError, match="no such run has finished; there are poe/mvae"):
            compared(values(**{"poe/mvae": [1.0]}), "gpoe/mvae")


class TestPlan:
    def test_what_cannot_work_is_left_out_with_a_reason(self, tmp_path):
        config = mog(tmp_path, guides=("poe", "moe"), objectives=("mmvae", "jmvae"), seeds=2)
        runs, misfits = plan(config, TINY)
        assert [(r.variant, r.seed) for r in runs] == [
            (v, s) for v in ("poe/jmvae", "moe/mmvae", "moe/jmvae") for s in (0, 1)
        ]
        assert list(misfits) == ["poe/mmvae"]
        assert "mixture" in misfits["poe/mmvae"]
        assert {r.config.epochs for r in runs} == {2}

    def test_a_finished_run_with_other_options_is_not_compared(self, tmp_path):
        config = mog(tmp_path)
        (run,), _ = plan(config, TINY)
        run.folder.mkdir(parents=True)
        (run.folder / METRICS).write_text("{}")
        (run.folder / "config.yaml").write_text("experiment: mog\nguide: poe\nepochs: 3\n")
        with pytest.raises(ValueError, match="epochs: 3 -> 2"):
            plan(config, TINY)

    def test_an_option_that_the_experiment_does_not_have(self, tmp_path, capsys):
        with pytest.raises(SystemExit):
            plan(mog(tmp_path), ["--epocs", "1"])
        assert "epocs" in "".join(capsys.readouterr())

    @pytest.mark.parametrize("word", ["--guide", "--objective=smvae", "--seed", "--resume", "--no-resume", "--config"])
    def test_options_that_belong_to_the_comparison(self, tmp_path, word):
        with pytest.raises(ValueError, match="is set by the comparison for each run"):
            plan(mog(tmp_path), [*TINY, word, "x"])

    def test_a_reference_that_is_none_of_them_is_refused_before_any_run(self, tmp_path):
        with pytest.raises(ValueError, match="--reference nope: expected one of poe/mvae"):
            plan(mog(tmp_path, reference="nope"), TINY)

    def test_a_run_with_a_damaged_file_of_results_is_not_finished(self, tmp_path):
        (run,), _ = plan(mog(tmp_path), TINY)
        assert not run.finished
        run.folder.mkdir(parents=True)
        (run.folder / METRICS).write_text('{"a": 1')
        assert not run.finished
        (run.folder / METRICS).write_text('{"a": 1}')  # of something else
        assert not run.finished
        for content in ("[]", "null", '"x"', "[" * 100_000, '{"log_likelihood": {}, "truth": {}}', "1" * 5000):
            (run.folder / METRICS).write_text(content)
            assert not run.finished, content[:50]
        (run.folder / METRICS).unlink()
        run.folder.rmdir()
        write_results(run)
        assert run.finished

    def test_options_vary_and_guides_have_options_of_their_own(self, tmp_path):
        guides = ("poe", "poe:prior_expert=never", "moe_moments:weights=learned")
        config = mog(tmp_path, guides=guides, vary=(("latent-dim", "2", "3"), ("judge", "validation", "test")))
        runs, _ = plan(checked(config), TINY)
        assert len({run.folder for run in runs}) == len(runs) == 12
        assert {(r.config.latent_dim, r.config.judge) for r in runs} == {
            (d, j) for d in (2, 3) for j in ("validation", "test")
        }
        assert {r.config.guide_options for r in runs} == {(), ("prior_expert=never",), ("weights=learned",)}
        assert runs[-1].variant == "moe_moments:weights=learned/mvae latent_dim=3 judge=test"

    def test_an_option_with_several_values_is_given_as_one_word(self, tmp_path):
        vary = (("widths", "16 8", "4"),)
        config = Config(experiment="mnist", guides=("poe",), objectives=("mvae",), vary=vary, seeds=1, out=tmp_path)
        assert [r.config.widths for r in plan(config, [])[0]] == [(16, 8), (4,)]

    @pytest.mark.parametrize("experiment", ["mog", "entangled"])
    def test_without_guides_and_objectives_the_experiment_s_own_are_compared(self, tmp_path, experiment):
        config = Config(experiment=experiment, seeds=1, out=tmp_path)
        own = driver.config_class(experiment).comparison
        runs, _ = plan(config, [])
        assert {r.guide for r in runs} == set(own.guides)
        assert {r.objective for r in runs} == set(own.objectives)
        assert varied_options(config) == dict(own.vary)

    def test_without_objectives_each_guide_has_its_own(self, tmp_path):
        config = Config(experiment="mnist", guides=("set", "moe"), objectives=(), seeds=1, out=tmp_path)
        assert [r.variant for r in plan(config, [])[0]] == ["set/smvae", "moe/mmvae"]

    @pytest.mark.parametrize(
        ("vary", "words", "message"),
        [
            ((("seed", "1", "2"),), [], "--seed is set by the comparison"),
            ((("latent_dim", "1", "2"),), ["--latent-dim", "3"], "--latent-dim is varied"),
            ((("latent_dim", "0", "2"),), [], "--latent-dim: expected int of at least 1"),
        ],
    )
    def test_what_cannot_be_varied(self, tmp_path, vary, words, message):
        with pytest.raises(ValueError, match=message):
            plan(mog(tmp_path, vary=vary), [*TINY, *words])

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"guides": ("pose",)}, "unknown name 'pose'"),
            ({"objectives": ("elbow",)}, "unknown name 'elbow'"),
            ({"jobs": 0}, "--jobs: expected int of at least 1"),
            ({"experiment": "cats"}, "unknown experiment"),
            ({"vary": (("latent_dim",),)}, "--vary: expected an option and its values"),
        ],
    )
    def test_bad_options(self, options, message):
        with pytest.raises(ValueError, match=message):
            checked(Config(**options))


class TestExecute:
    def test_a_failed_run_is_reported_and_not_fatal(self, tmp_path, monkeypatch):
        config = mog(tmp_path, guides=("poe", "gpoe"), jobs=2)
        runs, _ = plan(config, TINY)
        monkeypatch.setattr(execution, "_order", self.instead(runs, config))
        outcomes = execute(runs, config)
        assert [bool(o.error) for o in outcomes] == [True, False]
        assert "exit code 3" in outcomes[0].error
        assert outcomes[0].error.endswith("no luck")

    def instead(self, runs, config):
        """The first run fails, the second writes its results."""

        def order(run, _):
            fails = "import sys; print('no luck'); sys.exit(3)"
            works = f"import pathlib; pathlib.Path({str(run.folder)!r}).mkdir(parents=True)"
            return ["-c", fails if run == runs[0] else works], {}, config.folder / f"{run.folder.name}.txt"

        return order

    def test_finished_runs_are_kept(self, tmp_path, monkeypatch):
        config = mog(tmp_path)
        runs, _ = plan(config, TINY)
        write_results(runs[0])
        monkeypatch.setattr(execution, "_do", lambda *_: pytest.fail("it was run again"))
        assert execute(runs, config) == [Outcome(runs[0])]

    def test_on_a_cluster(self, tmp_path, monkeypatch):
        distributed = pytest.importorskip("dask.distributed")
        with distributed.LocalCluster(n_workers=1, processes=False, dashboard_address=None) as cluster:
            config = mog(tmp_path, guides=("poe", "gpoe"), scheduler=cluster.scheduler_address)
            runs, _ = plan(config, TINY)
            monkeypatch.setattr(execution, "_order", self.instead(runs, config))
            assert [bool(o.error) for o in execute(runs, config)] == [True, False]


def test_a_run_that_starts_while_the_comparison_stops_ends_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(execution, "_stopping", stopping := threading.Event())
    stopping.set()
    assert "exit code" in execution._do(["-c", "import time; time.sleep(300)"], {}, tmp_path / "log.txt")


@pytest.mark.parametrize("value", ["1.5", [1.0], {}, b"1"])
def test_columns_and_curves_are_of_numbers(value):
    with pytest.raises(TypeError):
        Column(value)
    with pytest.raises(TypeError):
        Curve([0.0, 1.0], [0.0, value])
    with pytest.raises(ValueError, match="as many"):
        Curve([0.0, 1.0], [0.0])
    assert math.isnan(Column(None).value)
    assert math.isnan(Curve([0.0], [None]).y[0])


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_run_ends_with_the_process_that_started_it(tmp_path, how):
    """A comparison that is killed must not leave a run alive that goes on writing."""
    log = tmp_path / "log.txt"
    code = f"""
from pathlib import Path
from pyro_mmvae.experiments.compare import execute
execute._do(["-c", {CHILD!r}], {{}}, Path({str(log)!r}))
"""
    parent = subprocess.Popen([sys.executable, "-c", code])
    deadline = time.monotonic() + 60
    while not (log.exists() and log.read_text().strip()) and time.monotonic() < deadline:
        time.sleep(0.05)
    child = int(log.read_text())
    parent.send_signal(how)
    parent.wait()
    while alive(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not alive(child)


CHILD = """
import os, threading, time
from pyro_mmvae.experiments.compare import child
threading.Thread(target=child._end_with_parent, daemon=True).start()
print(os.getpid(), flush=True)
time.sleep(300)
"""


def alive(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return "Z" not in Path(f"/proc/{process}/stat").read_text().split()[2]


def test_from_the_command_line(tmp_path, capsys):
    arguments = [
        "--experiment",
        "mog",
        "--guides",
        "poe",
        "--objectives",
        "mvae",
        "mmvae",
        "--vary",
        "latent_dim",
        "2",
        "3",
    ]
    main([*arguments, "--seeds", "1", "--out", str(tmp_path), *Mog.tiny])
    printed = capsys.readouterr().out
    assert "2 runs of 2 combinations" in printed
    assert "left out, as they cannot work:\n- poe/mmvae" in printed
    content = json.loads((tmp_path / "comparison.json").read_text())
    assert content["failed"] == {}
    assert {row["variant"] for row in content["runs"]} == {"poe/mvae latent_dim=2", "poe/mvae latent_dim=3"}
    frame = pd.read_csv(tmp_path / "comparison.csv")
    config = mog(tmp_path, objectives=("mvae", "mmvae"), vary=(("latent_dim", "2", "3"),))
    (run, *_) = plan(config, Mog.tiny)[0]
    mean = run.metrics()["log_likelihood"]["a+b"]["joint"]["mean"]
    row = collect([run]).set_index("column").loc["log p(a, b) from q(z|a+b)"]
    assert row["value"] == mean
    assert row["published"] == run.metrics()["truth"]["joint"]
    assert "log p(a, b) from q(z|a+b)" in set(frame["column"])
    for name in ("comparison.png", "comparison-over-latent_dim.png", "comparison-latent.png"):
        assert (tmp_path / name).stat().st_size > 1000
    text = (tmp_path / "comparison.md").read_text()
    assert "| poe/mvae latent_dim=2 |" in text
    assert "Published, or known otherwise" in text


@pytest.mark.parametrize(
    ("word", "choice"),
    [
        ("poe", Choice("poe")),
        ("poe:prior_expert=never,a=2", Choice("poe", ("prior_expert=never", "a=2"))),
        ("my.module:Guide", Choice("my.module:Guide")),
        ("my.module:Guide:a=2", Choice("my.module:Guide", ("a=2",))),
    ],
)
def test_choices(word, choice):
    assert Choice.of(word) == choice
    assert str(choice) == word


def test_curves_of_several_runs_are_drawn_over_one_another(tmp_path):
    curves = {"poe": [([0.0, 1.0], [0.1, 0.2]), ([0.0, 1.0], [0.3, 0.4])], "moe": [([0.0, 1.0], [0.0, 0.1])]}
    assert draw_curves(curves, "PCK; mm; share", tmp_path / "c.png").stat().st_size > 1000


def test_help_answers_at_once():
    code = (
        "import sys; from pyro_mmvae.experiments.compare.__main__ import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: print('torch' in sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "--scheduler" in out
    assert out.endswith("False\n")


class TestStudies:
    @pytest.mark.parametrize("name", sorted(Rhd.studies))
    def test_every_study_can_be_planned(self, tmp_path, name):
        config = Config(experiment="rhd", study=name, seeds=1, out=tmp_path)
        study = Rhd.studies[name]
        runs, misfits = plan(config, Rhd.tiny)
        assert not misfits
        assert len(runs) == len(study.guides) * math.prod(len(values) for values in study.vary.values())

    def test_the_command_line_wins_over_the_study(self, tmp_path):
        config = Config(experiment="rhd", study="sensor_failure", guides=("poe",), seeds=1, out=tmp_path)
        (run,), _ = plan(config, [*Rhd.tiny, "--cloud-noise", "1"])
        assert (run.guide, run.config.cloud_noise, run.config.pixel_corruption) == ("poe", 1.0, 0.9)

    def test_a_study_keeps_its_values_with_other_guides(self, tmp_path):
        config = Config(experiment="rhd", study="joshi2022_table3", guides=("gpoe",), seeds=1, out=tmp_path)
        assert [run.config.pixel_corruption for run in plan(config, Rhd.tiny)[0]] == [0, 0.25, 0.5]

    def test_an_unknown_study_is_refused(self, tmp_path):
        with pytest.raises(ValueError, match="--study none: unknown; studies of rhd are: joshi2022_table3"):
            plan(Config(experiment="rhd", study="none", out=tmp_path), [])
        with pytest.raises(ValueError, match="studies of mog are: none"):
            plan(mog(tmp_path, study="none"), [])
