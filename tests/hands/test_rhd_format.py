import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from pyro_mmvae.hands import rhd_format as rhd


@given(arrays(np.float64, (3, 5), elements=st.floats(0, rhd.MAX_DEPTH)))
def test_depth_round_trip_to_half_a_step(depth):
    decoded = rhd.decode_depth(rhd.encode_depth(depth))
    assert decoded.dtype == np.float32
    assert np.abs(decoded - depth).max() <= 0.5 * rhd.MAX_DEPTH / 65535 + 1e-6


def test_depth_of_every_code():
    codes = np.arange(65536).reshape(256, 256)
    image = np.stack([codes // 256, codes % 256, 0 * codes], -1).astype(np.uint8)
    np.testing.assert_allclose(rhd.decode_depth(image), codes / 65535 * 5, rtol=1e-6)
    np.testing.assert_array_equal(rhd.encode_depth(rhd.decode_depth(image)), image)


def test_depth_outside_the_range_is_clipped():
    assert rhd.decode_depth(rhd.encode_depth(np.array([[-1.0, 9.0, np.inf]]))).tolist() == [[0, 5, 5]]


@pytest.mark.parametrize("depth", [np.full((2, 2), np.nan), np.zeros((2, 2, 3))])
def test_no_depth_images_of_what_is_no_depth(depth):
    with pytest.raises(ValueError, match=r"expected depth of shape \(H, W\)"):
        rhd.encode_depth(depth)


@pytest.mark.parametrize("image", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.int64)])
def test_decoding_refuses_other_images(image):
    with pytest.raises(ValueError, match="expected a depth image"):
        rhd.decode_depth(image)


def test_skeleton():
    assert len(rhd.JOINT_NAMES) == len(rhd.PARENTS) == rhd.NUM_JOINTS == 21
    assert rhd.JOINT_NAMES[rhd.MIDDLE_MCP] == "middle_mcp"
    assert rhd.JOINT_NAMES[rhd.MIDDLE_PIP] == "middle_pip"
    for finger, chain in rhd.FINGERS.items():
        assert [rhd.PARENTS[joint] for joint in chain] == [rhd.WRIST, *chain[:-1]]
        assert rhd.JOINT_NAMES[chain[-1]] == f"{finger}_tip"
    assert sorted(child for _, child in rhd.BONES) == list(range(1, 21))
    assert (rhd.LEFT_HAND[-1], rhd.RIGHT_HAND[-1]) == (rhd.LEFT_PALM, rhd.RIGHT_PALM)


def test_files_round_trip(tmp_path):
    rng = np.random.default_rng(0)
    color, mask = rng.integers(0, 256, (8, 9, 3), dtype=np.uint8), rng.integers(0, 34, (8, 9), dtype=np.uint8)
    depth = rng.uniform(0, 5, (8, 9))
    paths = rhd.write_sample(tmp_path, "training", 7, color, depth, mask)
    assert paths == rhd.sample_paths(tmp_path, "training", 7)
    assert paths.color == tmp_path / "training" / "color" / "00007.png"
    np.testing.assert_array_equal(np.asarray(Image.open(paths.color)), color)
    np.testing.assert_array_equal(np.asarray(Image.open(paths.mask)), mask)
    np.testing.assert_allclose(rhd.decode_depth(np.asarray(Image.open(paths.depth))), depth, atol=1e-4)


def test_color_alone(tmp_path):
    paths = rhd.write_sample(tmp_path, "evaluation", 0, np.zeros((4, 4, 3), np.uint8))
    assert [path.exists() for path in paths] == [True, False, False]


def test_annotations_round_trip_and_may_lie_beside_the_splits(tmp_path):
    annotations = {3: {"xyz": np.ones((42, 3)), "uv_vis": np.zeros((42, 3)), "K": np.eye(3)}}
    path = rhd.write_annotations(tmp_path, "training", annotations)
    assert path == tmp_path / "training" / "anno_training.pickle" == rhd.annotation_path(tmp_path, "training")
    path.rename(tmp_path / path.name)
    assert rhd.annotation_path(tmp_path, "training") == tmp_path / path.name
    read = rhd.read_annotations(rhd.annotation_path(tmp_path, "training"))
    np.testing.assert_array_equal(read[3]["xyz"], annotations[3]["xyz"])


def test_root_may_be_the_folder_it_was_unpacked_in(tmp_path):
    inner = tmp_path / "RHD_published_v2"
    rhd.write_annotations(inner, "training", {})
    assert rhd.annotation_path(tmp_path, "training") == inner / "training" / "anno_training.pickle"
    assert rhd.sample_paths(tmp_path, "training", 0) == rhd.sample_paths(inner, "training", 0)


def test_annotations_must_be_a_dictionary_by_number(tmp_path):
    path = tmp_path / "anno.pickle"
    for wrong in (b"]\x94.", b"\x80\x02}U\x01aK\x01s."):
        path.write_bytes(wrong)
        with pytest.raises(ValueError, match="expected a dictionary"):
            rhd.read_annotations(path)


def test_unknown_split(tmp_path):
    with pytest.raises(ValueError, match="expected a split of"):
        rhd.sample_paths(tmp_path, "test", 0)
