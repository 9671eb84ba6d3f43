"""Writes a synthetic set of any size in STB's own files."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.io import savemat

from pyro_mmvae.data.making import check_numbers, is_there, made, make_set
from pyro_mmvae.hands import stb_format as stb
from pyro_mmvae.rendering.render import renderer_named

from .stb_scene import sample_stb_frame, setting_of

VERSION = 1  # raise it when the same settings would give other pictures
RIGS = ("SK", "BB")
_PICTURES = len(stb.PICTURES) + 1


def _write_one(task: tuple[str, int], *, root: Path, seed: int, renderer: str) -> tuple[str, dict[str, np.ndarray]]:
    sequence, frame = task
    rng = np.random.default_rng([seed, 3, stb.ALL_SEQUENCES.index(sequence), frame])
    sample = sample_stb_frame(rng, setting_of(seed, sequence), sequence.endswith("Counting"), renderer)
    for name, image in {**sample.pictures, "SK_depth": stb.encode_depth(sample.depth)}.items():
        path = stb.picture_path(root, sequence, name, frame)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path, compress_level=1)
    return sequence, sample.joints


def _tasks(num_train: int, num_eval: int) -> list[tuple[str, int]]:
    """Sequences and frames, dealt out in turn."""
    counts = {"training": num_train, "evaluation": num_eval}
    dealt = {split: len(sequences) for split, sequences in stb.SEQUENCES.items()}
    return [
        (stb.SEQUENCES[split][number % dealt[split]], number // dealt[split])
        for split, count in counts.items()
        for number in range(count)
    ]


def _render(folder: Path, settings: dict, renderer: str, workers: int | None, progress: bool) -> None:
    tasks = _tasks(settings["num_train"], settings["num_eval"])
    joints: dict[tuple[str, str], list[np.ndarray]] = {(s, rig): [] for s in stb.ALL_SEQUENCES for rig in RIGS}
    job = partial(_write_one, root=folder, seed=settings["seed"], renderer=renderer)
    for sequence, found in made(job, tasks, workers, _PICTURES, progress):
        for rig in RIGS:
            joints[sequence, rig].append(found[rig])
    (folder / "labels").mkdir()
    for (sequence, rig), poses in joints.items():
        labels = stb.to_labels(np.array(poses).reshape(-1, 21, 3))
        savemat(stb.label_path(folder, sequence, rig), {"handPara": labels}, do_compression=True)


def generate_stb(
    root: str | os.PathLike[str],
    num_train: int,
    num_eval: int,
    seed: int = 0,
    *,
    renderer: str = "numpy",
    workers: int | None = None,
    progress: bool = True,
) -> Path:
    """Makes a synthetic hand set in STB's layout, unless it is there already.

    Frames are dealt out to the sequences of their split in turn: ten for training, two for evaluation. A frame depends
    on the seed, its sequence and its number alone: a larger set holds the smaller one, and the number of processes
    changes nothing. Cameras are those of STB, with pictures of 640 x 480; where the stereo pair stands beside the depth
    camera is not published and ours. A frame takes some 1.3 MB. For all else see `generate`.

    Args:
        root: folder of the set. A finished set with the same settings is left as it is.
        num_train: frames of the sequences B2 to B6.
        num_eval: frames of the sequences B1.
        seed: not negative.
        renderer: "numpy", or "open3d" (the extra `[open3d]`).
        workers: processes; by default one per core, fewer for a small set.
        progress: show a progress bar.

    Returns:
        The folder, as the STB loader takes it.

    Raises:
        FileExistsError: the folder holds something else, or a set with other settings.
        ValueError: a number is out of range, or no renderer has this name.
        ImportError: open3d is asked for and cannot be imported.
        OSError: the set cannot be written, for example because the disk is full.
    """
    check_numbers(num_train, num_eval, seed, workers)
    largest = {"num_train": 10 * stb.MAX_FRAMES, "num_eval": 2 * stb.MAX_FRAMES}
    if num_train > largest["num_train"] or num_eval > largest["num_eval"]:
        raise ValueError(f"expected at most {largest}, as sequences have at most {stb.MAX_FRAMES} frames")
    settings = {"layout": "STB", "version": VERSION, "num_train": num_train, "num_eval": num_eval, "seed": seed}
    root = Path(root)
    if is_there(root, settings):
        return root
    renderer_named(renderer)  # a missing extra is said here, not by a worker
    return make_set(root, settings, lambda folder: _render(folder, settings, renderer, workers, progress))
