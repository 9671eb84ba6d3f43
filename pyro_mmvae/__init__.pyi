from .batch import Batch as Batch
from .bound import Bound as Bound
from .data.collate import collate as collate
from .errors import IncompatibleError as IncompatibleError
from .guide import Guide as Guide
from .imputation import ImputedBatch as ImputedBatch
from .imputation import impute as impute
from .modality import Modality as Modality
from .model import MultimodalVAE as MultimodalVAE
from .objective import Loss as Loss
from .objective import Objective as Objective
from .param_store import take_from_store as take_from_store
from .prediction import Prediction as Prediction
from .prediction import predictive as predictive
from .priors.base import Prior as Prior
from .recorded import Recorded as Recorded
from .schedules import Schedule as Schedule
from .storage import from_pretrained as from_pretrained
from .storage import load as load
from .storage import push_to_hub as push_to_hub
from .storage import save as save
from .table import Alignment as Alignment
from .table import Table as Table
from .table import Term as Term

__version__: str
