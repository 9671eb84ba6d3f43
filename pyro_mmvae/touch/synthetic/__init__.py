"""A synthetic set in Vision&Touch's layout: pegs put into holes, simulated by MuJoCo and drawn on the CPU."""

from .dataset import generate as generate
from .episode import Episode as Episode
from .episode import simulate as simulate
from .task import Task as Task
from .task import sample_task as sample_task
