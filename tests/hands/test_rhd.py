"""The rules of the loader, on sets that are drawn so that files and annotations agree."""

import numpy as np
import pytest
import torch
from PIL import Image
from rhd_factory import CAMERA, DISC, SIZE, annotation, draw, placed_hand, write_set

from pyro_mmvae.data.affine import apply_affine
from pyro_mmvae.data.samples import Draw
from pyro_mmvae.hands.augmentation import AugmentationRanges
from pyro_mmvae.hands.geometry import project, rotation_z
from pyro_mmvae.hands.rhd import MODALITIES, RHD, collate
from pyro_mmvae.hands.rhd_format import BONES, sample_paths, write_annotations, write_sample


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rhd")
    write_set(folder, "training", 4)
    return folder


@pytest.fixture(scope="module")
def truth(root):
    return write_set(root, "training", 4)


def joints_of(truth, index):
    rows = slice(0, 21) if index % 2 == 0 else slice(21, 42)
    return truth[index]["xyz"][rows], truth[index]["uv_vis"][rows]


def load(root, **options):
    return RHD(root, "training", **({"image_size": 128, "modalities": MODALITIES} | options))


def test_shapes_and_types(root):
    made = collate([load(root)[index] for index in range(4)])
    shapes = {name: tuple(value.shape) for name, value in made.batch.data.items()}
    assert shapes == {
        "rgb": (4, 3, 128, 128),
        "cloud": (4, 256, 3),
        "heatmap": (4, 21, 64, 64),
        "pose": (4, 21, 3),
        "segmentation": (4, 64, 64),
    }
    assert made.batch.data["segmentation"].dtype == torch.long
    assert all(made.batch.data[name].dtype == torch.float32 for name in ("rgb", "cloud", "heatmap", "pose"))
    assert all(mask.tolist() == [True] * 4 for mask in made.batch.observed.values())
    assert made.hands.index.tolist() == [0, 1, 2, 3]


FLIPPED = AugmentationRanges(flip=1)


@pytest.mark.parametrize("augment", [False, True, FLIPPED])
@pytest.mark.parametrize("root_joint", ["middle_mcp", "wrist", "palm"])
@pytest.mark.parametrize("mirror_right", [False, True])
def test_predictions_go_back_to_the_camera(root, truth, augment, root_joint, mirror_right):
    dataset = load(root, augment=augment, root_joint=root_joint, mirror_right=mirror_right, modalities=("pose",))
    made = collate([dataset[Draw(index, 3)] for index in range(4)])
    back = made.hands.to_camera(made.batch.data["pose"])
    for index in range(4):
        joints, image = joints_of(truth, index)
        np.testing.assert_allclose(back[index], joints, atol=1e-5)
        in_picture = project(back[index].double().numpy(), made.hands.camera[index].double().numpy())
        np.testing.assert_allclose(in_picture, image[:, :2], atol=0.05)
        crop = made.hands.crop[index].numpy()
        np.testing.assert_allclose(apply_affine(crop, in_picture), made.hands.keypoints_uv[index], atol=0.05)
    assert made.hands.mirrored.tolist() == [False, mirror_right] * 2
    assert made.hands.is_left.tolist() == [True, False] * 2
    assert made.hands.flipped.tolist() == [augment is FLIPPED] * 4


@pytest.mark.parametrize(("root_joint", "roots"), [("middle_mcp", [12]), ("wrist", [0]), ("palm", [0, 12])])
def test_pose_is_root_relative_with_unit_bone(root, truth, root_joint, roots):
    dataset = load(root, root_joint=root_joint)
    for index in range(4):
        sample, (joints, _) = dataset[index], joints_of(truth, index)
        pose = sample.data["pose"]
        np.testing.assert_allclose(pose[roots].mean(0), 0, atol=1e-5)
        assert float((pose[12] - pose[11]).norm()) == pytest.approx(1, abs=1e-5)
        assert float(sample.hand.scale) == pytest.approx(0.037, abs=1e-6)
        np.testing.assert_allclose(sample.hand.root, joints[roots].mean(0), atol=1e-6)


def test_mirroring_makes_a_left_hand_of_a_right_one(tmp_path):
    joints = placed_hand(np.random.default_rng(3), left=True)
    camera = np.array([[280.0, 0, (SIZE - 1) / 2], [0, 280, 150], [0, 0, 1]])
    for index, mirrored in enumerate((False, True)):
        shown = joints * ([-1, 1, 1] if mirrored else [1, 1, 1])
        write_sample(tmp_path, "training", index, *draw([(shown, not mirrored)], camera))
    right = annotation(right=joints * [-1, 1, 1], camera=camera)
    write_annotations(tmp_path, "training", {0: annotation(left=joints, camera=camera), 1: right})
    dataset = load(tmp_path)
    left, right = dataset[0], dataset[1]
    for name in ("pose", "heatmap", "segmentation"):
        torch.testing.assert_close(left.data[name], right.data[name], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(left.hand.keypoints_uv, right.hand.keypoints_uv, atol=1e-3, rtol=0)
    assert not torch.allclose(left.data["pose"], load(tmp_path, mirror_right=False)[1].data["pose"], atol=0.1)


def test_pose_hangs_on_the_axis_through_the_crop(root):
    # In the turned camera the middle MCP lies straight ahead: x = y = 0, at its distance from the camera.
    for index in range(4):
        hand = load(root, root_joint="middle_mcp")[index].hand
        turned = hand.rotation @ (hand.root * torch.tensor([-1.0 if hand.mirrored else 1.0, 1, 1]))
        np.testing.assert_allclose(turned, [0, 0, hand.root.norm()], atol=1e-5)
        np.testing.assert_allclose(hand.keypoints_uv[12], [63.5, 63.5], atol=1e-3)


def test_crop_is_1_3_times_the_largest_visible_offset(root, truth):
    for index in range(4):
        hand, (_, image) = load(root)[index].hand, joints_of(truth, index)
        offset = np.abs(image[:, :2] - image[12, :2])[image[:, 2] > 0].max()
        farthest = (hand.keypoints_uv[hand.visible] - 63.5).abs().max()
        assert float(farthest) == pytest.approx(64 / 1.3, abs=1e-2)
        assert float(hand.crop[1, 1]) == pytest.approx(64 / (1.3 * offset), rel=1e-5)


def nearest_bone(points, joints):
    """(N,) distances of points to the segments between joints."""
    parents, children = (joints[[bone[end] for bone in BONES]] for end in (0, 1))
    along = children - parents
    share = (((points[:, None] - parents) * along).sum(-1) / (along**2).sum(-1)).clip(0, 1)
    return np.linalg.norm(points[:, None] - parents - share[..., None] * along, axis=-1).min(1)


@pytest.mark.parametrize("augment", [False, True, FLIPPED])
def test_cloud_lies_on_the_hand(root, augment):
    dataset = load(root, augment=augment)
    disc_in_bones = DISC / 280 * 0.7 / 0.037  # pixels to metres at the largest depth, to units
    for index in range(4):
        data = dataset[Draw(index, 1)].data
        cloud, pose = data["cloud"].numpy(), data["pose"].numpy()
        assert nearest_bone(cloud, pose).max() < 1.5 * disc_in_bones
        # and all over it: every fingertip has points near
        tips = np.linalg.norm(cloud[:, None] - pose[[1, 5, 9, 13, 17]], axis=-1).min(0)
        assert tips.max() < 3 * disc_in_bones


def test_cloud_leaves_out_what_is_farther_than_20_cm(tmp_path):
    joints = placed_hand(np.random.default_rng(0), left=True)
    color, depth, mask = draw([(joints, True)])
    rows, columns = np.nonzero(mask)
    depth[rows[::2], columns[::2]] += 0.5
    write_sample(tmp_path, "training", 0, color, depth, mask)
    write_annotations(tmp_path, "training", {0: annotation(left=joints)})
    sample = load(tmp_path)[0]
    assert float(sample.data["cloud"].norm(dim=-1).max() * sample.hand.scale) <= 0.2


def test_clouds_are_drawn_anew_each_epoch_without_repeats(root):
    dataset = load(root)
    one, same, other = (dataset[Draw(0, epoch)].data["cloud"] for epoch in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert len(torch.unique(one, dim=0)) == 256


def test_small_clouds_use_every_point_before_any_twice(root):
    mask = np.asarray(Image.open(sample_paths(root, "training", 0).mask))
    few = load(root, num_points=20_000)[0].data["cloud"]
    assert len(torch.unique(few, dim=0)) == np.count_nonzero(mask) < 20_000


@pytest.mark.parametrize("augment", [False, True, FLIPPED])
@pytest.mark.parametrize("image_size", [96, 256])
def test_heatmaps_peak_at_the_keypoints(root, augment, image_size):
    for index in range(4):
        sample = load(root, augment=augment, image_size=image_size)[Draw(index, 2)]
        maps, points = sample.data["heatmap"], sample.hand.keypoints_uv
        expected = (points + 0.5) * 64 / image_size - 0.5
        inside = ((expected > 0) & (expected < 63)).all(-1)
        peaks = maps.flatten(1).argmax(1)
        found = torch.stack([peaks % 64, peaks // 64], -1).float()
        assert float((found - expected)[inside].abs().max()) <= 0.5 + 1e-3
        assert inside.sum() >= 12


def test_heatmap_is_a_gaussian_of_6_pixels_at_256(root):
    sample = load(root, image_size=256)[0]
    x, y = (sample.hand.keypoints_uv[12] + 0.5) / 4 - 0.5
    rows, columns = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    expected = torch.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * 1.5**2))
    torch.testing.assert_close(sample.data["heatmap"][12], expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("augment", [False, True, FLIPPED])
def test_image_and_segmentation_follow_the_keypoints(root, augment):
    """The disc of the hand's colour is under every keypoint, in the crop and in the segmentation."""
    for index in range(4):
        dataset = load(root, augment=augment)
        sample = dataset[Draw(index, 4)]
        points = sample.hand.keypoints_uv[sample.hand.visible]
        points = points[((points > 2) & (points < 125)).all(-1)]
        columns, rows = points.round().long().T
        segmentation = sample.data["segmentation"]
        assert bool((segmentation[rows // 2, columns // 2] == 1).all())
        if not augment:  # colours stay
            picture = sample.data["rgb"]
            assert bool(((picture[0, rows, columns] * 255 - 250).abs() < 12).all())
            share = segmentation.float().mean()
            assert float((picture[0] > 0.8).float().mean()) == pytest.approx(float(share), abs=0.02)


def test_rotating_the_image_turns_pose_and_cloud_alike(root):
    plain, turned = load(root), load(root, augment=True)
    for index in range(4):
        one, other = plain[Draw(index, 5)], turned[Draw(index, 5)]
        before, after = (sample.hand.keypoints_uv.double() - sample.hand.keypoints_uv[12] for sample in (one, other))
        # Least squares for the similarity that takes one set of keypoints to the other.
        complex_before, complex_after = (torch.complex(p[:, 0], p[:, 1]) for p in (before, after))
        factor = (complex_before.conj() @ complex_after) / (complex_before.conj() @ complex_before)
        assert 1 <= float(factor.abs()) <= 1.2
        np.testing.assert_allclose(complex_before * factor, complex_after, atol=1e-3)
        turn = torch.as_tensor(rotation_z(float(factor.angle())), dtype=torch.float32)
        torch.testing.assert_close(other.data["pose"], one.data["pose"] @ turn.T, atol=1e-4, rtol=0)
        torch.testing.assert_close(other.data["cloud"], one.data["cloud"] @ turn.T, atol=1e-4, rtol=0)
        shift = (other.hand.keypoints_uv[12] - 63.5).abs().max()
        assert float(shift) <= 10.0 + 1e-3  # 20 of 256


def test_a_flip_alone_turns_everything_upside_down(root):
    plain, flipped = (
        load(root, augment=AugmentationRanges(zoom=(1, 1), shift=0, rotation=0, flip=flip, color=False))
        for flip in (0, 1)
    )
    for index in range(4):
        one, other = plain[index], flipped[index]
        for name in ("rgb", "heatmap"):
            torch.testing.assert_close(other.data[name], one.data[name].flip(1), atol=1.01 / 255, rtol=0)
        assert float((other.data["segmentation"] != one.data["segmentation"].flip(0)).float().mean()) < 2e-3
        for name in ("pose", "cloud"):
            torch.testing.assert_close(other.data[name], one.data[name] * torch.tensor([1.0, -1, 1]))
        expected = one.hand.keypoints_uv * torch.tensor([1.0, -1]) + torch.tensor([0.0, 127])
        torch.testing.assert_close(other.hand.keypoints_uv, expected)


@pytest.mark.parametrize("flip", [0, 1])
def test_image_and_space_are_turned_and_flipped_by_the_same_map(root, flip):
    plain, changed = load(root), load(root, augment=AugmentationRanges(flip=flip))
    for index in range(4):
        one, other = plain[Draw(index, 5)], changed[Draw(index, 5)]
        linear = other.hand.crop[:, :2].double() @ one.hand.crop[:, :2].double().inverse()
        assert float(linear.det().sign()) == 1 - 2 * flip
        in_space = torch.block_diag(linear / linear.det().abs().sqrt(), torch.ones(1)).float()
        torch.testing.assert_close(in_space @ in_space.T, torch.eye(3), atol=1e-5, rtol=0)
        for name in ("pose", "cloud"):
            torch.testing.assert_close(other.data[name], one.data[name] @ in_space.T, atol=1e-4, rtol=0)


@pytest.mark.parametrize("mirror_right", [False, True])
@pytest.mark.parametrize("flip", [0, 1])
def test_the_handedness_that_is_shown_is_told(root, mirror_right, flip):
    def sense(joints):
        """Whether index, middle and little finger's MCPs lie about the wrist as in the factory's left hand."""
        return np.linalg.det(joints[[8, 12, 20]] - joints[0]) > 0

    left = sense(placed_hand(np.random.default_rng(0), left=True))
    dataset = load(root, mirror_right=mirror_right, augment=AugmentationRanges(flip=flip))
    for index in range(4):
        sample = dataset[index]
        assert (sense(sample.data["pose"].numpy()) == left) == bool(sample.hand.shows_left)
        assert bool(sample.hand.shows_left) == ((index % 2 == 0 or mirror_right) != bool(flip))


def test_hand_with_more_pixels_is_taken_and_right_on_a_tie(tmp_path):
    rng = np.random.default_rng(0)
    left, right = placed_hand(rng, left=True, offset=(-0.12, 0)), placed_hand(rng, left=False, offset=(0.12, 0))
    both = annotation(left=left, right=right)
    color, depth, mask = draw([(left, True), (right, False)])
    on_left, on_right = (mask >= 2) & (mask < 18), mask >= 18
    counts = on_left.sum(), on_right.sum()
    least = min(counts)
    for index, (keep_left, keep_right) in enumerate([(least, least - 1), (least, least), (least - 1, least)]):
        parts = mask.copy()
        for on_hand, keep in ((on_left, keep_left), (on_right, keep_right)):
            rows, columns = np.nonzero(on_hand)
            parts[rows[keep:], columns[keep:]] = 1  # a person, but no hand
        write_sample(tmp_path, "training", index, color, depth, parts)
    write_annotations(tmp_path, "training", {index: both for index in range(3)})
    dataset = load(tmp_path)
    assert [bool(dataset[index].hand.is_left) for index in range(3)] == [True, False, False]


def test_without_masks_the_hand_with_more_visible_keypoints_is_taken(tmp_path):
    rng = np.random.default_rng(0)
    left, right = placed_hand(rng, left=True, offset=(-0.1, 0)), placed_hand(rng, left=False, offset=(0.1, 0))
    annotations = {}
    for index, (hide_left, hide_right) in enumerate([(3, 4), (3, 3), (4, 3)]):
        annotations[index] = annotation(left=left, right=right)
        annotations[index]["uv_vis"][1 : 1 + hide_left, 2] = 0
        annotations[index]["uv_vis"][22 : 22 + hide_right, 2] = 0
        write_sample(tmp_path, "training", index, draw([(left, True), (right, False)])[0])
    write_annotations(tmp_path, "training", annotations)
    made = collate([load(tmp_path)[index] for index in range(3)])
    assert made.hands.is_left.tolist() == [True, False, False]
    assert made.hands.visible.sum(1).tolist() == [18, 18, 18]


@pytest.mark.parametrize("missing", [("depth",), ("mask",), ("depth", "mask")])
def test_missing_files_are_masked(tmp_path, missing):
    write_set(tmp_path, number=3)
    for kind in missing:
        getattr(sample_paths(tmp_path, "training", 1), kind).unlink()
    made = collate([load(tmp_path)[index] for index in range(3)])
    observed = {name: mask.tolist() for name, mask in made.batch.observed.items()}
    assert observed["cloud"] == [True, False, True]
    assert observed["segmentation"] == [True, "mask" not in missing, True]
    for name in ("rgb", "pose", "heatmap"):
        assert observed[name] == [True] * 3
    assert float(made.batch.data["cloud"][1].abs().sum()) == 0


def test_folder_with_colour_and_annotations_alone(tmp_path):
    write_set(tmp_path, number=2, depth=False, mask=False)
    full = tmp_path / "full"
    write_set(full, number=2)
    for index in range(2):
        sample, whole = load(tmp_path)[index], load(full)[index]
        assert sample.observed == {
            "rgb": True,
            "cloud": False,
            "heatmap": True,
            "pose": True,
            "segmentation": False,
        }
        for name in ("rgb", "heatmap", "pose"):
            assert torch.equal(sample.data[name], whole.data[name])


def test_large_crops_are_averaged_not_sampled(tmp_path):
    """A checkerboard of single pixels becomes grey when it is shrunk."""
    joints = placed_hand(np.random.default_rng(0), left=True, depth=0.3)
    board = (np.add.outer(np.arange(SIZE), np.arange(SIZE)) % 2 * 255).astype(np.uint8)
    write_sample(tmp_path, "training", 0, np.repeat(board[..., None], 3, -1))
    write_annotations(tmp_path, "training", {0: annotation(left=joints)})
    for augment in (False, True):
        dataset = load(tmp_path, image_size=48, augment=augment, modalities=("rgb", "pose"))
        sample = dataset[0]
        assert float(sample.hand.crop[:, :2].det().abs()) < 0.25
        middle = sample.data["rgb"][:, 18:30, 18:30]
        assert float(middle.std()) < 0.08


def test_color_crop_is_the_picture(root):
    """An upsampled crop agrees with bilinear interpolation of the file at the mapped positions."""
    from scipy.ndimage import map_coordinates

    sample = load(root, image_size=256)[0]
    picture = np.asarray(Image.open(sample_paths(root, "training", 0).color)).astype(float)
    linear, offset = sample.hand.crop[:, :2].double().numpy(), sample.hand.crop[:, 2].double().numpy()
    grid = np.stack(np.meshgrid(np.arange(100, 140), np.arange(100, 140)), -1)
    source = (grid - offset) @ np.linalg.inv(linear).T
    expected = [map_coordinates(picture[..., c], [source[..., 1], source[..., 0]], order=1) for c in range(3)]
    found = sample.data["rgb"][:, 100:140, 100:140] * 255
    assert np.abs(found.numpy() - np.stack(expected)).max() < 2


def test_shrunk_crops_stay_in_place(tmp_path):
    """A ramp of grey has at every pixel of a small crop the value of where that pixel comes from."""
    joints = placed_hand(np.random.default_rng(1), left=True, depth=0.4)
    columns, rows = np.meshgrid(np.arange(SIZE), np.arange(SIZE))
    ramps = np.stack([columns * 0.75, rows * 0.75, 0 * rows], -1)
    write_sample(tmp_path, "training", 0, np.rint(ramps).astype(np.uint8))
    write_annotations(tmp_path, "training", {0: annotation(left=joints)})
    sample = load(tmp_path, image_size=20, modalities=("rgb", "pose"))[0]
    crop = np.vstack([sample.hand.crop.double().numpy(), [0, 0, 1]])
    grid = np.stack(np.meshgrid(np.arange(4, 16), np.arange(4, 16)), -1)
    expected = torch.as_tensor(0.75 * apply_affine(np.linalg.inv(crop)[:2], grid))
    found = sample.data["rgb"][:2, 4:16, 4:16].permute(1, 2, 0) * 255
    # Bytes are rounded once and cut off once: half a grey level too little on average.
    np.testing.assert_allclose(found, expected, atol=1.6)
    np.testing.assert_allclose((found - expected).numpy().mean((0, 1)), -0.5, atol=0.3)


def test_camera_is_kept(root):
    np.testing.assert_allclose(load(root)[0].hand.camera, CAMERA)
