"""Stereo Hand Pose Tracking Benchmark: hand crops as modalities, from the official layout or a synthetic set in it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from pyro_mmvae.hands import traits
from pyro_mmvae.hands.annotation import Hand
from pyro_mmvae.hands.geometry import back_project
from pyro_mmvae.hands.hand_set import HandSet
from pyro_mmvae.hands.record import (
    CLOUD_RADIUS,
    HandRecord,
    ReadOptions,
    cloud_near,
    colour_picture,
    cut,
    picture_values,
    region_about,
)
from pyro_mmvae.hands.stb_format import (
    ALL_SEQUENCES,
    CAMERAS,
    PICTURES,
    SK_DEPTH,
    Frame,
    Picture,
    decode_depth,
    picture_path,
)
from pyro_mmvae.hands.stb_index import usable_hands


class STB(HandSet):
    """One split of STB, a picture per sample; see `HandSet` for what it gives and for all options.

    Training is on the backgrounds B2 to B6, evaluation on B1, as in the literature. Joints are brought to the order of
    RHD. Joint 0 is the palm's centre, and the root unless asked for otherwise; the wrist is not known. All hands are
    left ones, all joints count as visible where they lie within the picture. There are no masks: "segmentation" and
    `crop="mask"` are refused, and the cloud is whatever the depth camera has measured within 0.2 m of the root, a part
    of the forearm included.

    A sample's number is picture (0 SK's, 1 and 2 BB's left and right), sequence (two digits) and frame (four digits);
    see `stb_format.Frame`.

    Args:
        root: folder with `images` and `labels`.
        split: "training" or "evaluation".
        camera: "sk", the colour camera beside the depth camera, whose depth gives the cloud; "bb_left" or "bb_right" of
            the stereo pair, which have colour alone; or "bb", both of them, each a sample.
        options: of `HandSet`.

    Raises:
        FileNotFoundError: no labels there.
        ValueError: as for `HandSet`; or labels are damaged, in one line that names the file.
    """

    traits: ClassVar[traits.Traits] = traits.STB

    def __init__(self, root: str | Path, split: str, *, camera: str = "sk", **options: Any) -> None:
        self.camera = camera
        super().__init__(root, split, **options)

    def hold_out(self, share: float, seed: int, least: int = 1) -> tuple[list[int], list[int]]:
        """Split the samples' numbers into those to train on and those held out: the last frames of every sequence.

        Frames that follow one another are nearly the same: chosen at random, what is held out would have been seen.
        Both pictures of a stereo pair stay together.

        Args:
            share: of the frames to hold out.
            seed: changes nothing.
            least: number of frames that are held out at least.

        Raises:
            ValueError: too few samples.
        """
        frames = {(frame.sequence, frame.frame) for frame in map(Frame.of, self.ids)}
        if len(frames) < 2 * least:
            raise ValueError(f"expected at least {2 * least} training samples, got {len(frames)}")
        chosen = _last_of_each(frames, max(least, round(share * len(frames))))
        held_out = [index for index in self.ids if (Frame.of(index).sequence, Frame.of(index).frame) in chosen]
        return sorted(set(self.ids) - set(held_out)), held_out

    def _check_traits(self) -> None:
        if self.camera not in CAMERAS:
            raise ValueError(f"unknown camera {self.camera!r}; there are {list(CAMERAS)}")
        view = self.view_options
        self.traits.check(
            view.modalities,
            crop=self.read_options.crop,
            root_joint=view.root_joint,
            first_joint=view.first_joint,
            camera=self.camera,
        )

    def _open(self) -> list[int]:
        size = self.read_options.frame_size
        self._hands = usable_hands(self.root, self.split, CAMERAS[self.camera], size, self._log)
        return list(self._hands)

    def _picture(self, index: int) -> Path:
        frame = Frame.of(index)
        return self._path(frame, PICTURES[frame.picture].name)

    def _path(self, frame: Frame, name: str) -> Path:
        return picture_path(self.root, ALL_SEQUENCES[frame.sequence], name, frame.frame)

    def _read(self, index: int) -> HandRecord:
        hand, options = self._hands[index], self.read_options
        crop = hand.crop(options.crop_margin)
        region, to_region = region_about(crop, options)
        color = colour_picture(self._picture(index), options.frame_size) if options.color else None
        return HandRecord(
            hand=hand,
            crop=crop,
            to_region=to_region,
            color=None if color is None else cut(color, region),
            segmentation=None,
            cloud=self._cloud(index, hand, options) if options.cloud else None,
        )

    def _cloud(self, index: int, hand: Hand, options: ReadOptions) -> NDArray[np.float32] | None:
        frame = Frame.of(index)
        image = picture_values(self._path(frame, "SK_depth"), "depth", 3, options.frame_size)
        if image is None:
            return None
        return cloud_near(_measured(image, hand, PICTURES[frame.picture], options), hand, options, index)


def _measured(image: NDArray[np.uint8], hand: Hand, picture: Picture, options: ReadOptions) -> NDArray[np.float64]:
    """The points of a depth image (N, 3) that can be near the root, in metres and the colour camera's coordinates."""
    depth = decode_depth(image)
    root = picture.to_labels(hand.root(options.root_joint))
    # Most of the picture is wall; depth alone tells that it is too far off.
    rows, columns = np.divmod(np.flatnonzero(np.abs(depth - root[2]) <= CLOUD_RADIUS), depth.shape[1])
    points = back_project(np.column_stack([columns, rows]), depth[rows, columns], SK_DEPTH)
    return picture.to_camera(points)


def _last_of_each(frames: Collection[tuple[int, int]], count: int) -> set[tuple[int, int]]:
    """Frames (sequence, number), the last ones of all sequences in turn."""
    by_sequence = defaultdict(list)
    for sequence, frame in sorted(frames, reverse=True):
        by_sequence[sequence].append((sequence, frame))
    turns = zip_longest(*(by_sequence[sequence] for sequence in sorted(by_sequence)))
    return set(islice((frame for turn in turns for frame in turn if frame is not None), count))
