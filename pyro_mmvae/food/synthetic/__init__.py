"""A synthetic set of recipes in Yummly-28K's layout: drawn plates, and noisy lines of their ingredients."""

from .dataset import generate as generate
from .menu import INGREDIENTS as INGREDIENTS
from .menu import Dish as Dish
from .menu import sample_dish as sample_dish
from .plate import draw_plate as draw_plate
