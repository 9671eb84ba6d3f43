"""Corrupted inputs are skipped with a count and a reason; they neither crash nor give numbers."""

import os
import pickle
import warnings

import numpy as np
import pytest
import torch
from PIL import Image
from rhd_factory import annotation, draw, placed_hand, write_set

from pyro_mmvae.command import run_command
from pyro_mmvae.data.loader import make_loader
from pyro_mmvae.hands.batch import Skipped
from pyro_mmvae.hands.rhd import MODALITIES, RHD, collate
from pyro_mmvae.hands.rhd_format import annotation_path, encode_depth, sample_paths, write_annotations, write_sample

NUMBER, BAD = 4, 1


def load(root, split="training", **options):
    return RHD(root, split, **({"image_size": 32, "modalities": MODALITIES, "progress": False} | options))


def quietly(root, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return load(root, **options)


def truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def spoil(path):
    data = bytearray(path.read_bytes())
    half = len(data) // 2
    data[half:] = np.random.default_rng(0).bytes(len(data) - half)
    path.write_bytes(bytes(data))


def resize(path):
    Image.open(path).resize((200, 320)).save(path)


def as_jpeg(path):
    Image.open(path).copy().save(path, format="JPEG", quality=95)


def turned(path):
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    Image.open(path).copy().save(path, exif=exif)


def damage_pixel_data(path):
    """One bit of the compressed pixels, which Pillow does not notice as long as they can be decompressed."""
    data = bytearray(path.read_bytes())
    data[data.index(b"IDAT") + 4 + 200] ^= 1
    path.write_bytes(bytes(data))


def sixteen_bits(path):
    Image.fromarray(np.full((320, 320), 600, np.uint16)).save(path)


FILE_FAULTS = {
    "JPEG depth": ("depth", as_jpeg, "unreadable depth image"),
    "JPEG mask": ("mask", as_jpeg, "unreadable mask image"),
    "turned depth": ("depth", turned, "unreadable depth image"),
    "turned mask": ("mask", turned, "unreadable mask image"),
    "damaged bit of color": ("color", damage_pixel_data, "unreadable color image"),
    "damaged bit of depth": ("depth", damage_pixel_data, "unreadable depth image"),
    "damaged bit of mask": ("mask", damage_pixel_data, "unreadable mask image"),
    "depth in millimetres": ("depth", sixteen_bits, "unreadable depth image"),
    "folder for a color": ("color", lambda path: (path.unlink(), path.mkdir()), "unreadable color image"),
    "folder for a mask": ("mask", lambda path: (path.unlink(), path.mkdir()), "unreadable mask image"),
    "truncated color": ("color", truncate, "unreadable color image"),
    "truncated depth": ("depth", truncate, "unreadable depth image"),
    "truncated mask": ("mask", truncate, "unreadable mask image"),
    "spoiled color": ("color", spoil, "unreadable color image"),
    "empty color": ("color", lambda path: path.write_bytes(b""), "unreadable color image"),
    "text for a color": ("color", lambda path: path.write_text("hello"), "unreadable color image"),
    "small color": ("color", resize, "color image of the wrong size"),
    "small depth": ("depth", resize, "depth image of the wrong size"),
    "small mask": ("mask", resize, "mask image of the wrong size"),
    "grey depth": ("depth", lambda path: Image.open(path).convert("L").save(path), "unreadable depth image"),
    "no hand in mask": (
        "mask",
        lambda path: Image.fromarray(np.ones((320, 320), np.uint8)).save(path),
        "empty mask",
    ),
    "depth all zero": (
        "depth",
        lambda path: Image.fromarray(encode_depth(np.zeros((320, 320)))).save(path),
        "empty cloud",
    ),
    "depth far off": (
        "depth",
        lambda path: Image.fromarray(encode_depth(np.full((320, 320), 4.0))).save(path),
        "empty cloud",
    ),
}


def test_details_name_the_file(tmp_path):
    write_set(tmp_path, number=1)
    path = sample_paths(tmp_path, "training", 0).depth
    as_jpeg(path)
    sample = load(tmp_path)[0]
    assert sample.detail.startswith(f"{path}: expected a PNG file")
    assert sample.detail.endswith("got JPEG")


def test_color_of_other_kinds_is_read_as_seen(tmp_path):
    write_set(tmp_path, number=1)
    path = sample_paths(tmp_path, "training", 0).color
    expected = load(tmp_path)[0].data["rgb"]
    image = Image.open(path).copy()
    exif = Image.Exif()
    exif[0x0112] = 3
    image.rotate(180).save(path, exif=exif)
    assert torch.equal(load(tmp_path)[0].data["rgb"], expected)
    image.save(path, format="JPEG", quality=95)
    torch.testing.assert_close(load(tmp_path)[0].data["rgb"], expected, atol=0.15, rtol=0)


@pytest.mark.parametrize("fault", FILE_FAULTS)
def test_bad_files_are_found_on_reading_and_left_out_of_the_batch(tmp_path, fault):
    kind, damage, reason = FILE_FAULTS[fault]
    write_set(tmp_path, number=NUMBER)
    clean = load(tmp_path)
    expected = collate([clean[index] for index in (0, 2, 3)])
    damage(getattr(sample_paths(tmp_path, "training", BAD), kind))

    dataset = load(tmp_path)
    assert len(dataset) == NUMBER
    (made,) = make_loader(dataset, NUMBER)
    assert [entry[:2] for entry in made.skipped] == [(BAD, reason)]
    assert made.hands.index.tolist() == [0, 2, 3]
    for name, value in expected.batch.data.items():
        assert torch.equal(made.batch.data[name], value)

    with pytest.warns(UserWarning, match=f"3 samples used, 1 samples left out\n  1 {reason}"):
        preloaded = load(tmp_path, preload=True)
    dataset.drop_unreadable(progress=False)
    for sound in (preloaded, dataset):
        assert sound.ids == [0, 2, 3]
        assert sound.skipped == {reason: 1}


def set_entry(key, index, value):
    def change(annotation):
        annotation[key] = annotation[key].astype(float)
        annotation[key][index] = value
        return annotation

    return change


def drop(key):
    return lambda annotation: {name: value for name, value in annotation.items() if name != key}


RIGHT = slice(21, 42)
ANNOTATION_FAULTS = {
    "no entry": (lambda _: None, "missing annotation"),
    "no xyz": (drop("xyz"), "malformed annotation"),
    "no camera": (drop("K"), "malformed annotation"),
    "wrong shape": (lambda a: a | {"xyz": a["xyz"][:21]}, "malformed annotation"),
    "text": (lambda a: a | {"xyz": np.array("text")}, "malformed annotation"),
    "NaN joint": (set_entry("xyz", (25, 1), np.nan), "NaN or infinite keypoints"),
    "NaN pixel": (set_entry("uv_vis", (25, 1), np.nan), "NaN or infinite keypoints"),
    "infinite pixel": (set_entry("uv_vis", (25, 1), np.inf), "NaN or infinite keypoints"),
    "NaN camera": (set_entry("K", (0, 0), np.nan), "unusable camera"),
    "no focal length": (set_entry("K", (0, 0), 0), "unusable camera"),
    "no camera matrix": (lambda a: a | {"K": np.ones((3, 3))}, "unusable camera"),
    "nothing visible": (set_entry("uv_vis", (RIGHT, 2), 0), "no visible keypoint inside the image"),
    "out of frame": (set_entry("uv_vis", (RIGHT, 0), 900), "no visible keypoint inside the image"),
    "center out of frame": (set_entry("uv_vis", (33, 0), 5000), "hand out of frame"),
    "behind the camera": (set_entry("xyz", (RIGHT, 2), -1), "hand behind the camera"),
    "millimetres": (lambda a: a | {"xyz": a["xyz"] * 1000}, "implausible hand size"),
}


@pytest.mark.parametrize("fault", ANNOTATION_FAULTS)
def test_bad_annotations_are_found_at_construction(tmp_path, fault):
    change, reason = ANNOTATION_FAULTS[fault]
    annotations = write_set(tmp_path, number=NUMBER)
    changed = change(annotations.pop(BAD))  # sample 1 shows a right hand
    if changed is not None:
        annotations[BAD] = changed
    write_annotations(tmp_path, "training", annotations)
    with pytest.warns(UserWarning, match=f"3 samples used, 1 samples left out\n  1 {reason}"):
        dataset = load(tmp_path)
    assert dataset.ids == [0, 2, 3]
    assert dataset.skipped == {reason: 1}
    assert not any(isinstance(dataset[index], Skipped) for index in range(3))


def test_missing_color_image(tmp_path):
    write_set(tmp_path, number=NUMBER)
    sample_paths(tmp_path, "training", BAD).color.unlink()
    assert quietly(tmp_path).skipped == {"missing color image": 1}


def test_mask_and_annotation_that_disagree(tmp_path):
    """The mask shows a left hand where only a right one is annotated as visible."""
    joints = placed_hand(np.random.default_rng(0), left=False)
    write_sample(tmp_path, "training", 0, *draw([(joints, True)]))
    write_annotations(tmp_path, "training", {0: annotation(right=joints)})
    sample = load(tmp_path)[0]
    assert isinstance(sample, Skipped)
    assert sample.reason == "no visible keypoint inside the image"


def test_a_hand_of_one_visible_joint_is_kept(tmp_path):
    annotations = write_set(tmp_path, number=1)
    annotations[0]["uv_vis"][:, 2] = np.arange(42) == 12
    write_annotations(tmp_path, "training", annotations)
    sample = load(tmp_path)[0]
    assert sample.hand.visible.sum() == 1
    assert all(bool(torch.isfinite(value).all()) for value in sample.data.values())


def test_hidden_joints_far_away_do_no_harm(tmp_path):
    annotations = write_set(tmp_path, number=1)
    annotations[0]["uv_vis"][5] = (1e30, -1e30, 0)
    write_annotations(tmp_path, "training", annotations)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sample = load(tmp_path)[0]
    assert all(bool(torch.isfinite(value).all()) for value in sample.data.values())
    assert float(sample.data["heatmap"][5].sum()) == 0


def test_hand_at_the_edge_of_the_picture(tmp_path):
    joints = placed_hand(np.random.default_rng(0), left=True, offset=(0.36, 0))
    write_sample(tmp_path, "training", 0, *draw([(joints, True)]))
    write_annotations(tmp_path, "training", {0: annotation(left=joints)})
    for augment in (False, True):
        sample = load(tmp_path, augment=augment)[0]
        assert 0 < sample.hand.visible.sum() < 21
        assert all(bool(torch.isfinite(value).all()) for value in sample.data.values())
        assert sample.data["heatmap"].shape == (21, 64, 64)


def test_batch_of_nothing_but_bad_samples_is_empty(tmp_path):
    write_set(tmp_path, number=2)
    truncate(sample_paths(tmp_path, "training", BAD).color)
    made = collate([load(tmp_path)[BAD]])
    assert made.batch.size == 0
    assert made.batch.data["rgb"].shape == (0, 3, 32, 32)
    assert made.hands.visible.shape == (0, 21)
    assert len(made.skipped) == 1


def test_good_sets_make_no_noise_and_known_bad_samples_are_left_out(tmp_path):
    annotations = write_set(tmp_path, number=2)
    color = np.asarray(Image.open(sample_paths(tmp_path, "training", 0).color))
    for index in (20500, 28140):
        write_sample(tmp_path, "training", index, color)
        annotations[index] = annotations[0]
    write_annotations(tmp_path, "training", annotations)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        dataset = load(tmp_path)
    assert dataset.ids == [0, 1]
    assert dataset.skipped.total() == 2


def test_nothing_usable(tmp_path):
    write_set(tmp_path, number=2)
    with pytest.raises(ValueError, match=r"got none; 2 samples left out(.|\n)*2 no visible keypoint(.|\n)*frame_size"):
        load(tmp_path, frame_size=(10, 10))
    for index in range(2):
        truncate(sample_paths(tmp_path, "training", index).color)
    with pytest.raises(ValueError, match="2 unreadable color image"):
        load(tmp_path, preload=True)


def test_other_frame_sizes(tmp_path):
    write_set(tmp_path, number=1)
    for path in sample_paths(tmp_path, "training", 0):
        Image.fromarray(np.asarray(Image.open(path))[:300]).save(path)
    assert not isinstance(load(tmp_path, frame_size=(320, 300))[0], Skipped)
    path = sample_paths(tmp_path, "training", 0).color
    with pytest.raises(
        ValueError, match=rf"^{path}: expected 320 x 320 pixels .*, got 320 x 300\..*frame_size="
    ) as refused:
        load(tmp_path)
    assert "\n" not in str(refused.value)
    # Where colours are not read, the mask tells.
    assert isinstance(load(tmp_path, modalities=("cloud",))[0], Skipped)


def test_no_data_set_at_all(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no annotations at .*anno_training\.pickle.*expected a folder in RHD"):
        load(tmp_path / "nowhere")


class Evil:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_malicious_annotations_are_refused_and_not_run(tmp_path):
    write_set(tmp_path, number=1)
    path = annotation_path(tmp_path, "training")
    path.write_bytes(pickle.dumps({0: Evil(tmp_path / "ran")}))
    with pytest.raises(pickle.UnpicklingError, match=r"refused to load (posix|nt)\.mkdir"):
        load(tmp_path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("damage", [lambda _: pickle.dumps({0: Evil("ran")}), lambda data: data[:-9], lambda _: b""])
def test_commands_report_bad_annotations_in_one_line(tmp_path, capsys, damage):
    write_set(tmp_path, number=1)
    path = annotation_path(tmp_path, "training")
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(SystemExit) as stopped:
        run_command("command", lambda _: load(tmp_path), [])
    assert stopped.value.code == 2
    message = capsys.readouterr().err
    assert message.startswith(f"command: error: {path}: ")
    assert message.count("\n") == 1
