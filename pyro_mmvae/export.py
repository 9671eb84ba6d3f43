"""Export what a guide infers, and what a model decodes from it, as one graph for production."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pyro
import torch
from torch import Tensor, nn

from pyro_mmvae.batch import Batch
from pyro_mmvae.blind import point_under
from pyro_mmvae.checks import evaluation
from pyro_mmvae.guide import Guide
from pyro_mmvae.model import MultimodalVAE


class PointInference(nn.Module):
    """From values and masks to the point estimate of z, and of what is decoded from it.

    Args:
        guide: infers z.
        model: decodes `of`; None for z alone.
        of: modalities to decode.
    """

    def __init__(self, guide: Guide, model: MultimodalVAE | None = None, of: Sequence[str] = ()) -> None:
        super().__init__()
        self.guide, self.model, self.of = guide, model, tuple(of)

    def forward(self, data: dict[str, Tensor], observed: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return `z`, shape `(B, D)`, and the point estimate of every decoded modality, `(B, *event)`.

        Args:
            data: by input, shape `(B, *event)`. What is not observed may hold anything, NaN too.
            observed: by input, bool, shape `(B,)`.
        """
        filled = {name: _filled(value, observed[name]) for name, value in data.items()}
        batch = Batch(filled, observed)
        if self.model is None:
            return {"z": self.guide.point(batch)}
        z = point_under(self.model, self.guide, batch)
        return {"z": z, **{name: self.model.predict(z, name) for name in self.of}}


def export(
    guide: Guide,
    example: Batch,
    *,
    model: MultimodalVAE | None = None,
    of: Sequence[str] | None = None,
) -> torch.export.ExportedProgram:
    """Export `guide.point`, and `model.predict` from it, by `torch.export`.

    The program takes any number of samples. Its arguments are `data` and `observed`, dictionaries by the guide's
    inputs, so that any input may be missing from any sample: `program.module()(data, observed)`. It returns a
    dictionary. What depends on the training mode, such as batch normalisation and dropout, is exported in evaluation
    mode.

    Args:
        guide: infers z.
        example: two samples or more, which hold all inputs of the guide; of its values only shapes and types matter.
        model: decodes `of`; with None only `z` is returned.
        of: modalities to decode; all that the model decodes when left out.

    Raises:
        ValueError: the example lacks an input or has fewer than two samples, the model does not decode something, or a
            modality is called z.
    """
    if lacking := [n for n in guide.inputs if n not in example.data]:
        raise ValueError(f"example: expected all inputs of the guide, it lacks {lacking}")
    if example.size < 2:
        raise ValueError(f"example: expected at least 2 samples, so that their number may vary, got {example.size}")
    if of is not None and model is None:
        raise ValueError(f"of = {list(of)} needs a model to decode it")
    decoded = model.names if model is not None and of is None else tuple(of or ())
    if model is not None and (unknown := [n for n in decoded if n not in model.names]):
        raise ValueError(f"of: the model does not decode {unknown}; it decodes {list(model.names)}")
    if "z" in decoded:
        raise ValueError("of: a modality called 'z' cannot be told from the latent z; leave it out")
    module = PointInference(guide, model, decoded)
    arguments = ({n: example.data[n] for n in guide.inputs}, {n: example.observed[n] for n in guide.inputs})
    size = torch.export.Dim("batch")
    shapes = tuple({n: {0: size} for n in guide.inputs} for _ in arguments)
    with torch.no_grad(), evaluation(module), pyro.validation_enabled(False):
        return torch.export.export(module, arguments, dynamic_shapes=shapes)


def to_onnx(program: torch.export.ExportedProgram, path: str | Path) -> None:
    """Write an exported program as an ONNX file, with names of its inputs and outputs that tell what they are.

    Inputs are called `data.NAME` and `observed.NAME`, in the guide's order, outputs `z` and the decoded modalities'
    names.

    Args:
        program: of `export`.
        path: of the file.

    Raises:
        ModuleNotFoundError: the packages of the extra `onnx` are not installed.
    """
    try:
        import onnxscript  # noqa: F401
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError('writing ONNX needs the extra: pip install "pyro-mmvae[onnx]"') from error
    inputs, outputs = _names(program)
    torch.onnx.export(
        program,
        f=str(path),
        dynamo=True,
        input_names=inputs,
        output_names=outputs,
        external_data=False,  # one file
        verbose=False,
    )


def _names(program: torch.export.ExportedProgram) -> tuple[list[str], list[str]]:
    """Return names of the flat inputs and outputs of a graph."""
    in_spec, out_spec = program.call_spec.in_spec, program.call_spec.out_spec
    data, observed = torch.utils._pytree.tree_unflatten(list(range(in_spec.num_leaves)), in_spec)[0]
    names = {i: f"data.{n}" for n, i in data.items()} | {i: f"observed.{n}" for n, i in observed.items()}
    found: Mapping[str, int] = torch.utils._pytree.tree_unflatten(list(range(out_spec.num_leaves)), out_spec)
    return [names[i] for i in range(len(names))], [n for n, _ in sorted(found.items(), key=lambda pair: pair[1])]


def _filled(value: Tensor, observed: Tensor) -> Tensor:
    shaped = observed.reshape(observed.shape + (1,) * (value.dim() - 1))
    return torch.where(shaped, value, torch.zeros((), dtype=value.dtype, device=value.device))
