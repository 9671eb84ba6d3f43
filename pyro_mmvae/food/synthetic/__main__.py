"""Command line of the synthetic recipes."""

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
        "python -m pyro_mmvae.food.synthetic",
        description="Draws plates of food and writes them with recipes in the layout of Yummly-28K. Every ingredient "
        "has a shape, colours and a texture of its own, and some cannot be seen; cuisines say what goes together; "
        "lines have quantities, units and preparations. A set that was stopped goes on; "
        "a finished one is not made again.",
        epilog="example: python -m pyro_mmvae.food.synthetic --out data/food --count 3000 --preview sheet.png",
    )
    add_making_options(parser, "plates")
    add = parser.add_argument
    add("--count", type=int, default=3000, metavar="N", help="recipes (default 3000)")
    add("--size", type=int, nargs=2, default=(360, 240), metavar=("W", "H"), help="of pictures (default 360 240)")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    args = _parser().parse_args(arguments)
    try:
        size = (args.size[0], args.size[1])
        root = generate(args.out, args.count, args.seed, size=size, workers=args.workers, progress=not args.quiet)
        print(f"{root}: {args.count} recipes")
        if args.preview:
            print(f"{contact_sheet(root, args.preview)}: the first plates")
    except (ValueError, OSError, BrokenExecutor) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; the same command goes on from here", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
