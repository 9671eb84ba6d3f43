"""`mmvae NAME ...`: from an installed package what `python -m experiments.NAME ...` is in a clone."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Sequence

from pyro_mmvae.experiments.common.by_name import EXPERIMENTS, programs


def main(argv: Sequence[str] | None = None) -> None:
    """Run the program that the first argument names; without one, or with `--help`, say which there are."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    known = programs()
    if not arguments or arguments[0] in ("-h", "--help"):
        listed = "\n".join(f"  {name:<12}{summary}" for name, summary in known.items())
        print(f"usage: mmvae NAME [options], e.g. mmvae rhd --guide gpoe; see mmvae NAME --help\n\n{listed}")
        return
    name, *rest = arguments
    if name not in known:
        print(f"mmvae: error: expected one of {', '.join(known)}, got {name!r}", file=sys.stderr)
        raise SystemExit(2)
    sys.argv = [f"mmvae {name}", *rest]
    runpy.run_module(f"{EXPERIMENTS}.{name}", run_name="__main__")


if __name__ == "__main__":
    main()
