"""A saved pair comes back as it was: numbers, types, and what is shared."""

from __future__ import annotations

import copy
import functools
import inspect
import json
import pickle

import pytest
import torch
from safetensors import safe_open
from support import LATENT, data, modalities, pair, with_pattern
from torch import nn

import pyro_mmvae
from pyro_mmvae import Batch, Modality, MultimodalVAE, Recorded, guides, likelihoods, load, networks, save
from pyro_mmvae.guides.gpoe import GPoE
from pyro_mmvae.guides.poe import PoE
from pyro_mmvae.likelihoods import Bernoulli, Categorical, Likelihood, Normal, Pose
from pyro_mmvae.networks import ConvEncoder, DCGANDecoder, MLPDecoder, MLPEncoder, PoseDecoder

OPTIONS = [(name, {}) for name in guides.available()] + [
    ("moe_moments", {"weights": "learned"}),
    ("joint", {"networks": "per_subset", "hidden": 7}),
    ("poe", {"prior_expert": "joint"}),
    ("crossmodal", {"source": "b"}),
    ("attention", {"primary": "b", "heads": 2}),
    ("set", {"width": 8, "heads": 2}),
    ("transformer", {"width": 8, "heads": 2, "layers": 1}),
]


def names_of_tensors(folder):
    (path,) = folder.glob("*.safetensors")
    with safe_open(path, "pt") as file:
        return set(file.keys())


def again(folder, model, guide, **options):
    save(folder, model, guide)
    return load(folder, **options)


def assert_same(pair_one, pair_two, batch):
    """Same posteriors, points and decodes, to the last bit; and the same state."""
    (model, guide), (other, reader) = pair_one, pair_two
    for part, twin in ((model, other), (guide, reader)):
        assert type(part) is type(twin)
        assert part.state_dict().keys() == twin.state_dict().keys()
        for name, value in part.state_dict().items():
            assert value.dtype == twin.state_dict()[name].dtype
            assert torch.equal(value, twin.state_dict()[name]), name
    with torch.no_grad():
        mean = guide.posterior(batch).mean
        assert torch.equal(mean, reader.posterior(batch).mean)
        assert torch.equal(guide.posterior(batch).variance, reader.posterior(batch).variance)
        assert torch.equal(guide.point(batch), reader.point(batch))
        z = mean.to(next(model.parameters()).dtype)  # half precision is left where scales need more
        for name in model.names:
            assert torch.equal(model.predict(z, name), other.predict(z, name))


@pytest.mark.parametrize(("name", "options"), OPTIONS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_every_guide(name, options, dtype, tmp_path):
    model, guide = (part.to(dtype) for part in pair(name, **options))
    found = again(tmp_path, model, guide)
    assert_same((model, guide), found, with_pattern(Batch.of(data(dtype=dtype))))
    assert found[1].inputs == guide.inputs


def sensors():
    """An image, a map of classes, flags, a label, a pose and a number: what people have."""
    return [
        Modality("image", Normal((3, 16, 16), "predicted"), ToParams((2, 3, 16, 16)), ConvEncoder((3, 16, 16))),
        Modality("map", likelihoods.Segmentation(4, (8, 8)), DCGANDecoder(LATENT, (4, 8, 8), 4, norm=None)),
        Modality("flags", Bernoulli((5,)), MLPDecoder(LATENT, (5,), (8,), nn.Tanh), MLPEncoder((5,), (8,), nn.GELU)),
        Modality("label", Categorical(3), MLPDecoder(LATENT, (3,), (8,))),
        Modality("pose", Pose(4, "learned"), PoseDecoder(LATENT, 4, (8, 8, 8))),
        Modality("force", encoder=MLPEncoder((2,), (8,), functools.partial(nn.LeakyReLU, 0.2))),
    ]


class ToParams(Recorded, nn.Module):
    """A decoder of the user's own that reshapes."""

    def __init__(self, shape, *, hidden=4, **rest):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(LATENT, hidden), nn.BatchNorm1d(hidden), nn.Linear(hidden, 1536))
        self.target = shape

    def forward(self, z):
        return self.layers(z).reshape(-1, *self.target)


def sensed(size=6):
    values = {
        "image": torch.rand(size, 3, 16, 16),
        "flags": (torch.rand(size, 5) > 0.5).float(),
        "force": torch.randn(size, 2),
    }
    return Batch.of(values, {"flags": torch.arange(size) % 2 == 0})


@pytest.mark.parametrize("mode", [True, False])
def test_typical_modalities(mode, tmp_path):
    parts = sensors()
    model, guide = MultimodalVAE(parts, LATENT), GPoE(parts, LATENT, hidden=9)
    model(Batch.of({"image": torch.rand(6, 3, 16, 16)}))  # fills the running statistics
    model.train(mode)
    found = again(tmp_path, model, guide, allow=[ToParams])
    assert [part.training for part in found[0].modules()] == [part.training for part in model.modules()]
    model.eval()
    found[0].eval()
    assert_same((model, guide), found, sensed())


def parts_of(package, base):
    classes = [getattr(package, name) for name in package.__all__]
    return [c for c in classes if inspect.isclass(c) and issubclass(c, base) and c is not base]


@pytest.mark.parametrize("kind", parts_of(likelihoods, Likelihood))
def test_every_likelihood(kind, tmp_path):
    likelihood = kind.example()
    parts = [Modality("x", likelihood, MLPDecoder(LATENT, likelihood.param_shape, (4,)), nn.Linear(2, 3))]
    model, _ = again(tmp_path, MultimodalVAE(parts, LATENT), PoE(parts, LATENT))
    assert vars(model.likelihood("x")).keys() == vars(likelihood).keys()
    assert model.likelihood("x").param_shape == likelihood.param_shape


@pytest.mark.parametrize("kind", parts_of(networks, nn.Module))
def test_every_network(kind, tmp_path):
    network, value = kind.example()
    parts = [Modality("x", Normal((2,)), nn.Linear(LATENT, 2), network, features=6)]
    _, guide = again(tmp_path, MultimodalVAE(parts, LATENT), PoE(parts, LATENT))
    assert torch.equal(network.eval()(value), guide.encoders["x"].eval()(value))


LAYERS = [
    nn.Conv2d(1, 2, (3, 1), padding="same", padding_mode="circular", bias=False),
    nn.Conv1d(1, 2, 3, stride=2),
    nn.ConvTranspose2d(1, 2, 3, output_padding=1, stride=2),
    nn.BatchNorm2d(3, affine=False, momentum=None),
    nn.GroupNorm(1, 4, affine=False),
    nn.LayerNorm((2, 3), bias=False),
    nn.Embedding(5, 3, padding_idx=0),
    nn.Dropout(0.3),
    nn.PReLU(2, 0.1),
    nn.Softplus(2.0),
    nn.GELU("tanh"),
    nn.LeakyReLU(0.3, inplace=True),
    nn.Flatten(1, 2),
    nn.Unflatten(1, (2, 3)),
    nn.AdaptiveAvgPool2d((1, None)),
    nn.MaxPool2d(3, 2, 1),
    nn.Upsample(scale_factor=2.0, mode="bilinear"),
    nn.ZeroPad2d((1, 2, 0, 0)),
    nn.LSTM(2, 3, 2, bidirectional=True, proj_size=2),
    nn.GRU(2, 3, bias=False),
    nn.RNN(2, 3, nonlinearity="relu"),
    nn.MultiheadAttention(4, 2, bias=False),
    nn.Bilinear(2, 3, 4),
    nn.TransformerEncoderLayer(4, 2, 5, 0.2, "gelu", norm_first=True),
    nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 5, batch_first=True), 2, norm=nn.LayerNorm(4)),
    nn.Sequential(nn.ModuleDict({"one": nn.Linear(2, 2)}), nn.ModuleList([nn.ReLU(), nn.Identity()])),
]


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: type(layer).__name__)
def test_layers_of_torch(layer, tmp_path):
    parts = [Modality("x", Normal((2,)), nn.Linear(LATENT, 2), layer, features=3)]
    _, guide = again(tmp_path, MultimodalVAE(parts, LATENT), PoE(parts, LATENT))
    assert str(guide.encoders["x"]) == str(layer)
    for name, value in layer.state_dict().items():
        assert torch.equal(value, guide.encoders["x"].state_dict()[name])


# -- what is shared


def test_a_module_of_model_and_guide_stays_shared(tmp_path):
    inner = nn.Linear(LATENT, LATENT)
    decoder, encoder = nn.Sequential(inner, nn.Linear(LATENT, 3)), nn.Sequential(nn.Linear(3, LATENT), inner)
    parts = [Modality("a", Normal((3,)), decoder, encoder)]
    model, guide = again(tmp_path, MultimodalVAE(parts, LATENT), PoE(parts, LATENT))
    assert model.decoders["a"][0] is guide.encoders["a"][1]
    assert model.decoders["a"][0] is not inner
    assert torch.equal(model.decoders["a"][0].weight, inner.weight)
    assert sum(name.endswith("0.weight") for name in names_of_tensors(tmp_path)) == 2


def test_tied_encoders_stay_tied(tmp_path):
    shared = MLPEncoder((3,), (4,))
    parts = [Modality(n, Normal((3,)), nn.Linear(LATENT, 3), shared) for n in ("left", "right")]
    _, guide = again(tmp_path, MultimodalVAE(parts, LATENT), PoE(parts, LATENT))
    assert guide.encoders["left"] is guide.encoders["right"]
    assert guide.encoders["left"] is not shared


def test_tied_parameters_stay_tied(tmp_path):
    parts = modalities()
    model, guide = MultimodalVAE(parts, LATENT), PoE(parts, LATENT)
    model.decoders["b"].bias = model.decoders["y"].bias  # in the model
    guide.heads["a"].linear.weight = guide.heads["b"].linear.weight  # in the guide
    model.decoders["y"].weight = nn.Parameter(torch.ones(LATENT, LATENT))
    guide.encoders["b"].weight = nn.Parameter(torch.zeros(5, 2))
    assert_same((model, guide), found := again(tmp_path, model, guide), Batch.of(data()))
    assert found[0].decoders["b"].bias is found[0].decoders["y"].bias
    assert found[1].heads["a"].linear.weight is found[1].heads["b"].linear.weight
    optimiser = torch.optim.SGD({*found[0].parameters(), *found[1].parameters()}, lr=0.1)
    found[1].posterior(Batch.of(data())).mean.sum().backward()
    optimiser.step()
    assert torch.equal(found[1].heads["a"].linear.weight, found[1].heads["b"].linear.weight)


def test_frozen_parameters_stay_frozen(tmp_path):
    model, guide = pair("poe")
    guide.encoders["a"].requires_grad_(False)
    _, found = again(tmp_path, model, guide)
    expected = {n: p.requires_grad for n, p in guide.named_parameters()}
    assert {n: p.requires_grad for n, p in found.named_parameters()} == expected


class Standardised(nn.Module):
    """Its arguments are attributes of the same names, among them buffers that a state dict leaves out."""

    def __init__(self, mean, net, widths=(), flag=True):
        super().__init__()
        self.register_buffer("mean", mean, persistent=False)
        self.net, self.widths, self.flag = net, widths, flag
        self.out_features = 5

    def forward(self, value):
        return self.net(value - self.mean)


def test_arguments_are_read_off_attributes_and_buffers_are_kept(tmp_path):
    encoder = Standardised(torch.tensor([1.0, 2.0, 3.0]), nn.Linear(3, 5), widths=[1, (2, None)])
    parts = [Modality("a", Normal((3,)), nn.Linear(LATENT, 3), encoder)]
    model, guide = MultimodalVAE(parts, LATENT), PoE(parts, LATENT)
    encoder.mean.add_(1.0)
    found = again(tmp_path, model, guide, allow=[Standardised])
    assert found[1].encoders["a"].mean.tolist() == [2.0, 3.0, 4.0]
    assert found[1].encoders["a"].widths == [1, (2, None)]
    assert_same((model, guide), found, Batch.of({"a": data()["a"]}))


class Pseudo(Recorded, nn.Module):
    """A part of the model that borrows the guide and starts from data, as a VampPrior does."""

    def __init__(self, guide, start):
        super().__init__()
        self.borrowed = (guide,)
        self.inputs = nn.ParameterDict({n: nn.Parameter(value.clone()) for n, value in start.data.items()})


class WithPseudo(MultimodalVAE):
    def __init__(self, modalities, latent_dim, pseudo):
        super().__init__(modalities, latent_dim)
        self.pseudo = pseudo


def test_a_model_that_borrows_the_guide_and_starts_from_data(tmp_path):
    parts = modalities()
    guide = PoE(parts, LATENT)
    start = Batch.of({n: data()[n] for n in guide.inputs})
    model = WithPseudo(parts, LATENT, Pseudo(guide, start))
    with torch.no_grad():
        model.pseudo.inputs["a"] += 1
    found = again(tmp_path, model, guide, allow=[WithPseudo, Pseudo])
    assert found[0].pseudo.borrowed[0] is found[1]
    assert_same((model, guide), found, Batch.of(data()))


# -- refused when saving


class Silent(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.layer = nn.Linear(size, 5)


class Child(MLPEncoder):
    """Derives from a class that notes its arguments, and so notes its own."""

    def __init__(self, size):
        super().__init__((size,), (5,))


class Counts(nn.Module):
    def __init__(self):
        super().__init__()
        self.calls = 0
        self.layer = nn.Linear(3, 5)


def saved(encoder, folder):
    parts = [Modality("a", Normal((3,)), nn.Linear(LATENT, 3), encoder, features=5)]
    save(folder, MultimodalVAE(parts, LATENT), PoE(parts, LATENT))


def test_an_unknown_construction_is_refused_with_what_to_do(tmp_path):
    with pytest.raises(ValueError, match=r"the encoder of 'a' \(Silent\).*'size'.*pyro_mmvae.Recorded"):
        saved(Silent(3), tmp_path / "x")
    with pytest.raises(ValueError, match=r"argument 'activation': cannot save .*<lambda>"):
        saved(MLPEncoder((3,), (5,), lambda: nn.ReLU()), tmp_path / "x")
    assert not (tmp_path / "x").exists()
    saved(Child(3), tmp_path / "x")


def test_changes_after_construction_are_refused(tmp_path):
    counts = Counts()
    counts.calls = 3
    with pytest.raises(ValueError, match=r"guide.encoders.a.calls is 3, but constructed again .* it is 0"):
        saved(counts, tmp_path)
    wider = MLPEncoder((3,), (5,))
    wider.layers.append(nn.Linear(5, 5))
    with pytest.raises(ValueError, match=r"guide.encoders.a.layers.2 is Linear, but .* it is NoneType"):
        saved(wider, tmp_path)
    hooked = nn.Linear(3, 5)
    hooked.register_forward_hook(lambda *_: None)
    with pytest.raises(ValueError, match="has forward hooks"):
        saved(hooked, tmp_path)
    with pytest.raises(ValueError, match="has no values yet"):
        saved(nn.LazyLinear(5), tmp_path)
    with pytest.raises(TypeError, match="expected a MultimodalVAE and a Guide, got Linear, Linear"):
        save(tmp_path, nn.Linear(1, 1), nn.Linear(1, 1))
    assert list(tmp_path.iterdir()) == []


# -- files


def test_saving_again_replaces_and_leaves_nothing_behind(tmp_path):
    save(tmp_path, *pair("poe"))
    (tmp_path / "notes.txt").write_text("mine")
    torch.manual_seed(7)
    found = again(tmp_path, *(second := pair("gpoe")))
    assert_same(second, found, Batch.of(data()))
    assert len(list(tmp_path.glob("*.safetensors"))) == 1
    assert len(list(tmp_path.iterdir())) == 3


def test_an_interrupted_save_leaves_the_pair_of_before(tmp_path, monkeypatch):
    first = pair("poe")
    save(tmp_path, *first)

    def power_cut(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("pyro_mmvae.storage.files.json.dumps", power_cut)
    with pytest.raises(KeyboardInterrupt):
        save(tmp_path, *pair("gpoe"))
    monkeypatch.undo()
    assert_same(first, load(tmp_path), Batch.of(data()))
    save(tmp_path, *first)
    assert len(list(tmp_path.iterdir())) == 2


def test_the_structure_can_be_read(tmp_path):
    save(tmp_path, *pair("attention", heads=2))
    structure = json.loads((tmp_path / "structure.json").read_text())
    assert structure["guide"]["module"] == "pyro_mmvae.guides.attention:Attention"
    assert structure["guide"]["arguments"]["heads"] == 2
    assert structure["modalities"]["y"]["decoder"]["module"] == "torch.nn:Linear"


def test_generators_are_left_alone(tmp_path):
    torch.manual_seed(3)
    model, guide = pair("poe")
    before = torch.get_rng_state()
    again(tmp_path, model, guide)
    assert torch.equal(before, torch.get_rng_state())


def test_a_loaded_pair_trains(tmp_path):
    model, guide = again(tmp_path, *pair("moe"))
    from pyro_mmvae.objectives.mmvae import mmvae

    loss = mmvae(guide.inputs, {"a": 1.0, "b": 1.0})(model, guide)
    loss(Batch.of(data())).backward()
    assert all(p.grad is not None for n, p in guide.named_parameters() if ".a." in n)


@pytest.mark.parametrize("name", guides.available())
def test_noting_does_not_stand_in_the_way_of_copies(name, tmp_path):
    model, guide = pair(name)
    for twin in (copy.deepcopy(guide), pickle.loads(pickle.dumps(guide))):
        found = again(tmp_path, model, twin)
        assert torch.equal(found[1].posterior(Batch.of(data())).mean, guide.posterior(Batch.of(data())).mean)


def test_names_of_the_package():
    assert {"save", "load", "push_to_hub", "from_pretrained", "Recorded"} <= set(dir(pyro_mmvae))


def test_files_have_the_rights_of_every_file(tmp_path):
    save(tmp_path / "pair", *pair("poe"))
    (tmp_path / "other").write_text("")
    assert {path.stat().st_mode for path in (tmp_path / "pair").iterdir()} == {(tmp_path / "other").stat().st_mode}
