"""From modules to a structure of plain values: how each of them was constructed."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from pyro_mmvae.batch import Batch
from pyro_mmvae.guide import Guide
from pyro_mmvae.model import MultimodalVAE
from pyro_mmvae.recorded import Noted, Unsaved, arguments_of, noted
from pyro_mmvae.storage.names import name_of

Structure = dict[str, Any]

HINT = (
    "derive its class from pyro_mmvae.Recorded beside nn.Module, so that its constructor arguments are noted, keep "
    "each of them in an attribute of its own name, or save loss.state_dict() and build the modules yourself"
)
CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)


class Description:
    """What is needed to construct a model and a guide again.

    Args:
        model: the model.
        guide: the guide.

    Attributes:
        structure: plain values: `modalities`, by name, `model` and `guide`.
        tensors: constructor arguments that are tensors, by the names under which they are to be saved.
        named: every class and function that the structure names.

    Raises:
        ValueError: it is not known how a module was constructed; the message says what to do.
    """

    def __init__(self, model: MultimodalVAE, guide: Guide) -> None:
        self.tensors: dict[str, Tensor] = {}
        self.named: dict[str, Any] = {}
        self._numbers: dict[int, int] = {}
        self._nodes: dict[int, Structure] = {}
        self._model, self._guide = model, guide
        names = dict.fromkeys((*model.names, *guide.inputs))
        self.structure: Structure = {
            "modalities": {name: self._modality(name) for name in names},
            "model": self._module(model, "model"),
            "guide": self._module(guide, "guide"),
        }

    def _modality(self, name: str) -> Structure:
        decoded = self._decoded(self._model, name) if name in self._model.names else {}
        return decoded | (self._encoded(self._guide, name) if name in self._guide.inputs else {})

    def _decoded(self, model: MultimodalVAE, name: str) -> Structure:
        return {
            "likelihood": self._module(model.likelihoods[name], f"the likelihood of {name!r}"),
            "decoder": self._module(model.decoders[name], f"the decoder of {name!r}"),
        }

    def _encoded(self, guide: Guide, name: str) -> Structure:
        encoder = self._module(guide.encoders[name], f"the encoder of {name!r}")
        return {"encoder": encoder, "features": guide.feature_sizes[name]}

    def _module(self, module: nn.Module, where: str) -> Structure:
        if id(module) in self._numbers:
            number = self._numbers[id(module)]
            self._nodes[id(module)]["number"] = number  # only what is used again has one
            return {"same": number}
        node: Structure = {"module": self._name(type(module))}
        self._numbers[id(module)] = len(self._numbers)
        self._nodes[id(module)] = node
        where = f"{where} ({type(module).__name__})" if where not in ("model", "guide") else f"the {where}"
        self._refuse_hooks(module, where)
        if type(module) in CONTAINERS:
            node["children"] = {n: self._module(child, f"{where}, {n!r}") for n, child in module.named_children()}
            return node
        noted_arguments = arguments_of(module)
        positional = noted_arguments.positional if noted_arguments else ()
        keywords = noted_arguments.keywords if noted_arguments else _read_back(module, where)
        if positional:
            node["positional"] = [self._value(v, f"{where}, argument {i}") for i, v in enumerate(positional)]
        node["arguments"] = {
            n: {"modalities": self._modalities_of(module)}
            if v is Noted.MODALITIES
            else self._value(v, f"{where}, argument {n!r}")
            for n, v in keywords.items()
        }
        return node

    def _modalities_of(self, module: nn.Module) -> list[Any]:
        """Return names of modalities, and in full those whose networks a held guide or a branch has to itself."""
        if isinstance(module, Guide):
            return [
                name if self._is_guides(module, name) else {"name": name, **self._encoded(module, name)}
                for name in module.inputs
            ]
        if module is self._model or not isinstance(module, MultimodalVAE):
            return list(self._model.names)
        return [{"name": name, **self._decoded(module, name)} for name in module.names]

    def _is_guides(self, module: Guide, name: str) -> bool:
        return name in self._guide.inputs and module.encoders[name] is self._guide.encoders[name]

    def _refuse_hooks(self, module: nn.Module, where: str) -> None:
        if any(part._forward_hooks or part._forward_pre_hooks for part in module.modules()):
            raise ValueError(f"{where} has forward hooks, which cannot be saved and would be lost; remove them first")

    def _name(self, value: Any) -> str:
        name = name_of(value)
        self.named[name] = value
        return name

    def _value(self, value: Any, where: str) -> Any:
        if value is None or type(value) in (bool, int, str):
            return value
        if type(value) is float:
            return value if math.isfinite(value) else {"float": str(value)}
        if type(value) is list:
            return [self._value(v, where) for v in value]
        if type(value) in (tuple, torch.Size):
            return {"tuple": [self._value(v, where) for v in value]}
        if isinstance(value, dict):
            return {"dict": {name: self._value(v, where) for name, v in value.items()}}
        if isinstance(value, nn.Module):
            return self._module(value, where)
        if isinstance(value, Tensor):
            name = f"argument.{len(self.tensors)}"
            self.tensors[name] = value
            return {"tensor": name}
        if isinstance(value, Batch):
            parts = {"data": dict(value.data), "observed": dict(value.observed)}
            return {"batch": {n: self._value(part, where) for n, part in parts.items()}}
        if isinstance(value, torch.dtype):
            return {"dtype": str(value).removeprefix("torch.")}
        if isinstance(value, functools.partial):
            arguments = {n: self._value(v, where) for n, v in value.keywords.items()}
            positional = [self._value(v, where) for v in value.args]
            return {"partial": self._name(value.func), "positional": positional, "arguments": arguments}
        if isinstance(value, Unsaved):
            raise ValueError(f"{where}: cannot save {value.what}; use a class, a number, a string or a module instead")
        return {"class": self._name(value)}


def _read_back(module: nn.Module, where: str) -> dict[str, Any]:
    """Return constructor arguments as attributes of the same names hold them, as those of `torch.nn` do."""
    special = next((read for kind, read in _SPECIAL.items() if type(module) is kind), None)
    if special is not None:
        return special(module)
    found = {}
    for name, parameter in list(inspect.signature(type(module).__init__).parameters.items())[1:]:
        variable = parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        if variable or name in ("device", "dtype"):
            continue
        if name in module._parameters or name in module._buffers:
            tensor = getattr(module, name)
            # `bias` is a switch of the constructor and the switched tensor afterwards.
            found[name] = tensor is not None if isinstance(parameter.default, bool) else noted(tensor)
        elif name in module._modules or name in vars(module):
            found[name] = noted(getattr(module, name))
        elif parameter.default is parameter.empty:
            raise ValueError(f"{where}: it is not known with which {name!r} it was constructed; {HINT}")
    return found


def _recurrent(module: Any) -> dict[str, Any]:
    names = ["input_size", "hidden_size", "num_layers", "bias", "batch_first", "dropout", "bidirectional"]
    more = {nn.LSTM: ["proj_size"], nn.RNN: ["nonlinearity"]}.get(type(module), [])
    return {name: getattr(module, name) for name in (*names, *more)}


def _attention(module: Any) -> dict[str, Any]:
    names = ["embed_dim", "num_heads", "dropout", "add_zero_attn", "kdim", "vdim", "batch_first"]
    found = {name: getattr(module, name) for name in names}
    return found | {"bias": module.in_proj_bias is not None, "add_bias_kv": module.bias_k is not None}


def _transformer_layer(module: Any) -> dict[str, Any]:
    return {
        "d_model": module.self_attn.embed_dim,
        "nhead": module.self_attn.num_heads,
        "dim_feedforward": module.linear1.out_features,
        "dropout": module.dropout.p,
        "activation": module.activation,
        "layer_norm_eps": module.norm1.eps,
        "batch_first": module.self_attn.batch_first,
        "norm_first": module.norm_first,
        "bias": module.linear1.bias is not None,
    }


def _transformer(module: Any) -> dict[str, Any]:
    return {
        "encoder_layer": module.layers[0],
        "num_layers": module.num_layers,
        "norm": module.norm,
        "enable_nested_tensor": module.enable_nested_tensor,
        "mask_check": module.mask_check,
    }


_SPECIAL: dict[type[nn.Module], Callable[[Any], dict[str, Any]]] = {
    **dict.fromkeys((nn.RNN, nn.LSTM, nn.GRU), _recurrent),
    nn.MultiheadAttention: _attention,
    nn.TransformerEncoderLayer: _transformer_layer,
    nn.TransformerEncoder: _transformer,
}
