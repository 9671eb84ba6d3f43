"""Commands that are killed or stopped at any moment: done again they end with the numbers of one that never was."""

from __future__ import annotations

import csv
import json
import random
import re
import shutil
import signal
import time

import pytest
import torch
from fuzz.amount import CASES, SEED
from fuzz.processes import run
from PIL import Image

from pyro_mmvae.checkpoints import load_checkpoint
from pyro_mmvae.experiments.common import driver

pytestmark = pytest.mark.slow
TIMES = max(CASES // 30, 1)
COST = {"config", "versions", "seconds", "samples_per_second"}
LAST = "checkpoints/last.ckpt"


def tiny(name, *more):
    return [name, *driver.config_class(name).tiny, "--device", "cpu", *more]


NOISE = ("--pixel-corruption", "0.3", "--cloud-noise", "0.1", "--corrupted-share", "0.5", "--augment")
TRAININGS = {
    "mog": tiny("mog", "--epochs", "6", "--early-stop", "2"),
    "mnist with missing labels": tiny("mnist", "--epochs", "4", "--missing", "0.5"),
    "rhd with workers and noise": tiny("rhd", "--epochs", "4", "--workers", "2", "--early-stop", "3", *NOISE),
    "rhd": tiny("rhd"),
}


def moments(name, seconds):
    """Return signals and when they are sent."""
    rng = random.Random(f"{SEED} {name}")
    return [(rng.uniform(0, 1.1 * seconds), rng.choice((signal.SIGKILL, signal.SIGINT))) for _ in range(TIMES)]


def interrupted(words, folder, after, how):
    """Run a command that is likely not to come to its end; it must not mind."""
    code, said = run(words, folder, after, how)
    assert code in ((0, -signal.SIGKILL) if how == signal.SIGKILL else (0, 130)), said[-3000:]
    # Ctrl-C in the middle of a `__del__`: Python prints that with a traceback, and forgets it.
    rest = re.sub(r"Exception ignored in:.*?\nKeyboardInterrupt[^\n]*", "", said, flags=re.DOTALL)
    assert "Traceback" not in rest, said[-3000:]
    return code


def results(folder):
    return {n: v for n, v in json.loads((folder / "metrics.json").read_text()).items() if n not in COST}


def history(folder):
    with (folder / "history.csv").open() as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


def files(folder):
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file() and p.name != ".lock"}


@pytest.mark.parametrize("name", TRAININGS)
def test_training(name, tmp_path):
    words = TRAININGS[name]
    assert run([*words, "--no-figures", "--out", "warm"], tmp_path)[0] == 0  # data and caches are there now
    begin = time.monotonic()
    assert run([*words, "--out", "whole"], tmp_path)[0] == 0
    seconds = time.monotonic() - begin
    for number, (after, how) in enumerate(moments(name, seconds)):
        here = [*words, "--out", f"cut{number}"]
        folder = tmp_path / f"cut{number}"
        interrupted(here, tmp_path, after, how)
        resume = ["--resume"] if (folder / LAST).exists() else []
        interrupted([*here, *resume], tmp_path, after, how)
        resume = ["--resume"] if (folder / LAST).exists() else []
        code, said = run([*here, *resume], tmp_path)
        assert code == 0, said[-3000:]
        whole = tmp_path / "whole"
        states = [load_checkpoint(f / LAST)["state_dict"] for f in (folder, whole)]
        torch.testing.assert_close(*states, rtol=0, atol=0)
        assert history(folder) == history(whole)
        assert results(folder) == results(whole)
        assert files(folder) == files(whole)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Finished runs, and pictures."""
    place = tmp_path_factory.mktemp("finished")
    for name in ("mog", "rhd"):
        code, said = run(tiny(name, "--no-figures", "--out", name), place)
        assert code == 0, said[-3000:]
    (place / "photos").mkdir()
    for number in range(40):
        Image.new("RGB", (40 + number, 40), "tan").save(place / "photos" / f"{number}.png")
    return place


COMMANDS = {
    "evaluate": ("rhd", ["rhd", "evaluate", "RUN", "--device", "cpu"]),
    "predict": ("rhd", ["rhd", "predict", "RUN", "photos", "--device", "cpu"]),
    "likelihood": ("mog", ["likelihood", "RUN", "--of", "a", "--num-samples", "50", "--device", "cpu"]),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_commands_on_a_finished_run(name, finished):
    source, words = COMMANDS[name]

    def on(run_folder):
        shutil.rmtree(finished / run_folder, ignore_errors=True)
        shutil.copytree(finished / source, finished / run_folder)
        return [word.replace("RUN", run_folder) for word in words]

    run(on("warm"), finished)
    begin = time.monotonic()
    assert run(on("whole"), finished)[0] == 0
    seconds = time.monotonic() - begin
    for after, how in moments(name, seconds):
        here = on("cut")
        interrupted(here, finished, after, how)
        code, said = run(here, finished)
        assert code == 0 or (code == 2 and "exists; give another folder" in said), said[-3000:]
        assert files(finished / "cut") == files(finished / "whole")


def test_comparison(tmp_path):
    words = ["compare", "--experiment", "mog", "--guides", "poe", "--objectives", "mvae", "--seeds", "2"]
    words += tiny("mog")[1:]
    begin = time.monotonic()
    assert run([*words, "--out", "whole"], tmp_path)[0] == 0
    seconds = time.monotonic() - begin
    for number, (after, how) in enumerate(moments("compare", seconds)[: max(TIMES // 4, 1)]):  # of half a minute each
        here = [*words, "--out", f"cut{number}"]
        interrupted(here, tmp_path, after, how)
        code, said = run(here, tmp_path)
        assert code == 0, said[-3000:]
        folder, whole = tmp_path / f"cut{number}", tmp_path / "whole"
        tables = [json.loads((f / "comparison.json").read_text())["comparison"] for f in (folder, whole)]
        assert tables[0] == tables[1]
        assert files(folder) == files(whole)
