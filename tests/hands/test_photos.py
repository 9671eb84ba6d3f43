"""A folder of photos, and files of poses."""

from __future__ import annotations

import csv

import numpy as np
import pytest
import torch
from PIL import Image

from pyro_mmvae.hands.photos import Photos, write_poses


def write(path, size, left, right):
    pixels = np.zeros((size[1], size[0], 3), dtype=np.uint8)
    pixels[:, : size[0] // 2], pixels[:, size[0] // 2 :] = left, right
    Image.fromarray(pixels).save(path)


def test_photos_are_squares_and_what_cannot_be_read_is_named(tmp_path):
    write(tmp_path / "b.png", (32, 32), (255, 0, 0), (0, 0, 255))
    write(tmp_path / "a.JPG", (60, 30), (0, 255, 0), (0, 255, 0))
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    (tmp_path / "notes.txt").write_text("no photo")
    photos = Photos(tmp_path, 16)
    found = list(photos.batches(2))
    assert [names for names, _ in found] == [["a.JPG", "b.png"]]
    assert found[0][1].shape == (2, 3, 16, 16)
    torch.testing.assert_close(found[0][1][1, :, 5, 0], torch.tensor([1.0, 0.0, 0.0]))
    assert set(photos.failed) == {"broken.png"}
    ((_, mirrored),) = Photos(tmp_path, 16, mirror=True).batches(4)
    torch.testing.assert_close(mirrored[1, :, 5, 0], torch.tensor([0.0, 0.0, 1.0]))


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="not a folder of images"):
        Photos(tmp_path / "nowhere", 16)


def test_poses_are_written_and_read_back(tmp_path):
    pose, spread = np.random.default_rng(0).normal(size=(2, 21, 3)), np.ones((2, 21))
    write_poses(tmp_path / "out", ["a", "b"], pose, spread, "mm")
    found = np.load(tmp_path / "out" / "poses.npz", allow_pickle=False)
    np.testing.assert_array_equal(found["pose"], pose)
    with (tmp_path / "out" / "poses.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 42
    assert float(rows[22]["y_mm"]) == pytest.approx(pose[1, 1, 1], rel=1e-5)
