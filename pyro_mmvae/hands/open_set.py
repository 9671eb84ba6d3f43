"""Data sets of hands by name, real and synthetic."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pyro_mmvae.hands.hand_set import HandSet
from pyro_mmvae.hands.rhd import RHD
from pyro_mmvae.hands.stb import STB
from pyro_mmvae.hands.synthetic import generate, generate_stb


def open_set(name: str, root: Path, split: str, *, camera: str = "sk", **options: Any) -> HandSet:
    """Open one split of a data set.

    Args:
        name: a key of `traits.TRAITS`.
        root: folder of the set.
        split: "training" or "evaluation".
        camera: of STB; RHD has one.
        options: of `HandSet`.

    Raises:
        KeyError: no set has this name.
        FileNotFoundError, ValueError: see `HandSet`.
    """
    makers = {"rhd": lambda: RHD(root, split, **options), "stb": lambda: STB(root, split, camera=camera, **options)}
    return makers[name]()


def synthetic_set(name: str, folder: Path, num_train: int, num_eval: int) -> Path:
    """Make a synthetic set in a data set's layout, unless it is there; return its folder inside `folder`.

    Args:
        name: a key of `traits.TRAITS`.
        folder: that holds synthetic sets.
        num_train: training pictures.
        num_eval: evaluation pictures.

    Raises:
        FileExistsError, OSError: see `generate`.
    """
    counts = f"{num_train}+{num_eval}"
    if name == "stb":
        return generate_stb(folder / f"stb-{counts}", num_train, num_eval, seed=0)
    return generate(folder / counts, num_train, num_eval, seed=0)
