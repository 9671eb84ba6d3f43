import importlib
import inspect
import math
import pkgutil
from urllib.error import URLError

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torchvision.models import densenet121, resnet18

from pyro_mmvae import networks
from pyro_mmvae.networks import (
    ConvEncoder,
    DCGANDecoder,
    DenseNetEncoder,
    FoldingNetDecoder,
    LabelledConvEncoder,
    MirroredConvDecoder,
    MLPDecoder,
    MLPEncoder,
    PoseDecoder,
    ResNetEncoder,
    ResPEL,
    group_norm,
)
from pyro_mmvae.networks.respel import PermutationEquivariant


def members():
    """All modules of the folder that are encoders or decoders: they say so by `example`."""
    found = {}
    for info in pkgutil.iter_modules(networks.__path__):
        module = importlib.import_module(f"{networks.__name__}.{info.name}")
        for name, value in vars(module).items():
            if inspect.isclass(value) and value.__module__ == module.__name__ and hasattr(value, "example"):
                found[name] = value
    return found


MEMBERS = members()
BATCH_STATISTICS = (DenseNetEncoder,)
all_members = pytest.mark.parametrize("cls", MEMBERS.values(), ids=MEMBERS.keys())


def make(cls, dtype=torch.float64):
    torch.manual_seed(0)
    network, value = cls.example()
    return network.to(dtype), value.to(dtype) if value.is_floating_point() else value


def expected_shape(network, value):
    encoder = hasattr(network, "out_features")
    return (len(value), *((network.out_features,) if encoder else network.param_shape))


def test_the_folder_is_exported():
    assert set(MEMBERS) == {name for name in networks.__all__ if inspect.isclass(getattr(networks, name))}


def test_every_network_is_an_encoder_or_a_decoder():
    for name, cls in MEMBERS.items():
        network, _ = cls.example()
        attribute = "param_shape" if name.endswith("Decoder") else "out_features"
        assert hasattr(network, attribute), name


@all_members
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_shape_and_dtype(cls, dtype):
    network, value = make(cls, dtype)
    out = network(value)
    assert out.shape == expected_shape(network, value)
    assert out.dtype == dtype
    assert out.isfinite().all()


@all_members
def test_every_parameter_gets_a_finite_gradient(cls):
    network, value = make(cls)
    network(value).square().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
    assert any(p.grad.abs().sum() > 0 for p in network.parameters())


@all_members
def test_a_batch_of_one_gives_its_row(cls):
    network, value = make(cls)
    network.eval()
    torch.testing.assert_close(network(value[:1]), network(value)[:1])


@all_members
def test_an_empty_batch_gives_no_rows(cls):
    network, value = make(cls)
    network.eval()
    assert network(value[:0]).shape == (0, *expected_shape(network, value)[1:])


@all_members
def test_rows_do_not_see_each_other_in_training(cls):
    if cls in BATCH_STATISTICS:
        pytest.skip("normalises by batch statistics, as documented")
    network, value = make(cls)
    torch.testing.assert_close(network.train()(value)[1:], network(value[1:]))


@all_members
def test_state_dict_round_trip(cls, tmp_path):
    network, value = make(cls)
    torch.save(network.state_dict(), tmp_path / "network.pt")
    torch.manual_seed(1)
    other = cls.example()[0].to(torch.float64)
    other.load_state_dict(torch.load(tmp_path / "network.pt", weights_only=True))
    torch.testing.assert_close(network.eval()(value), other.eval()(value), rtol=0, atol=0)


@all_members
def test_fake_cuda_forward(cls):
    with FakeTensorMode(), torch.device("cuda"):
        network, value = cls.example()
        out = network(value)
    assert out.device.type == "cuda"
    assert out.shape == expected_shape(network, value)


@all_members
def test_meta_backward(cls):
    with torch.device("meta"):
        network, value = cls.example()
        network(value).sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


@all_members
def test_construction_is_reproducible_and_no_more_random_than_its_parameters(cls):
    torch.manual_seed(3)
    first = cls.example()[0].state_dict()
    torch.manual_seed(3)
    for name, value in cls.example()[0].state_dict().items():
        assert torch.equal(value, first[name]), name


# --- fully connected


def test_mlp_flattens_and_restores():
    assert MLPEncoder((1, 28, 28), widths=(7,))(torch.rand(2, 1, 28, 28)).shape == (2, 7)
    assert MLPDecoder(3, (1, 28, 28), widths=())(torch.rand(2, 3)).shape == (2, 1, 28, 28)


def test_mlp_takes_whole_numbers_in_the_dtype_of_its_parameters():
    encoder = MLPEncoder((10,), widths=(4,)).double()
    one_hot = torch.eye(10, dtype=torch.long)
    torch.testing.assert_close(encoder(one_hot), encoder(one_hot.double()))


def test_mlp_without_layers_flattens():
    encoder = MLPEncoder((2, 3), widths=())
    assert encoder.out_features == 6
    torch.testing.assert_close(encoder(torch.ones(4, 2, 3)), torch.ones(4, 6))


def test_pose_decoder_has_four_layers():
    assert sum(isinstance(m, nn.Linear) for m in PoseDecoder(64).modules()) == 4
    assert PoseDecoder(64)(torch.zeros(2, 64)).shape == (2, 21, 3)


# --- point clouds


def randomise(network):
    """The blocks start as their shortcuts; laws are tested away from that special point."""
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.3)


@given(seed=st.integers(0, 10_000), points=st.integers(1, 40))
def test_respel_is_invariant_to_order_and_to_repeated_points(seed, points):
    generator = torch.Generator().manual_seed(seed)
    encoder, _ = make(ResPEL)
    randomise(encoder)
    cloud = torch.randn(2, points, 3, generator=generator, dtype=torch.float64)
    features = encoder(cloud)
    order = torch.randperm(points, generator=generator)
    torch.testing.assert_close(encoder(cloud[:, order]), features)
    repeated = torch.randint(points, (5,), generator=generator)
    torch.testing.assert_close(encoder(torch.cat([cloud, cloud[:, repeated]], 1)), features)


def test_respel_sees_more_than_single_points():
    # A network that pooled functions of single points would map a union to the maximum of the parts.
    encoder, cloud = make(ResPEL)
    randomise(encoder)
    parts = torch.maximum(encoder(cloud[:, :5]), encoder(cloud[:, 5:]))
    assert (encoder(cloud) - parts).abs().max() > 1e-3


def test_permutation_equivariant_layer_by_hand():
    layer = PermutationEquivariant(3, 4).double()
    points = torch.randn(2, 6, 3, dtype=torch.float64)
    order = torch.randperm(6)
    torch.testing.assert_close(layer(points)[:, order], layer(points[:, order]))
    gamma, lam, bias = layer.point.weight.T, layer.cloud.weight.T, layer.point.bias
    for sample, result in zip(points, layer(points), strict=True):
        biggest = sample.max(0).values
        for point, value in zip(sample, result, strict=True):
            torch.testing.assert_close(value, point @ gamma + biggest @ lam + bias)


def test_respel_gradient_is_finite_where_all_points_coincide():
    encoder, _ = make(ResPEL)
    cloud = torch.ones(2, 7, 3, dtype=torch.float64, requires_grad=True)
    encoder(cloud).sum().backward()
    assert cloud.grad.isfinite().all()


def naive_fold(fold, code, points):
    columns = [code[:, None].expand(-1, points.shape[-2], -1), points.expand(len(code), -1, -1)]
    return fold.rest(fold.first(torch.cat(columns, -1)))


def test_foldingnet_equals_the_concatenation_with_copied_codewords():
    decoder, code = make(FoldingNetDecoder)
    folded = naive_fold(decoder.fold1, code, decoder.grid)
    torch.testing.assert_close(decoder(code), naive_fold(decoder.fold2, code, folded))


def test_foldingnet_has_the_papers_sizes():
    decoder = FoldingNetDecoder(64)
    assert decoder.param_shape == (256, 3)
    assert decoder.grid.min() == pytest.approx(-0.3)
    assert decoder.grid.max() == pytest.approx(0.3)
    assert len(decoder.grid.unique(dim=0)) == 256
    sizes = [tuple(m.weight.shape) for m in decoder.modules() if isinstance(m, nn.Linear)]
    assert sizes == [(512, 66), (512, 512), (3, 512), (512, 67), (512, 512), (3, 512)]


def test_foldingnet_starts_with_points_apart():
    torch.manual_seed(0)
    decoder = FoldingNetDecoder(64)
    grid_part = decoder.grid @ decoder.fold1.first.weight[:, 64:].T
    assert grid_part.square().mean().sqrt().item() == pytest.approx(0.5, rel=0.1)
    folded = decoder.fold1(torch.randn(8, 64), decoder.grid)
    assert folded.std(1).mean() > 0.05


# --- maps


@pytest.mark.parametrize("size", [8, 16, 32, 64])
def test_dcgan_sizes(size):
    decoder = DCGANDecoder(5, (21, size, size), width=2)
    assert decoder(torch.zeros(2, 5)).shape == (2, 21, size, size)


def test_dcgan_is_the_papers_generator():
    channels = [m.out_channels for m in DCGANDecoder(100, (3, 64, 64)).layers if hasattr(m, "out_channels")]
    assert channels == [512, 256, 128, 64, 3]


@pytest.mark.parametrize("shape", [(3, 4, 4), (3, 48, 48), (3, 64, 32), (3, 0, 0)])
def test_dcgan_refuses_other_sizes(shape):
    with pytest.raises(ValueError, match=r"8, 16, 32"):
        DCGANDecoder(5, shape)


@pytest.mark.parametrize("norm", [None, nn.BatchNorm2d, group_norm])
def test_norms_by_option(norm):
    decoder = DCGANDecoder(5, (2, 16, 16), width=4, norm=norm)
    kinds = {type(m) for m in decoder.layers if "Norm" in type(m).__name__}
    assert kinds == (set() if norm is None else {type(norm(4))})
    assert ConvEncoder((3, 16, 16), width=4, norm=norm)(torch.rand(2, 3, 16, 16)).shape == (2, 256)


@given(st.integers(1, 600))
def test_group_norm_fits_any_number_of_channels(channels):
    norm = group_norm(channels)
    assert channels % norm.num_groups == 0
    assert norm.num_groups == math.gcd(channels, 8)


def test_conv_encoder_sees_one_hot_channels():
    labels = torch.randint(3, (2, 16, 16))
    encoder = ConvEncoder((16, 16), classes=3, width=4)
    one_hot = nn.functional.one_hot(labels, 3).movedim(-1, 1).float()
    same = encoder.layers(one_hot)
    torch.testing.assert_close(encoder(labels), encoder.output(same).relu())
    torch.testing.assert_close(encoder(labels.float()), encoder(labels))


@pytest.mark.parametrize("shape", [(3, 64, 64), (1, 28, 28), (2, 50, 33)])
def test_conv_encoder_takes_any_size(shape):
    assert ConvEncoder(shape, width=2, out_features=5)(torch.rand(2, *shape)).shape == (2, 5)


@pytest.mark.parametrize(("shape", "classes"), [((16, 16), None), ((3, 16, 16), 3), ((3, 4, 4), None)])
def test_conv_encoder_refuses_shapes_that_do_not_fit(shape, classes):
    with pytest.raises(ValueError, match="expected event_shape"):
        ConvEncoder(shape, classes)


# --- images


def imagenet_input(images):
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    return (images - mean.view(3, 1, 1)) / std.view(3, 1, 1)


def test_resnet_with_given_weights_is_torchvisions(tmp_path):
    torch.manual_seed(0)
    reference = resnet18(weights=None)
    torch.save(reference.state_dict(), tmp_path / "resnet18.pth")
    encoder = ResNetEncoder(weights_path=tmp_path / "resnet18.pth").eval()
    heads = ResNetEncoder(hidden=(5,), weights_path=tmp_path / "resnet18.pth")
    torch.testing.assert_close(heads.conv1.weight, reference.conv1.weight)
    reference.fc = nn.Identity()
    images = torch.rand(2, 3, 64, 64)
    torch.testing.assert_close(encoder(images), reference.eval()(imagenet_input(images)))


def test_densenet_with_given_weights_is_torchvisions(tmp_path):
    torch.manual_seed(0)
    reference = densenet121(weights=None)
    published = {  # the file on the server has the names of 2017
        name.replace("norm1.", "norm.1.").replace("conv2.", "conv.2.") if "denselayer" in name else name: value
        for name, value in reference.state_dict().items()
    }
    torch.save(published, tmp_path / "densenet121.pth")
    encoder = DenseNetEncoder(weights_path=tmp_path / "densenet121.pth").eval()
    reference.classifier = nn.Identity()
    images = torch.rand(2, 3, 64, 64)
    torch.testing.assert_close(encoder(images), reference.eval()(imagenet_input(images)))


@pytest.mark.parametrize(("stem_stride", "size"), [(4, 2), (2, 4), (1, 8)])
def test_resnet_stem_sets_the_size_of_the_last_map(stem_stride, size):
    encoder = ResNetEncoder(width=2, stem_stride=stem_stride)
    seen = []
    encoder.layer4.register_forward_hook(lambda module, args, out: seen.append(out.shape))
    encoder(torch.rand(2, 3, 64, 64))
    assert seen == [(2, 16, size, size)]


def test_resnet_refuses_an_unknown_stem():
    with pytest.raises(ValueError, match="stem_stride 1, 2 or 4, got 3"):
        ResNetEncoder(stem_stride=3)


@pytest.mark.parametrize("options", [{"width": 32}, {"stem_stride": 1}, {"norm": group_norm}])
def test_resnet_weights_that_do_not_fit_are_refused(tmp_path, options):
    torch.save(resnet18(weights=None).state_dict(), tmp_path / "resnet18.pth")
    with pytest.raises(ValueError, match="width=64"):
        ResNetEncoder(weights_path=tmp_path / "resnet18.pth", **options)


def test_densenet_weights_that_do_not_fit_are_refused(tmp_path):
    torch.save({"features.conv0.weight": torch.zeros(1)}, tmp_path / "densenet121.pth")
    with pytest.raises(ValueError, match="growth_rate=32"):
        DenseNetEncoder(growth_rate=4, block_config=(1, 1), weights_path=tmp_path / "densenet121.pth")


@pytest.mark.parametrize("cls", [ResNetEncoder, DenseNetEncoder])
def test_offline_the_error_says_what_to_do(cls, tmp_path, monkeypatch):
    def no_network(*args, **kwargs):
        raise URLError("no route to host")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("torch.hub.download_url_to_file", no_network)
    with pytest.raises(ConnectionError, match="no route to host") as raised:
        cls(pretrained=True)
    for hint in ("https://download.pytorch.org", str(tmp_path), "weights_path=", "pretrained=False"):
        assert hint in str(raised.value)


def test_a_file_that_is_more_than_tensors_is_refused(tmp_path):
    class Evil:
        def __reduce__(self):
            return (print, ("code ran",))

    torch.save({"conv1.weight": Evil()}, tmp_path / "evil.pth")
    (tmp_path / "cut.pth").write_bytes((tmp_path / "evil.pth").read_bytes()[:-50])
    for name in ("evil.pth", "cut.pth"):
        with pytest.raises(ValueError, match=rf"{name} is not a file of tensors that can be loaded safely"):
            ResNetEncoder(weights_path=tmp_path / name)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.pth"):
        ResNetEncoder(weights_path=tmp_path / "nowhere.pth")


def test_convolutions_with_a_class_are_those_of_korthals_et_al():
    """Table 2: conv 1x2x2, 64x2x2 with stride 2, 64x3x3, 64x3x3, the class, fc 128; and mirrored."""
    encoder, decoder = LabelledConvEncoder((1, 28, 28)), MirroredConvDecoder(2 + 10, (784,))
    sizes = [[tuple(m.weight.shape) for m in net.modules() if hasattr(m, "weight")] for net in (encoder, decoder)]
    assert sizes[0] == [(1, 1, 2, 2), (64, 1, 2, 2), (64, 64, 3, 3), (64, 64, 3, 3), (128, 64 * 14 * 14 + 10)]
    assert sizes[1][:2] == [(128, 12), (64 * 14 * 14, 128)]
    assert sizes[1][2:] == [(64, 64, 3, 3), (64, 64, 3, 3), (64, 64, 2, 2), (64, 1, 2, 2)]
    image = torch.rand(3, 784)
    labels = torch.eye(10)[:2]
    told = [encoder(torch.cat([image, label.expand(3, 10)], -1)) for label in labels]
    assert not torch.equal(*told)
    assert decoder(torch.randn(3, 12)).shape == (3, 784)


def test_activations_have_names():
    assert any(isinstance(m, nn.Tanh) for m in MLPDecoder(2, (3,), (4,), "tanh").modules())
    assert any(isinstance(m, nn.ReLU) for m in MLPDecoder(2, (3,), (4,), "relu").modules())
