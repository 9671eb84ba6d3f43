"""Command line of the viewer."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from pyro_mmvae.command import run_command

from .load import load
from .picture import save_picture
from .window import NoDisplayError, show

_DESCRIPTION = """\
Shows point clouds and hand skeletons in a window (needs the extra [open3d] and a display), or saves a picture of
three views (needs neither).

  .ply   one cloud
  .npz   arrays by name: '...cloud' (P, 3) is a cloud, '...pose' (21, 3) a hand with joints in RHD's order, for example
         cloud, pose, true_pose; with one more dimension in front, many samples, of which --sample picks one

Coordinates are a camera's (x right, y down, z away), all in one unit.
"""
_EPILOG = """\
examples:
  python -m pyro_mmvae.hands.viewer predictions.npz --sample 3
  python -m pyro_mmvae.hands.viewer decoded.ply true.ply --save clouds.png
"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m pyro_mmvae.hands.viewer",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help=".ply or .npz; shown together")
    parser.add_argument("--sample", type=int, default=0, metavar="I", help="which of many samples (default 0)")
    parser.add_argument("--save", type=Path, metavar="FILE.png", help="save a picture and open no window")
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; errors that a user can mend end in one line and exit code 2, Ctrl-C in one and 130."""
    run_command("python -m pyro_mmvae.hands.viewer", _run, arguments, also=(NoDisplayError,))


def _run(words: list[str]) -> None:
    args = _parser().parse_args(words)
    items = [item for file in args.files for item in load(file, args.sample)]
    if args.save:
        print(save_picture(items, args.save))
    else:
        show(items)


if __name__ == "__main__":
    main()
