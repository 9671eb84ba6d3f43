"""`python -m pyro_mmvae.experiments.compare.child NAME ...`: a run that ends when the process that started it ends.

A comparison that is killed cannot tell its runs; but its end of their standard input is closed with it.
"""

from __future__ import annotations

import os
import signal
import sys
import threading

from pyro_mmvae.experiments.common.driver import main


def _end_with_parent() -> None:
    os.read(0, 1)  # not through sys.stdin, whose lock would be held at exit
    os.killpg(os.getpgid(0), signal.SIGKILL)  # with it, the processes of a distributed run


if __name__ == "__main__":
    threading.Thread(target=_end_with_parent, daemon=True).start()
    main(sys.argv[1], sys.argv[2:])
