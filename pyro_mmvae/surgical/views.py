"""Which views a set has, and which of them are to train on."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Literal

from pyro_mmvae.data.skips import SkipLog
from pyro_mmvae.data.split import hold_out
from pyro_mmvae.surgical.layout import COLOUR, MASK, SCENES, SUFFIX, View, scene_folder

Split = Literal["scenes", "views"]
TEST_SCENES = (6, 7)
TEST_SHARE = 0.2
"""Of the views of every scene, where the split is by views; the same ones for every seed."""


def find_views(root: str | Path, colour: str = COLOUR, log: SkipLog | None = None) -> list[View]:
    """Return the views that have a colour picture and a mask, scene by scene and in order.

    Args:
        root: folder of the set; any of the scenes 1 to 7 may be missing.
        colour: kind of picture that is looked at.
        log: takes the views that lack one of the two.

    Raises:
        FileNotFoundError: there is not one view.
    """
    log = SkipLog("views") if log is None else log
    found: list[View] = []
    for scene in SCENES:
        coloured, masked = (_numbers(scene_folder(root, kind, scene), kind) for kind in (colour, MASK))
        for number in sorted(coloured ^ masked):
            view = View(scene, number)
            log.add(view.name, "no mask" if number in coloured else "no colour picture")
        found += [View(scene, number) for number in sorted(coloured & masked)]
    if not found:
        raise FileNotFoundError(
            f"{root}: expected views such as {scene_folder('', colour, 1)}/{colour}0000{SUFFIX[colour]} and "
            f"{scene_folder('', MASK, 1)}/{MASK}0000.png, got none; {log}"
        )
    return found


def _numbers(folder: Path, kind: str) -> set[int]:
    pattern = re.compile(rf"{re.escape(kind)}(\d{{4}}){re.escape(SUFFIX[kind])}")
    try:
        names = [entry.name for entry in folder.iterdir()]
    except (FileNotFoundError, NotADirectoryError):
        return set()
    return {int(match[1]) for name in names if (match := pattern.fullmatch(name))}


def split_views(
    views: Sequence[View], split: Split = "scenes", test_scenes: Collection[int] = TEST_SCENES
) -> tuple[list[View], list[View]]:
    """Return the views to train on and those to test on.

    Joshi et al. (2022) do not say how they split the set. Views of one scene show the same organs: by scenes the test
    is of patients that were never seen, by views of places that were never stood at.

    Args:
        views: of a set.
        split: "scenes": those of `test_scenes` are to test on; "views": a fifth of all, drawn at random.
        test_scenes: numbers of scenes.

    Raises:
        ValueError: nothing is left to train or to test on.
    """
    if split == "views":
        train, test = hold_out(range(len(views)), TEST_SHARE, seed=0)
        parts = [views[i] for i in train], [views[i] for i in test]
    else:
        parts = [v for v in views if v.scene not in test_scenes], [v for v in views if v.scene in test_scenes]
    if not parts[0] or not parts[1]:
        there = sorted({view.scene for view in views})
        raise ValueError(
            f"expected views to train and to test on, got {len(parts[0])} and {len(parts[1])}: of the scenes {there} "
            f"those of {sorted(test_scenes)} are to test on"
        )
    return parts
