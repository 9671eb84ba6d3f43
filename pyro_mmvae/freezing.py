"""Training some parts of a module while all else stays as it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

from torch import Tensor, nn


class Freezer:
    """Freezes all parts of a module but some, and undoes it.

    A part is named by a prefix of the names of its parameters, in whole components: `guide.encoders.a` covers
    `guide.encoders.a.weight` but not `guide.encoders.ab.weight`. What lies outside all parts is frozen:

    - its parameters take no gradient;
    - its modules are in evaluation mode, so that dropout is off and running averages stay. A module is left in its
      mode if it lies in a part or holds a parameter that is one; so is the root.

    A parameter or buffer that a trained and a frozen part share would move under the frozen part's feet, so it is
    refused. A module without either (one activation or dropout used in two places) follows the trained part.

    Args:
        root: the module.
        trainable: prefixes.

    Raises:
        ValueError: there is no such part, or a trained and a frozen part share parameters.
    """

    def __init__(self, root: nn.Module, trainable: Sequence[str]) -> None:
        self.root, self.trainable = root, tuple(trainable)
        self._parameters: list[nn.Parameter] = []
        self._modules: list[nn.Module] = []
        for prefix in self.trainable:
            _refuse_unknown(root, prefix)
        self._refuse_shared()

    def freeze(self) -> None:
        """Take the gradient from what is frozen.

        Raises:
            ValueError: no parameter is left that takes a gradient.
        """
        parameters = self.root.named_parameters(remove_duplicate=False)
        frozen = [p for name, p in parameters if p.requires_grad and not self._covers(name)]
        self._parameters += frozen
        for parameter in frozen:
            parameter.requires_grad_(False)
        if not any(p.requires_grad for p in self.root.parameters()):
            self.thaw()
            raise ValueError(f"nothing to train: no parameter of {list(self.trainable)} takes a gradient")

    def still(self) -> None:
        """Put what is frozen into evaluation mode; modules that were replaced since `freeze` are seen."""
        parameters = {name for name, _ in self.root.named_parameters(remove_duplicate=False)}
        holders = {prefix.rpartition(".")[0] for prefix in self.trainable if prefix in parameters}
        named = list(self.root.named_modules(remove_duplicate=False))
        moving = {id(m) for name, m in named if name in holders or name == "" or self._covers(name)}
        frozen = [m for m in self.root.modules() if m.training and id(m) not in moving]
        self._modules += frozen
        for module in frozen:
            module.training = False

    def thaw(self) -> None:
        """Undo both; what had been frozen before by someone else stays so."""
        for parameter in self._parameters:
            parameter.requires_grad_(True)
        for module in self._modules:
            module.training = True
        self._parameters, self._modules = [], []

    def _covers(self, name: str) -> bool:
        return any(name == prefix or name.startswith(f"{prefix}.") for prefix in self.trainable)

    def _refuse_shared(self) -> None:
        names: dict[int, list[str]] = {}
        for name, tensor in _tensors(self.root):
            names.setdefault(id(tensor), []).append(name)
        for shared in names.values():
            if len({self._covers(name) for name in shared}) > 1:
                raise ValueError(
                    f"{' and '.join(shared)} are one and the same, so that they cannot be trained in one place and "
                    f"frozen in the other; name all of their parts as trainable, or none"
                )


def _tensors(root: nn.Module) -> Iterator[tuple[str, Tensor]]:
    return chain(root.named_parameters(remove_duplicate=False), root.named_buffers(remove_duplicate=False))


def _refuse_unknown(root: nn.Module, prefix: str) -> None:
    module, found = root, ""
    for name in prefix.split("."):
        children = {n: child for n, child in (module._parameters | module._modules).items() if child is not None}
        if name not in children:
            where = f"of {found!r}" if found else "of the loss"
            raise ValueError(f"trainable: there is no part {prefix!r}; the parts {where} are {sorted(children)}")
        child, found = children[name], f"{found}.{name}".lstrip(".")
        module = child if isinstance(child, nn.Module) else nn.Module()  # a parameter has no parts
