"""How thick the hand is: radii around the bones, for skin, collisions and visibility."""

from __future__ import annotations

import numpy as np

from .skeleton import CHAINS, NUM_JOINTS

# Radius at the start and the end of each bone, millimetres, (5, 4, 2). The metacarpals stand for the palm.
_RADII_MM = [
    [[15.0, 14.0], [13.5, 11.0], [11.0, 10.0], [10.0, 8.0]],
    [[14.0, 11.5], [10.8, 9.2], [9.2, 8.2], [8.2, 6.8]],
    [[14.0, 11.5], [11.0, 9.4], [9.4, 8.4], [8.4, 7.0]],
    [[14.0, 11.0], [10.4, 8.9], [8.9, 8.0], [8.0, 6.7]],
    [[13.0, 10.0], [9.0, 7.9], [7.9, 7.0], [7.0, 5.9]],
]
BONE_RADII = 1e-3 * np.array(_RADII_MM)
WRIST_RADIUS = 0.02
ARM_RADII = (0.040, 0.050)  # forearm and upper arm, at their thickest

# The skin ends a little beyond the tip's keypoint.
TIP_OVERHANG = 0.35


def joint_radii() -> np.ndarray:
    """Thickness (radius, metres) of the flesh around each joint, (21,)."""
    radii = np.empty(NUM_JOINTS)
    radii[CHAINS[:, 1:]] = BONE_RADII[..., 1]
    radii[0] = WRIST_RADIUS
    return radii
