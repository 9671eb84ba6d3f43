"""A synthetic set in the layout of Surgical Video-Sim2Real: seven scenes of organs, seen by an endoscope."""

from .anatomy import Anatomy as Anatomy
from .anatomy import anatomy as anatomy
from .dataset import generate as generate
from .view import Seen as Seen
from .view import camera_matrix as camera_matrix
from .view import sample_view as sample_view
