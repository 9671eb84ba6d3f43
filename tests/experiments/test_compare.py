"""The comparison: plan, failures that are not fatal, going on, and tables that are right."""

from __future__ import annotations

import json
import math
import subprocess
import sys

import pandas as pd
import pytest

from pyro_mmvae.experiments.common.runs import METRICS
from pyro_mmvae.experiments.compare import execute as execution
from pyro_mmvae.experiments.compare.cli import main
from pyro_mmvae.experiments.compare.config import Config, checked
from pyro_mmvae.experiments.compare.execute import Outcome, execute
from pyro_mmvae.experiments.compare.plan import plan
from pyro_mmvae.experiments.compare.results import collect, compared, markdown
from pyro_mmvae.experiments.rhd import summary as rhd_summary

TINY = [
    "--epochs",
    "1",
    "--samples",
    "128",
    "--latent-dim",
    "2",
    "--widths",
    "8",
    "--label-widths",
    "8",
    "--no-figures",
]
TINY += ["--num-samples", "5", "--test-samples", "20"]


def values(**by_variant):
    """Return results of one column, a list by variant with an entry for each seed."""
    rows = [
        {"guide": v.split("/")[0], "objective": v.split("/")[1], "variant": v, "seed": s, "column": "c", "value": x}
        for v, found in by_variant.items()
        for s, x in enumerate(found)
    ]
    return pd.DataFrame(rows)


class TestResults:
    def test_differences_are_paired_by_seed(self):
        """What a seed does to both cancels: the error of the difference is far below that of the means."""
        frame = compared(values(**{"poe/mvae": [1.0, 5.0, 9.0], "set/smvae": [0.5, 4.4, 8.6]}), "mnist")
        best, other = frame.to_dict(orient="records")
        assert best["reference"] == "poe/mvae"
        assert (best["mean"], best["difference"], best["difference_se"]) == (5.0, 0.0, 0.0)
        assert best["se"] == pytest.approx(4 / math.sqrt(3))
        assert other["difference"] == pytest.approx(-0.5)
        assert other["difference_se"] == pytest.approx(0.1 / math.sqrt(3))

    def test_a_missing_seed_is_left_out_of_the_pairs(self):
        frame = compared(values(**{"poe/mvae": [1.0, 5.0, 9.0], "set/smvae": [0.0, 4.0]}), "mnist")
        other = frame[frame["variant"] == "set/smvae"].iloc[0]
        assert other["seeds"] == 2
        assert other["difference"] == pytest.approx(-1.0)

    def test_one_seed_has_no_error(self):
        frame = compared(values(**{"poe/mvae": [1.0]}), "mnist")
        assert frame["se"].isna().all()
        assert "| poe | mvae | 1 |" in markdown(frame)

    def test_bars_in_names_do_not_break_the_table(self):
        frame = compared(values(**{"poe/mvae": [1.0]}).assign(column="log p(x) from q(z|image)"), "mnist")
        (head,) = {line for line in markdown(frame).splitlines() if "guide" in line}
        assert head == "| guide | objective | log p(x) from q(z\\|image) |"

    def test_less_is_better_where_it_is_an_error(self):
        frame = values(**{"poe/mvae": [30.0], "set/smvae": [20.0]}).assign(column="EPE mm, joint")
        assert compared(frame, "rhd")["reference"].iloc[0] == "set/smvae"

    def test_an_unknown_reference(self):
        with pytest.raises(ValueError, match="no such run has finished; there are poe/mvae"):
            compared(values(**{"poe/mvae": [1.0]}), "mnist", "gpoe/mvae")


class TestPlan:
    def test_what_cannot_work_is_left_out_with_a_reason(self, tmp_path):
        config = Config(guides=("poe", "moe"), objectives=("mmvae", "jmvae"), seeds=2, out=tmp_path)
        runs, misfits = plan(config, TINY)
        assert [(r.variant, r.seed) for r in runs] == [
            (v, s) for v in ("poe/jmvae", "moe/mmvae", "moe/jmvae") for s in (0, 1)
        ]
        assert list(misfits) == ["poe/mmvae"]
        assert "mixture" in misfits["poe/mmvae"]
        assert {r.options.epochs for r in runs} == {1}

    def test_a_finished_run_with_other_options_is_not_compared(self, tmp_path):
        config = Config(guides=("poe",), objectives=("mvae",), seeds=1, out=tmp_path)
        (run,), _ = plan(config, TINY)
        run.folder.mkdir(parents=True)
        (run.folder / "config.yaml").write_text("experiment: mnist\nepochs: 3\n")
        with pytest.raises(ValueError, match="epochs: 3 -> 1"):
            plan(config, TINY)

    def test_an_option_that_the_experiment_does_not_have(self, tmp_path, capsys):
        with pytest.raises(SystemExit):
            plan(Config(guides=("poe",), objectives=("mvae",), out=tmp_path), ["--epocs", "1"])
        assert "epocs" in "".join(capsys.readouterr())

    @pytest.mark.parametrize("word", ["--guide", "--objective=smvae", "--seed", "--resume", "--no-resume", "--config"])
    def test_options_that_belong_to_the_comparison(self, tmp_path, word):
        with pytest.raises(ValueError, match="is set by the comparison for each run"):
            plan(Config(guides=("poe",), objectives=("mvae",), out=tmp_path), [*TINY, word, "x"])

    def test_a_reference_that_is_none_of_them_is_refused_before_any_run(self, tmp_path):
        with pytest.raises(ValueError, match="--reference nope: expected one of poe/mvae"):
            plan(Config(guides=("poe",), objectives=("mvae",), out=tmp_path, reference="nope"), TINY)

    def test_a_run_with_a_damaged_file_of_results_is_not_finished(self, tmp_path):
        (run,), _ = plan(Config(guides=("poe",), objectives=("mvae",), seeds=1, out=tmp_path), TINY)
        assert not run.finished
        run.folder.mkdir(parents=True)
        (run.folder / METRICS).write_text('{"a": 1')
        assert not run.finished
        (run.folder / METRICS).write_text('{"a": 1}')
        assert run.finished

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"guides": ("pose",)}, "unknown name 'pose'"),
            ({"objectives": ("elbow",)}, "unknown name 'elbow'"),
            ({"jobs": 0}, "--jobs: expected at least 1"),
        ],
    )
    def test_bad_options(self, options, message):
        with pytest.raises(ValueError, match=message):
            checked(Config(**options))


class TestExecute:
    def test_a_failed_run_is_reported_and_not_fatal(self, tmp_path, monkeypatch):
        config = Config(guides=("poe", "gpoe"), objectives=("mvae",), seeds=1, jobs=2, out=tmp_path)
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
            return ["-c", fails if run == runs[0] else works], {}, config.out / f"{run.folder.name}.txt"

        return order

    def test_finished_runs_are_kept(self, tmp_path, monkeypatch):
        config = Config(guides=("poe",), objectives=("mvae",), seeds=1, out=tmp_path)
        runs, _ = plan(config, TINY)
        runs[0].folder.mkdir(parents=True)
        (runs[0].folder / METRICS).write_text("{}")
        monkeypatch.setattr(execution, "_do", lambda *_: pytest.fail("it was run again"))
        assert execute(runs, config) == [Outcome(runs[0])]

    def test_on_a_cluster(self, tmp_path, monkeypatch):
        distributed = pytest.importorskip("dask.distributed")
        with distributed.LocalCluster(n_workers=1, processes=False, dashboard_address=None) as cluster:
            config = Config(
                guides=("poe", "gpoe"), objectives=("mvae",), seeds=1, out=tmp_path, scheduler=cluster.scheduler_address
            )
            runs, _ = plan(config, TINY)
            monkeypatch.setattr(execution, "_order", self.instead(runs, config))
            assert [bool(o.error) for o in execute(runs, config)] == [True, False]


def test_from_the_command_line(tmp_path, capsys):
    arguments = [
        "--guides",
        "poe",
        "gpoe",
        "--objectives",
        "mvae",
        "mmvae",
        "--seeds",
        "1",
        "--out",
        str(tmp_path),
        *TINY,
    ]
    main(arguments)
    printed = capsys.readouterr().out
    assert "2 runs of 2 combinations" in printed
    assert "left out, as they cannot work:\n- poe/mmvae" in printed
    content = json.loads((tmp_path / "comparison.json").read_text())
    assert content["failed"] == {}
    assert {row["variant"] for row in content["runs"]} == {"poe/mvae", "gpoe/mvae"}
    frame = pd.read_csv(tmp_path / "comparison.csv")
    assert set(frame["column"]) >= {"log p(x,y) from q(z|image+label)", "log p(x) from q(z|image)", "label accuracy"}
    (run, *_) = plan(Config(guides=("poe",), objectives=("mvae",), seeds=1, out=tmp_path), TINY)[0]
    mean = run.metrics()["log_likelihood"]["image+label"]["joint"]["mean"]
    row = collect([run]).set_index("column").loc["log p(x,y) from q(z|image+label)"]
    assert row["value"] == mean
    assert (tmp_path / "comparison.png").stat().st_size > 1000
    assert "| poe | mvae |" in (tmp_path / "comparison.md").read_text()


def test_hands_are_compared_by_their_joint_error_first():
    found = {name: {"epe_mm": {"mean": mm}, "auc_20_50": 0.5} for name, mm in (("rgb", 30.0), ("joint", 20.0))}
    columns = rhd_summary.summary({"posteriors": found})
    assert list(columns) == ["EPE mm, joint", "EPE mm, rgb", "AUC 20-50, joint", "AUC 20-50, rgb"]
    assert columns["EPE mm, joint"] == 20
    assert {name for name in columns if name in rhd_summary.LOWER_IS_BETTER} == {"EPE mm, joint", "EPE mm, rgb"}


def test_help_answers_at_once():
    code = (
        "import sys; from experiments.compare.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: print('torch' in sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "--scheduler" in out
    assert out.endswith("False\n")
