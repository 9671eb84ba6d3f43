"""A synthetic set of faces in CelebA's layout: drawn faces, with attributes that can be seen and landmarks."""

from .dataset import generate as generate
from .drawing import draw_face as draw_face
from .traits import Face as Face
from .traits import sample_face as sample_face
