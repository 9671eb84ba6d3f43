"""One frame of STB's layout: a left hand before a depth camera with colour and a stereo pair."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from scipy.spatial.transform import Rotation

from pyro_mmvae.hands import stb_format as stb
from pyro_mmvae.hands.annotation import ROOT_JOINTS
from pyro_mmvae.hands.geometry import project
from pyro_mmvae.hands.rhd_format import WRIST
from pyro_mmvae.rendering.develop import develop
from pyro_mmvae.rendering.raster import Fragments
from pyro_mmvae.rendering.render import Renderer, renderer_named

from .arm import Arm, arm_in_view
from .background import sample_background
from .mesh import Mesh
from .paint import Look, sample_look
from .poses import GESTURES
from .shading import Light, sample_light, shade

COUNTING = ("point", "two", "three", "open", "fist", "horns")
"""Gestures of the counting sequences; the random ones have all."""
FRAME = np.array([stb.WIDTH, stb.HEIGHT])

# The stereo pair stands to the left of the depth camera, turned so that its middle looks where that camera looks.
_TO_BB = Rotation.from_euler("y", -6, degrees=True).as_matrix(), np.array([0.12, 0.0, 0.02])
_DEPTH = (0.42, 0.75)  # metres of the middle MCP
_MARGIN = 4  # pixels that joints keep from the border
_REACH = 1.2  # metres; beyond, the depth camera measures nothing
_DEPTH_NOISE = 0.004  # metres at one metre, growing with the square
_WIDE = 1024  # pixels of a background, of which cameras see parts


@dataclass(frozen=True)
class StbSample:
    """A frame and its labels.

    Attributes:
        pictures: (480, 640, 3) uint8 by name of `stb_format.PICTURES`.
        depth: metres, (480, 640), zero where nothing is measured; "SK_depth".
        joints: (21, 3) metres in our order, by rig, in the coordinates of its labels.
    """

    pictures: dict[str, np.ndarray]
    depth: np.ndarray
    joints: dict[str, np.ndarray]


@dataclass(frozen=True)
class Setting:
    """What stays the same in a sequence.

    Attributes:
        background: (1024, 1024, 3) in 0..1, read-only.
        wall: metres to it.
        look: whose hand it is.
        light: in the depth camera's coordinates.
    """

    background: np.ndarray
    wall: float
    look: Look
    light: Light


@lru_cache(maxsize=len(stb.ALL_SEQUENCES))
def setting_of(seed: int, sequence: str) -> Setting:
    """The setting of a sequence; both sequences of a background share what is behind the hand."""
    room = np.random.default_rng([seed, 1, int(sequence[1])])
    background = sample_background(room, _WIDE)
    background.flags.writeable = False
    rng = np.random.default_rng([seed, 2, stb.ALL_SEQUENCES.index(sequence)])
    return Setting(background, float(room.uniform(0.95, 1.8)), sample_look(rng), sample_light(rng))


def sample_stb_frame(
    rng: np.random.Generator, setting: Setting, counting: bool, renderer: str | Renderer = "numpy"
) -> StbSample:
    """Draws a frame; frames of a sequence are drawn independently, not one after the other as in a video.

    Args:
        rng: source of what is new in it.
        setting: of its sequence.
        counting: whether it shows a gesture of `COUNTING`.
        renderer: "numpy", "open3d" or a function like `raster.rasterise`.

    Raises:
        ValueError: no renderer has this name.
        ImportError: "open3d" is asked for and cannot be imported.
    """
    render = renderer_named(renderer) if isinstance(renderer, str) else renderer
    gesture = str(rng.choice(COUNTING if counting else list(GESTURES)))
    arm = _arm(rng, gesture)
    mesh, joints = arm.mesh(), with_palm(arm.joints)
    placed = {rig: _moved(mesh, rig) for rig in ("SK", "BB")}
    pictures = {}
    for picture in stb.PICTURES:
        seen, own = _seen(render, placed[picture.rig], picture)
        light = replace(setting.light, direction=_axes(picture) @ setting.light.direction)
        hit, colours = shade(own, seen, setting.look, light)
        canvas = _wall(setting, picture)
        canvas[hit] = colours
        pictures[picture.name] = develop(canvas, rng)
    labels = {rig: _to_rig(joints, rig) for rig in placed}
    return StbSample(pictures, _depth(render, placed["SK"], setting, rng), labels)


def with_palm(joints: np.ndarray) -> np.ndarray:
    """Joints (21, 3) with the palm, half-way from wrist to middle MCP, in the wrist's place."""
    moved = joints.copy()
    moved[WRIST] = joints[list(ROOT_JOINTS["palm"])].mean(axis=0)
    return moved


def _to_rig(points: np.ndarray, rig: str) -> np.ndarray:
    """Points from the depth camera's coordinates, in which arms are drawn, to those of a rig's labels."""
    turn, shift = _TO_BB
    return points if rig == "SK" else points @ turn.T + shift


def _axes(picture: stb.Picture) -> np.ndarray:
    """Rotation (3, 3) from the depth camera's axes to a picture's."""
    return picture.rotation @ (np.eye(3) if picture.rig == "SK" else _TO_BB[0])


def _arm(rng: np.random.Generator, gesture: str) -> Arm:
    """An arm whose hand is whole in all pictures."""
    while True:
        arm = arm_in_view(rng, stb.SK_DEPTH, FRAME, left=True, gesture=gesture, depth=_DEPTH)
        if all(_whole(arm.joints, picture) for picture in stb.PICTURES):
            return arm


def _whole(joints: np.ndarray, picture: stb.Picture) -> bool:
    pixels = project(picture.to_camera(_to_rig(joints, picture.rig)), picture.camera)
    return bool(((pixels >= _MARGIN) & (pixels <= FRAME - 1 - _MARGIN)).all())


def _moved(mesh: Mesh, rig: str) -> Mesh:
    return replace(mesh, vertices=_to_rig(mesh.vertices, rig))


def _seen(render: Renderer, mesh: Mesh, picture: stb.Picture) -> tuple[Fragments, Mesh]:
    own = replace(mesh, vertices=picture.to_camera(mesh.vertices))
    return render(own.vertices, own.faces, picture.camera, stb.HEIGHT, stb.WIDTH), own


def _wall(setting: Setting, picture: stb.Picture) -> np.ndarray:
    """The part of the background that a camera sees, (480, 640, 3): the right one of a pair sees it shifted."""
    disparity = 0 if picture.name != "BB_right" else stb.BASELINE * picture.camera[0, 0] / setting.wall
    left = round(200 + disparity) if picture.rig == "BB" else 100
    top = (_WIDE - stb.HEIGHT) // 2
    return setting.background[top : top + stb.HEIGHT, left : left + stb.WIDTH].copy()


def _depth(render: Renderer, mesh: Mesh, setting: Setting, rng: np.random.Generator) -> np.ndarray:
    """What the depth camera measures, metres (480, 640), zero beyond its reach."""
    seen = render(mesh.vertices, mesh.faces, stb.SK_DEPTH, stb.HEIGHT, stb.WIDTH)
    depth = np.minimum(seen.depth, setting.wall)
    noisy = depth + _DEPTH_NOISE * depth**2 * rng.standard_normal(depth.shape, dtype=np.float32)
    return np.where(depth <= _REACH, noisy, 0.0)
