"""Command line of the synthetic faces."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from concurrent.futures import BrokenExecutor

from pyro_mmvae.data.making_options import add_making_options

from .dataset import generate
from .preview import contact_sheet


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m pyro_mmvae.faces.synthetic",
        description="Draws faces and writes them in the layout of CelebA: pictures of 178 x 218, the forty attributes, "
        "five landmarks, splits. The 18 attributes that the literature takes can be seen, and depend on each other. "
        "A set that was stopped goes on; a finished one is not made again.",
        epilog="example: python -m pyro_mmvae.faces.synthetic --out data/faces --count 4000 --preview sheet.png",
    )
    add_making_options(parser, "faces")
    add = parser.add_argument
    add("--count", type=int, default=4000, metavar="N", help="faces (default 4000)")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    args = _parser().parse_args(arguments)
    try:
        root = generate(args.out, args.count, args.seed, workers=args.workers, progress=not args.quiet)
        print(f"{root}: {args.count} faces")
        if args.preview:
            print(f"{contact_sheet(root, args.preview)}: the first faces")
    except (ValueError, OSError, BrokenExecutor) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; the same command goes on from here", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
