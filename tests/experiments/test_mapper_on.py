"""`--mapper-on RUN`: a mapper on top of a finished run of any experiment, which stays as it is."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import torch

from pyro_mmvae.experiments.common import driver, runs
from pyro_mmvae.experiments.common.by_name import experiments
from pyro_mmvae.guides.mapper import Mapper

OTHER_GUIDES = {"food": ["--guide", "poe"]}
"""Of experiments whose own guide is a mapper."""
OWN = {"config", "versions", "seconds", "samples_per_second", "without_mapper"}


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    place = tmp_path_factory.mktemp("work")
    before = Path.cwd()
    os.chdir(place)
    yield place
    os.chdir(before)


def words(name, out):
    return [*driver.config_class(name).tiny, *OTHER_GUIDES.get(name, []), "--device", "cpu", "--out", str(out)]


@pytest.fixture(scope="module")
def both(request, workplace):
    """A finished tiny run, and one with a mapper on top of it."""
    name = request.param
    below = workplace / "runs" / name
    driver.main(name, [*words(name, below), "--no-figures"])
    driver.main(name, ["--mapper-on", str(below), "--epochs", "2"])
    return name, below, below.with_name(f"{name}-mapper")


each = pytest.mark.parametrize("both", experiments(), indirect=True)


def metrics_of(run):
    return json.loads((run / "metrics.json").read_text())


@each
def test_without_the_mapper_all_is_as_it_was(both):
    """The numbers, and every parameter and running average to the last bit."""
    _, below, above = both
    before, after = metrics_of(below), metrics_of(above)
    assert after["without_mapper"] == {n: v for n, v in before.items() if n not in OWN}
    assert after["config"]["guide"] == before["config"]["guide"]
    old, new = runs.open_run(below).loss, runs.open_run(above).loss
    assert isinstance(new.guide, Mapper)
    for part, other in ((old.model, new.model), (old.guide, new.guide.lower)):
        state = other.state_dict()
        assert list(state) == list(part.state_dict())
        assert all(torch.equal(value, state[name]) for name, value in part.state_dict().items())


@each
def test_the_mapper_is_trained_and_judged(both):
    _, _, above = both
    found = metrics_of(above)
    changed = {name for name, value in found["without_mapper"].items() if value != found.get(name)}
    assert changed
    torch.manual_seed(0)
    fresh = driver.configured(runs.open_run(above).experiment.config).loss().guide.mappers.state_dict()
    trained = runs.open_run(above).loss.guide.mappers.state_dict()
    assert all(not torch.equal(value, trained[name]) for name, value in fresh.items())


@pytest.fixture(scope="module")
def below(tmp_path_factory):
    run = tmp_path_factory.mktemp("runs") / "mog"
    driver.main("mog", [*words("mog", run), "--guide", "poe", "--no-figures"])
    return run


class TestOptions:
    def test_onto_weights_and_resume(self, below, tmp_path):
        chosen = ["--mapper-options", "onto=a", "distance=0.25", "intermediate_dim=3"]
        given = ["--mapper-on", str(below), *chosen, "--epochs", "2", "--out", str(tmp_path / "run"), "--no-figures"]
        driver.main("mog", given)
        opened = runs.open_run(tmp_path / "run")
        assert (opened.loss.guide.onto, opened.loss.guide.intermediate_dim) == ("a", 3)
        assert [(a.of, a.to, a.weight) for a in opened.loss.elbo.table.alignments] == [(("b",), ("a",), 0.25)]
        before = metrics_of(tmp_path / "run")
        driver.main("mog", [*given, "--resume"])
        assert {n: v for n, v in metrics_of(tmp_path / "run").items() if n not in OWN - {"without_mapper"}} == {
            n: v for n, v in before.items() if n not in OWN - {"without_mapper"}
        }

    @pytest.mark.parametrize(
        ("more", "message"),
        [
            (["--mapper-options", "onto=c"], "['c']"),
            (["--mapper-options", "speed=3"], "--mapper-options {'speed': 3} do not fit"),
            (["--hidden", "5"], "the options do not fit the run"),
            (["--guide", "crossmodal"], "expected a run that looks at two inputs"),
        ],
    )
    def test_what_does_not_fit_ends_in_one_line(self, below, tmp_path, capsys, more, message):
        with pytest.raises(SystemExit) as error:
            driver.main("mog", ["--mapper-on", str(below), "--out", str(tmp_path / "run"), *more])
        assert error.value.code == 2
        said = capsys.readouterr().err
        assert message in said
        assert len(said.strip().splitlines()) == 1
        assert not (tmp_path / "run").exists()

    def test_what_is_no_run_or_has_a_mapper_is_refused(self, below, tmp_path, capsys):
        above = tmp_path / "above"
        driver.main("mog", ["--mapper-on", str(below), "--epochs", "1", "--out", str(above), "--no-figures"])
        mapper = tmp_path / "mapper"
        driver.main("mog", [*words("mog", mapper), "--guide", "mapper", "--no-figures"])
        refused = "expected a run without a mapper"
        for run, message in ((tmp_path, "no run in"), (above, refused), (mapper, refused)):
            with pytest.raises(SystemExit):
                driver.main("mog", ["--mapper-on", str(run)])
            assert message in capsys.readouterr().err
