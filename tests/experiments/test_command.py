"""How a command line ends: errors of every kind in one line."""

from __future__ import annotations

import os
import signal

import pytest
import torch

from pyro_mmvae.command import run_command
from pyro_mmvae.data.loader import EpochLoader


class Samples(torch.utils.data.Dataset):
    """What a worker does is the argument's to say."""

    def __init__(self, act):
        self.act = act

    def __len__(self):
        return 3

    def __getitem__(self, index):
        self.act()
        return index


def dies():
    os.kill(os.getpid(), signal.SIGKILL)


def refuses():
    raise ValueError("hand.png: the file is damaged")


@pytest.mark.parametrize(
    ("act", "said"),
    [(dies, "DataLoader worker (pid"), (refuses, "tool: error: ValueError: hand.png: the file is damaged\n")],
)
def test_what_happens_to_a_worker_is_told_in_one_line(act, said, capsys):
    with pytest.raises(SystemExit) as stopped:
        run_command("tool", lambda _: list(EpochLoader(Samples(act), num_workers=1)), [])
    assert stopped.value.code == 2
    printed = capsys.readouterr().err
    assert said in printed
    assert printed.count("\n") == 1


def test_ctrl_c_is_130(capsys):
    def stop(_):
        os.kill(os.getpid(), signal.SIGINT)
        raise AssertionError("it goes on")

    with pytest.raises(SystemExit) as stopped:
        run_command("tool", stop, [])
    assert stopped.value.code == 130
    assert capsys.readouterr().err == "tool: stopped\n"


def test_faults_of_the_program_are_shown_as_they_are():
    def broken(_):
        raise RuntimeError("of our own")

    with pytest.raises(RuntimeError, match="of our own"):
        run_command("tool", broken, [])
