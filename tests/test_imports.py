"""Imports point one way, and importing changes nothing."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FORBIDDEN = {"pyro_mmvae": {"guides", "experiments"}, "guides": {"experiments"}}


def imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize("package", sorted(FORBIDDEN))
def test_dependencies_point_one_way(package):
    wrong = {p: imported(p) & FORBIDDEN[package] for p in (ROOT / package).rglob("*.py")}
    assert {p: names for p, names in wrong.items() if names} == {}


def test_importing_leaves_global_settings_alone():
    code = """
import pyro, torch, torch.distributions as d
before = (torch.get_default_dtype(), torch.get_num_threads(), d.Distribution._validate_args,
          torch.initial_seed(), pyro.settings.get("validate_poutine"))
import pyro_mmvae, guides, pyro_mmvae.objectives, pyro_mmvae.likelihoods, pyro_mmvae.networks
import sys
after = (torch.get_default_dtype(), torch.get_num_threads(), d.Distribution._validate_args,
         torch.initial_seed(), pyro.settings.get("validate_poutine"))
assert before == after, (before, after)
assert "open3d" not in sys.modules
assert "matplotlib.pyplot" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
