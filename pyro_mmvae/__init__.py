"""Multimodal variational autoencoders as Pyro model/guide pairs."""

from pyro_mmvae.batch import Batch
from pyro_mmvae.bound import Bound
from pyro_mmvae.errors import IncompatibleError
from pyro_mmvae.guide import Guide
from pyro_mmvae.modality import Modality
from pyro_mmvae.model import MultimodalVAE
from pyro_mmvae.objective import Loss, Objective
from pyro_mmvae.schedules import Schedule
from pyro_mmvae.table import Alignment, Table, Term

__version__ = "0.1.0"

__all__ = [
    "Alignment",
    "Batch",
    "Bound",
    "Guide",
    "IncompatibleError",
    "Loss",
    "Modality",
    "MultimodalVAE",
    "Objective",
    "Schedule",
    "Table",
    "Term",
]
