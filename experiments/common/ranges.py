"""Types of options that say which values an option may have; `check` holds a configuration to them."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from pyro_mmvae.typed import check as check
from pyro_mmvae.typed import option as option
from pyro_mmvae.typed import typed as typed

Positive = Annotated[int, Meta(ge=1)]
Count = Annotated[int, Meta(ge=0)]
Weight = Annotated[float, Meta(ge=0)]
PositiveNumber = Annotated[float, Meta(gt=0)]
Share = Annotated[float, Meta(ge=0, le=1)]
PartialShare = Annotated[float, Meta(ge=0, lt=1)]
PositiveShare = Annotated[float, Meta(gt=0, le=1)]
Samples = Annotated[int, Meta(ge=1)] | Annotated[float, Meta(gt=0, le=1)]
"""So many samples, or a share of them."""
