"""The layout of Vision&Touch's files, and what is used of them.

Lee et al. 2020, arXiv:1907.13098; read by MultiBench (Liang et al. 2021, arXiv:2107.07502), whose choices are followed
where nothing else is said.
"""

from __future__ import annotations

RGB, DEPTH, FORCE, ACTION = "rgb", "depth", "force", "action"
SENSORS = (RGB, DEPTH, FORCE, ACTION)
"""Names of the modalities."""
DATASETS = {RGB: "image", DEPTH: "depth_data", FORCE: "ee_forces_continuous", ACTION: "action"}
"""Names of the arrays in a file, the first dimension of each being time."""
STEPS = 50
"""Of an attempt; a file has 49 samples, as the last step has no next action."""
SIDE = 128
"""Of pictures, in pixels."""
READINGS = 50
"""Of the force sensor in a step."""
WINDOW = 32
"""Readings that are used, the last ones."""
AXES = 6
"""Forces along x, y and z, and torques about them."""
CONTROLS = 4
"""Numbers of an action: x, y, z and yaw."""
FARTHEST = 2.0
"""Metres from which on a depth counts as no reading."""
NEAREST = 1e-7
"""Metres up to which a depth counts as no reading."""
