"""Tiny RHD sets drawn with discs: joints, bones, depth and mask agree with one another."""

import numpy as np
from scipy.spatial.transform import Rotation

from pyro_mmvae.hands.rhd_format import BONES, FINGERS, write_annotations, write_sample

CAMERA = np.array([[280.0, 0, 160], [0, 280, 150], [0, 0, 1]])
SIZE = 320
DISC = 4  # pixels
LENGTHS = {
    "thumb": (0.040, 0.042, 0.034, 0.026),
    "index": (0.094, 0.037, 0.029, 0.026),
    "middle": (0.095, 0.037, 0.029, 0.030),
    "ring": (0.093, 0.031, 0.029, 0.028),
    "pinky": (0.089, 0.036, 0.021, 0.021),
}


def flat_hand():
    """(21, 3) a left hand with spread fingers, in metres; y up the fingers, wrist at 0."""
    joints = np.zeros((21, 3))
    for (name, chain), spread in zip(FINGERS.items(), (-50, -15, 0, 12, 25), strict=True):
        direction = np.array([np.sin(np.deg2rad(spread)), -np.cos(np.deg2rad(spread)), 0.1])
        reach = np.cumsum(LENGTHS[name])
        for joint, length in zip(chain, reach, strict=True):
            joints[joint] = length * direction / np.linalg.norm(direction)
    return joints


def placed_hand(rng, *, left, depth=0.6, offset=(0.0, 0.0)):
    joints = flat_hand() * ([1, 1, 1] if left else [-1, 1, 1])
    turned = joints @ Rotation.from_euler("xyz", rng.uniform(-0.5, 0.5, 3)).as_matrix().T
    return turned - turned[12] + [*(rng.uniform(-0.04, 0.04, 2) + offset), depth]


def annotation(left=None, right=None, camera=CAMERA):
    """An annotation; a hand that is None is far off to the side and not visible."""
    rng = np.random.default_rng(0)
    xyz, uv_vis = [], []
    for joints, is_left in ((left, True), (right, False)):
        shown = joints is not None
        joints = joints if shown else placed_hand(rng, left=is_left, offset=(9.0, 0.0))
        image = joints @ camera.T
        uv = image[:, :2] / image[:, 2:]
        inside = ((uv > -0.5) & (uv < SIZE - 0.5)).all(1)
        xyz.append(joints)
        uv_vis.append(np.column_stack([uv, (inside & shown).astype(float)]))
    return {"xyz": np.concatenate(xyz), "uv_vis": np.concatenate(uv_vis), "K": camera}


def draw(hands, camera=CAMERA):
    """Colour, depth and mask of hands given as (joints, is_left), later ones in front."""
    rows, columns = np.mgrid[:SIZE, :SIZE]
    color = np.stack([rows // 2, columns // 2, (rows + columns) // 4], -1).astype(np.uint8)
    depth, mask = np.full((SIZE, SIZE), 4.5), np.zeros((SIZE, SIZE), np.uint8)
    for joints, is_left in hands:
        for bone, (a, b) in enumerate(BONES):
            for share in np.linspace(0, 1, 12):
                point = (1 - share) * joints[a] + share * joints[b]
                u, v = (camera @ point)[:2] / point[2]
                near = tuple(slice(max(round(x) - DISC - 1, 0), max(round(x) + DISC + 2, 0)) for x in (v, u))
                disc = (rows[near] - v) ** 2 + (columns[near] - u) ** 2 <= DISC**2
                color[near][disc] = (250, 180, 5 * bone)
                depth[near][disc] = point[2]
                mask[near][disc] = (2 if is_left else 18) + bone % 16
    return color, depth, mask


def write_set(root, split="training", number=4, seed=0, *, depth=True, mask=True):
    """Write `number` samples, left and right hands in turn; returns the annotations."""
    rng = np.random.default_rng(seed)
    annotations = {}
    for index in range(number):
        left = index % 2 == 0
        joints = placed_hand(rng, left=left)
        annotations[index] = annotation(**{"left" if left else "right": joints})
        color, metres, parts = draw([(joints, left)])
        write_sample(root, split, index, color, metres if depth else None, parts if mask else None)
    write_annotations(root, split, annotations)
    return annotations
