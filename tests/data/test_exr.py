"""OpenEXR pictures: against OpenEXR's own bindings, and damaged in any way."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyro_mmvae.data.exr import read_exr, write_exr
from pyro_mmvae.data.images import MissingImageError, UnreadableImageError

VALUES = np.random.default_rng(0).uniform(0, 200, (37, 23)).astype(np.float32)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    path = tmp_path_factory.mktemp("exr") / "depth.exr"
    write_exr(path, VALUES)
    return path


def test_what_is_written_is_read(written):
    np.testing.assert_array_equal(read_exr(written, ["Z"]), VALUES)
    np.testing.assert_array_equal(read_exr(written, ["other"]), VALUES)  # the only channel


def test_halves_stay_halves(tmp_path):
    write_exr(tmp_path / "x.exr", VALUES.astype(np.float16))
    np.testing.assert_array_equal(read_exr(tmp_path / "x.exr", ["Z"]), VALUES.astype(np.float16))


def test_openexr_reads_what_is_written(written):
    openexr = pytest.importorskip("OpenEXR")
    np.testing.assert_array_equal(openexr.File(str(written)).channels()["Z"].pixels, VALUES)


@pytest.mark.parametrize("compression", ["NO_COMPRESSION", "ZIPS_COMPRESSION", "ZIP_COMPRESSION"])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.uint32])
def test_what_openexr_writes_is_read(tmp_path, compression, dtype):
    openexr = pytest.importorskip("OpenEXR")
    header = {"compression": getattr(openexr, compression), "type": openexr.scanlineimage}
    smooth = np.add.outer(np.arange(40), np.arange(30)).astype(dtype)
    channels = {"A": VALUES[:30, :23].astype(np.float32), "Z": smooth[:30, :23].copy()}
    path = tmp_path / "x.exr"
    openexr.File(header, dict(channels)).write(str(path))
    for name, value in channels.items():
        np.testing.assert_array_equal(read_exr(path, ["V", name]), value.astype(np.float32))
    with pytest.raises(UnreadableImageError, match=r"expected a channel of \['V'\], got \['A', 'Z'\]"):
        read_exr(path, ["V"])


def test_other_compressions_are_refused(tmp_path):
    openexr = pytest.importorskip("OpenEXR")
    header = {"compression": openexr.PIZ_COMPRESSION, "type": openexr.scanlineimage}
    openexr.File(header, {"Z": VALUES}).write(str(tmp_path / "x.exr"))
    with pytest.raises(UnreadableImageError, match="got PIZ; save it with ZIP"):
        read_exr(tmp_path / "x.exr", ["Z"])


def test_there_is_none(tmp_path):
    with pytest.raises(MissingImageError):
        read_exr(tmp_path / "x.exr", ["Z"])


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_damage_is_found_or_harmless(written, tmp_path_factory, data):
    """Every chunk has a checksum: of the pixels' size nothing is read that was not written."""
    content = bytearray(written.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        limit = data.draw(st.sampled_from([400, len(content)]))
        content[data.draw(st.integers(0, limit - 1))] = data.draw(st.integers(0, 255))
    content = content[: data.draw(st.integers(0, len(content)))] if data.draw(st.booleans()) else content
    path = Path(tmp_path_factory.getbasetemp()) / "damaged.exr"
    path.write_bytes(content)
    with suppress(UnreadableImageError):
        found = read_exr(path, ["Z"])
        assert found.dtype == np.float32
        assert found.ndim == 2


@pytest.mark.parametrize("size", [(2**20, 2**20), (-5, 3), (2**31 - 1, 2**31 - 1)])
def test_a_header_does_not_decide_how_much_is_taken(written, tmp_path, size):
    content = bytearray(written.read_bytes())
    place = content.index(b"dataWindow\0box2i\0") + len(b"dataWindow\0box2i\0") + 4
    content[place : place + 16] = np.array([0, 0, size[0] - 1, size[1] - 1], "<i8").astype("<i4").tobytes()
    (tmp_path / "x.exr").write_bytes(content)
    with pytest.raises(UnreadableImageError):
        read_exr(tmp_path / "x.exr", ["Z"])
