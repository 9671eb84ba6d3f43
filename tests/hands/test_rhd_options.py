"""What papers do differently: crop, root, first joint."""

import itertools

import numpy as np
import pytest
import torch
from PIL import Image
from rhd_factory import write_set

from pyro_mmvae.data.affine import apply_affine, invert_affine
from pyro_mmvae.data.samples import Draw
from pyro_mmvae.hands.annotation import ROOT_JOINTS
from pyro_mmvae.hands.augmentation import AugmentationRanges
from pyro_mmvae.hands.geometry import project
from pyro_mmvae.hands.metrics import pose_errors_mm, pose_metrics
from pyro_mmvae.hands.rhd import MODALITIES, RHD, collate
from pyro_mmvae.hands.rhd_format import sample_paths

NUMBER = 4


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("rhd")


@pytest.fixture(scope="module")
def truth(root):
    return write_set(root, "training", NUMBER)


def joints_of(truth, index):
    rows = slice(0, 21) if index % 2 == 0 else slice(21, 42)
    return truth[index]["xyz"][rows], truth[index]["uv_vis"][rows]


def load(root, **options):
    defaults = {"image_size": 128, "modalities": MODALITIES, "progress": False}
    return RHD(root, "training", **(defaults | options))


def batch_of(dataset, epoch=3):
    return collate([dataset[Draw(index, epoch)] for index in range(NUMBER)])


# -- crop by the mask


def test_crop_by_the_mask_is_the_smallest_square_about_the_hand(root, truth):
    for index, margin in itertools.product(range(NUMBER), (None, 1.5)):
        hand = load(root, crop="mask", crop_margin=margin)[index].hand
        rows, columns = np.nonzero(np.asarray(Image.open(sample_paths(root, "training", index).mask)))
        low, high = np.array([columns.min(), rows.min()]) - 0.5, np.array([columns.max(), rows.max()]) + 0.5
        corners = apply_affine(hand.crop.double().numpy(), np.stack([low, high]))
        reach = np.abs(corners - 63.5).max(0)
        assert reach.max() == pytest.approx(64 / (margin or 1), abs=1e-4)
        np.testing.assert_allclose(np.abs(corners - 63.5)[0], np.abs(corners - 63.5)[1], atol=1e-4)


def test_tight_crop_by_the_mask_holds_the_whole_hand(root, truth):
    """The tight crop cuts nothing off: as many of the hand's pixels as with room around it."""
    for index in range(NUMBER):
        areas = []
        for margin in (1.0, 1.2):
            sample = load(root, crop="mask", crop_margin=margin, heatmap_size=128)[index]
            scale = float(sample.hand.crop[:, :2].det().abs())
            areas.append(float(sample.data["segmentation"].sum()) / scale)
        assert areas[0] == pytest.approx(areas[1], rel=0.02)


@pytest.mark.parametrize("augment", [False, True, AugmentationRanges(flip=1)])
@pytest.mark.parametrize("first_joint", ["wrist", "palm"])
@pytest.mark.parametrize("root_joint", ROOT_JOINTS)
def test_predictions_go_back_to_the_camera(root, truth, augment, first_joint, root_joint):
    dataset = load(root, crop="mask", augment=augment, first_joint=first_joint, root_joint=root_joint)
    made = batch_of(dataset)
    back = made.hands.to_camera(made.batch.data["pose"]).double().numpy()
    for index in range(NUMBER):
        joints = joints_of(truth, index)[0].copy()
        if first_joint == "palm":
            joints[0] = (joints[0] + joints[12]) / 2
        np.testing.assert_allclose(back[index], joints, atol=1e-5)
        in_picture = project(joints, made.hands.camera[index].double().numpy())
        crop = made.hands.crop[index].double().numpy()
        np.testing.assert_allclose(apply_affine(crop, in_picture), made.hands.keypoints_uv[index], atol=0.02)


def test_viewpoint_is_that_of_the_crops_centre(root, truth):
    """The ray through the crop's centre comes to the optical axis, whatever the crop is centred on."""
    made = batch_of(load(root, crop="mask"))
    for index in range(NUMBER):
        center = apply_affine(invert_affine(made.hands.crop[index].double().numpy()), np.array([[63.5, 63.5]]))[0]
        ray = np.linalg.solve(made.hands.camera[index].double().numpy(), [*center, 1])
        ray[0] *= -1 if made.hands.mirrored[index] else 1
        turned = made.hands.rotation[index].double().numpy() @ ray
        np.testing.assert_allclose(turned[:2], 0, atol=1e-5)


def test_samples_without_a_mask_have_no_crop_by_it(tmp_path):
    write_set(tmp_path, number=3)
    sample_paths(tmp_path, "training", 1).mask.unlink()
    with pytest.warns(UserWarning, match="missing mask"):
        dataset = load(tmp_path, crop="mask")
    assert dataset.ids == [0, 2]
    assert load(tmp_path).ids == [0, 1, 2]


def test_a_folder_without_masks_is_refused_when_it_is_opened(tmp_path):
    write_set(tmp_path, number=2, mask=False)
    with pytest.raises(ValueError, match=r"got none(.|\n)*missing mask"):
        load(tmp_path, crop="mask")


def test_mask_that_vanished_after_opening_is_a_skipped_sample(tmp_path):
    write_set(tmp_path, number=2)
    dataset = load(tmp_path, crop="mask")
    sample_paths(tmp_path, "training", 1).mask.unlink()
    assert collate([dataset[0], dataset[1]]).skipped == ((1, "missing mask", ""),)


# -- joint 0 at the palm


def test_palm_takes_the_place_of_the_wrist_and_nothing_else_moves(root, truth):
    wrist, palm = batch_of(load(root)), batch_of(load(root, first_joint="palm"))
    assert torch.equal(palm.batch.data["pose"][:, 1:], wrist.batch.data["pose"][:, 1:])
    middle = (wrist.batch.data["pose"][:, 0] + wrist.batch.data["pose"][:, 12]) / 2
    torch.testing.assert_close(palm.batch.data["pose"][:, 0], middle)
    for name in ("rgb", "cloud", "segmentation"):
        assert torch.equal(palm.batch.data[name], wrist.batch.data[name])
    assert torch.equal(palm.batch.data["heatmap"][:, 1:], wrist.batch.data["heatmap"][:, 1:])
    assert not torch.equal(palm.batch.data["heatmap"][:, 0], wrist.batch.data["heatmap"][:, 0])


def test_palm_is_visible_where_wrist_or_middle_mcp_is(tmp_path):
    from pyro_mmvae.hands.rhd_format import write_annotations

    annotations = write_set(tmp_path, number=4)
    shown = [(1, 1), (0, 1), (1, 0), (0, 0)]
    for index, (wrist, middle) in enumerate(shown):
        first = 0 if index % 2 == 0 else 21
        annotations[index]["uv_vis"][[first, first + 12], 2] = wrist, middle
    write_annotations(tmp_path, "training", annotations)
    assert batch_of(load(tmp_path, first_joint="palm")).hands.visible[:, 0].tolist() == [True, True, True, False]
    assert batch_of(load(tmp_path)).hands.visible[:, 0].tolist() == [True, False, True, False]


def test_root_and_joint_0_at_the_palm_put_it_at_the_origin(root, truth):
    pose = batch_of(load(root, first_joint="palm", root_joint="palm", augment=True)).batch.data["pose"]
    torch.testing.assert_close(pose[:, 0], torch.zeros(NUMBER, 3), atol=1e-5, rtol=0)


# -- errors do not depend on the root


@pytest.mark.parametrize("first_joint", ["wrist", "palm"])
@pytest.mark.parametrize("root_joint", ROOT_JOINTS)
def test_errors_are_those_in_the_cameras_space_for_every_root(root, truth, root_joint, first_joint):
    ranges = AugmentationRanges(flip=0.5)
    made = batch_of(load(root, root_joint=root_joint, first_joint=first_joint, augment=ranges))
    pose, scale = made.batch.data["pose"], made.hands.scale
    assert pose_errors_mm(pose, pose, scale).max() == 0
    # A constant offset, in bone lengths: every joint is off by that many bone lengths.
    offset = torch.tensor([0.3, -0.4, 1.2])
    errors = pose_errors_mm(pose + offset, pose, scale)
    np.testing.assert_allclose(errors, np.full((NUMBER, 21), 1.3 * 37), rtol=1e-4)
    assert pose_metrics(errors, made.hands.visible).epe_mean_mm == pytest.approx(1.3 * 37, rel=1e-4)
    # Any prediction: the distance of the joints in the camera's space.
    guess = pose + torch.randn(pose.shape, generator=torch.Generator().manual_seed(0))
    for index in range(NUMBER):
        joints = joints_of(truth, index)[0].copy()
        if first_joint == "palm":
            joints[0] = (joints[0] + joints[12]) / 2
        in_space = np.linalg.norm(made.hands.to_camera(guess)[index].numpy() - joints, axis=-1) * 1000
        np.testing.assert_allclose(pose_errors_mm(guess, pose, scale)[index], in_space, atol=0.02)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"crop": "hand"}, "unknown crop 'hand'"),
        ({"crop_margin": 0}, "crop_margin: expected"),
        ({"crop_margin": float("nan")}, "crop_margin: expected"),
        ({"crop_margin": float("inf"), "crop": "mask"}, "crop_margin: expected"),
        ({"first_joint": "thumb"}, "first_joint: expected"),
    ],
)
def test_options_are_checked(root, truth, options, message):
    with pytest.raises(ValueError, match=message):
        load(root, **options)
