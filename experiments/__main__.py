"""`mmvae NAME ...`: from an installed package what `python -m experiments.NAME ...` is in a clone.

One's own experiment is run by its import path, `mmvae file.py:Experiment ...`.
"""

from __future__ import annotations

import ast
import os
import runpy
import sys
from collections.abc import Sequence
from pathlib import Path

from pyro_mmvae.experiments.common import driver
from pyro_mmvae.experiments.common.by_name import EXPERIMENTS, folders
from pyro_mmvae.own_code import is_own


def main(argv: Sequence[str] | None = None) -> None:
    """Run the program that the first argument names; without one, or with `--help`, say which there are."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    known = {folder.name: _summary(folder / "__init__.py") for folder in folders("__main__.py")}
    if not arguments or arguments[0] in ("-h", "--help"):
        listed = "\n".join(f"  {name:<12}{summary}" for name, summary in known.items())
        print(f"usage: mmvae NAME [options], e.g. mmvae rhd --guide gpoe; see mmvae NAME --help\n\n{listed}")
        return
    name, *rest = arguments
    if is_own(name):
        sys.path.append(os.getcwd())  # as `python -m` does; after everything else, so that nothing is shadowed
        driver.main(name, rest)
        return
    if name not in known:
        there = ", ".join([*known, "or your own, file.py:Experiment"])
        print(f"mmvae: error: expected one of {there}; got {name!r}", file=sys.stderr)
        raise SystemExit(2)
    sys.argv = [f"mmvae {name}", *rest]
    runpy.run_module(f"{EXPERIMENTS}.{name}", run_name="__main__")


def _summary(path: Path) -> str:
    return (ast.get_docstring(ast.parse(path.read_text())) or "").partition("\n")[0]


if __name__ == "__main__":
    main()
