"""Pictures mean what is expected, or are refused by name: values that are data to the last bit, colours as seen."""

import io
import os
import struct
import warnings
import zlib
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image, ImageFile

from pyro_mmvae.data import images
from pyro_mmvae.data.images import MissingImageError, UnreadableImageError, read_colour, read_values
from pyro_mmvae.data.png import SIGNATURE

RNG = np.random.default_rng(0)
COLOUR = RNG.integers(0, 256, (6, 9, 3), dtype=np.uint8)
IDS = RNG.integers(0, 34, (6, 9), dtype=np.uint8)
LAYOUTS = {"grey": 0, "RGB": 2, "palette": 3, "grey with alpha": 4, "RGBA": 6}


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(rows, size, bits, layout, *, before=b"", stream=None, interlaced=0):
    """A PNG file written by hand: rows of bytes, each without a filter."""
    raw = b"".join(b"\0" + bytes(row) for row in rows)
    header = struct.pack(">IIBBBBB", *size, bits, LAYOUTS[layout], 0, 0, interlaced)
    body = zlib.compress(raw) if stream is None else stream
    return SIGNATURE + chunk(b"IHDR", header) + before + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def saved(image, kind="PNG", **options):
    buffer = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(buffer, format=kind, **options)
    return buffer.getvalue()


@pytest.fixture
def file(tmp_path):
    def write(content, name="picture.png"):
        (tmp_path / name).write_bytes(content)
        return tmp_path / name

    return write


def turned(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


# -- values


SHAPES = st.tuples(st.integers(1, 40), st.integers(1, 40))


@settings(max_examples=50, deadline=None)
@given(data=st.data(), channels=st.sampled_from([1, 3]), opaque=st.booleans())
def test_values_come_back_as_they_were_written(tmp_path_factory, data, channels, opaque):
    shape = data.draw(SHAPES) + ((3,) if channels == 3 else ())
    values = data.draw(arrays(np.uint8, shape))
    written = values
    if opaque:
        mode = "LA" if channels == 1 else "RGBA"
        alpha = np.full((*shape[:2], 1), 255, np.uint8)
        written = Image.fromarray(np.concatenate([values.reshape(*shape[:2], -1), alpha], -1), mode)
    path = tmp_path_factory.getbasetemp() / "values.png"
    path.write_bytes(saved(written))
    found = read_values(path, channels)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, values)


def test_interlaced_values(file):
    # Seven passes of a picture of 3 x 2 pixels: (0, 0); -; -; (2, 0); -; (1, 0); the second row.
    path = file(png([[1], [3], [2], [4, 5, 6]], (3, 2), 8, "grey", interlaced=1))
    np.testing.assert_array_equal(read_values(path, 1), [[1, 2, 3], [4, 5, 6]])


def test_numbers_of_a_coloured_palette_are_the_values(file):
    image = Image.fromarray(IDS, "P")
    image.putpalette(RNG.integers(0, 256, 3 * 34, dtype=np.uint8).tobytes())
    np.testing.assert_array_equal(read_values(file(saved(image)), 1), IDS)
    few = png([[0b00_01_10_11]], (4, 1), 2, "palette", before=chunk(b"PLTE", bytes(range(9, 21))))
    np.testing.assert_array_equal(read_values(file(few), 1), [[0, 1, 2, 3]])


def test_a_palette_of_greys_is_read_only_if_both_readings_agree(file):
    np.testing.assert_array_equal(read_values(file(saved(Image.fromarray(IDS).convert("P"))), 1), IDS)
    reduced = png([[0, 1]], (2, 1), 8, "palette", before=chunk(b"PLTE", bytes([0, 0, 0, 17, 17, 17])))
    with pytest.raises(UnreadableImageError, match="unclear which"):
        read_values(file(reduced), 1)


TRANSPARENT = np.dstack([COLOUR, np.full(COLOUR.shape[:2], 254, np.uint8)])
REFUSED_VALUES = {
    "JPEG": (saved(COLOUR, "JPEG", quality=100), 3, "expected a PNG file.*got JPEG"),
    "lossless WEBP": (saved(COLOUR, "WEBP", lossless=True), 3, "got WEBP"),
    "BMP": (saved(COLOUR, "BMP"), 3, "got BMP"),
    "TIFF": (saved(COLOUR, "TIFF"), 3, "got another kind"),
    "16-bit grey": (saved(np.arange(54, dtype=np.uint16).reshape(6, 9)), 1, "8-bit grey.*16-bit grey"),
    "16-bit depth": (saved(np.arange(54, dtype=np.uint16).reshape(6, 9)), 3, "8-bit RGB.*16-bit grey"),
    "16-bit RGB": (png([range(6)], (1, 1), 16, "RGB"), 3, "16-bit RGB"),
    "1 bit": (saved(Image.fromarray(IDS > 9)), 1, "1-bit grey"),
    "4-bit grey": (png([[0x12]], (2, 1), 4, "grey"), 1, "4-bit grey"),
    "grey for RGB": (saved(IDS), 3, "8-bit grey"),
    "RGB for grey": (saved(COLOUR), 1, "8-bit RGB"),
    "palette for RGB": (saved(Image.fromarray(COLOUR).quantize(8)), 3, "palette"),
    "transparent": (saved(TRANSPARENT), 3, "transparent"),
    "transparent grey": (saved(Image.fromarray(TRANSPARENT).convert("LA")), 1, "transparent"),
    "turned": (saved(Image.fromarray(IDS), exif=turned(6)), 1, "turned"),
    "palette too small": (
        png([[7]], (1, 1), 8, "palette", before=chunk(b"PLTE", bytes(9))),
        1,
        "colour 7 of a palette",
    ),
    "no palette": (png([[7]], (1, 1), 8, "palette"), 1, "lacks its palette"),
    "animated": (saved(Image.fromarray(IDS), save_all=True, append_images=[Image.fromarray(IDS + 1)]), 1, "animation"),
}


@pytest.mark.parametrize("fault", REFUSED_VALUES)
def test_values_of_other_kinds_are_refused(file, fault):
    content, channels, message = REFUSED_VALUES[fault]
    path = file(content)
    with pytest.raises(UnreadableImageError, match=f"^{path}: .*{message}") as refused:
        read_values(path, channels)
    assert "\n" not in str(refused.value)


STREAM = zlib.compress(b"\0" + bytes(5))
DAMAGED_STREAMS = {
    "checksum": STREAM[:-1] + bytes([STREAM[-1] ^ 1]),
    "no checksum": STREAM[:-4],
    "no end": zlib.compressobj().compress(b"\0" + bytes(5)) + zlib.compress(b"\0" + bytes(5), 0)[:9],
    "too few pixels": zlib.compress(b"\0" + bytes(4)),
    "too many pixels": zlib.compress(b"\0" + bytes(6)),
    "no pixels": b"",
}


@pytest.mark.parametrize("fault", DAMAGED_STREAMS)
def test_damaged_pixels_behind_a_right_chunk_checksum_are_refused(file, fault):
    assert read_values(file(png([], (5, 1), 8, "grey", stream=STREAM)), 1).tolist() == [[0] * 5]
    with pytest.raises(UnreadableImageError, match="damaged"):
        read_values(file(png([], (5, 1), 8, "grey", stream=DAMAGED_STREAMS[fault])), 1)


@pytest.mark.parametrize("level", [0, 6])
def test_no_damaged_byte_changes_values_unnoticed(file, level):
    """Every byte of the file is damaged in turn, and every length is cut."""
    for values, channels in ((IDS, 1), (COLOUR, 3)):
        content = saved(values, compress_level=level)
        damaged = [content[:i] for i in range(len(content))]
        damaged += [
            content[:i] + bytes([content[i] ^ bit]) + content[i + 1 :] for i in range(len(content)) for bit in (1, 128)
        ]
        for one in damaged:
            with pytest.raises(UnreadableImageError):
                read_values(file(one), channels)
            with pytest.raises(UnreadableImageError):
                read_colour(file(one))


# -- colours


def grey_ramp(kind):
    return np.linspace(0, np.iinfo(kind).max, 54).reshape(6, 9).astype(kind)


def test_colours_of_every_layout_are_those_seen(file):
    grey = grey_ramp(np.uint8)
    grey_as_rgb = np.repeat(grey[..., None], 3, -1)
    palette = Image.fromarray(COLOUR).quantize(8)
    seen = {
        "RGB": (saved(COLOUR), COLOUR),
        "grey": (saved(grey), grey_as_rgb),
        "two greys": (saved(Image.fromarray(grey > 100)), np.where(grey_as_rgb > 100, 255, 0)),
        "opaque": (saved(np.dstack([COLOUR, np.full((6, 9), 255, np.uint8)])), COLOUR),
        "palette": (saved(palette), np.asarray(palette.convert("RGB"))),
        "BMP": (saved(COLOUR, "BMP"), COLOUR),
        "WEBP": (saved(COLOUR, "WEBP", lossless=True), COLOUR),
        "16 bits": (saved(grey_ramp(np.uint16)), np.repeat(np.rint(grey_ramp(np.uint16) / 257)[..., None], 3, -1)),
        "16-bit RGB": (png([[9, 200, 1, 2, 255, 255]], (1, 1), 16, "RGB"), [[[9, 1, 255]]]),
        "4-bit grey": (png([[0x1F]], (2, 1), 4, "grey"), [[[17] * 3, [255] * 3]]),
    }
    for name, (content, expected) in seen.items():
        image = read_colour(file(content))
        assert image.mode == "RGB", name
        np.testing.assert_array_equal(np.asarray(image), expected, err_msg=name)


def test_jpeg_by_any_name(file):
    smooth = np.repeat(grey_ramp(np.uint8)[..., None], 3, -1)
    for kind in ("JPEG", "MPO"):
        found = np.asarray(read_colour(file(saved(smooth, kind, quality=100), "jpeg.png")))
        np.testing.assert_allclose(found.astype(int), smooth, atol=3)


def test_what_is_transparent_is_black_and_hides_nothing(file):
    values = np.array([[[200, 100, 50, 255], [200, 100, 50, 0], [200, 100, 50, 51]]], np.uint8)
    found = np.asarray(read_colour(file(saved(values)))).astype(int)
    np.testing.assert_allclose(found, [[[200, 100, 50], [0, 0, 0], [40, 20, 10]]], atol=1)
    palette = Image.fromarray(np.array([[0, 1]], np.uint8), "P")
    palette.putpalette([10, 20, 30, 40, 50, 60])
    assert np.asarray(read_colour(file(saved(palette, transparency=0)))).tolist() == [[[0, 0, 0], [40, 50, 60]]]


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_pictures_are_upright(file, kind):
    image = Image.fromarray(np.zeros((4, 8, 3), np.uint8))
    image.paste((255, 255, 255), (0, 0, 4, 4))  # the left half is white
    for orientation, (size, corner) in {1: ((8, 4), (0, 0)), 3: ((8, 4), (7, 3)), 6: ((4, 8), (3, 0))}.items():
        found = read_colour(file(saved(image, kind, exif=turned(orientation))))
        assert found.size == size
        assert min(found.getpixel(corner)) > 200


# -- whatever is no picture


def png_of_size(width, height):
    return png([], (width, height), 8, "RGB", stream=zlib.compress(bytes(1000)))


UNREADABLE = {
    "empty": (b"", "empty"),
    "text": (b"hello", "another kind"),
    "signature alone": (SIGNATURE, "cut short"),
    "truncated PNG": (saved(COLOUR)[:-20], "cut short|damaged"),
    "truncated JPEG": (saved(RNG.integers(0, 256, (64, 64, 3), np.uint8), "JPEG")[:-500], "truncated"),
    "header of JPEG": (saved(COLOUR, "JPEG")[:30], "Truncated"),
    "truncated WEBP": (saved(COLOUR, "WEBP")[:-9], "."),
    "truncated BMP": (saved(COLOUR, "BMP")[:-9], "."),
    "print colours": (saved(Image.fromarray(COLOUR).convert("CMYK"), "JPEG"), "CMYK"),
    "numbers": (saved(Image.fromarray(np.zeros((4, 4), np.float32)), "TIFF"), "another kind"),
    "program": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "another kind"),
    "animation": (
        saved(
            Image.fromarray(COLOUR), "WEBP", save_all=True, append_images=[Image.fromarray(COLOUR[::-1])], lossless=True
        ),
        "animation of 2",
    ),
    "a billion pixels": (png_of_size(2**15, 2**15), "expected at most"),
    "no pixels": (png_of_size(0, 5), "makes no sense"),
    "bad depth": (png([[0]], (1, 1), 7, "grey"), "makes no sense"),
    "bad depth of RGB": (png([[0]], (1, 1), 4, "RGB"), "."),
    "palette too small": (png([[7]], (1, 1), 8, "palette", before=chunk(b"PLTE", bytes(9))), "palette of 3"),
    "text that expands": (
        png([[0]], (1, 1), 8, "grey", before=chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(2**24)))),
        ".",
    ),
}


@pytest.mark.parametrize("fault", UNREADABLE)
def test_unreadable_files_are_named_in_one_line(file, fault):
    content, message = UNREADABLE[fault]
    path = file(content)
    for read in (read_colour, lambda p: read_values(p, 3)):
        with pytest.raises(UnreadableImageError, match=f"^{path}: ") as refused:
            read(path)
        assert "\n" not in str(refused.value)
        assert "BytesIO" not in str(refused.value)
        if read is read_colour:
            assert refused.match(message)


def test_huge_files_are_not_read(tmp_path):
    path = tmp_path / "huge.png"
    with path.open("wb") as handle:
        handle.truncate(images.MAX_BYTES + 1)
    with pytest.raises(UnreadableImageError, match="bytes"):
        read_colour(path)


def test_pictures_that_pillow_would_only_warn_about_are_refused(file):
    width = Image.MAX_IMAGE_PIXELS // 1000 + 1
    content = saved(Image.new("L", (width, 1000)), "BMP")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(UnreadableImageError, match="expected at most"):
            read_colour(file(content))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_things_that_are_no_files(tmp_path):
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "file").write_bytes(b"")
    os.mkfifo(tmp_path / "pipe.png")  # to open it would wait for ever
    for name in ("folder.png", "pipe.png", "file/below.png", "null\0.png", "x" * 300):
        with pytest.raises(UnreadableImageError):
            read_colour(tmp_path / name)
    (tmp_path / "link.png").symlink_to(tmp_path / "gone.png")
    for name in ("none.png", "link.png"):
        with pytest.raises(MissingImageError, match="no such file"):
            read_colour(tmp_path / name)
        with pytest.raises(FileNotFoundError):
            read_values(tmp_path / name, 1)


@settings(max_examples=300, deadline=None)
@given(data=st.data(), kind=st.sampled_from(["PNG", "JPEG", "WEBP", "BMP"]))
def test_any_damage_ends_in_a_picture_or_in_the_one_error(tmp_path_factory, data, kind):
    content = bytearray(saved(COLOUR, kind, exif=turned(6)) if kind != "BMP" else saved(COLOUR, kind))
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "damaged_picture"
    path.write_bytes(content[: data.draw(st.integers(1, len(content)))])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with suppress(UnreadableImageError):
            assert read_colour(path).mode == "RGB"


def test_truncated_png_is_refused_even_if_pillow_is_told_not_to_mind(file, monkeypatch):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    with pytest.raises(UnreadableImageError):
        read_colour(file(saved(COLOUR)[:-30]))
