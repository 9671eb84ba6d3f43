"""Every file that a command opens, damaged or of another structure: right values, or the documented error."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from fuzz import reader
from fuzz.amount import CASES, SEED
from fuzz.targets import TARGETS

ROOT = Path(__file__).parents[2]


def faults(orders):
    """Read spoiled files in another process; return what must not be, by class and number of the case."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")]), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, reader.__file__, json.dumps([orders, SEED])]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=3600, check=False)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    wrong = [line for line in lines if len(line) == 3 and line[2].startswith("fault")]
    if done.returncode or not lines:
        where = lines[-1][:2] if lines else orders
        wrong.append([*where, f"the process died ({done.returncode}): {done.stderr[-2000:]}"])
    finished = sum(len(line) == 3 for line in lines)
    assert wrong or finished == sum(end - begin for _, begin, end in orders)
    return wrong


def test_a_few_files_of_every_class():
    assert faults([(name, 0, 4) for name in TARGETS]) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", TARGETS)
def test_files(name):
    assert faults([(name, 0, CASES)]) == []
