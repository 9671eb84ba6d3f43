"""Command line of the synthetic surgical set."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from concurrent.futures import BrokenExecutor

from pyro_mmvae.command import run_command
from pyro_mmvae.data.making_options import add_making_options
from pyro_mmvae.surgical.layout import SCENES

from .dataset import generate
from .preview import contact_sheet

_DESCRIPTION = """\
Renders seven abdominal scenes (liver, gallbladder, fat and stomach, ligament, abdominal wall) as an endoscope sees
them, in the layout of the Surgical Video-Sim2Real data set: colour and mask as PNG, depth in millimetres as OpenEXR.

The same seed gives the same set, whatever the number of processes. A finished set is not made again; one that was
stopped goes on where it was.
"""
_EPILOG = """\
examples:
  python -m pyro_mmvae.surgical.synthetic --out data/surgical --views 300
  python -m pyro_mmvae.surgical.synthetic --out data/tiny --views 2 --preview sheet.png
"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m pyro_mmvae.surgical.synthetic",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_making_options(parser, "views")
    add = parser.add_argument
    add("--views", type=int, default=150, metavar="N", help="views of each scene (default 150)")
    add("--width", type=int, default=512, metavar="PX", help="width of pictures, twice their height (default 512)")
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; errors that a user can mend end in one line and exit code 2, Ctrl-C in one and 130."""
    run_command("python -m pyro_mmvae.surgical.synthetic", _run, arguments, also=(BrokenExecutor,))


def _run(words: list[str]) -> None:
    args = _parser().parse_args(words)
    options = {"width": args.width, "workers": args.workers, "progress": not args.quiet}
    root = generate(args.out, args.views, args.seed, **options)
    print(f"{root}: {len(SCENES)} scenes of {args.views} views")
    if args.preview:
        print(f"{contact_sheet(root, args.preview)}: the first views of each scene")


if __name__ == "__main__":
    main()
