"""Which pictures of an STB split can be used, as far as file names and labels tell."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from pyro_mmvae.data.mat_file import read_mat
from pyro_mmvae.data.skips import SkipLog
from pyro_mmvae.hands.annotation import BadSampleError, Hand, check_hand, inside
from pyro_mmvae.hands.geometry import Array, project
from pyro_mmvae.hands.rhd_format import NUM_JOINTS
from pyro_mmvae.hands.stb_format import (
    ALL_SEQUENCES,
    MAX_FRAMES,
    PICTURES,
    SEQUENCES,
    Frame,
    Picture,
    label_path,
    picture_path,
    to_joints,
)


def usable_hands(
    root: str | Path, split: str, pictures: Iterable[int], frame_size: tuple[int, int], log: SkipLog
) -> dict[int, Hand]:
    """Return the hands of the pictures that are there and have a hand worth reading, by number and in order.

    No picture is read. What is left out is added to the log.

    Args:
        root: folder with `images` and `labels`.
        split: "training" or "evaluation".
        pictures: numbers in `PICTURES`.
        frame_size: width and height of the pictures.
        log: of what is left out.

    Raises:
        FileNotFoundError: there are no labels.
        ValueError: labels cannot be read, or the split does not exist; the message names the file.
    """
    found: dict[int, Hand] = {}
    for number in pictures:
        labels = _labels(Path(root), split, PICTURES[number].rig)
        for sequence in SEQUENCES[split]:
            first = Frame(number, ALL_SEQUENCES.index(sequence), 0).number
            if sequence not in labels:
                log.add(first, "missing sequence", f"no labels at {label_path(root, sequence, PICTURES[number].rig)}")
                continue
            with np.errstate(all="ignore"):  # what is not finite is refused below
                joints = PICTURES[number].to_camera(labels[sequence])
            images = _image_numbers(Path(root), sequence, PICTURES[number])
            for frame in sorted(images | set(range(len(joints)))):
                try:
                    found[first + frame] = _hand(frame, images, joints, PICTURES[number], frame_size)
                except BadSampleError as error:
                    log.add(first + frame, error.reason, error.detail)
    return found


def read_labels(path: Path) -> Array:
    """Return a sequence's joints (N, 21, 3) in metres, in our order, in the labels' own coordinates.

    Raises:
        FileNotFoundError: there is no such file.
        BadMatFileError: it cannot be read; a `ValueError` too.
        ValueError: it holds something else. All messages are one line that names the file.
    """
    labels = read_mat(path, "handPara")
    if labels.ndim != 3 or labels.shape[:2] != (3, NUM_JOINTS) or labels.shape[2] > MAX_FRAMES:
        raise ValueError(
            f"{path}: expected 'handPara' of shape (3, {NUM_JOINTS}, frames) with at most {MAX_FRAMES} frames, "
            f"got {labels.shape}"
        )
    return to_joints(labels)


def _labels(root: Path, split: str, rig: str) -> Mapping[str, Array]:
    if split not in SEQUENCES:
        raise ValueError(f"expected a split of {tuple(SEQUENCES)}, got {split!r}")
    paths = {sequence: label_path(root, sequence, rig) for sequence in SEQUENCES[split]}
    there = {sequence: path for sequence, path in paths.items() if path.exists()}
    if not there:
        path = next(iter(paths.values()))
        raise FileNotFoundError(
            f"no labels at {path}: expected a folder in STB's layout, with images/{path.name[:-7]}/... and "
            f"labels/{path.name}, ... in {root}; check the path, or write a synthetic set"
        )
    return {sequence: read_labels(path) for sequence, path in there.items()}


def _hand(frame: int, images: set[int], joints: Array, picture: Picture, frame_size: tuple[int, int]) -> Hand:
    if frame >= len(joints):
        raise BadSampleError("missing annotation")
    if frame not in images:
        raise BadSampleError("missing color image")
    with np.errstate(all="ignore"):  # what is behind the camera, or infinite, is refused below
        pixels = project(joints[frame], picture.camera)
    hand = Hand(joints[frame], pixels, inside(pixels, frame_size), picture.camera, is_left=True, palm_first=True)
    check_hand(hand, frame_size)
    return hand


def _image_numbers(root: Path, sequence: str, picture: Picture) -> set[int]:
    folder = picture_path(root, sequence, picture.name, 0).parent
    matches = (re.fullmatch(rf"{picture.name}_(0|[1-9]\d{{0,3}})\.png", path.name) for path in folder.glob("*.png"))
    return {int(match[1]) for match in matches if match}
