"""Randomness, subsets, preloading and workers."""

import numpy as np
import pytest
import torch
from rhd_factory import write_set

from pyro_mmvae.data.loader import make_loader
from pyro_mmvae.data.samples import Draw
from pyro_mmvae.hands.rhd import MODALITIES, RHD, collate


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rhd")
    write_set(folder, "training", 6)
    return folder


def load(root, **options):
    defaults = {"image_size": 64, "modalities": MODALITIES, "progress": False}
    return RHD(root, "training", **(defaults | options))


def assert_same(one, other):
    for name in one.batch.data:
        assert torch.equal(one.batch.data[name], other.batch.data[name]), name
    for name, left, right in zip(one.hands._fields, one.hands, other.hands, strict=True):
        assert torch.equal(left, right), name


NOISY = {"augment": True, "pixel_corruption": 0.3, "cloud_noise": 0.1, "corrupted_share": 0.5}


def test_workers_do_not_change_what_is_drawn(root):
    dataset = load(root, **NOISY)
    runs = []
    for workers in (0, 2):
        loader = make_loader(dataset, 4, shuffle=True, drop_last=False, seed=3, workers=workers)
        loader.sampler.set_epoch(2)
        runs.append(list(loader))
    assert [made.batch.size for made in runs[0]] == [4, 2]
    for one, other in zip(*runs, strict=True):
        assert_same(one, other)


@pytest.mark.parametrize("options", [{}, NOISY, {"image_size": 24}])
def test_preloaded_samples_are_the_same(root, options):
    plain, held = load(root, **options), load(root, preload=True, **options)
    draws = [Draw(index, epoch) for index in range(6) for epoch in range(2)]
    assert_same(collate([plain[draw] for draw in draws]), collate([held[draw] for draw in draws]))


def test_preloaded_sets_do_not_go_back_to_the_files(tmp_path):
    write_set(tmp_path, number=2)
    dataset = load(tmp_path, preload=True)
    expected = dataset[1]
    for path in tmp_path.rglob("*.png"):
        path.unlink()
    assert torch.equal(dataset[1].data["rgb"], expected.data["rgb"])


def test_epochs_and_seeds_change_the_draw(root):
    dataset = load(root, augment=True)
    first = dataset[0]
    assert torch.equal(first.data["rgb"], dataset[Draw(0, 0)].data["rgb"])
    for other in (dataset[Draw(0, 1)], load(root, augment=True, seed=1)[0]):
        for name in ("rgb", "pose", "cloud", "heatmap"):
            assert not torch.equal(first.data[name], other.data[name])


def test_what_else_is_asked_for_does_not_change_the_draw(root):
    whole, part = load(root, **NOISY)[0], load(root, modalities=("cloud", "pose"), **NOISY)[0]
    assert list(part.data) == ["cloud", "pose"]
    for name in part.data:
        assert torch.equal(whole.data[name], part.data[name])


def test_subsets(root):
    share, number = load(root, samples=0.5), load(root, samples=3)
    assert share.ids == number.ids
    assert len(share) == 3
    assert share.ids == sorted(set(share.ids))
    assert {tuple(load(root, samples=3, seed=seed).ids) for seed in range(8)} != {tuple(share.ids)}
    assert set(load(root, samples=2).ids) < set(number.ids)
    assert len(load(root, samples=1)) == 1
    assert len(load(root, samples=1.0)) == len(load(root, samples=100)) == 6
    whole = load(root, augment=True)
    position = whole.ids.index(share.ids[1])
    assert torch.equal(whole[position].data["rgb"], load(root, augment=True, samples=3)[1].data["rgb"])


def test_chosen_numbers(root):
    part = load(root, ids=(4, 1, 99), augment=True)
    assert part.ids == [1, 4]
    assert torch.equal(part[1].data["rgb"], load(root, augment=True)[4].data["rgb"])
    assert set(load(root, ids=range(1, 5), samples=2).ids) < set(range(1, 5))
    with pytest.raises(ValueError, match="got none"):
        load(root, ids=(99,))


@pytest.mark.parametrize("samples", [0, -1, 0.0, 1.5, 2.5])
def test_subsets_are_checked(root, samples):
    with pytest.raises(ValueError, match="expected a share"):
        load(root, samples=samples)


def test_pixel_corruption_changes_its_share_of_the_image_alone(root):
    clean, noisy = load(root)[0], load(root, pixel_corruption=0.25)[0]
    changed = (clean.data["rgb"] != noisy.data["rgb"]).any(0).float().mean()
    assert float(changed) == pytest.approx(0.25, abs=1e-3)
    assert float(noisy.data["rgb"].min()) >= 0
    for name in set(MODALITIES) - {"rgb"}:
        assert torch.equal(clean.data[name], noisy.data[name])


def test_cloud_noise_changes_the_cloud_alone(root):
    clean, noisy = (load(root, num_points=2000, cloud_noise=std)[0] for std in (0.0, 0.2))
    noise = noisy.data["cloud"] - clean.data["cloud"]
    assert float(noise.std()) == pytest.approx(0.2, rel=0.05)
    for name in set(MODALITIES) - {"cloud"}:
        assert torch.equal(clean.data[name], noisy.data[name])


def test_a_share_of_the_samples_is_corrupted_the_same_in_all_epochs(tmp_path):
    write_set(tmp_path, number=24, depth=False, mask=False)
    options = {"modalities": ("rgb", "pose"), "image_size": 16}
    clean, noisy = load(tmp_path, **options), load(tmp_path, pixel_corruption=1, corrupted_share=0.5, **options)

    def corrupted(epoch):
        draws = [Draw(index, epoch) for index in range(24)]
        return [not torch.equal(clean[draw].data["rgb"], noisy[draw].data["rgb"]) for draw in draws]

    assert corrupted(0) == corrupted(1)
    assert 5 <= np.sum(corrupted(0)) <= 19


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"modalities": ("rgb", "touch")}, "unknown modalities"),
        ({"modalities": ()}, "at least one modality"),
        ({"modalities": ("rgb", "rgb")}, "each once"),
        ({"root_joint": "elbow"}, "unknown root_joint"),
        ({"image_size": 0}, "at least 1"),
        ({"pixel_corruption": 2}, r"share in \[0, 1\]"),
        ({"corrupted_share": -1}, r"share in \[0, 1\]"),
        ({"cloud_noise": -1}, "at least 0"),
    ],
)
def test_options_are_checked(root, options, message):
    with pytest.raises(ValueError, match=message):
        load(root, **options)
