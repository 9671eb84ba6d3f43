"""The viewer: what files it takes, the pictures it makes, and what it says without a display."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from pyro_mmvae.data.ply import write_ply
from pyro_mmvae.hands.viewer import Item, load, save_picture
from pyro_mmvae.hands.viewer.__main__ import main
from pyro_mmvae.hands.viewer.colours import point_colours

RNG = np.random.default_rng(0)
CLOUD, POSE = RNG.normal(size=(60, 3)), RNG.normal(size=(21, 3))


@pytest.fixture
def file(tmp_path):
    def write(**arrays: np.ndarray) -> str:
        np.savez(tmp_path / "hand.npz", **arrays)
        return str(tmp_path / "hand.npz")

    return write


def test_npz_of_one_sample(file):
    items = {item.name: item for item in load(file(cloud=CLOUD, true_pose=POSE, scale=np.ones(3)))}
    assert set(items) == {"hand: cloud", "hand: true_pose"}
    assert not items["hand: cloud"].is_hand
    assert items["hand: true_pose"].is_hand
    np.testing.assert_array_equal(items["hand: true_pose"].points, POSE)


def test_npz_of_many_samples(file):
    path = file(pose=np.stack([POSE, POSE + 1]), cloud=np.stack([CLOUD] * 2))
    np.testing.assert_array_equal(load(path, sample=1)[0].points, POSE + 1)
    with pytest.raises(ValueError, match="below 2"):
        load(path, sample=2)


def test_ply(tmp_path):
    colors = RNG.integers(0, 256, (60, 3))
    (item,) = load(write_ply(tmp_path / "decoded.ply", CLOUD, colors))
    assert item.name == "decoded"
    np.testing.assert_allclose(item.points, CLOUD, rtol=1e-6)
    np.testing.assert_allclose(point_colours(item, 0), colors / 255)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"xyz": CLOUD}, "named"),
        ({"pose": CLOUD}, r"\(21, 3\)"),
        ({"cloud": CLOUD[:, :2]}, r"\(P, 3\)"),
        ({"cloud": np.float64(3.0)}, r"\(P, 3\)"),
        ({"cloud": np.full((4, 3), np.nan)}, "finite"),
        ({"cloud": np.array([["a", "b", "c"]])}, "finite"),
        ({"cloud": np.array([[{}, 1, 2]], dtype=object)}, "plain arrays"),
    ],
)
def test_bad_npz(file, arrays, message):
    with pytest.raises(ValueError, match=message):
        load(file(**arrays))


def test_other_files(tmp_path):
    (tmp_path / "broken.npz").write_text("no zip")
    with pytest.raises(ValueError, match="plain arrays"):
        load(tmp_path / "broken.npz")
    with pytest.raises(ValueError, match=r"\.obj"):
        load(tmp_path / "hand.obj")
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "missing.ply")


def test_picture_shows_the_items_where_they_are(tmp_path):
    """In the camera's view a point to the right and low is drawn to the right and low."""
    blue, orange = np.array([[-1.0, -1, 5]]), np.array([[1.0, 1, 5]])
    picture = np.asarray(Image.open(save_picture([Item("a", blue), Item("b", orange)], tmp_path / "p.png")))
    left_third = picture[: int(0.85 * len(picture)), : picture.shape[1] // 3, :3].astype(int)
    at = {}
    for name, color in (("blue", (31, 120, 181)), ("orange", (230, 84, 13))):
        at[name] = np.argwhere(np.abs(left_third - color).sum(-1) < 40).mean(0)
    assert at["orange"][0] > at["blue"][0] + 50
    assert at["orange"][1] > at["blue"][1] + 50


def test_hand_is_drawn_with_bones(tmp_path):
    with_bones = np.asarray(Image.open(save_picture([Item("h", POSE, is_hand=True)], tmp_path / "a.png")))
    without = np.asarray(Image.open(save_picture([Item("h", POSE)], tmp_path / "b.png")))
    assert (with_bones < 250).sum() > (without < 250).sum() + 5000


def test_nothing_to_show(tmp_path):
    with pytest.raises(ValueError, match="at least one point"):
        save_picture([Item("empty", np.zeros((0, 3)))], tmp_path / "p.png")


def test_command_line_saves_a_picture(file, tmp_path, capsys):
    assert main([file(cloud=CLOUD, pose=POSE), "--save", str(tmp_path / "out.png")]) == 0
    assert Image.open(tmp_path / "out.png").size[0] > 1000
    assert "out.png" in capsys.readouterr().out


def test_without_a_display_it_says_so(file, monkeypatch, capsys):
    pytest.importorskip("open3d")
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert main([file(cloud=CLOUD)]) == 1
    assert "no display; use --save" in capsys.readouterr().err


def test_command_line_names_bad_files(tmp_path, capsys):
    assert main([str(tmp_path / "missing.npz")]) == 1
    assert "missing.npz" in capsys.readouterr().err
