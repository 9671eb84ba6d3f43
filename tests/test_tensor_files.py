"""Files of tensors from anybody."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from pyro_mmvae.tensor_files import check_weights, load_weights, read_tensors

STATE = {"w": torch.arange(500.0), "n": torch.tensor(3)}


def test_the_format_before_checksums_is_read_where_it_is_asked_for(tmp_path):
    path = tmp_path / "old.pth"
    torch.save(STATE, path, _use_new_zipfile_serialization=False)
    torch.testing.assert_close(read_tensors(path, old_format=True), STATE)
    with pytest.raises(ValueError, match=r"old\.pth is not a file of tensors that can be loaded safely"):
        read_tensors(path)


@pytest.mark.parametrize("old_format", [True, False])
def test_flipped_bits_are_noticed(tmp_path, old_format):
    path = tmp_path / "a.pth"
    torch.save(STATE, path)
    data = path.read_bytes()
    place = data.index(STATE["w"].numpy().tobytes()[400:600])
    for offset in range(0, 200, 17):
        path.write_bytes(data[: place + offset] + bytes([data[place + offset] ^ 1]) + data[place + offset + 1 :])
        with pytest.raises(ValueError, match="damaged"):
            read_tensors(path, old_format=old_format)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (torch.zeros(1).expand(10**13), "no larger than the file, got one of 40000000000000 bytes"),
        ([{"deep": (torch.zeros(1).expand(10**9),)}], "no larger than the file"),
        (torch.eye(3).to_sparse(), "expected plain tensors"),
        (torch.zeros(3, device="meta"), "expected plain tensors"),
        (torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8), "expected plain tensors"),
    ],
)
def test_tensors_that_are_more_than_values_are_refused_before_they_are_looked_at(tmp_path, value, message):
    path = tmp_path / "a.pth"
    torch.save({"w": value}, path)
    with pytest.raises(ValueError, match=message):
        read_tensors(path)


def test_containers_that_hold_themselves(tmp_path):
    loop = {"w": torch.ones(2)}
    loop["again"] = [loop]
    torch.save(loop, tmp_path / "a.pth")
    assert read_tensors(tmp_path / "a.pth")["w"].sum() == 2


@pytest.mark.parametrize("content", [[1], torch.ones(2), None, "x"])
def test_other_structures(tmp_path, content):
    torch.save(content, tmp_path / "a.pth")
    with pytest.raises(ValueError, match=r"a\.pth: expected a mapping of tensors, got"):
        read_tensors(tmp_path / "a.pth")


def test_what_is_no_weight():
    with pytest.raises(ValueError, match=r"a\.pth: expected tensors alone, got list for w"):
        check_weights({"w": [1.0]}, "a.pth")
    with pytest.raises(ValueError, match=r"a\.pth holds weights that are NaN or infinite: w"):
        check_weights({"w": torch.tensor([1.0, torch.nan])}, "a.pth")


@pytest.mark.parametrize("state", [{}, {"weight": torch.ones(7, 7)}, {f"x{i}": torch.ones(1) for i in range(5000)}])
def test_misfits_are_told_in_one_line_of_bounded_length(state):
    with pytest.raises(ValueError, match=r"a\.pth is of another network: Linear: ") as error:
        load_weights(nn.Linear(2, 3), state, "a.pth is of another network")
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 500
