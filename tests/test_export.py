"""Exported graphs give the numbers of the modules, whatever is missing and however many samples there are."""

from __future__ import annotations

import pytest
import torch
from support import LATENT, data, every_subset, pair, with_pattern
from torch import nn

from pyro_mmvae import Batch, Modality, MultimodalVAE, guides, load, networks, save
from pyro_mmvae.export import export, to_onnx
from pyro_mmvae.guides.gpoe import GPoE
from pyro_mmvae.likelihoods import Categorical, Normal
from pyro_mmvae.networks import ConvEncoder, MLPDecoder, MLPEncoder

OPTIONS = [(name, {}) for name in guides.available()] + [
    ("moe_moments", {"weights": "learned"}),
    ("joint", {"networks": "per_subset"}),
    ("poe", {"prior_expert": "joint"}),
]


def arguments(guide, batch):
    return {n: batch.data[n] for n in guide.inputs}, {n: batch.observed[n] for n in guide.inputs}


def batches(guide):
    """Yield batches of other sizes than the example's, with every modality missing once."""
    for size in (1, 2, 17):
        yield with_pattern(Batch.of(data(size)))
    for subset in every_subset(guide.inputs):
        yield Batch.of(data(4)).given(subset)


@pytest.mark.parametrize(("name", "options"), OPTIONS)
def test_every_guide(name, options):
    model, guide = pair(name, **options)
    program = export(guide, Batch.of(data()), model=model).module()
    for batch in batches(guide):
        found = program(*arguments(guide, batch))
        z = guide.point(batch)
        assert set(found) == {"z", *model.names}
        torch.testing.assert_close(found["z"], z, rtol=0, atol=1e-6)
        for n in model.names:
            torch.testing.assert_close(found[n], model.predict(z, n), rtol=0, atol=1e-6)


class ByHand(nn.Module):
    """What one writes for `torch.export` without this library's `export`: `Batch.of`, and argument checks."""

    def __init__(self, guide, masked):
        super().__init__()
        self.guide, self.masked = guide, masked

    def forward(self, data, observed):
        return self.guide.point(Batch.of(data, observed if self.masked else None))


@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize(("name", "options"), OPTIONS)
def test_an_export_by_hand_has_any_size(name, options, masked):
    _, guide = pair(name, **options)
    size = torch.export.Dim("size")
    shapes = tuple({n: {0: size} for n in guide.inputs} for _ in range(2))
    module = ByHand(guide.eval(), masked)
    program = torch.export.export(module, arguments(guide, Batch.of(data())), dynamic_shapes=shapes).module()
    for batch in batches(guide):
        values, seen = arguments(guide, batch)
        expected = module(values, seen)
        torch.testing.assert_close(program(values, seen), expected, rtol=0, atol=1e-6)


def test_what_is_not_observed_may_be_anything():
    _, guide = pair("gpoe")
    program = export(guide, Batch.of(data())).module()
    batch = with_pattern(Batch.of(data(5)))
    values, observed = arguments(guide, batch)
    values["a"] = torch.where(observed["a"].unsqueeze(-1), values["a"], torch.nan)
    torch.testing.assert_close(program(values, observed), {"z": guide.point(batch)}, rtol=0, atol=1e-6)


ENCODERS = [getattr(networks, name) for name in networks.__all__ if isinstance(getattr(networks, name), type)]


@pytest.mark.parametrize("kind", ENCODERS)
def test_every_network(kind):
    network, value = kind.example()
    size = torch.export.Dim("batch")
    program = torch.export.export(network.eval(), (value,), dynamic_shapes=({0: size},)).module()
    for count in (2, 7):
        more = value[torch.arange(count) % len(value)]
        torch.testing.assert_close(program(more), network(more), rtol=0, atol=1e-6)


def camera():
    parts = [
        Modality("image", encoder=nn.Sequential(ConvEncoder((1, 8, 8), width=4, out_features=6), nn.Dropout())),
        Modality("force", Normal((2,)), MLPDecoder(LATENT, (2,), (4,)), MLPEncoder((2,), (4,))),
        Modality("label", Categorical(3), MLPDecoder(LATENT, (3,), (4,))),
    ]
    batch = Batch.of({"image": torch.rand(5, 1, 8, 8), "force": torch.randn(5, 2)}, {"force": torch.arange(5) > 1})
    return MultimodalVAE(parts, LATENT), GPoE(parts, LATENT), batch


def test_a_program_is_of_evaluation_mode_and_can_be_kept(tmp_path):
    model, guide, batch = camera()
    save(tmp_path / "pair", model, guide)
    model, guide = load(tmp_path / "pair")
    program = export(guide, batch, model=model, of=["label"])
    assert guide.training
    torch.export.save(program, tmp_path / "program.pt2")
    found = torch.export.load(tmp_path / "program.pt2").module()(*arguments(guide, batch[:3]))
    guide.eval()
    assert set(found) == {"z", "label"}
    torch.testing.assert_close(found["label"], model.predict(guide.point(batch[:3]), "label"), rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (lambda b: b.only(["a", "b"]), {}, r"lacks \['c'\]"),
        (lambda b: b[:1], {}, "at least 2 samples"),
        (lambda b: b, {"of": ["y"]}, "needs a model"),
        (lambda b: b, {"of": ["q"], "model": True}, r"the model does not decode \['q'\]"),
    ],
)
def test_bad_arguments_are_refused(change, options, message):
    model, guide = pair("poe")
    if "model" in options:
        options = options | {"model": model}
    with pytest.raises(ValueError, match=message):
        export(guide, change(Batch.of(data())), **options)


ONNX = [name if name in ("gpoe", "moe") else pytest.param(name, marks=pytest.mark.slow) for name in guides.available()]


@pytest.mark.parametrize("name", ONNX)
def test_onnx(name, tmp_path):
    pytest.importorskip("onnxscript")
    runtime = pytest.importorskip("onnxruntime")
    model, guide = pair(name)
    to_onnx(export(guide, Batch.of(data()), model=model), tmp_path / "guide.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["guide.onnx"]
    session = runtime.InferenceSession(tmp_path / "guide.onnx")
    assert [i.name for i in session.get_inputs()] == [f"{k}.{n}" for k in ("data", "observed") for n in guide.inputs]
    names = [output.name for output in session.get_outputs()]
    for batch in batches(guide):
        values, observed = arguments(guide, batch)
        feed = {f"data.{n}": v.numpy() for n, v in values.items()}
        feed |= {f"observed.{n}": v.numpy() for n, v in observed.items()}
        found = {n: torch.from_numpy(v) for n, v in zip(names, session.run(None, feed), strict=True)}
        z = guide.point(batch)
        torch.testing.assert_close(found["z"], z, rtol=0, atol=1e-5)
        for n in model.names:
            torch.testing.assert_close(found[n], model.predict(z, n), rtol=0, atol=1e-5)


def test_without_the_packages_of_onnx(tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "onnxscript", None)
    _, guide = pair("poe")
    with pytest.raises(ModuleNotFoundError, match=r"pyro-mmvae\[onnx\]"):
        to_onnx(export(guide, Batch.of(data())), tmp_path / "x.onnx")
