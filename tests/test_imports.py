"""Imports point one way and have one spelling, the package has one name, and importing changes nothing."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "pyro_mmvae"
FOLDERS = [folder for folder in (PACKAGE, ROOT / "tests", ROOT / "docs", ROOT / "benchmarks") if folder.is_dir()]
EVERYWHERE = [path for folder in FOLDERS for path in sorted(folder.rglob("*.py"))]
LINKED = {"guides", "experiments"}
EVERYWHERE += [path for name in LINKED for path in sorted((ROOT / name).rglob("*.py"))]


def imported(path: Path) -> set[str]:
    """Return the modules that a file imports, and those that it may import as `from package import module`."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def inside(path: Path, *packages: str) -> set[str]:
    return {name for name in imported(path) for package in packages if f"{name}.".startswith(f"{package}.")}


def library() -> list[Path]:
    return [p for p in PACKAGE.rglob("*.py") if p.relative_to(PACKAGE).parts[0] not in LINKED]


def test_the_library_imports_neither_guides_nor_experiments():
    wrong = {p: inside(p, "pyro_mmvae.guides", "pyro_mmvae.experiments") for p in library()}
    assert {p: names for p, names in wrong.items() if names} == {}


def test_guides_do_not_import_experiments():
    wrong = {p: inside(p, "pyro_mmvae.experiments") for p in (ROOT / "guides").rglob("*.py")}
    assert {p: names for p, names in wrong.items() if names} == {}


@pytest.mark.parametrize("wing", ["hands", "food", "surgical", "faces", "touch"])
def test_nothing_but_a_wing_knows_of_what_is_in_it(wing):
    assert (PACKAGE / wing / "__init__.py").is_file()
    others = [p for p in library() if p.relative_to(PACKAGE).parts[0] != wing]
    others += (ROOT / "guides").rglob("*.py")
    wrong = {p: inside(p, f"pyro_mmvae.{wing}") for p in others}
    assert {p: names for p, names in wrong.items() if names} == {}


def test_guides_and_experiments_have_one_spelling():
    wrong = {p: inside(p, "guides", "experiments") for p in EVERYWHERE}
    assert {p: names for p, names in wrong.items() if names} == {}


@pytest.mark.parametrize("name", sorted(LINKED))
def test_the_folders_of_the_user_are_the_packages(name):
    assert (PACKAGE / name).resolve() == ROOT / name


def test_the_public_names_are_those_of_the_stub():
    code = """
import pyro_mmvae, sys
assert 'torch' not in sys.modules
[getattr(pyro_mmvae, name) for name in dir(pyro_mmvae)]
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_importing_leaves_global_settings_alone():
    code = """
import pyro, torch, torch.distributions as d
before = (torch.get_default_dtype(), torch.get_num_threads(), d.Distribution._validate_args,
          torch.initial_seed(), pyro.settings.get("validate_poutine"))
import pyro_mmvae, pyro_mmvae.guides, pyro_mmvae.objectives, pyro_mmvae.likelihoods, pyro_mmvae.networks
import pyro_mmvae.priors
from pyro_mmvae import Batch, Loss, MultimodalVAE
import sys
after = (torch.get_default_dtype(), torch.get_num_threads(), d.Distribution._validate_args,
         torch.initial_seed(), pyro.settings.get("validate_poutine"))
assert before == after, (before, after)
assert "open3d" not in sys.modules
assert "matplotlib.pyplot" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


@pytest.fixture
def own_folders(tmp_path):
    """A user's project with folders of the names that our own have in a clone, which must not be imported."""
    for name in LINKED:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise RuntimeError('imported')")
    return tmp_path


@pytest.mark.parametrize(
    "command",
    [
        ["-c", "import pyro_mmvae.guides.gpoe, pyro_mmvae.experiments.mog.config"],
        ["-m", "pyro_mmvae.experiments", "--help"],
        ["-m", "pyro_mmvae.experiments", "mog", "--help"],
        ["-m", "pyro_mmvae.experiments.mog", "--help"],
    ],
)
def test_folders_of_ones_own_called_guides_and_experiments_do_no_harm(own_folders, command):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(own_folders), str(ROOT)])}
    done = subprocess.run([sys.executable, *command], cwd=own_folders, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_an_unknown_program_is_refused_with_the_known_ones():
    done = subprocess.run([sys.executable, "-m", "experiments", "nothing"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert "expected one of" in done.stderr
    assert "mnist" in done.stderr


@pytest.mark.slow
def test_the_wheel_has_one_name_and_all_files(tmp_path):
    copy = tmp_path / "copy"  # building leaves files beside the sources
    for name in (*LINKED, "pyro_mmvae"):
        shutil.copytree(ROOT / name, copy / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    build = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(tmp_path), str(copy)]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = [name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name]
    assert {name.split("/")[0] for name in names} == {"pyro_mmvae"}
    there = {p.relative_to(PACKAGE).as_posix() for p in library()}
    there |= {f"{n}/{p.relative_to(ROOT / n).as_posix()}" for n in LINKED for p in (ROOT / n).rglob("*.py")}
    assert {f"pyro_mmvae/{name}" for name in there} <= set(names)
    assert {"pyro_mmvae/py.typed", "pyro_mmvae/__init__.pyi"} <= set(names)
