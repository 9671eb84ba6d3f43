"""The classes of files that commands open: how a right one is made, how it is read, and what a reader promises."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import random
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import rhd_factory
import torch
import touch_factory
import yaml
from fuzz.mutations import FOREIGN, altered, damaged
from idx_factory import idx
from PIL import Image
from torch import nn

from pyro_mmvae import Modality, MultimodalVAE, guides, load, save
from pyro_mmvae.checkpoints import load_checkpoint, loss_state
from pyro_mmvae.data.exr import read_exr, write_exr
from pyro_mmvae.data.idx import read_idx
from pyro_mmvae.data.images import read_colour, read_values
from pyro_mmvae.data.ply import read_ply, write_ply
from pyro_mmvae.experiments.common import configuration, driver
from pyro_mmvae.files import read_json, replace_file, write_json
from pyro_mmvae.hands.rhd import RHD
from pyro_mmvae.hands.viewer import load as view
from pyro_mmvae.likelihoods import Normal
from pyro_mmvae.networks.resnet import ResNetEncoder
from pyro_mmvae.plain_yaml import read_mapping
from pyro_mmvae.touch.attempt_file import AttemptFile
from pyro_mmvae.touch.layout import SENSORS

Read = Callable[[Path], Any]
RNG = np.random.default_rng(0)


@dataclass(frozen=True)
class Target:
    """A class of files.

    Attributes:
        make: writes a right file, and what it needs beside it, to a path.
        read: reads it; returns plain values, or raises one of `errors`.
        errors: what the reader is documented to raise.
        exact: whether a reader that takes a damaged file must have got the very values: there are checksums.
        restructure: writes a file of another structure, undamaged, in its place.
        path: name of the file.
    """

    make: Callable[[Path], Any]
    read: Read
    path: str
    errors: tuple[type[Exception], ...] = (ValueError, OSError)
    exact: bool = False
    restructure: Callable[[Path, random.Random], Any] | None = field(default=None)

    def spoil(self, path: Path, content: bytes, number: int, rng: random.Random) -> bool:
        """Put damage or another structure into the place of a right file; return whether it is damage."""
        path.write_bytes(content)
        if self.restructure is not None and number % 2:
            self.restructure(path, rng)
            return False
        path.write_bytes(damaged(content, rng))
        return True


def _json(path: Path, rng: random.Random) -> None:
    path.write_text(json.dumps(altered(json.loads(path.read_text()), rng)))


def _yaml(path: Path, rng: random.Random) -> None:
    tags = ("!!int ''", "!!float ''", "!!bool x", "!!timestamp x", "!!binary x", "!!omap [a]", "2020-99-99")
    if rng.random() < 0.3:
        path.write_text(f"a: {rng.choice((*tags, '? [1] : 2', '<<: 3', '!!python/name:os.system', '190:20:30'))}\n")
    else:
        path.write_text(yaml.safe_dump(altered(yaml.safe_load(path.read_text()), rng), allow_unicode=False))


def _idx_image(path: Path) -> None:
    path.write_bytes(idx(RNG.integers(0, 255, (20, 28, 28))))


def _png(mode: str, **options: Any) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        shape = (24, 20) if mode in ("L", "P") else (24, 20, 3)
        values = np.random.default_rng(1).integers(0, 50, shape).astype(np.uint8)
        image = Image.fromarray(values)
        if mode == "P":
            image = image.convert("P")
        stream = io.BytesIO()
        image.save(stream, **{"format": "PNG", **options})
        path.write_bytes(stream.getvalue())

    return write


def _pair() -> tuple[MultimodalVAE, Any]:
    parts = [Modality(n, Normal((2,), scale=0.5), nn.Linear(2, 2), nn.Linear(2, 3)) for n in "ab"]
    return MultimodalVAE(parts, 2), guides.load("poe")(parts, 2)


def _saved(path: Path) -> None:
    save(path.parent, *_pair())
    if path.suffix != ".json":
        next(path.parent.glob("weights-*")).replace(path)
        structure = json.loads((path.parent / "structure.json").read_text())
        structure["weights"]["file"] = path.name
        (path.parent / "structure.json").write_text(json.dumps(structure))


def _loaded(path: Path) -> Any:
    model, guide = load(path.parent)
    return {**model.state_dict(), **guide.state_dict()}


CHECKPOINT = {
    "state_dict": {"loss.model.w": torch.arange(2000.0), "loss.guide.v": torch.ones(2, 3)},
    "callbacks": {"Timed": {"rows": [{"epoch": 1.0}]}},
    "loops": {"fit_loop": {"epoch_progress": {"current": {"processed": 1}}}},
    "global_step": 3,
}
TENSORS = (torch.ones(()), torch.tensor([float("nan")]), torch.ones(3, dtype=torch.int8), torch.ones(0))


def _checkpoint(path: Path, rng: random.Random) -> None:
    torch.save(altered(torch.load(path, weights_only=True), rng, (*FOREIGN[:12], *FOREIGN[15:], *TENSORS)), path)


def _config(name: str) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        config = configuration.parse_run(driver.config_class(name), ["--out", str(path.parent)], "")
        configuration.write(config, path)

    return write


def _resnet(path: Path) -> None:
    torch.manual_seed(0)
    replace_file(path, lambda place: torch.save(ResNetEncoder(width=2).state_dict(), place))


def _hands(root: Path) -> Path:
    if not (root / "training/anno_training.pickle").exists():
        rhd_factory.write_set(root, number=2)
    return root


def _annotations(path: Path) -> None:
    _hands(path.parent.parent)


def _other_annotations(path: Path, rng: random.Random) -> None:
    arrays = (np.zeros((42, 3)), np.zeros(3), np.full((42, 3), np.nan), np.zeros((0, 3)), np.array("x"), np.float64(1))
    path.write_bytes(pickle.dumps(altered(pickle.loads(path.read_bytes()), rng, (*FOREIGN[:20], *arrays))))


def _samples_of(path: Path) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that samples are left out
        split = RHD(path.parents[1 if path.suffix == ".pickle" else 2], "training", image_size=16, heatmap_size=8)
        samples = [split[number] for number in range(len(split))]
    for sample in samples:
        for name, value in getattr(sample, "data", {}).items():
            assert torch.isfinite(value).all(), f"{name} is not finite"
    return len(samples)


def _of_set(kind: str) -> Callable[[Path], None]:
    return lambda path: _hands(path.parents[2]) and None


def _poses(path: Path) -> None:
    np.savez(path, cloud=np.ones((9, 3)), pose=np.arange(63.0).reshape(21, 3))


def _seen(path: Path) -> Any:
    return {item.name: item.points for item in view(path)}


def _ascii_ply(path: Path) -> None:
    rows = "".join(f"{i} {i + 1} {i / 3} {i}\n" for i in range(9))
    head = "ply\nformat ascii 1.0\ncomment x\nelement vertex 9\nproperty float x\nproperty float y\nproperty double z\n"
    path.write_text(f"{head}property uchar red\nelement face 0\nproperty list uchar int i\nend_header\n{rows}")


SMOOTH = np.add.outer(np.arange(40.0), np.arange(30.0) ** 2).astype(np.float32)


def _attempt(path: Path) -> Any:
    with AttemptFile(path) as file:
        return {name: file.read(name) for name in SENSORS}


METRICS = {"a": 1.5, "b": {"mean": [1, 2, None]}, "c": "text"}
TARGETS: dict[str, Target] = {
    "json": Target(lambda p: write_json(METRICS, p), read_json, "m.json", restructure=_json),
    "yaml": Target(_config("mog"), read_mapping, "o.yaml", restructure=_yaml),
    "options of mog": Target(_config("mog"), lambda p: driver.read_config(p.parent), "config.yaml", restructure=_yaml),
    "options of rhd": Target(_config("rhd"), lambda p: driver.read_config(p.parent), "config.yaml", restructure=_yaml),
    "checkpoint": Target(
        lambda p: torch.save(CHECKPOINT, p),
        lambda p: loss_state(load_checkpoint(p), p),
        "last.ckpt",
        exact=True,
        restructure=_checkpoint,
    ),
    "structure": Target(_saved, _loaded, "structure.json", restructure=_json),
    "weights": Target(_saved, _loaded, "weights-0123456789abcdef.safetensors", exact=True),
    "pretrained weights": Target(
        _resnet,
        lambda p: ResNetEncoder(width=2, weights_path=p).state_dict(),
        "resnet.pth",
        exact=True,
        restructure=_checkpoint,
    ),
    "idx": Target(_idx_image, read_idx, "images"),
    "idx.gz": Target(
        lambda p: p.write_bytes(gzip.compress(idx(np.arange(120).reshape(5, 24)), mtime=0)),
        read_idx,
        "images.gz",
        exact=True,
    ),
    "values": Target(_png("L"), lambda p: read_values(p, 1), "depth.png", exact=True),
    "colour png": Target(_png("RGB"), lambda p: read_colour(p).size, "colour.png"),
    "palette png": Target(_png("P"), lambda p: read_colour(p).size, "palette.png"),
    "jpeg": Target(_png("RGB", format="JPEG"), lambda p: read_colour(p).size, "colour.jpg"),
    "webp": Target(_png("RGB", format="WEBP"), lambda p: read_colour(p).size, "colour.webp"),
    "bmp": Target(_png("RGB", format="BMP"), lambda p: read_colour(p).size, "colour.bmp"),
    "exr": Target(lambda p: write_exr(p, SMOOTH), lambda p: read_exr(p, ["Z"]), "depth.exr"),
    "npz": Target(_poses, _seen, "hand.npz"),
    "ply": Target(lambda p: write_ply(p, np.ones((9, 3)), np.full((9, 3), 7)), lambda p: read_ply(p).points, "c.ply"),
    "ascii ply": Target(_ascii_ply, lambda p: read_ply(p).points, "c.ply"),
    "annotations": Target(_annotations, _samples_of, "training/anno_training.pickle", restructure=_other_annotations),
    "picture of a set": Target(_of_set("color"), _samples_of, "training/color/00001.png"),
    "depth of a set": Target(_of_set("depth"), _samples_of, "training/depth/00001.png"),
    "mask of a set": Target(_of_set("mask"), _samples_of, "training/mask/00001.png"),
    "attempt of a robot": Target(touch_factory.write, _attempt, "a.h5"),
}
