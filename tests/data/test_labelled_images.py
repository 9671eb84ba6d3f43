"""MNIST's files wherever they are, downloaded, damaged, and the digits that need no files."""

from __future__ import annotations

import gzip
import hashlib
import shutil
import struct
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import torch
import torchvision
from idx_factory import idx, write_stripes

from pyro_mmvae.data.idx import read_idx
from pyro_mmvae.data.labelled_images import download_labelled_images, read_labelled_images, small_digits


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_stripes(tmp_path_factory.mktemp("mnist"))


def test_published_files_are_found_wherever_tools_put_them(folder, tmp_path):
    expected = read_labelled_images(folder, "mnist", train=True)
    assert expected.images.shape == (100, 28, 28)
    torchvision = tmp_path / "FashionMNIST" / "raw"
    shutil.copytree(folder, torchvision)
    for name in ("images-idx3", "labels-idx1"):
        path = torchvision / f"train-{name}-ubyte"
        if not path.exists():
            path.write_bytes(gzip.decompress(path.with_suffix(".gz").read_bytes()))
            path.with_suffix(".gz").unlink()
    (torchvision / "train-labels-idx1-ubyte").rename(torchvision / "train-labels.idx1-ubyte")
    found = read_labelled_images(tmp_path, "fashion", train=True)
    torch.testing.assert_close(found.images, expected.images)
    torch.testing.assert_close(found.labels, expected.labels)
    with pytest.raises(FileNotFoundError, match="give the folder of the files"):
        read_labelled_images(tmp_path, "mnist", train=True)


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A server on this machine from which torchvision downloads, with the folder of its files."""
    files = tmp_path / "server"
    files.mkdir()
    for prefix, count in (("train", 30), ("t10k", 20)):
        labels = np.arange(count) % 10
        images = np.broadcast_to(labels[:, None, None], (count, 28, 28))
        for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
            (files / f"{prefix}-{kind}-ubyte.gz").write_bytes(gzip.compress(idx(array)))
    resources = [(path.name, hashlib.md5(path.read_bytes()).hexdigest()) for path in sorted(files.iterdir())]
    handler = partial(SimpleHTTPRequestHandler, directory=files)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        monkeypatch.setattr(torchvision.datasets.MNIST, "mirrors", [f"http://127.0.0.1:{serving.server_port}/"])
        monkeypatch.setattr(torchvision.datasets.MNIST, "resources", resources)
        yield files
        serving.shutdown()


def test_download_by_torchvision(server, tmp_path):
    download_labelled_images(tmp_path / "data", "mnist")
    shutil.rmtree(server)
    download_labelled_images(tmp_path / "data", "mnist")  # nothing is missing, so no server is asked
    found = read_labelled_images(tmp_path / "data", "mnist", train=False)
    torch.testing.assert_close(found.labels, torch.arange(20) % 10)
    torch.testing.assert_close(found.images[:, 0, 0].long(), found.labels)


def test_download_that_fails_says_what_to_do(server, tmp_path):
    (server / "t10k-labels-idx1-ubyte.gz").write_bytes(b"something else")
    with pytest.raises(OSError, match="Copy the four published files there"):
        download_labelled_images(tmp_path / "data", "mnist")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (idx(np.zeros((3, 4)))[:-1], "announces 12 values of shape \\(3, 4\\), but 11 follow"),
        (idx(np.zeros((3, 4)))[:6], "the file is damaged"),
        (idx(np.zeros((3, 4))) + b"x", "but 13 follow"),
        (b"", "expected an IDX file"),
        (b"<html>not found</html>", "expected an IDX file"),
        (struct.pack(">HBBI", 0, 13, 1, 1) + bytes(4), "unsigned bytes"),
        (struct.pack(">HBB4I", 0, 8, 4, *[2**31] * 4), "the file is damaged"),
    ],
)
def test_damaged_files_are_refused(content, message, tmp_path):
    (tmp_path / "plain").write_bytes(content)
    (tmp_path / "zipped.gz").write_bytes(gzip.compress(content))
    for name in ("plain", "zipped.gz"):
        with pytest.raises(ValueError, match=message):
            read_idx(tmp_path / name)


@pytest.mark.parametrize("cut", [5, 30, -4])
def test_truncated_archives_are_refused(cut, tmp_path):
    whole = gzip.compress(idx(np.random.default_rng(0).integers(0, 255, (30, 30))))
    (tmp_path / "a.gz").write_bytes(whole[:cut])
    with pytest.raises(ValueError, match="cannot be decompressed"):
        read_idx(tmp_path / "a.gz")
    broken = bytearray(whole)
    broken[len(broken) // 2] ^= 255
    (tmp_path / "b.gz").write_bytes(broken)
    with pytest.raises(ValueError, match="cannot be decompressed"):
        read_idx(tmp_path / "b.gz")


def test_images_and_labels_have_to_belong_together(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "set")
    shutil.copy(folder / "t10k-labels-idx1-ubyte", tmp_path / "set" / "train-labels-idx1-ubyte")
    with pytest.raises(ValueError, match=r"got \(100, 28, 28\) and \(40,\)"):
        read_labelled_images(tmp_path / "set", "mnist", train=True)


def test_the_installed_digits():
    found = small_digits()
    assert found.images.shape == (1797, 28, 28)
    assert found.labels.bincount().min() > 170
