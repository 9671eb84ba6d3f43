"""A folder may come from anybody: nothing of it runs, and what is wrong with it is said in one ValueError."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file
from support import LATENT, data, pair
from torch import nn

from pyro_mmvae import Batch, Modality, MultimodalVAE, from_pretrained, load, push_to_hub, save
from pyro_mmvae.guides.poe import PoE
from pyro_mmvae.likelihoods import Normal


@pytest.fixture
def folder(tmp_path):
    save(tmp_path / "pair", *pair("poe"))
    return tmp_path / "pair"


def tampered(folder, change):
    """Change the structure of a saved pair, which stays well-formed."""
    path = folder / "structure.json"
    structure = json.loads(path.read_text())
    change(structure)
    path.write_text(json.dumps(structure))
    return folder


def encoder_is(node):
    return lambda structure: structure["modalities"]["a"].update(encoder=node)


@pytest.fixture
def evil(folder, tmp_path, monkeypatch):
    """A module that can be found, within the saved folder even, and that would leave a trace."""
    trace = tmp_path / "executed"
    for place in (folder, tmp_path):
        (place / "evil_module.py").write_text(
            f"import torch\nopen({str(trace)!r}, 'w').close()\nclass Net(torch.nn.Linear):\n    pass\n"
        )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.chdir(folder)
    yield trace
    sys.modules.pop("evil_module", None)


FOREIGN = [
    {"module": "evil_module:Net", "arguments": {"in_features": 3, "out_features": 5}},
    {"module": "torch.nn:Sequential", "children": {"0": {"module": "evil_module:Net"}}},
    {"module": "torch.nn:Linear", "arguments": {"in_features": {"class": "evil_module:Net"}, "out_features": 5}},
    {"module": "torch.nn:Linear", "arguments": {"in_features": {"partial": "evil_module:Net"}, "out_features": 5}},
    {"module": "torch.nn:Linear", "positional": [[{"tuple": [{"dict": {"x": {"class": "evil_module:Net"}}}]}]]},
]


@pytest.mark.parametrize("node", FOREIGN)
def test_an_unknown_class_is_refused_before_it_is_imported(folder, evil, node):
    tampered(folder, encoder_is(node))
    with pytest.raises(ValueError, match=r"'evil_module:Net'.* was not imported.*allow=\['evil_module:Net'\]"):
        load(folder)
    assert "evil_module" not in sys.modules
    assert not evil.exists()


def test_a_class_that_is_named_again_is_imported(folder, evil):
    tampered(folder, encoder_is(FOREIGN[0]))
    _, guide = load(folder, allow=["evil_module:Net"])
    assert evil.exists()
    assert type(guide.encoders["a"]).__name__ == "Net"


@pytest.mark.parametrize(
    "name",
    [
        "subprocess:Popen",
        "os:system",
        "posix:system",
        "builtins:eval",
        "torch:load",
        "torch.nn:functional",
        "torch.nn:Module.__init__",
        "torch.nn:init",
        "torch.nn.utils:parametrize",
        "torch.nn.modules.linear:Linear",
        "pyro_mmvae:load",
        "pyro_mmvae.storage.hub:push_to_hub",
        "pyro_mmvae.storage.files:write",
        "pyro_mmvae.model:pyro",
        "pyro_mmvae.model:nn",
        "pyro_mmvae.model:Modality",
        "pyro_mmvae.guides.poe:ExpertGuide",
        "pyro_mmvae.experiments.__main__:main",
        "pyro_mmvae.experiments.rhd:Experiment",
        "pyro_mmvae.hands.viewer.window:Window",
        "pyro_mmvae.nothing:Here",
        "../pair/evil_module.py:Net",
        "evil_module",
        "",
        ":",
    ],
)
def test_names_of_other_things_are_refused(folder, name, monkeypatch):
    def called(*_, **__):
        raise AssertionError("called")

    for target in ("subprocess.Popen", "os.system"):
        monkeypatch.setattr(target, called)
    for node in (
        {"module": name, "arguments": {}},
        {"module": name, "positional": ["echo"]},
        {"module": "torch.nn:Linear", "arguments": {"in_features": 3, "out_features": {"class": name}}},
    ):
        tampered(folder, encoder_is(node))
        with pytest.raises(ValueError, match="structure"):
            load(folder)


def test_only_modules_are_called_even_if_named_again(folder):
    tampered(folder, encoder_is({"module": "subprocess:Popen", "positional": ["true"]}))
    with pytest.raises(ValueError, match=r"no subclass of torch.nn.Module"):
        load(folder, allow=["subprocess:Popen"])


def test_opening_imports_nothing_else(folder):
    code = f"""
import sys, pyro_mmvae
from pyro_mmvae import Batch, Guide, MultimodalVAE, Loss, guides, likelihoods, networks, save, load
before = set(sys.modules)
load({str(folder)!r})
assert {{m for m in set(sys.modules) - before if not m.startswith(("pyro_mmvae.", "torch."))}} == set()
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("allow", "error", "message"),
    [
        ("a:B", TypeError, r"expected a list.*try \['a:B'\]"),
        (["a.B"], ValueError, "expected 'package.module:Class'"),
        ([3], TypeError, "expected classes or names"),
    ],
)
def test_what_to_allow_has_a_form(folder, allow, error, message):
    with pytest.raises(error, match=message):
        load(folder, allow=allow)


class Own(nn.Linear):
    """A network of the user's own."""


def test_a_class_that_has_moved(tmp_path):
    parts = [Modality("a", Normal((3,)), nn.Linear(LATENT, 3), Own(3, 5))]
    save(tmp_path, MultimodalVAE(parts, LATENT), PoE(parts, LATENT))
    tampered(tmp_path, lambda s: s["modalities"]["a"]["encoder"].update(module="__main__:Own"))
    _, guide = load(tmp_path, allow={"__main__:Own": Own})
    assert type(guide.encoders["a"]) is Own
    with pytest.raises(ValueError, match="__main__:Own"):
        load(tmp_path, allow=[Own])


# -- damage


def set_at(*path, value):
    def change(structure):
        for key in path[:-1]:
            structure = structure[key]
        structure[path[-1]] = value

    return change


def remove(*path):
    def change(structure):
        for key in path[:-1]:
            structure = structure[key]
        del structure[path[-1]]

    return change


DAMAGE = {
    "format": set_at("format", value="something"),
    "version": set_at("version", value=2),
    "no format": remove("format"),
    "no modalities": remove("modalities"),
    "modalities as a list": set_at("modalities", value=[1]),
    "a modality as a number": set_at("modalities", "a", value=3),
    "an unknown part": set_at("modalities", "a", "scripts", value="x"),
    "no decoder": remove("modalities", "a", "decoder"),
    "a decoder that is text": set_at("modalities", "a", "decoder", value="text"),
    "no model": remove("model"),
    "a guide for a model": set_at("model", value={"module": "pyro_mmvae.guides.poe:PoE", "arguments": {}}),
    "a linear model": set_at("model", value={"module": "torch.nn:Linear", "positional": [1, 2]}),
    "an unknown modality": set_at("guide", "arguments", "modalities", value={"modalities": ["q"]}),
    "an unknown argument": set_at("guide", "arguments", "colour", value=3),
    "an unknown mark": set_at("guide", "arguments", "latent_dim", value={"lambda": 3}),
    "an unknown number": set_at("guide", "arguments", "latent_dim", value={"same": 8}),
    "an unknown tensor": set_at("guide", "arguments", "latent_dim", value={"tensor": "argument.3"}),
    "an unknown dtype": set_at("guide", "arguments", "latent_dim", value={"dtype": "load"}),
    "an unknown float": set_at("guide", "arguments", "latent_dim", value={"float": "1"}),
    "children of no container": set_at("modalities", "a", "encoder", value={"module": "torch.nn:ReLU", "children": {}}),
    "another latent dimension": set_at("model", "arguments", "latent_dim", value=3),
    "a name that is a list": set_at("modalities", "a", "encoder", "module", value=["x"]),
    "arguments that are a list": set_at("modalities", "a", "encoder", "arguments", value=[3, 5]),
    "a wider layer": set_at("modalities", "a", "decoder", "arguments", "out_features", value=4),
    "another guide": set_at("guide", "module", value="pyro_mmvae.guides.gpoe:GPoE"),
    "no list of what is shared": remove("shared"),
    "shared with nobody": set_at("shared", value={"model.decoders.a.bias": "nobody"}),
    "frozen numbers": set_at("frozen", value=3),
    "modes as a list": set_at("training", value=[]),
    "no mode": set_at("training", value={}),
    "no weights": remove("weights"),
    "weights elsewhere": set_at("weights", "file", value="../../etc/passwd"),
    "weights that are not there": set_at("weights", "file", value="weights-0123456789abcdef.safetensors"),
    "weights of another pair": set_at("weights", "sha256", value="0" * 64),
}


@pytest.mark.parametrize("change", DAMAGE.values(), ids=DAMAGE.keys())
def test_damaged_structures(folder, change):
    tampered(folder, change)
    with pytest.raises(ValueError, match="pair"):  # the folder's name
        load(folder)


@pytest.mark.parametrize("arguments", [{"pretrained": True}, {"weights_path": "/etc/passwd"}])
def test_opening_does_not_fetch_weights(folder, arguments, monkeypatch):
    monkeypatch.setattr("pyro_mmvae.networks.resnet.imagenet_weights", lambda *_: pytest.fail("fetched"))
    node = {"module": "pyro_mmvae.networks.resnet:ResNetEncoder"}
    positional = [[], 64, 4, {"class": "torch.nn:BatchNorm2d"}, True]
    for given in ({"arguments": arguments}, {"positional": positional}):
        tampered(folder, encoder_is(node | given))
        with pytest.raises(ValueError, match="ResNetEncoder: expected"):
            load(folder)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"x"', "[" * 100_000, "\xff\xfe", '{"format": NaN'])
def test_files_that_are_no_structure(folder, text):
    (folder / "structure.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=r"structure\.json"):
        load(folder)


def test_every_truncation_is_noticed(folder):
    for path in sorted(folder.iterdir()):
        whole = path.read_bytes()
        for length in {0, 1, 8, 100, len(whole) // 2, len(whole) - 2}:
            path.write_bytes(whole[:length])
            with pytest.raises(ValueError, match="pair"):
                load(folder)
        path.write_bytes(whole)
    load(folder)


def test_foreign_weights(folder):
    """Right digests do not help: someone who tampers can compute them."""

    def put(content):
        for path in folder.glob("*.safetensors"):
            path.unlink()
        digest = hashlib.sha256(content).hexdigest()
        (folder / f"weights-{digest[:16]}.safetensors").write_bytes(content)
        entry = {"file": f"weights-{digest[:16]}.safetensors", "sha256": digest}
        tampered(folder, lambda structure: structure.update(weights=entry))

    (path,) = folder.glob("*.safetensors")
    tensors = load_file(path)
    less = {name: value for name, value in tensors.items() if "heads.a" not in name}
    for wrong in (less, tensors | {"guide.extra": torch.zeros(1)}, tensors | {"model.loc": torch.zeros(3)}, {}):
        save_file(wrong, folder.parent / "draft")
        put((folder.parent / "draft").read_bytes())
        with pytest.raises(ValueError, match="pair"):
            load(folder)
    for content in (b"", b"\x80\x04K\x01.", b"\xff" * 64, (2**60).to_bytes(8, "little") + b"{}"):
        put(content)
        with pytest.raises(ValueError, match="damaged"):
            load(folder)


@pytest.mark.parametrize(
    "arguments",
    [
        {"in_features": 10**6, "out_features": 10**6},
        {"in_features": 10**12, "out_features": 10**12},
        {"in_features": 10**30, "out_features": 5},
        {"in_features": -3, "out_features": 5},
    ],
)
def test_a_structure_does_not_take_more_memory_than_its_weights(folder, arguments):
    tampered(folder, encoder_is({"module": "torch.nn:Linear", "arguments": arguments}))
    with pytest.raises(ValueError, match="pair"):
        load(folder)


def test_a_structure_of_unlimited_size_is_not_read(folder):
    with open(folder / "structure.json", "ab") as file:
        file.truncate((16 << 20) + 1)
    with pytest.raises(ValueError, match="expected at most 16777216 bytes"):
        load(folder)


def test_folders_that_are_not_there_or_of_others(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        load(tmp_path / "nowhere")
    with pytest.raises(ValueError, match=r"expected a folder written by pyro_mmvae.save"):
        load(tmp_path)


# -- the Hub, of which a local folder and a stand-in are tested


def test_from_pretrained_takes_a_folder(folder):
    pair_one, pair_two = load(folder), from_pretrained(folder)
    batch = Batch.of(data())
    assert torch.equal(pair_one[1].posterior(batch).mean, pair_two[1].posterior(batch).mean)


def test_pushed_and_fetched(tmp_path, monkeypatch):
    """A stand-in for the server: what is uploaded is what is downloaded."""
    import shutil

    hub = pytest.importorskip("huggingface_hub")
    remote, asked = tmp_path / "remote", {}

    def upload_folder(*, repo_id, folder_path, **options):
        asked.update(options, repo_id=repo_id)
        shutil.copytree(folder_path, remote)
        return "https://hub/commit"

    def snapshot_download(repo_id, **options):
        asked.update(options, fetched=repo_id)
        return str(remote)

    monkeypatch.setattr(hub, "create_repo", lambda repo_id, **_: asked.update(made=repo_id))
    monkeypatch.setattr(hub, "upload_folder", upload_folder)
    monkeypatch.setattr(hub, "snapshot_download", snapshot_download)
    model, guide = pair("gpoe")
    assert push_to_hub("me/hands", model, guide) == "https://hub/commit"
    _, found = from_pretrained("me/hands", revision="v1")
    assert asked["made"] == asked["repo_id"] == asked["fetched"] == "me/hands"
    assert asked["revision"] == "v1"
    assert asked["allow_patterns"] == ["structure.json", "weights-*.safetensors"]
    batch = Batch.of(data())
    assert torch.equal(found.posterior(batch).mean, guide.posterior(batch).mean)


def test_without_the_package_of_the_hub(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ModuleNotFoundError, match=r"pyro-mmvae\[hub\]"):
        from_pretrained("me/hands")
