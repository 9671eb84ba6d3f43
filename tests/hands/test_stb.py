"""The rules of the STB reader, on sets that are drawn so that files and labels agree."""

import numpy as np
import pytest
import torch
from stb_factory import BB, EVALUATION, SK_COLOR, TRAINING, pixels, write_stb

from pyro_mmvae.data.samples import Draw
from pyro_mmvae.hands.augmentation import AugmentationRanges
from pyro_mmvae.hands.batch import collate
from pyro_mmvae.hands.rhd_format import BONES
from pyro_mmvae.hands.stb import STB
from pyro_mmvae.hands.stb_format import (
    ALL_SEQUENCES,
    PICTURES,
    Frame,
    decode_depth,
    encode_depth,
    picture_path,
    to_joints,
    to_labels,
)

CAMERAS = {"sk": SK_COLOR, "bb_left": BB, "bb_right": BB}
THEODORIDIS = AugmentationRanges(zoom=(1, 1), shift=0, rotation=45, flip=0.5, color=False)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stb")
    write_stb(folder, TRAINING, frames=1)
    write_stb(folder, EVALUATION, frames=2, seed=1)
    return folder


@pytest.fixture(scope="module")
def truth(tmp_path_factory):
    folder = tmp_path_factory.mktemp("again")
    return write_stb(folder, TRAINING, frames=1) | write_stb(folder, EVALUATION, frames=2, seed=1)


def load(root, split="training", camera="sk", **options):
    modalities = ("rgb", "heatmap", "pose", *(("cloud",) if camera == "sk" else ()))
    return STB(root, split, camera=camera, **{"image_size": 128, "modalities": modalities, **options})


def all_of(dataset, epoch=0):
    return collate([dataset[Draw(index, epoch)] for index in range(len(dataset))])


def true_joints(truth, camera, indices):
    frames = [Frame.of(int(index)) for index in indices]
    return np.array([truth[ALL_SEQUENCES[frame.sequence]][camera][frame.frame] for frame in frames])


def test_training_is_on_five_backgrounds_and_evaluation_on_the_first(root):
    def sequences(split):
        return {ALL_SEQUENCES[Frame.of(index).sequence] for index in load(root, split).ids}

    assert sequences("training") == set(TRAINING)
    assert sequences("evaluation") == set(EVALUATION)
    with pytest.raises(ValueError, match="expected a split of"):
        load(root, "test")


def test_shapes(root):
    made = all_of(load(root, num_points=32))
    shapes = {name: tuple(value.shape[1:]) for name, value in made.batch.data.items()}
    assert shapes == {"rgb": (3, 128, 128), "cloud": (32, 3), "heatmap": (21, 64, 64), "pose": (21, 3)}
    assert all(mask.all() for mask in made.batch.observed.values())
    assert made.hands.is_left.all()
    assert made.hands.visible.all()


@pytest.mark.parametrize("augment", [False, THEODORIDIS])
@pytest.mark.parametrize("root_joint", ["palm", "middle_mcp"])
@pytest.mark.parametrize("camera", CAMERAS)
def test_predictions_go_back_to_the_camera(root, truth, camera, root_joint, augment):
    made = all_of(load(root, camera=camera, root_joint=root_joint, augment=augment), epoch=3)
    joints = true_joints(truth, camera, made.hands.index)
    np.testing.assert_allclose(made.hands.to_camera(made.batch.data["pose"]), joints, atol=1e-5)
    np.testing.assert_allclose(made.hands.camera[0], CAMERAS[camera], rtol=1e-6)
    seen = np.concatenate([pixels(joints, CAMERAS[camera]), np.ones((len(joints), 21, 1))], -1)
    np.testing.assert_allclose(seen @ made.hands.crop.mT.numpy(), made.hands.keypoints_uv, atol=0.05)
    np.testing.assert_allclose(made.hands.to_crop(made.batch.data["pose"]), made.hands.keypoints_uv, atol=0.05)


def test_the_palm_is_joint_0_and_the_root(root, truth):
    made = all_of(load(root))
    joints = true_joints(truth, "sk", made.hands.index)
    assert not made.batch.data["pose"][:, 0].any()
    np.testing.assert_allclose(made.hands.root, joints[:, 0], atol=1e-6)
    np.testing.assert_allclose(made.hands.scale, np.linalg.norm(joints[:, 12] - joints[:, 11], axis=-1), atol=1e-6)
    other = all_of(load(root, root_joint="middle_mcp"))
    np.testing.assert_allclose(other.batch.data["pose"][:, 12], 0, atol=1e-6)


@pytest.mark.parametrize("camera", CAMERAS)
def test_joints_lie_on_the_hand_that_is_seen(root, camera):
    """Discs of each bone have a colour of their own: the order of the joints is that of the picture."""
    made = all_of(load(root, camera=camera, image_size=256))
    for image, points in zip(made.batch.data["rgb"], made.hands.keypoints_uv, strict=True):
        places = [(0.25 * points[a] + 0.75 * points[b]).round().int().tolist() for a, b in BONES]
        red, _, blue = 255 * image[:, [v for _, v in places], [u for u, _ in places]]
        assert (red > 200).all()
        assert (abs(blue - 5 * torch.arange(20)) < 3).sum() > 15  # the others are behind a finger


def test_the_cloud_lies_on_the_hand_and_near_the_root(root, truth):
    made = all_of(load(root, num_points=512))
    cloud = made.hands.to_camera(made.batch.data["cloud"]).numpy()
    joints = true_joints(truth, "sk", made.hands.index)
    assert (np.linalg.norm(cloud - joints[:, :1], axis=-1) <= 0.2 + 1e-6).all()
    ends = [(joints[:, a], joints[:, b]) for a, b in BONES]
    on_bones = np.stack([(1 - t) * a + t * b for a, b in ends for t in np.linspace(0, 1, 12)], 1)
    nearest = np.linalg.norm(cloud[:, :, None] - on_bones[:, None], axis=-1).min(-1)
    assert nearest.max() < 0.007 + 0.001  # discs of 5 pixels, depth in millimetres


def test_the_cloud_is_centred_on_the_root_that_was_asked_for(root):
    near = all_of(load(root, root_joint="middle_mcp", num_points=512))
    assert (near.batch.data["cloud"] * near.hands.scale[:, None, None]).norm(dim=-1).max() <= 0.2 + 1e-6


def test_without_depth_the_cloud_is_not_observed(tmp_path):
    write_stb(tmp_path, ("B2Random",), frames=2)
    picture_path(tmp_path, "B2Random", "SK_depth", 1).unlink()
    with pytest.warns(UserWarning, match="9 missing sequence"):
        made = all_of(load(tmp_path))
    assert made.batch.observed["cloud"].tolist() == [True, False]
    assert not made.batch.data["cloud"][1].any()
    assert made.batch.observed["rgb"].all()


def test_both_pictures_of_the_pair_are_samples(root):
    both = load(root, camera="bb")
    assert both.ids == sorted(load(root, camera="bb_left").ids + load(root, camera="bb_right").ids)
    assert {PICTURES[Frame.of(index).picture].name for index in both.ids} == {"BB_left", "BB_right"}


REFUSED = [
    ({"modalities": ("rgb", "segmentation", "pose")}, "STB has no segmentation masks: take a setting without"),
    ({"crop": "mask"}, "STB has no segmentation masks: take crop='joints'"),
    ({"root_joint": "wrist"}, "unknown root_joint 'wrist'; STB has 'palm' or 'middle_mcp'"),
    ({"first_joint": "wrist"}, "first_joint: expected 'palm' on STB, got 'wrist'"),
    ({"camera": "left"}, r"unknown camera 'left'; there are \['sk', 'bb'"),
    *(
        ({"camera": camera, "modalities": ("cloud", "pose")}, f"camera '{camera}' measures no depth: take camera='sk'")
        for camera in ("bb", "bb_left", "bb_right")
    ),
]


@pytest.mark.parametrize(("options", "message"), REFUSED)
def test_what_stb_does_not_have_is_refused_in_one_line(root, options, message):
    with pytest.raises(ValueError, match=message) as refused:
        load(root, **options)
    assert "\n" not in str(refused.value)


def test_the_last_frames_of_every_sequence_are_held_out(tmp_path):
    write_stb(tmp_path, ("B2Counting", "B2Random"), frames=5)
    with pytest.warns(UserWarning, match="missing sequence"):
        dataset = load(tmp_path, camera="bb", modalities=("pose",))
    kept, held_out = dataset.hold_out(0.2, seed=0)
    assert sorted(kept + held_out) == dataset.ids
    assert [Frame.of(index) for index in held_out] == [Frame(p, s, 4) for p in (1, 2) for s in (2, 3)]
    assert dataset.hold_out(0.2, seed=1) == (kept, held_out)
    assert len(dataset.hold_out(0.001, seed=0, least=3)[1]) == 6
    with pytest.raises(ValueError, match="at least 40 training samples, got 10"):
        dataset.hold_out(0.2, seed=0, least=20)


def test_numbers_stand_for_pictures():
    for frame in (Frame(0, 0, 0), Frame(2, 11, 1499), Frame(1, 3, 9999)):
        assert Frame.of(frame.number) == frame
    assert Frame(1, 2, 3).number == 1_02_0003


def test_labels_and_depth_are_coded_as_published():
    labels = np.arange(3 * 21 * 2, dtype=float).reshape(3, 21, 2)
    joints = to_joints(labels)
    assert joints.shape == (2, 21, 3)
    np.testing.assert_allclose(joints[1, 0], labels[:, 0, 1] / 1000)  # the palm
    np.testing.assert_allclose(joints[1, 20], labels[:, 1, 1] / 1000)  # the little finger's first joint
    np.testing.assert_allclose(joints[1, 1], labels[:, 20, 1] / 1000)  # the thumb's tip
    np.testing.assert_allclose(to_labels(joints), labels)
    image = np.array([[[44, 2, 0], [255, 255, 0], [0, 0, 0]]], np.uint8)
    np.testing.assert_allclose(decode_depth(image), [[0.556, 65.535, 0]], rtol=1e-6)
    np.testing.assert_array_equal(encode_depth(decode_depth(image)), image)
