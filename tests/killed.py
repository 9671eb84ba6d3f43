"""Training runs in processes of their own, which may be killed and resumed."""

from __future__ import annotations

import functools
import json
import multiprocessing
import os
import signal
import subprocess
import sys
from multiprocessing import forkserver
from pathlib import Path

import pytest
import torch
import training_script

SCRIPT = Path(training_script.__file__)
FORKED = multiprocessing.get_context("forkserver")


@functools.cache
def _start_server() -> None:
    """Let processes be forked from one that has imported the script: that takes a second instead of five."""
    with pytest.MonkeyPatch.context() as patch:
        paths = [str(SCRIPT.parent), str(SCRIPT.parent.parent), os.environ.get("PYTHONPATH", "")]
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
        patch.setenv("OMP_NUM_THREADS", "1")
        FORKED.set_forkserver_preload(["training_script"])
        forkserver.ensure_running()


def run(out, expect=0, **options):
    """Run the script, and return its result unless it is expected to end otherwise.

    Args:
        out: the run's folder.
        expect: exit code.
        options: of the script, see its `DEFAULTS`.
    """
    out.mkdir(exist_ok=True)
    if options.get("devices", 1) == 1:
        _start_server()
        process = FORKED.Process(target=training_script.forked, args=(out, options))
        process.start()
        process.join(120)
        code = process.exitcode
    else:
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        command = [sys.executable, str(SCRIPT), str(out), json.dumps(options)]
        with (out / "errors.txt").open("w") as errors:  # a pipe would wait for what is left of a killed run
            code = subprocess.run(command, stdout=errors, stderr=errors, env=environment, timeout=300).returncode
    assert code == expect, (out / "errors.txt").read_text()[-3000:]
    return torch.load(out / "result.pt", weights_only=True) if expect == 0 else None


def same_when_killed(folder, *kills, **options):
    """Compare a run that is killed in these places, and resumed each time, with one that is not; return its rows."""
    whole = run(folder / "whole", **options)
    for number, kill in enumerate(kills):
        run(folder / "cut", kill=kill, resume=number > 0, expect=-signal.SIGKILL, **options)
    resumed = run(folder / "cut", resume=True, **options)
    torch.testing.assert_close(resumed["state"], whole["state"], rtol=0, atol=0)
    assert resumed["rows"] == whole["rows"]
    return whole["rows"]
