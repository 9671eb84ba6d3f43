"""Save, load and share a model and guide: weights in safetensors, structure in JSON, nothing pickled."""

from __future__ import annotations

from pyro_mmvae.storage.hub import from_pretrained, push_to_hub
from pyro_mmvae.storage.pair import load, save

__all__ = ["from_pretrained", "load", "push_to_hub", "save"]
