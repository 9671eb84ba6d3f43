"""Save a model and guide, and load them without the script that made them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import pyro_mmvae
from pyro_mmvae.guide import Guide
from pyro_mmvae.model import MultimodalVAE
from pyro_mmvae.recorded import is_plain
from pyro_mmvae.storage.build import build
from pyro_mmvae.storage.describe import HINT, Description
from pyro_mmvae.storage.files import STRUCTURE, read_structure, read_weights, write
from pyro_mmvae.storage.names import Allowed, Names

FORMAT = "pyro_mmvae model and guide"
VERSION = 1


def save(path: str | Path, model: MultimodalVAE, guide: Guide) -> None:
    """Save a model and guide into a folder, from which `load` makes them again.

    Weights and buffers go into a safetensors file; how every module was constructed goes into `structure.json`, which
    can be read. Nothing is pickled. What is shared stays shared: a module in two places, or a parameter in two modules,
    is written once. Data types, frozen parameters and the training modes of modules are kept.

    Before anything is written, the pair is constructed again from its structure and compared, so that what was saved
    can be loaded. Files are written whole: an interrupted call leaves what was there before.

    Args:
        path: of the folder. One that is there is used; what an earlier call wrote into it is replaced.
        model: the model.
        guide: the guide.

    Raises:
        ValueError: it is not known how a module was constructed, or it was changed afterwards in a way that would be
            lost; the message names it and says what to do.
        TypeError: not a model and a guide.
    """
    if not isinstance(model, MultimodalVAE) or not isinstance(guide, Guide):
        raise TypeError(f"expected a MultimodalVAE and a Guide, got {type(model).__name__}, {type(guide).__name__}")
    tensors, shared = _tensors(model, guide)
    description = Description(model, guide)
    _refuse_changes(model, guide, description, sum(value.numel() for value in tensors.values()))
    structure = {
        "format": FORMAT,
        "version": VERSION,
        "made_with": {"pyro_mmvae": pyro_mmvae.__version__, "torch": torch.__version__.split("+")[0]},
        **description.structure,
        "shared": shared,
        "frozen": [n for n, p in _pair(model, guide).named_parameters() if not p.requires_grad],
        "training": _modes(model, guide),
    }
    write(Path(path), structure, {**tensors, **description.tensors})


def load(path: str | Path, *, allow: Allowed = (), device: torch.device | str = "cpu") -> tuple[MultimodalVAE, Guide]:
    """Load a model and guide that `save` wrote.

    The folder may come from anybody. Nothing of it is executed; classes of this package and of `torch.nn` are used by
    themselves, and what the structure names from elsewhere is refused before it is imported, unless it is named in
    `allow`. Only subclasses of `torch.nn.Module` are called. The files' sizes bound the memory that is taken.

    Args:
        path: of the folder.
        allow: classes of your own that the structure may name: strings `"package.module:Class"`, the classes
            themselves, or a mapping from the name in the file to a class that has moved since.
        device: where to put the weights.

    Returns:
        Model and guide, with the data types and training modes that they had.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: the folder is of something else, damaged or of a later version, or names a class that is not
            allowed.
    """
    names, folder = Names(allow), Path(path)
    structure = read_structure(folder)
    if structure.get("format") != FORMAT:
        raise ValueError(f"{folder / STRUCTURE}: expected one written by pyro_mmvae.save, it is of something else")
    if structure.get("version") != VERSION:
        raise ValueError(
            f"{folder / STRUCTURE}: expected version {VERSION} of the format, found {structure.get('version')!r}; it "
            f"may be of a later pyro_mmvae ({structure.get('made_with')})"
        )
    tensors = read_weights(folder, structure)
    try:
        model, guide = build(structure, names, tensors, sum(value.numel() for value in tensors.values()))
        _fill(model, guide, structure, tensors)
    except (ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        raise ValueError(f"{folder}: {error}") from error
    return model.to(device), guide.to(device)


def _pair(model: nn.Module, guide: nn.Module) -> nn.ModuleDict:
    return nn.ModuleDict({"model": model, "guide": guide})


def _all_tensors(model: nn.Module, guide: nn.Module) -> dict[str, Tensor]:
    """Return parameters and buffers by name, those that a state dict leaves out included."""
    pair = _pair(model, guide)
    return dict(pair.named_parameters(remove_duplicate=False)) | dict(pair.named_buffers(remove_duplicate=False))


def _tensors(model: nn.Module, guide: nn.Module) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return every tensor once, and for the other places where it is the name of the first."""
    first: dict[int, str] = {}
    tensors: dict[str, Tensor] = {}
    shared: dict[str, str] = {}
    for name, value in _all_tensors(model, guide).items():
        if nn.parameter.is_lazy(value):
            raise ValueError(f"{name} has no values yet; run the module on data once, then save it")
        if first.setdefault(id(value), name) == name:
            tensors[name] = value
        else:
            shared[name] = first[id(value)]
    return tensors, shared


def _modes(model: nn.Module, guide: nn.Module) -> dict[str, bool]:
    """Return the training mode of model and guide, and of modules in another mode than what they are part of."""
    modes = {name: part.training for name, part in _pair(model, guide).named_modules(remove_duplicate=False) if name}
    return {n: mode for n, mode in modes.items() if modes.get(n.rpartition(".")[0]) != mode}


def _refuse_changes(model: MultimodalVAE, guide: Guide, description: Description, limit: int) -> None:
    """Refuse a pair that is not what its structure says."""
    made = build(description.structure, Names(description.named), description.tensors, limit)
    parts, again = (dict(_pair(*pair).named_modules(remove_duplicate=False)) for pair in ((model, guide), made))
    for name in {**parts, **again}:
        if type(parts.get(name)) is not type(again.get(name)):
            raise ValueError(_difference(name, type(parts.get(name)).__name__, type(again.get(name)).__name__))
        for attribute in sorted(set(vars(parts[name])) | set(vars(again[name]))):
            values = [vars(part[name]).get(attribute) for part in (parts, again)]
            if not attribute.startswith("_") and attribute != "training" and not _alike(*values):
                raise ValueError(_difference(f"{name}.{attribute}", *(repr(value)[:80] for value in values)))
    shapes = [{n: f"of shape {tuple(t.shape)}" for n, t in _all_tensors(*p).items()} for p in ((model, guide), made)]
    for name in {**shapes[0], **shapes[1]}:
        if shapes[0].get(name) != shapes[1].get(name):
            raise ValueError(_difference(name, *(each.get(name, "not there") for each in shapes)))


def _difference(name: str, found: str, again: str) -> str:
    return (
        f"{name} is {found}, but constructed again from its arguments it is {again}: loading would lose that. Give "
        f"it to the constructor; {HINT}"
    )


def _alike(one: Any, other: Any) -> bool:
    """Whether two attributes agree, as far as they are plain values; anything else passes."""
    if isinstance(one, Tensor) or isinstance(other, Tensor):
        return isinstance(one, Tensor) and isinstance(other, Tensor) and one.shape == other.shape and one.equal(other)
    if type(one) is not type(other):
        return not (is_plain(one) and is_plain(other))
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(_alike(a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_alike(value, other[key]) for key, value in one.items())
    return not is_plain(one) or one == other or one != one


def _fill(model: nn.Module, guide: nn.Module, structure: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
    """Put saved values into constructed modules, tie what was shared, and set modes."""
    places, shared = _all_tensors(model, guide), structure["shared"]
    expected = {name for name in tensors if not name.startswith("argument.")} | set(shared)
    if places.keys() != expected:
        wrong = sorted(places.keys() ^ expected)
        raise ValueError(f"weights and structure do not fit: {wrong[:8]}{'...' if len(wrong) > 8 else ''}")
    pair = _pair(model, guide)
    for name, place in places.items():
        value = tensors[shared.get(name, name)]
        if place.shape != value.shape:
            raise ValueError(f"{name}: expected shape {tuple(place.shape)}, the file has {tuple(value.shape)}")
        if name not in shared:
            place.data = (
                value.clone()
            )  # memory of its own, aligned as that of every tensor: the same numbers to the last bit
    for name, source in shared.items():
        owner, _, leaf = name.rpartition(".")
        if getattr(pair.get_submodule(owner), leaf) is not places[source]:
            setattr(pair.get_submodule(owner), leaf, places[source])
    frozen = set(structure["frozen"])
    for name, parameter in pair.named_parameters():
        parameter.requires_grad_(name not in frozen)
    modes = dict(structure["training"])
    for name, part in pair.named_modules(remove_duplicate=False):
        if name:
            parent = pair.get_submodule(name.rpartition(".")[0])
            part.training = bool(modes[name] if parent is pair or name in modes else parent.training)
