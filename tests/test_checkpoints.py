"""Checkpoints: damage is noticed, a kill spoils nothing, and moving a folder loses nothing."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import lightning
import pytest
import torch

from pyro_mmvae.checkpoints import MovableCheckpoint, WholeFiles, load_checkpoint, loss_state
from pyro_mmvae.files import read_json, replace_file, write_json

STATE = {"state_dict": {"loss.model.w": torch.arange(1000.0), "loss.guide.v": torch.ones(3, dtype=torch.float16)}}


@pytest.fixture
def checkpoint(tmp_path):
    path = tmp_path / "last.ckpt"
    WholeFiles().save_checkpoint(STATE, path)
    return path


def test_what_is_saved_comes_back(checkpoint):
    torch.testing.assert_close(load_checkpoint(checkpoint), STATE, rtol=0, atol=0)
    assert list(loss_state(STATE, checkpoint)) == ["model.w", "guide.v"]
    assert [p.name for p in checkpoint.parent.iterdir()] == ["last.ckpt"]


def test_every_flipped_bit_of_a_weight_is_noticed(checkpoint):
    """PyTorch does not look: a flipped bit gave a weight of 2e37."""
    data = bytearray(checkpoint.read_bytes())
    place = data.index(torch.arange(1000.0).numpy().tobytes()[400:600])
    for offset in range(0, 200, 7):
        changed = bytearray(data)
        changed[place + offset] ^= 0x40
        checkpoint.write_bytes(changed)
        with pytest.raises(ValueError, match=r"last\.ckpt is not a file of tensors that can be loaded safely"):
            load_checkpoint(checkpoint)


@pytest.mark.parametrize(
    "damage", [lambda d: b"", lambda d: d[: len(d) // 2], lambda d: b"something else", lambda d: d[:-1]]
)
def test_damaged_files_end_in_one_line(checkpoint, damage):
    checkpoint.write_bytes(damage(checkpoint.read_bytes()))
    with pytest.raises(ValueError, match="can be loaded safely") as error:
        load_checkpoint(checkpoint)
    assert "\n" not in str(error.value)


def test_an_archive_that_expands_is_refused_before_it_does(tmp_path):
    path = tmp_path / "bomb.ckpt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\0" * 2**26)
    with pytest.raises(ValueError, match="not compressed"):
        load_checkpoint(path)


def test_code_is_not_run(tmp_path):
    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "made"),)

    path = tmp_path / "evil.ckpt"
    torch.save({"state_dict": Evil()}, path)
    with pytest.raises(ValueError, match="loaded safely"):
        load_checkpoint(path)
    with pytest.raises(ValueError, match="loaded safely"):
        WholeFiles().load_checkpoint(path, weights_only=False)
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_weights_that_are_not_numbers_are_refused(value):
    state = {"state_dict": {"loss.model.w": torch.tensor([1.0, value])}}
    with pytest.raises(ValueError, match=r"NaN or infinite: model\.w"):
        loss_state(state, Path("x.ckpt"))


@pytest.mark.parametrize(
    "content", [{}, {"state_dict": {}}, {"state_dict": [1]}, {"state_dict": {"other.w": torch.ones(1)}}]
)
def test_foreign_states_are_refused(content):
    with pytest.raises(ValueError, match="holds no trained model"):
        loss_state(content, Path("x.ckpt"))


def test_a_failure_in_the_middle_keeps_the_file_before(checkpoint):
    def full(partial):
        partial.write_bytes(b"half")
        raise OSError("No space left on device")

    before = checkpoint.read_bytes()
    with pytest.raises(OSError, match="No space"):
        replace_file(checkpoint, full)
    assert checkpoint.read_bytes() == before
    assert [p.name for p in checkpoint.parent.iterdir()] == ["last.ckpt"]


def test_a_kill_in_the_middle_keeps_the_file_before(checkpoint):
    code = f"""
import os, signal
from pathlib import Path
from pyro_mmvae.files import replace_file
def dies(partial):
    partial.write_bytes(b"half")
    os.kill(os.getpid(), signal.SIGKILL)
replace_file(Path({str(checkpoint)!r}), dies)
"""
    before = checkpoint.read_bytes()
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGKILL
    assert checkpoint.read_bytes() == before
    WholeFiles().save_checkpoint(STATE, checkpoint)
    assert [p.name for p in checkpoint.parent.iterdir()] == ["last.ckpt"]  # what the killed one left is gone


class Falls(lightning.LightningModule):
    """Its metric is as it is told."""

    def __init__(self, values):
        super().__init__()
        self.weight, self.values = torch.nn.Parameter(torch.zeros(1)), values

    def training_step(self, batch, batch_idx):
        return self.weight.sum()

    def validation_step(self, batch, batch_idx):
        self.log("val/x", torch.tensor(self.values[self.current_epoch]))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


def fit(folder, values, resume=None):
    kept = {"dirpath": folder, "enable_version_counter": False}
    best = MovableCheckpoint(**kept, filename="best", monitor="val/x")
    last = MovableCheckpoint(**kept, filename="last", save_on_train_epoch_end=True)
    trainer = lightning.Trainer(
        accelerator="cpu",
        max_epochs=len(values),
        callbacks=[best, last],
        plugins=[WholeFiles()],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    loader = torch.utils.data.DataLoader(torch.zeros(2, 1))
    trainer.fit(Falls(values), loader, loader, ckpt_path=resume)
    return best


def test_a_folder_that_was_moved_keeps_its_best_score(tmp_path):
    assert fit(tmp_path / "a", [3.0, 1.0, 2.0]).best_model_score == 1
    (tmp_path / "a").rename(tmp_path / "b")
    saved = (tmp_path / "b" / "best.ckpt").read_bytes()
    best = fit(tmp_path / "b", [3.0, 1.0, 2.0, 1.5], tmp_path / "b" / "last.ckpt")
    assert best.best_model_score == 1
    assert best.best_model_path == str(tmp_path / "b" / "best.ckpt")
    assert (tmp_path / "b" / "best.ckpt").read_bytes() == saved
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("text", ["", "[1]", "{", "[" * 100_000, '{"a": ' * 100_000])
def test_json_that_is_damaged_or_something_else(tmp_path, text):
    (tmp_path / "m.json").write_text(text)
    with pytest.raises(ValueError, match=r"m\.json"):
        read_json(tmp_path / "m.json")


def test_json_has_no_nan(tmp_path):
    write_json({"a": math.nan, "b": [math.inf, 1.5]}, tmp_path / "m.json")
    assert read_json(tmp_path / "m.json") == {"a": None, "b": [None, 1.5]}
