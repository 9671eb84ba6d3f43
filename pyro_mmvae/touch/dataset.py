"""Attempts in a folder as a data set of four sensors."""

from __future__ import annotations

import os
import warnings
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from pyro_mmvae.batch import Batch
from pyro_mmvae.data.samples import Draw, Draws
from pyro_mmvae.data.skips import SkipLog
from pyro_mmvae.touch.attempt_file import OTHER_SHAPE, AttemptFile, BadFileError
from pyro_mmvae.touch.failures import RANGES, Failing, replaced
from pyro_mmvae.touch.layout import ACTION, AXES, CONTROLS, DEPTH, FORCE, RGB, SENSORS, WINDOW
from pyro_mmvae.touch.views import ViewOptions, view_action, view_depth, view_force, view_rgb

OPEN_FILES = 64
"""Files that a process keeps open."""
Values = Mapping[str, NDArray[Any] | None]


class Attempts(NamedTuple):
    """Files that can be used.

    Attributes:
        paths: in order of their names.
        steps: of each.
        log: those that are left out.
    """

    paths: list[Path]
    steps: list[int]
    log: SkipLog


def find_attempts(root: str | Path, side: int) -> Attempts:
    """Look into every `.h5` file of a folder; those that cannot be used are counted and told in a warning.

    Args:
        root: the folder.
        side: of the pictures that are to be made of them.

    Raises:
        FileNotFoundError: there is no such folder, or no such file in it.
        ValueError: not one file can be used.
        ImportError: h5py is not installed.
    """
    root = Path(root)
    paths = sorted(path for path in root.glob("*.h5") if path.is_file()) if root.is_dir() else []
    if not paths:
        raise FileNotFoundError(f"{root}: expected a folder of Vision&Touch's files, NAME.h5, and found none")
    log, good, steps = SkipLog("files"), [], []
    for path in tqdm(paths, "looking into files", unit="file", leave=False, disable=len(paths) < 200):
        try:
            with AttemptFile(path) as file:
                if file.side % side:
                    raise BadFileError(OTHER_SHAPE, f"pictures of {file.side} pixels, not a multiple of {side}")
                steps.append(file.steps)
                good.append(path)
        except BadFileError as error:
            log.add(path.name, error.reason, error.detail)
    if not good:
        raise ValueError(f"{root}: expected files that can be used; {log}")
    if log.counts:
        warnings.warn(f"{root}: {log}", stacklevel=2)
    return Attempts(good, steps, log)


class Touch:
    """Samples of some attempts, every step but the last of each.

    Modalities: "rgb" `(3, S, S)` in [0, 1], "depth" `(1, S, S)` in metres, "force" `(6, 32)` in (-1, 1), "action"
    `(4,)`; see `ViewOptions`. What a file does not tell, because a number is not finite, no depth was read, or a part
    of it is damaged, is not observed. MultiBench draws another sample in place of the last one; here it is what it is.

    Which sensors fail in a sample, and how, follows from seed, epoch and sample.

    Args:
        paths: of the files.
        steps: of each.
        options: how files become samples.
        failing: sensors that fail; none by default.
        seed: of what is random.
        preload: read everything now and keep it.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        steps: Sequence[int],
        options: ViewOptions | None = None,
        *,
        failing: Failing | None = None,
        seed: int = 0,
        preload: bool = False,
    ) -> None:
        self.paths, self.options = list(paths), options or ViewOptions()
        self.failing, self.seed = failing or Failing(), seed
        self.places = [(number, step) for number, count in enumerate(steps) for step in range(count - 1)]
        self._open: OrderedDict[int, AttemptFile] = OrderedDict()
        self._process = os.getpid()
        self._kept: list[Values] | None = None
        if preload:
            places = tqdm(range(len(self.places)), "reading", unit="sample", leave=False)
            self._kept = [self._read(*self.places[index]) for index in places]

    def __len__(self) -> int:
        return len(self.places)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_open": OrderedDict()}  # a process opens its own files

    def batch(self, draws: Draws) -> Batch:
        """Return some samples."""
        samples = [self._drawn(draw) for draw in draws.each()]
        data, observed = {}, {}
        for name, blank in self._blanks().items():
            there = [sample[name] for sample in samples]
            observed[name] = torch.tensor([value is not None for value in there], dtype=torch.bool)
            filled = np.stack([blank if value is None else value for value in there]) if there else blank[None][:0]
            value = torch.from_numpy(filled)
            data[name] = value.float().div_(255) if value.dtype == torch.uint8 else value
        # Not Batch.of: what is here is finite, and zero where it is not observed.
        return Batch(data, observed, zeroed=True)

    def actions(self) -> NDArray[np.float32]:
        """Return the actions of all steps as they stand in the files, those that are finite, `(N, 4)`."""
        found = []
        for number in range(len(self.paths)):
            try:
                found.append(np.asarray(self._file(number).read(ACTION), np.float32))
            except BadFileError:
                continue
        every = np.concatenate(found) if found else np.zeros((0, CONTROLS), np.float32)
        return every[np.isfinite(every).all(1)]

    def _blanks(self) -> dict[str, NDArray[Any]]:
        side = self.options.side
        shapes = {DEPTH: (1, side, side), FORCE: (AXES, WINDOW), ACTION: (CONTROLS,)}
        floats = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
        return {RGB: np.zeros((3, side, side), np.float32 if RGB in self.failing.sensors else np.uint8), **floats}

    def _drawn(self, draw: Draw) -> Values:
        values = self._kept[draw.index] if self._kept is not None else self._read(*self.places[draw.index])
        if not self.failing.sensors:
            return values
        rng = np.random.default_rng([self.seed, draw.epoch, draw.index])
        failed = dict(values)
        if (rgb := failed[RGB]) is not None and RGB in self.failing.sensors:
            failed[RGB] = rgb.astype(np.float32) / 255
        for name in self.failing.drawn(rng):
            value = failed[name]
            if self.failing.known or value is None:
                failed[name] = None
            else:
                failed[name] = replaced(value, self.failing.values, RANGES[name], rng)
        return failed

    def _read(self, number: int, step: int) -> Values:
        return {name: self._view(name, number, step) for name in SENSORS}

    def _view(self, name: str, number: int, step: int) -> NDArray[Any] | None:
        options = self.options
        try:
            value = self._file(number).read(name, step + (name == ACTION and options.next_action))
        except BadFileError:
            return None
        if name == RGB:
            return view_rgb(value, options.side)
        if name == DEPTH:
            return view_depth(value, options.side)
        return view_force(value, options.force_scale) if name == FORCE else view_action(value, options)

    def _file(self, number: int) -> AttemptFile:
        """Return a file, opened in this process: HDF5's handles do not survive a fork."""
        if os.getpid() != self._process:
            self._open, self._process = OrderedDict(), os.getpid()
        file = self._open.pop(number, None) or AttemptFile(self.paths[number])
        self._open[number] = file
        if len(self._open) > OPEN_FILES:
            self._open.popitem(last=False)[1].close()
        return file
