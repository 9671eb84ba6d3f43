"""A synthetic hand set in RHD's layout: kinematic hands, rendered on the CPU."""

from .dataset import generate as generate
from .preview import contact_sheet as contact_sheet
from .scene import Sample as Sample
from .scene import sample_scene as sample_scene
