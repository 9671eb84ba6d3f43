"""Command line of the synthetic insertions."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from concurrent.futures import BrokenExecutor

from pyro_mmvae.command import run_command
from pyro_mmvae.data.making_options import add_making_options
from pyro_mmvae.touch.layout import SIDE

from .dataset import generate
from .preview import contact_sheet


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m pyro_mmvae.touch.synthetic",
        description="Simulates a robot that puts pegs into holes, and writes what its sensors say in the layout of "
        "Vision&Touch: colour, depth, forces, actions. Contact forces are MuJoCo's; pictures are drawn by our own "
        "rasteriser. Pegs, holes, places, friction and how well the controller knows where the hole is are random. "
        "A set that was stopped goes on; a finished one is not made again.",
        epilog="example: python -m pyro_mmvae.touch.synthetic --out data/touch --count 100 --preview sheet.png",
    )
    add_making_options(parser, "attempts")
    add = parser.add_argument
    add("--count", type=int, default=100, metavar="N", help="attempts, of 50 steps each (default 100)")
    add("--size", type=int, default=SIDE, metavar="PX", help=f"side of pictures (default {SIDE})")
    add(
        "--failing",
        type=float,
        default=0.0,
        metavar="P",
        help="share of attempts in which each sensor fails for a while",
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; errors that a user can mend end in one line and exit code 2, Ctrl-C in one and 130."""
    run_command("python -m pyro_mmvae.touch.synthetic", _run, arguments, also=(BrokenExecutor,))


def _run(words: list[str]) -> None:
    args = _parser().parse_args(words)
    chosen = {"size": args.size, "failing": args.failing, "workers": args.workers, "progress": not args.quiet}
    root = generate(args.out, args.count, args.seed, **chosen)
    print(f"{root}: {args.count} attempts")
    if args.preview:
        print(f"{contact_sheet(root, args.preview)}: the first attempts")


if __name__ == "__main__":
    main()
