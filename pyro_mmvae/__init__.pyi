from .batch import Batch as Batch
from .bound import Bound as Bound
from .errors import IncompatibleError as IncompatibleError
from .guide import Guide as Guide
from .modality import Modality as Modality
from .model import MultimodalVAE as MultimodalVAE
from .objective import Loss as Loss
from .objective import Objective as Objective
from .priors.base import Prior as Prior
from .schedules import Schedule as Schedule
from .table import Alignment as Alignment
from .table import Table as Table
from .table import Term as Term

__version__: str
