"""Command line of the synthetic hand set."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from concurrent.futures import BrokenExecutor
from pathlib import Path

from pyro_mmvae.command import run_command
from pyro_mmvae.data.making_options import add_making_options
from pyro_mmvae.rendering.render import RENDERERS

from .dataset import generate
from .preview import contact_sheet
from .stb_dataset import generate_stb
from .stb_preview import stb_sheet

_DESCRIPTION = """\
Renders pictures of hands and writes them in the layout of the Rendered Handpose Dataset (RHD): colour, depth and part
masks as PNG, 42 joints in camera coordinates and in pixels, with visibility, and the camera's matrix. Or in that of the
Stereo Hand Pose Tracking Benchmark (STB): a stereo pair, colour and depth as PNG, and 21 joints as MATLAB files.

Hands are kinematic (21 joints, bone lengths of RHD, joint limits, no self-penetration), left or right, sometimes
both (in STB's layout one left hand), with forearms, random complexions, light and backgrounds. All of it is made on the
CPU, by numpy alone unless open3d is asked for. The same seed gives the same set, whatever the number of processes; a
finished set is not made again.
"""
_EPILOG = """\
examples:
  python -m pyro_mmvae.hands.synthetic --out data/hands --train 2000 --eval 400
  python -m pyro_mmvae.hands.synthetic --out data/tiny --train 8 --eval 4 --preview sheet.png
  python -m pyro_mmvae.hands.synthetic --layout stb --out data/stb --train 1000 --eval 200
"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m pyro_mmvae.hands.synthetic",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_making_options(parser, "samples")
    add = parser.add_argument
    add("--layout", choices=("rhd", "stb"), default="rhd", help="whose files are written (default rhd)")
    add("--train", type=int, default=2000, metavar="N", help="training samples (default 2000)")
    add("--eval", type=int, default=400, metavar="M", help="evaluation samples (default 400)")
    add("--size", type=int, metavar="PX", help="height and width in RHD's layout (default 320); STB's is 640 x 480")
    add(
        "--renderer",
        choices=RENDERERS,
        default="numpy",
        help="numpy (default), or open3d's ray caster, which draws the same and needs the extra [open3d]",
    )
    return parser


def _generate(args: argparse.Namespace) -> Path:
    numbers = (args.out, args.train, args.eval, args.seed)
    how = {"renderer": args.renderer, "workers": args.workers, "progress": not args.quiet}
    if args.layout == "rhd":
        return generate(*numbers, image_size=320 if args.size is None else args.size, **how)
    if args.size is not None:
        raise ValueError("--size: STB's pictures are 640 x 480, for which its cameras' matrices are; leave it out")
    return generate_stb(*numbers, **how)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; errors that a user can mend end in one line and exit code 2, Ctrl-C in one and 130."""
    run_command("python -m pyro_mmvae.hands.synthetic", _run, arguments, also=(BrokenExecutor,))


def _run(words: list[str]) -> None:
    args = _parser().parse_args(words)
    root = _generate(args)
    print(f"{root}: {args.train} training and {args.eval} evaluation samples")
    if args.preview:
        sheet = contact_sheet if args.layout == "rhd" else stb_sheet
        print(f"{sheet(root, args.preview)}: the first samples")


if __name__ == "__main__":
    main()
