"""`torch.compile` for the networks of a model and guide."""

from __future__ import annotations

from typing import Any

from pyro_mmvae.guide import Guide
from pyro_mmvae.model import MultimodalVAE


def compile_networks(model: MultimodalVAE, guide: Guide, **options: Any) -> None:
    """Compile every encoder and decoder in place: names of weights, state dicts and saved models stay as they are.

    What is between them (fusion, Pyro's sites, the table) is not compiled. The first call of each network takes long,
    and so does the first of another batch size or mode. A CPU needs a C++ compiler. Numbers agree to rounding.

    Args:
        model: its decoders.
        guide: its encoders.
        options: of `torch.nn.Module.compile`, such as `mode` and `backend`.
    """
    networks = dict.fromkeys([*guide.encoders.values(), *model.decoders.values()])
    for network in networks:
        network.compile(**options)
