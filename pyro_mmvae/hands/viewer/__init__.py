"""Looks at point clouds and hands: `python -m pyro_mmvae.hands.viewer FILE ...`."""

from .load import Item as Item
from .load import load as load
from .picture import save_picture as save_picture
from .window import show as show
