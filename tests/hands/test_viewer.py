"""The viewer: what files it takes, the pictures it makes, and what it says without a display."""

from __future__ import annotations

import io
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
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
    main([file(cloud=CLOUD, pose=POSE), "--save", str(tmp_path / "out.png")])
    assert Image.open(tmp_path / "out.png").size[0] > 1000
    assert "out.png" in capsys.readouterr().out


def test_without_a_display_it_says_so(file, monkeypatch, capsys):
    pytest.importorskip("open3d")
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(SystemExit) as error:
        main([file(cloud=CLOUD)])
    assert error.value.code == 2
    assert "no display; use --save" in capsys.readouterr().err


def test_command_line_names_bad_files(tmp_path, capsys):
    with pytest.raises(SystemExit) as error:
        main([str(tmp_path / "missing.npz")])
    assert error.value.code == 2
    assert "missing.npz" in capsys.readouterr().err


def npy(array):
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def header(shape, kind="<f8"):
    """An .npy file that announces a shape and holds nothing."""
    text = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}".encode().ljust(117) + b"\n"
    return b"\x93NUMPY\1\0" + len(text).to_bytes(2, "little") + text


def zipped(content, **options):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, **options) as archive:
        for name, member in content.items():
            archive.writestr(name, member)
    return buffer.getvalue()


def with_size(content, size):
    """The archive with another uncompressed size in both places where it is written."""
    data = bytearray(content)
    for signature, place in ((b"PK\1\2", 24), (b"PK\3\4", 22)):
        start = data.index(signature) + place
        data[start : start + 4] = size.to_bytes(4, "little")
    return bytes(data)


def encrypted(content):
    data = bytearray(content)
    for signature, place in ((b"PK\1\2", 8), (b"PK\3\4", 6)):
        data[data.index(signature) + place] |= 1
    return bytes(data)


BOMB = zipped({"cloud.npy": npy(np.zeros((2**21, 3)))})
FOREIGN = {
    "empty.npz": b"",
    "text.npz": b"no zip",
    "array.npz": npy(CLOUD),
    "torch.npz": zipped({"archive/data.pkl": b"\x80\2K\1."}),
    "object.npz": zipped({"cloud.npy": npy(np.array([[{}, 1, 2]], dtype=object))}),
    "pickle.npz": zipped({"cloud.npy": b"\x80\2K\1."}),
    "announces_much.npz": zipped({"cloud.npy": header((10**12, 3))}),
    "announces_more.npz": zipped({"cloud.npy": header((10**30, 3))}),
    "announces_nothing.npz": zipped({"cloud.npy": header((-1, 3))}),
    "sizeless.npz": zipped({"cloud.npy": header((10**12, 3), "V0")}),
    "long_header.npz": zipped({"cloud.npy": b"\x93NUMPY\2\0" + (2**22).to_bytes(4, "little") + b"(" * 2**22}),
    "says_less.npz": with_size(BOMB, 200),
    "says_more.npz": with_size(zipped({"cloud.npy": npy(CLOUD)}), 2**31),
    "says_a_bit_more.npz": with_size(zipped({"cloud.npy": npy(CLOUD)}), 2**20),
    "encrypted.npz": encrypted(zipped({"cloud.npy": npy(CLOUD)})),
    "many.npz": zipped({f"{i}.npy": b"" for i in range(10_001)}),
    "cut.npz": zipped({"cloud.npy": npy(CLOUD)})[:-30],
    "far.npz": zipped({"cloud.npy": npy(np.full((3, 3), 1e300))}),
    "complex.npz": zipped({"cloud.npy": npy(CLOUD.astype(complex))}),
    "flat.npz": zipped({"pose.npy": npy(np.zeros((2, 2, 21, 3)))}),
    "text.ply": b"no ply",
    "empty.ply": b"",
    "announces_much.ply": b"ply\nformat ascii 1.0\nelement vertex 1000000000000\nproperty float x\nproperty float y\n"
    b"property float z\nend_header\n1 2 3\n",
    "picture.png": b"\x89PNG",
    "no_ending": b"",
}


@pytest.mark.parametrize("name", FOREIGN)
def test_foreign_and_damaged_files_end_in_one_line_and_cost_little(tmp_path, capsys, name):
    path = tmp_path / name
    path.write_bytes(FOREIGN[name])
    tracemalloc.start()
    with pytest.raises(SystemExit) as error:
        main([str(path), "--save", str(tmp_path / "out.png")])
    assert error.value.code == 2
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    message = capsys.readouterr().err
    assert f"viewer: error: {path}: " in message
    assert message.count("\n") == 1
    assert peak < 2**25
    assert not (tmp_path / "out.png").exists()


def test_things_that_are_no_files_end_in_one_line(tmp_path, capsys):
    for name in ("folder.npz", "folder.ply"):
        (tmp_path / name).mkdir()
        with pytest.raises(SystemExit) as error:
            main([str(tmp_path / name)])
        assert error.value.code == 2
        message = capsys.readouterr().err
        assert name in message
        assert message.count("\n") == 1


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_any_damage_of_an_npz_ends_in_its_arrays_or_in_the_one_error(tmp_path_factory, data):
    content = bytearray(zipped({"pose.npy": npy(POSE), "cloud.npy": npy(CLOUD)}))
    for _ in range(data.draw(st.integers(1, 5))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "damaged.npz"
    path.write_bytes(content[: data.draw(st.integers(1, len(content)))] if data.draw(st.booleans()) else content)
    try:
        items = load(path)
    except ValueError as error:
        assert str(path) in str(error)  # noqa: PT017 - bytes that change nothing are fine
        return
    for item in items:
        np.testing.assert_array_equal(item.points, POSE if item.is_hand else CLOUD)


def test_arrays_that_are_not_looked_at_may_hold_anything(file):
    assert len(load(file(cloud=CLOUD, names=np.array([{}], dtype=object)))) == 1


def test_other_layouts_of_arrays(file):
    (item,) = load(file(cloud=np.asfortranarray(CLOUD.astype(">f4"))))
    np.testing.assert_array_equal(item.points, CLOUD.astype(np.float32))
