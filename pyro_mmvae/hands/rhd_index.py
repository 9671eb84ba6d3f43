"""Which samples of an RHD split can be used, as far as file names and annotations tell."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pyro_mmvae.data.skips import SkipLog
from pyro_mmvae.hands.annotation import BadSampleError, Hand, check_hand
from pyro_mmvae.hands.rhd_annotation import parse_hands
from pyro_mmvae.hands.rhd_format import annotation_path, dataset_root, read_annotations, sample_paths

KNOWN_BAD = {"training": frozenset({20500, 28140}), "evaluation": frozenset[int]()}
"""Samples of the official set that the literature leaves out."""
KNOWN_BAD_REASON = "known to be unusable"
MISSING_MASK = "missing mask"


def load_annotations(root: str | Path, split: str) -> dict[int, Any]:
    """Read a split's annotations.

    Raises:
        FileNotFoundError: there are none; the message says what was looked for.
    """
    path = annotation_path(root, split)
    if not path.is_file():
        raise FileNotFoundError(
            f"no annotations at {path}: expected a folder in RHD's layout, with {split}/color/00000.png, ... "
            f"and {split}/anno_{split}.pickle in {dataset_root(root)}; check the path, or write a synthetic set"
        )
    return read_annotations(path)


def usable_samples(
    root: str | Path,
    split: str,
    annotations: Mapping[int, Any],
    frame_size: tuple[int, int],
    log: SkipLog,
    *,
    needs_mask: bool = False,
) -> list[int]:
    """Return the numbers of the samples that have a colour image and a hand worth reading, in order.

    No image is read. What is left out is added to the log.

    Args:
        root: folder that holds the splits.
        split: "training" or "evaluation".
        annotations: by number.
        frame_size: width and height of the pictures.
        log: of what is left out.
        needs_mask: whether a sample without a mask is left out.
    """
    images = _image_numbers(root, split, "color")
    masks = _image_numbers(root, split, "mask") if needs_mask else images
    usable = []
    for index in sorted(images | set(annotations)):
        try:
            _check_sample(index, split, images, annotations, frame_size)
            if index not in masks:
                raise BadSampleError(MISSING_MASK)
            usable.append(index)
        except BadSampleError as error:
            log.add(index, error.reason, error.detail)
    return usable


def _check_sample(
    index: int, split: str, images: set[int], annotations: Mapping[int, Any], frame_size: tuple[int, int]
) -> None:
    if index in KNOWN_BAD[split]:
        raise BadSampleError(KNOWN_BAD_REASON)
    if index not in annotations:
        raise BadSampleError("missing annotation")
    if index not in images:
        raise BadSampleError("missing color image")
    hands = parse_hands(annotations[index], frame_size)
    if not any(_is_usable(hand, frame_size) for hand in hands):
        # Report the fault of the hand that shows more of itself.
        check_hand(max(hands, key=lambda hand: int(hand.visible.sum())), frame_size)


def _is_usable(hand: Hand, frame_size: tuple[int, int]) -> bool:
    try:
        check_hand(hand, frame_size)
    except BadSampleError:
        return False
    return True


def _image_numbers(root: str | Path, split: str, kind: str) -> set[int]:
    folder: Path = getattr(sample_paths(root, split, 0), kind).parent
    return {int(path.stem) for path in folder.glob("*.png") if path.stem.isdecimal()}
