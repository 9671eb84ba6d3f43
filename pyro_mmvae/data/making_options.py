"""Options of the command lines that make synthetic sets."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_making_options(parser: argparse.ArgumentParser, previewed: str) -> None:
    """Add what every one of them has: `--out`, `--seed`, `--workers`, `--preview` and `--quiet`.

    Args:
        parser: of the command line.
        previewed: what the sheet shows, after "the first", e.g. "faces".
    """
    add = parser.add_argument
    add("--out", type=Path, required=True, metavar="DIR", help="folder of the set; must not hold anything else")
    add("--seed", type=int, default=0, metavar="S", help="another seed, another set (default 0)")
    add("--workers", type=int, metavar="W", help="processes (default: one per core, fewer for a small set)")
    add("--preview", type=Path, metavar="FILE.png", help=f"also write a sheet of the first {previewed} to look at")
    add("--quiet", action="store_true", help="no progress bar")
