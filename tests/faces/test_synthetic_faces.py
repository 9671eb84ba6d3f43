"""Drawn faces: layout, determinism, going on, attributes that can be seen and depend on each other."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from pyro_mmvae.data.making import SETTINGS_FILE
from pyro_mmvae.faces.archive import Pictures
from pyro_mmvae.faces.attributes import ATTRIBUTES, DISTINCTIVE
from pyro_mmvae.faces.index import read_index
from pyro_mmvae.faces.synthetic import Face, draw_face, generate, sample_face
from pyro_mmvae.faces.synthetic import dataset as module
from pyro_mmvae.faces.synthetic.__main__ import main

FACES = [sample_face(np.random.default_rng([3, i])) for i in range(1500)]
HAS = np.array([[name in face.has for name in DISTINCTIVE] for face in FACES])


def make(root, count=12, seed=0, workers=1):
    return generate(root, count, seed, workers=workers, progress=False)


def digest(root):
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def drawn(face, seed=0):
    return draw_face(face, np.random.default_rng(seed))


def has(name):
    return HAS[:, DISTINCTIVE.index(name)]


def test_it_is_read_as_celeba_is(tmp_path):
    root = make(tmp_path / "faces", 20)
    index = read_index(root, Pictures(root), landmarks=True)
    assert index.size == 20
    assert np.bincount(index.split).tolist() == [16, 2, 2]
    assert not index.log.counts
    assert Pictures(root).read(index.names[0]).size == (178, 218)
    face = sample_face(np.random.default_rng([0, 5]))
    assert {n for n, there in zip(ATTRIBUTES, index.attributes[4], strict=True) if there} == face.has
    np.testing.assert_array_equal(index.landmarks[4], drawn(face)[1])


def test_it_does_not_depend_on_processes_or_size(tmp_path):
    one, two, more = make(tmp_path / "a"), make(tmp_path / "b", workers=2), make(tmp_path / "c", 14)
    assert digest(one) == digest(two)
    pictures = {name: value for name, value in digest(one).items() if name.endswith(".jpg")}
    assert pictures.items() <= digest(more).items()
    assert digest(make(tmp_path / "d", seed=1)) != digest(one)


def test_a_stopped_set_goes_on(tmp_path, monkeypatch):
    whole = digest(make(tmp_path / "whole"))
    draw, numbers = module._draw, []

    def stops(number, **options):
        if len(numbers) == 5:
            raise KeyboardInterrupt
        numbers.append(number)
        draw(number, **options)

    with monkeypatch.context() as patch:
        patch.setattr(module, "_draw", stops)
        with pytest.raises(KeyboardInterrupt):
            make(tmp_path / "cut")
    assert not (tmp_path / "cut").exists()
    monkeypatch.setattr(module, "_draw", lambda number, **options: (numbers.append(number), draw(number, **options)))
    assert digest(make(tmp_path / "cut")) == whole
    assert numbers == list(range(1, 13))
    make(tmp_path / "cut")
    assert len(numbers) == 12


def test_other_sets_and_other_things_are_left_alone(tmp_path):
    make(tmp_path / "faces")
    assert (tmp_path / "faces" / SETTINGS_FILE).is_file()
    with pytest.raises(FileExistsError, match="other settings"):
        make(tmp_path / "faces", seed=3)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/notes").write_text("")
    with pytest.raises(FileExistsError, match="holds no finished synthetic set"):
        make(tmp_path / "mine")


@pytest.mark.parametrize("options", [{"count": 9}, {"seed": -1}, {"workers": 0}])
def test_numbers_out_of_range_are_refused(tmp_path, options):
    with pytest.raises(ValueError, match="expected"):
        generate(tmp_path / "faces", **{"count": 10, **options})
    assert not list(tmp_path.iterdir())


def changed(name):
    """How much a picture changes, on average over pixels, with one attribute of a face that can have it."""
    face = next(f for f in FACES if name in f.has)
    values = {**vars(face), "has": face.has - {name}}
    return np.abs(drawn(face)[0].astype(int) - drawn(Face(**values))[0]).mean()


@pytest.mark.parametrize("name", [n for n in DISTINCTIVE if not n.endswith("_Hair") or n[:5] in ("Strai", "Wavy_")])
def test_every_attribute_changes_the_picture(name):
    if name != "Pale_Skin":  # which is a colour, as those of hair are
        assert changed(name) > 0.1


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [("Black_Hair", 0, 60), ("Blond_Hair", 140, 255), ("Gray_Hair", 130, 230), ("Brown_Hair", 40, 110)],
)
def test_hair_has_the_brightness_of_its_name(name, low, high):
    means = [np.mean(face.hair) for face in FACES if name in face.has]
    assert low <= min(means) <= max(means) <= high


def test_pale_skin_is_the_palest():
    pale = [np.mean(face.skin) for face in FACES if "Pale_Skin" in face.has]
    other = [np.mean(face.skin) for face in FACES if "Pale_Skin" not in face.has]
    assert np.mean(pale) > np.quantile(other, 0.95)


def test_every_attribute_is_neither_rare_nor_general():
    share = HAS.mean(axis=0)
    assert share.min() > 0.02
    assert share.max() < 0.7


@pytest.mark.parametrize(
    ("name", "other", "factor"),
    [
        ("Smiling", "Mouth_Slightly_Open", 2.0),
        ("Gray_Hair", "Eyeglasses", 1.8),
        ("Gray_Hair", "Receding_Hairline", 1.3),
        ("Male", "Bushy_Eyebrows", 2.0),
    ],
)
def test_attributes_depend_on_each_other(name, other, factor):
    assert has(other)[has(name)].mean() > factor * has(other)[~has(name)].mean()


def test_what_cannot_be_seen_is_not_said():
    hidden = ("Bangs", "Receding_Hairline", "Black_Hair", "Blond_Hair", "Brown_Hair", "Gray_Hair", "Wavy_Hair")
    assert not any(has(name)[has("Bald")].any() for name in hidden)
    assert not any(has(name)[has("Wearing_Hat")].any() for name in ("Bald", "Bangs", "Receding_Hairline"))
    assert not any(has(name)[has("Wearing_Hat") & has("Male")].any() for name in ("Straight_Hair", "Wavy_Hair"))
    assert not has("Mustache")[~has("Male")].any()
    colours = sum(has(name).astype(int) for name in ("Black_Hair", "Blond_Hair", "Brown_Hair", "Gray_Hair"))
    assert colours.max() == 1


def test_landmarks_lie_on_eyes_and_mouth():
    face = next(f for f in FACES if "Eyeglasses" not in f.has and "Wearing_Hat" not in f.has)
    picture, points = drawn(face)
    for x, y in points[:2]:  # a dark pupil within a bright eye
        around = picture[y - 4 : y + 5, x - 9 : x + 10].mean(-1)
        assert around.min() < 60 < 170 < around.max()
    assert points[3, 0] < points[2, 0] < points[4, 0]


def test_command_line(tmp_path, capsys):
    words = ["--out", str(tmp_path / "faces"), "--count", "10", "--quiet", "--workers", "1"]
    assert main([*words, "--preview", str(tmp_path / "sheet.png")]) == 0
    assert (tmp_path / "sheet.png").is_file()
    assert main([*words[:2], "--count", "0"]) == 1
    assert "error: expected at least 10 faces" in capsys.readouterr().err
