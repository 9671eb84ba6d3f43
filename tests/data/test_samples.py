"""Contract of data sets. A new one gets an entry in `SETS`; a class without one is found and complained about."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import touch_factory
from faces_factory import celeba
from food_factory import recipe1m
from rhd_factory import write_set
from stb_factory import write_stb
from surgical_factory import write_surgical

import pyro_mmvae.data
import pyro_mmvae.faces
import pyro_mmvae.food
import pyro_mmvae.hands
import pyro_mmvae.surgical
import pyro_mmvae.touch
from pyro_mmvae import Batch
from pyro_mmvae.batch import batch_of
from pyro_mmvae.data.gaussian_mixture import sample
from pyro_mmvae.data.labelled_samples import LabelledSamples
from pyro_mmvae.data.loader import make_loader
from pyro_mmvae.data.samples import Draws, InMemory, Samples
from pyro_mmvae.data.shapes import rendered_shapes
from pyro_mmvae.faces.archive import Pictures
from pyro_mmvae.faces.dataset import Faces
from pyro_mmvae.faces.index import read_index
from pyro_mmvae.faces.pictures import Square
from pyro_mmvae.faces.pixels import Pixels
from pyro_mmvae.faces.transformed import TransformedFaces
from pyro_mmvae.food.dataset import Food
from pyro_mmvae.food.index import open_index
from pyro_mmvae.food.pictures import PictureOptions
from pyro_mmvae.food.vectors import FoodVectors
from pyro_mmvae.food.vocabulary import Vocabulary
from pyro_mmvae.hands.rhd import MODALITIES, RHD
from pyro_mmvae.hands.rhd_format import sample_paths
from pyro_mmvae.hands.stb import STB
from pyro_mmvae.hands.stb_format import picture_path
from pyro_mmvae.hands.synthetic import generate, generate_stb
from pyro_mmvae.surgical.dataset import Views
from pyro_mmvae.surgical.layout import View, view_path
from pyro_mmvae.surgical.record import ReadOptions, read_camera
from pyro_mmvae.surgical.views import find_views
from pyro_mmvae.touch.dataset import Touch, find_attempts
from pyro_mmvae.touch.failures import Failing
from pyro_mmvae.touch.views import ViewOptions


@dataclass(frozen=True)
class Entry:
    """How a data set is made, and what is random in it."""

    make: Callable[[Path], Samples[Any]]
    """Makes it, given an empty folder."""
    redrawn: tuple[str, ...] = ()
    """Modalities that are other in another epoch."""
    by_batch: bool = False
    """Whether they also depend on the number of the batch and the process."""


def images(**options):
    return lambda folder: LabelledSamples(rendered_shapes(7), **options)


def hands(**options):
    def make(folder):
        write_set(folder, number=5)
        sample_paths(folder, "training", 1).depth.unlink()  # no cloud there
        return RHD(folder, "training", image_size=16, num_points=8, heatmap_size=8, modalities=MODALITIES, **options)

    return make


def stb_hands(**options):
    def make(folder):
        write_stb(folder, frames=1)
        picture_path(folder, "B2Random", "SK_depth", 0).unlink()  # no cloud there
        return STB(folder, "training", image_size=16, num_points=8, heatmap_size=8, **options)

    return make


def synthetic_stb(folder):
    made = generate_stb(folder / "set", 3, 1, seed=0, workers=1, progress=False)
    return STB(made, "training", camera="bb", modalities=("rgb", "pose"), image_size=16)


def synthetic(folder):
    return RHD(generate(folder / "set", 4, 2, seed=0), "training", image_size=16, num_points=8, heatmap_size=8)


def food(**options):
    def make(folder):
        index = open_index(recipe1m(folder / "set"), "recipe1m", folder / "kept")
        vocabulary = Vocabulary.of(index.counts(range(index.size)), least=1)
        return Food(folder / "set", index, vocabulary, range(index.size), PictureOptions((48, 36), 24), **options)

    return make


def touch(failing=None, **options):
    def make(folder):
        for number in range(2):
            touch_factory.write(folder / "set" / f"{number}.h5", seed=number)
        found = find_attempts(folder / "set", 8)
        return Touch(found.paths, found.steps, ViewOptions(8), failing=failing, **options)

    return make


def food_vectors(folder):
    torch.manual_seed(0)
    encoder = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 24 * 24, 5))
    return FoodVectors(food()(folder), encoder)


def surgical(**options):
    def make(folder):
        root = write_surgical(folder / "set", views=1)
        view_path(root, "depth", View(2, 0)).unlink()  # no cloud there
        return Views(root, find_views(root), ReadOptions(16, 8, read_camera(root)), num_points=8, **options)

    return make


def faces(kind, zipped=False, preload=False, **options):
    def make(folder):
        pictures = Pictures(celeba(folder / "set", zipped=zipped))
        index = read_index(folder / "set", pictures, landmarks=True)
        return kind(Pixels(pictures, index, range(index.size), Square(12), preload=preload), **options)

    return make


SETS = {
    "in memory": Entry(lambda folder: InMemory(Batch.of({"a": torch.randn(5, 2)}, {"a": torch.arange(5) < 3}))),
    "mixture of Gaussians": Entry(lambda folder: sample(9).samples()),
    "images, static": Entry(images()),
    "images, dynamic": Entry(images(binarisation="dynamic", missing=0.5), ("image",), by_batch=True),
    "images, grey": Entry(images(binarisation="none", missing=0.5)),
    "hands": Entry(hands(), ("cloud",)),
    "hands, augmented": Entry(
        hands(augment=True, pixel_corruption=0.1, preload=True, progress=False),
        ("rgb", "cloud", "heatmap", "pose", "segmentation"),
    ),
    "synthetic hands": Entry(synthetic, ("cloud",)),
    "STB": Entry(stb_hands(), ("cloud",)),
    "STB, augmented": Entry(stb_hands(augment=True), ("rgb", "cloud", "heatmap", "pose")),
    "synthetic STB": Entry(synthetic_stb),
    "food": Entry(food()),
    "touch": Entry(touch()),
    "touch, failing": Entry(touch(Failing(("rgb", "force"), samples=0.5), preload=True), ("rgb", "force")),
    "vectors of food": Entry(food_vectors),
    "food, augmented": Entry(food(augment=True, preload=True), ("image",)),
    "surgical": Entry(surgical(), ("cloud",)),
    "surgical, varied": Entry(surgical(jitter=0.2, preload=True, progress=False), ("rgb", "cloud")),
    "faces": Entry(faces(Faces)),
    "faces, zipped and binary": Entry(faces(Faces, zipped=True, binary=True)),
    "transformed faces": Entry(faces(TransformedFaces)),
    "transformed faces, kept": Entry(faces(TransformedFaces, preload=True, keep=True)),
}


@pytest.fixture(scope="module", params=SETS)
def entry(request):
    return SETS[request.param]


@pytest.fixture(scope="module")
def samples(entry, tmp_path_factory):
    return entry.make(tmp_path_factory.mktemp("set"))


def values(item):
    """Return everything that a batch holds, by name."""
    batch = batch_of(item)
    return {**batch.data, **{f"{name} observed": mask for name, mask in batch.observed.items()}}


def same(one, other, names=None):
    one, other = values(one), values(other)
    return all(torch.equal(one[name], other[name]) for name in names or one)


def all_of(samples, epoch=0):
    return samples.batch(Draws(torch.arange(len(samples)), epoch))


def test_every_data_set_has_an_entry(tmp_path):
    found = set()
    for package in (
        pyro_mmvae.data,
        pyro_mmvae.faces,
        pyro_mmvae.food,
        pyro_mmvae.hands,
        pyro_mmvae.surgical,
        pyro_mmvae.touch,
    ):
        for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not info.name.endswith("__main__"):
                members = vars(importlib.import_module(info.name)).values()
                classes = {c for c in members if inspect.isclass(c) and not inspect.isabstract(c)}
                found |= {c for c in classes if inspect.isfunction(getattr(c, "batch", None))}
    tested = {type(entry.make(tmp_path / name)) for name, entry in SETS.items() if (tmp_path / name).mkdir() is None}
    assert found - {Samples} == tested


def test_a_batch_has_the_draws_in_their_order(samples):
    assert isinstance(samples, Samples)
    assert len(samples) > 2
    rows = torch.tensor([2, 0, 2])
    batch, everything = batch_of(samples.batch(Draws(rows, number=0))), batch_of(all_of(samples))
    assert batch.size == 3
    for name, value in batch.data.items():
        assert value.dtype == (torch.int64 if name == "segmentation" else torch.float32)
        assert torch.isfinite(value).all()
        assert value.shape[1:] == everything.data[name].shape[1:]
        assert batch.observed[name].dtype == torch.bool
        assert batch.observed[name].shape == (3,)
        assert not value[~batch.observed[name]].any()
        assert torch.equal(batch.observed[name], everything.observed[name][rows])


def test_the_same_draw_is_the_same_and_another_epoch_another(entry, samples):
    torch.manual_seed(0)
    one = all_of(samples, epoch=1)
    torch.manual_seed(1)  # neither a generator that others use too ...
    all_of(samples, epoch=2)  # ... nor what was drawn before matters
    again, other = all_of(samples, epoch=1), all_of(samples, epoch=2)
    assert same(one, again)
    names = batch_of(one).names
    assert tuple(name for name in names if not same(one, other, [name])) == tuple(
        n for n in names if n in entry.redrawn
    )


def test_drawing_leaves_the_generator_alone(samples):
    state = torch.get_rng_state()
    all_of(samples, epoch=1)
    assert torch.equal(torch.get_rng_state(), state)


def test_a_batch_may_be_empty(samples):
    empty, full = (batch_of(samples.batch(Draws(torch.arange(size)))) for size in (0, 1))
    assert empty.size == 0
    assert {n: v.shape[1:] for n, v in empty.data.items()} == {n: v.shape[1:] for n, v in full.data.items()}
    assert {n: v.dtype for n, v in values(empty).items()} == {n: v.dtype for n, v in values(full).items()}


def epoch_of(samples, epoch=3, **options):
    loader = make_loader(samples, 2, shuffle=True, drop_last=False, seed=1, **options)
    loader.sampler.set_epoch(epoch)
    return list(loader)


def test_workers_change_nothing(samples):
    for one, other in zip(epoch_of(samples), epoch_of(samples, workers=2, persistent=False), strict=True):
        assert same(one, other)


def test_processes_share_every_batch(entry, samples):
    whole = epoch_of(samples)
    parts = [epoch_of(samples, trainer=SimpleNamespace(global_rank=rank, world_size=2)) for rank in (0, 1)]
    for all_rows, *halves in zip(whole, *parts, strict=True):
        together = {name: torch.cat([values(half)[name] for half in halves]) for name in values(all_rows)}
        for name, value in values(all_rows).items():
            if not (entry.by_batch and name in entry.redrawn):
                assert torch.equal(together[name], value), name
