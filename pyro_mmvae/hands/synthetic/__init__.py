"""Synthetic hand sets in RHD's and STB's layouts: kinematic hands, rendered on the CPU."""

from .dataset import generate as generate
from .preview import contact_sheet as contact_sheet
from .scene import Sample as Sample
from .scene import sample_scene as sample_scene
from .stb_dataset import generate_stb as generate_stb
from .stb_preview import stb_sheet as stb_sheet
from .stb_scene import StbSample as StbSample
from .stb_scene import sample_stb_frame as sample_stb_frame
