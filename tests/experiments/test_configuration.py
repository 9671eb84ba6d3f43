"""Configurations from files: bounded, typed, and one line for every mistake."""

from __future__ import annotations

import pytest

from pyro_mmvae.experiments.common.configuration import options, parse_run, read, write
from pyro_mmvae.experiments.common.ranges import check
from pyro_mmvae.experiments.mnist.config import Config


def saved(tmp_path, text):
    (tmp_path / "c.yaml").write_text(text)
    return tmp_path / "c.yaml"


LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (LAUGHS, "aliases"),
        ("epochs: &e 3\nlatent_dim: *e\n", "aliases"),
        ("widths: " + "[" * 5000 + "]" * 5000, "nested"),
        ("epochs: " + "9" * 2**21, "at most"),
        ("- 1\n", "expected options"),
        ("3: 4\n", "expected options"),
        ("epochs: many\n", "epochs: expected int, got 'many'"),
        ("epochs: true\n", "epochs: expected int, got True"),
        ("widths: [16, x]\n", "widths: expected int - at $[1], got [16, 'x']"),
        ("widths: 16\n", "widths: expected list, got 16"),
        ("dataset: [mnist]\n", "dataset: expected"),
        ("epocs: 3\n", "unknown options ['epocs']"),
        ("experiment: rhd\n", "is of the experiment 'rhd'"),
        ("config: other.yaml\n", "`config` names a file of options"),
        ("a: !!python/object/apply:os.system ['true']\n", "not YAML"),
        ("a: [", "not YAML"),
        ("a: !!int ''\n", "a value makes no sense (IndexError"),
        ("a: !!bool x\n", "a value makes no sense (KeyError"),
        ("a: !!timestamp x\n", "a value makes no sense (AttributeError"),
        ("\x00", "not YAML"),
    ],
)
def test_files_that_cannot_be_options(tmp_path, text, message):
    with pytest.raises(ValueError, match=r"c\.yaml") as error:
        read(Config, saved(tmp_path, text))
    assert message in str(error.value)
    assert len(str(error.value)) < 2000
    assert "\n" not in str(error.value)


def test_the_order_is_defaults_then_preset_then_file_then_command_line(tmp_path):
    path = saved(tmp_path, "experiment: mnist\nepochs: 7\nlatent_dim: 9\ndata: somewhere\n")
    config = parse_run(Config, ["--config", str(path), "--latent-dim", "5"], "")
    preset = config.presets()[config.implied_preset() or ""]
    assert (config.epochs, config.latent_dim) == (7, 5)
    assert config.num_samples == preset.options["num_samples"] != Config().num_samples
    assert config.objective == "smvae"


def test_values_of_options_are_read_as_they_look():
    assert options(["a=3", "b=1e-3", "c=true", "d=x", "e=[1, 2]", "f=null"]) == {
        "a": 3, "b": 1e-3, "c": True, "d": "x", "e": [1, 2], "f": None
    }  # fmt: skip
    with pytest.raises(ValueError, match="expected name=value"):
        options(["a"])
    with pytest.raises(ValueError, match="expected a value"):
        options(["a=&x [*x, *x]"])


def test_a_file_of_options_is_written_and_read_back(tmp_path):
    config = parse_run(Config, ["--widths", "3", "4", "--guide-options", "a=1", "--out", str(tmp_path)], "")
    write(config, tmp_path / "config.yaml")
    assert read(Config, tmp_path / "config.yaml") == config


def test_numbers_inside_tuples_have_limits():
    with pytest.raises(ValueError, match=r"widths: expected int of at least 1 - at .*, got .3, 0."):
        check(Config(widths=(3, 0)))
