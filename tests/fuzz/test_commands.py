"""Run folders with a damaged or foreign file: every command works, or ends by 2 and says in one line what is wrong."""

from __future__ import annotations

import json
import os
import random
import shutil
import traceback
from pathlib import Path

import pytest
import torch
from fuzz.amount import CASES, SEED
from fuzz.mutations import FOREIGN, altered, damaged
from fuzz.targets import TENSORS
from PIL import Image

from pyro_mmvae.experiments.common import driver
from pyro_mmvae.experiments.compare import execute as execution
from pyro_mmvae.experiments.compare.__main__ import main as compare
from pyro_mmvae.experiments.likelihood.__main__ import main as likelihood

pytestmark = pytest.mark.slow
SHARE = max(CASES // 6, 2)
COMPARED = ("--experiment", "mog", "--guides", "poe", "--objectives", "mvae", "--seeds", "1")


def tiny(name, out, *more):
    return [*driver.config_class(name).tiny, "--device", "cpu", "--no-figures", "--out", str(out), *more]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a finished run of each experiment, a comparison and pictures."""
    folder = tmp_path_factory.mktemp("runs")
    before = Path.cwd()
    os.chdir(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(execution, "_do", in_this_process)
        compare([*COMPARED, *tiny("mog", "compared")])
    driver.main("mog", tiny("mog", "mog", "--early-stop", "1"))
    driver.main("rhd", tiny("rhd", "rhd"))
    (folder / "photos").mkdir()
    Image.new("RGB", (40, 40), "tan").save(folder / "photos" / "a.png")
    yield folder
    os.chdir(before)


def in_this_process(command, environment, log):
    driver.main(command[2], command[3:])
    return ""


def again(name, *more):
    return lambda run: driver.main(name, tiny(name, run, "--resume", *more))


def command_of(name, *words):
    return lambda run: driver.main(name, [words[0], str(run), *words[1:], "--device", "cpu"])


def estimate(run):
    likelihood([str(run), "--of", "a", "--num-samples", "5", "--test-samples", "4", "--device", "cpu"])


COMMANDS = {
    "resume mog": ("mog", again("mog", "--early-stop", "1")),
    "resume mog further": ("mog", again("mog", "--early-stop", "1", "--epochs", "3")),
    "likelihood": ("mog", estimate),
    "resume rhd": ("rhd", again("rhd")),
    "evaluate": ("rhd", command_of("rhd", "evaluate", "--no-figures")),
    "predict": ("rhd", command_of("rhd", "predict", "photos")),
    "compare": ("compared", lambda run: compare([*COMPARED, *tiny("mog", run)])),
}
FILES = ("config.yaml", "checkpoints/last.ckpt", "checkpoints/best.ckpt", "metrics.json", "mean_pose.json")


def spoil(path, rng):
    content = path.read_bytes()
    if path.suffix == ".ckpt" and rng.random() < 0.7:
        state = torch.load(path, weights_only=True)
        names = [n for n in state if n not in ("loops", "hparams_name")] if rng.random() < 0.5 else list(state)
        part = rng.choice(names)
        state[part] = altered([state[part]], rng, (*FOREIGN[:12], *FOREIGN[15:], *TENSORS))
        if isinstance(state[part], list) and len(state[part]) == 1:
            (state[part],) = state[part]
        torch.save(state, path)
    elif path.suffix == ".json" and rng.random() < 0.7:
        path.write_text(json.dumps(altered(json.loads(content), rng)))
    else:
        path.write_bytes(damaged(content, rng))


def ending(command, run, capsys):
    """Run a command; return how it ended if it should not have."""
    capsys.readouterr()
    try:
        command(run)
    except SystemExit as stop:
        said = capsys.readouterr().err.rstrip()
        one_line = "error: " in said.rpartition("\n")[2] and said.count("error: ") == 1 and "Traceback" not in said
        return "" if stop.code == 2 and one_line else f"code {stop.code}: {said[-500:]}"
    except Exception:
        return traceback.format_exc()[-1500:]
    return ""


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("name", COMMANDS)
def test_commands_on_a_run_with_a_spoiled_file(name, file, place, capsys, monkeypatch):
    source, command = COMMANDS[name]
    monkeypatch.setattr(execution, "_do", in_this_process)
    (found,) = [p.parent for p in (place / source).rglob("config.yaml")]
    if not (found / file).exists():
        pytest.skip("a run of this kind has no such file")
    wrong = {}
    for number in range(SHARE):
        spoiled = place / "spoiled"
        shutil.rmtree(spoiled, ignore_errors=True)
        shutil.copytree(place / source, spoiled)
        spoil(spoiled / (found / file).relative_to(place / source), random.Random(f"{SEED} {name} {file} {number}"))
        wrong[number] = ending(command, spoiled, capsys)
    assert {number: said for number, said in wrong.items() if said} == {}
