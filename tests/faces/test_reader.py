"""CelebA's files: what is read of right ones, and what becomes of bad ones."""

from __future__ import annotations

import pickle
import zipfile

import numpy as np
import pytest
import torch
from faces_factory import attributes, celeba, jpeg
from PIL import Image

from pyro_mmvae.data.images import MissingImageError, UnreadableImageError
from pyro_mmvae.data.loader import make_loader
from pyro_mmvae.data.samples import Draws
from pyro_mmvae.faces import archive as archive_module
from pyro_mmvae.faces.archive import Pictures
from pyro_mmvae.faces.attributes import ATTRIBUTES, DISTINCTIVE, columns_of
from pyro_mmvae.faces.dataset import Faces
from pyro_mmvae.faces.index import read_index
from pyro_mmvae.faces.pictures import Square, moved, squared
from pyro_mmvae.faces.pixels import Pixels

ATTRIBUTE_FILE, SPLIT_FILE = "list_attr_celeba.txt", "list_eval_partition.txt"
LANDMARK_FILE = "list_landmarks_align_celeba.txt"


def index_of(root, **options):
    return read_index(root, Pictures(root), **options)


def test_forty_attributes_of_which_eighteen_are_distinctive():
    assert len(set(ATTRIBUTES)) == 40
    # Numbers of the attributes that Wu and Goodman's code keeps.
    kept = [4, 5, 8, 9, 11, 12, 15, 17, 18, 20, 21, 22, 26, 28, 31, 32, 33, 35]
    assert columns_of(DISTINCTIVE) == kept


@pytest.mark.parametrize("names", [(), ("Male", "Male"), ("Tall",)])
def test_other_attributes_are_refused(names):
    with pytest.raises(ValueError, match="expected"):
        columns_of(names)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("anno", [True, False])
def test_a_set_is_read(tmp_path, zipped, anno):
    root = celeba(tmp_path / "set", zipped=zipped, anno=anno)
    index = index_of(root, landmarks=True)
    assert index.names == tuple(f"{i:06d}.jpg" for i in range(1, 8))
    assert index.split.tolist() == [i % 3 for i in range(1, 8)]
    assert index.attributes.tolist() == [attributes(i) for i in range(1, 8)]
    np.testing.assert_array_equal(index.landmarks[2], np.arange(3, 13).reshape(5, 2))
    assert index.rows("test").tolist() == [1, 4]
    assert not index.log.counts
    picture = Pictures(root).read("000002.jpg")
    assert picture.mode == "RGB"
    expected = Image.open(root / "img_align_celeba/000002.jpg") if not zipped else None
    if expected is not None:
        np.testing.assert_array_equal(np.asarray(picture), np.asarray(expected))


def test_columns_are_found_by_their_names(tmp_path):
    root = celeba(tmp_path / "set")
    path = root / ATTRIBUTE_FILE
    count, header, *rows = path.read_text().splitlines()
    turned = [" ".join([name, *reversed(values)]) for name, *values in map(str.split, rows)]
    path.write_text("\n".join([count, " ".join(reversed(header.split())), *turned]))
    assert index_of(root).attributes.tolist() == [attributes(i) for i in range(1, 8)]


@pytest.mark.parametrize(
    ("file", "line", "counted"),
    [
        (ATTRIBUTE_FILE, "000003.jpg 1 1", "broken line in list_attr"),
        (ATTRIBUTE_FILE, "000003.jpg " + " ".join(["2"] * 40), "broken line in list_attr"),
        (ATTRIBUTE_FILE, "../03.jpg " + " ".join(["1"] * 40), "broken line in list_attr"),
        (ATTRIBUTE_FILE, "000004.jpg " + " ".join(["1"] * 40), "there twice in list_attr"),
        (ATTRIBUTE_FILE, "000099.jpg " + " ".join(["1"] * 40), "without a line in list_eval"),
        (SPLIT_FILE, "000003.jpg 3", "broken line in list_eval"),
        (SPLIT_FILE, "000003.jpg one", "broken line in list_eval"),
        (LANDMARK_FILE, "000003.jpg 1 2 3", "broken line in list_landmarks"),
        (LANDMARK_FILE, "000003.jpg " + " ".join(["99999999999"] * 10), "broken line in list_landmarks"),
    ],
)
def test_bad_lines_are_counted_and_the_others_used(tmp_path, file, line, counted):
    root = celeba(tmp_path / "set")
    lines = (root / file).read_text().splitlines()
    place = next(number for number, text in enumerate(lines) if text.startswith("000003.jpg"))
    lines[place] = line
    (root / file).write_text("\n".join(lines))
    index = index_of(root, landmarks=True)
    assert set(index.names) == {f"{i:06d}.jpg" for i in range(1, 8)} - {"000003.jpg"}
    assert any(counted in reason for reason in index.log.counts)
    assert counted.split()[0] in str(index.log)


def test_faces_without_a_picture_are_counted(tmp_path):
    root = celeba(tmp_path / "set")
    (root / "img_align_celeba/000005.jpg").unlink()
    index = index_of(root)
    assert "000005.jpg" not in index.names
    assert index.log.counts == {"without a picture": 1}


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda root: (root / ATTRIBUTE_FILE).write_text("7\nMale Young\n"), "40 attributes"),
        (lambda root: (root / ATTRIBUTE_FILE).write_text(""), "40 attributes"),
        (lambda root: (root / ATTRIBUTE_FILE).write_text("x" * 5000), "at most 2000 characters"),
        (lambda root: (root / SPLIT_FILE).write_text(""), "got none"),
        (lambda root: (root / LANDMARK_FILE).write_text("7\nx y\n"), "lefteye_x"),
    ],
)
def test_other_files_are_refused(tmp_path, spoil, message):
    root = celeba(tmp_path / "set")
    spoil(root)
    with pytest.raises(ValueError, match=message):
        index_of(root, landmarks=True)


@pytest.mark.parametrize("name", [ATTRIBUTE_FILE, SPLIT_FILE, LANDMARK_FILE])
def test_missing_files_are_named(tmp_path, name):
    root = celeba(tmp_path / "set")
    (root / name).unlink()
    with pytest.raises(FileNotFoundError, match=name):
        index_of(root, landmarks=True)
    with pytest.raises(FileNotFoundError, match="img_align_celeba"):
        Pictures(tmp_path)


def test_landmarks_are_needed_only_where_they_are_asked_for(tmp_path):
    root = celeba(tmp_path / "set")
    (root / LANDMARK_FILE).unlink()
    index = index_of(root)
    assert index.size == 7
    with pytest.raises(ValueError, match="landmarks=True"):
        Pixels(Pictures(root), index, [0]).points([0])


def test_an_archive_that_expands_without_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archive_module, "MAX_MEMBER", 10_000)
    root = celeba(tmp_path / "set", zipped=True)
    with zipfile.ZipFile(root / "img_align_celeba.zip", "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("img_align_celeba/bomb.jpg", b"\0" * 10_000_000)
    with pytest.raises(UnreadableImageError, match="at most 10000 bytes"):
        Pictures(root).read("bomb.jpg")


def test_damaged_and_missing_members_are_told(tmp_path):
    root = celeba(tmp_path / "set", zipped=True)
    path = root / "img_align_celeba.zip"
    content = path.read_bytes()
    with pytest.raises(MissingImageError):
        Pictures(root).read("000099.jpg")
    place = content.index(jpeg(2)) + 300
    path.write_bytes(content[:place] + b"damage" + content[place + 6 :])
    with pytest.raises(UnreadableImageError, match="000002"):
        Pictures(root).read("000002.jpg")
    path.write_bytes(content[:500])
    with pytest.raises(ValueError, match="damaged one"):
        Pictures(root)


def test_an_archive_can_be_sent_to_another_process(tmp_path):
    root = celeba(tmp_path / "set", zipped=True)
    pictures = Pictures(root)
    again = pickle.loads(pickle.dumps(pictures))
    np.testing.assert_array_equal(np.asarray(again.read("000001.jpg")), np.asarray(pictures.read("000001.jpg")))
    faces = Faces(Pixels(pictures, index_of(root), range(7), Square(8)))
    one, two = (list(make_loader(faces, 2, workers=workers, persistent=False)) for workers in (0, 2))
    for here, there in zip(one, two, strict=True):
        assert torch.equal(here.batch.data["image"], there.batch.data["image"])


@pytest.mark.parametrize("preload", [True, False])
def test_pictures_that_cannot_be_read_leave_their_batch(tmp_path, preload):
    root = celeba(tmp_path / "set")
    (root / "img_align_celeba/000004.jpg").write_bytes(b"no picture")
    faces = Faces(Pixels(Pictures(root), index_of(root), range(7), Square(8), preload=preload))
    found = faces.batch(Draws(torch.arange(7)))
    assert found.rows.tolist() == [0, 1, 2, 4, 5, 6]
    assert [name for name, _ in found.skipped] == ["000004.jpg"]
    assert found.batch.data["image"].shape == (6, 3, 8, 8)
    wanted = torch.tensor([attributes(i) for i in (1, 2, 3, 5, 6, 7)]).float()
    assert torch.equal(found.batch.data["attributes"], wanted[:, columns_of(DISTINCTIVE)])


def test_binary_pixels_are_drawn_once_with_the_values_as_probabilities(tmp_path):
    root = celeba(tmp_path / "set", 3, size=(200, 200))
    pixels = Pixels(Pictures(root), index_of(root), range(3), Square(128))
    grey, binary = (Faces(pixels, binary=b).batch(Draws(torch.arange(3))).batch.data["image"] for b in (False, True))
    assert set(binary.unique().tolist()) == {0.0, 1.0}
    assert (binary - grey).mean().abs() < 0.01
    some = Faces(Pixels(Pictures(root), index_of(root), [2], Square(128)), binary=True).batch(Draws(torch.tensor([0])))
    assert torch.equal(some.batch.data["image"][0], binary[2])


def test_the_square_is_the_middle_of_the_picture():
    picture = Image.new("RGB", (178, 218), "black")
    picture.paste("white", (0, 20, 178, 198))
    found = squared(picture, Square(64))
    assert found[:, 1:-1].min() == 255
    assert 200 < found[:, [0, -1]].max() < 255  # pixels at the rim are also means over what is just beyond it
    assert squared(picture, Square(64, crop=100)).shape == (3, 64, 64)
    with pytest.raises(ValueError, match="at least 8 pixels"):
        Square(4).check()


def test_points_move_with_the_picture():
    values = np.zeros((218, 178, 3), np.uint8)
    values[100:110, 60:70] = 255  # centre (64.5, 104.5)
    square = Square(64)
    found = squared(Image.fromarray(values), square)[0].astype(float)
    y, x = np.mgrid[:64, :64]
    centre = np.array([(x * found).sum(), (y * found).sum()]) / found.sum()
    np.testing.assert_allclose(moved(np.array([64.5, 104.5]), (178, 218), square), centre, atol=0.05)


def test_landmarks_follow_pictures_of_different_sizes(tmp_path):
    root = celeba(tmp_path / "set", 2)
    (root / "img_align_celeba/000002.jpg").write_bytes(jpeg(2, (40, 52)))
    pixels = Pixels(Pictures(root), index_of(root, landmarks=True), range(2), Square(10), preload=True)
    found = pixels.points([1, 0])
    np.testing.assert_allclose(found[1], moved(np.arange(1, 11).reshape(5, 2), (20, 26), Square(10)))
    np.testing.assert_allclose(found[0], moved(np.arange(2, 12).reshape(5, 2), (40, 52), Square(10)))
