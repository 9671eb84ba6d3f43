"""Hand skeletons, on images and in space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import Normal, Stroke
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from pyro_mmvae.hands.rhd_format import FINGERS, NUM_JOINTS, WRIST
from pyro_mmvae.plots.space import frame_cube, upright
from pyro_mmvae.plots.style import as_array, check_samples, new_figure, panels, save, show_image

FINGER_COLOURS = {
    "thumb": "#D55E00",
    "index": "#E69F00",
    "middle": "#009E73",
    "ring": "#56B4E9",
    "pinky": "#CC79A7",
}
_ON_IMAGE = {"color": "white", "linewidth": 1.4, "path_effects": [Stroke(linewidth=3, foreground="black"), Normal()]}
_IN_SPACE = {"color": "0.55", "linewidth": 2.2}


def plot_skeletons(
    images: Tensor | ArrayLike,
    true: Tensor | ArrayLike,
    predicted: Mapping[str, Tensor | ArrayLike],
    path: str | Path,
) -> Path:
    """Draw predicted over true skeletons on the images.

    Args:
        images: (N, 3, H, W) in [0, 1]; a column each.
        true: (N, 21, 2) keypoints (u, v) in pixels of these images, in RHD's order.
        predicted: the same by name; a row each.
        path: where the image goes.

    Returns:
        The path.

    Raises:
        ValueError: the shapes do not fit.
    """
    pictures, truth, guesses = as_array(images), as_array(true), _arrays(predicted)
    check_samples((None, 3, None, None), images=pictures)
    check_samples((len(pictures), NUM_JOINTS, 2), true=truth, **guesses)
    figure, axes = panels(list(guesses), len(pictures), size=2.2)
    for guess, row in zip(guesses.values(), axes, strict=True):
        for sample, panel in enumerate(row):
            show_image(panel, pictures[sample], dim=0.15)
            _draw(panel, truth[sample], **_ON_IMAGE)
            _draw(panel, guess[sample], linewidth=1.8)
    _legend(figure, _ON_IMAGE)
    figure.suptitle("Predicted (colours) over true (white) skeletons")
    return save(figure, path)


def plot_skeletons_3d(
    true: Tensor | ArrayLike,
    predicted: Mapping[str, Tensor | ArrayLike],
    path: str | Path,
    units: str = "mm",
) -> Path:
    """Draw predicted over true skeletons in space, seen from beside the camera.

    Args:
        true: (N, 21, 3) poses in camera axes (x right, y down, z away), in RHD's order; a column each.
        predicted: the same by name; a row each.
        path: where the image goes.
        units: name of the unit on the axes.

    Returns:
        The path.

    Raises:
        ValueError: the shapes do not fit.
    """
    truth, guesses = as_array(true), _arrays(predicted)
    check_samples((None, NUM_JOINTS, 3), true=truth, **guesses)
    figure, axes = panels(list(guesses), len(truth), size=2.6, projection="3d")
    for guess, row in zip(guesses.values(), axes, strict=True):
        for sample, panel in enumerate(row):
            _draw(panel, upright(truth[sample]), **_IN_SPACE)
            _draw(panel, upright(guess[sample]), linewidth=1.6)
            frame_cube(panel, [truth[sample], *(other[sample] for other in guesses.values())])
    _legend(figure, _IN_SPACE)
    figure.suptitle(
        f"Predicted (colours) over true (grey) skeletons\nx right, y down, z away from the camera [{units}]",
        fontsize=11,
    )
    return save(figure, path)


def _draw(axes: Axes, joints: NDArray[Any], **style: Any) -> None:
    """Draw the five fingers, each a line from the wrist to the tip."""
    for finger, chain in FINGERS.items():
        line = joints[[WRIST, *chain]].T
        axes.plot(*line, **{"color": FINGER_COLOURS[finger], "marker": ".", "markersize": 3, **style})


def _legend(figure: Figure, true_style: dict[str, Any] | None) -> None:
    lines = [Line2D([], [], color=colour, label=finger) for finger, colour in FINGER_COLOURS.items()]
    if true_style is not None:
        lines.append(Line2D([], [], label="true", **true_style))
    figure.legend(handles=lines, loc="outside lower center", ncols=6, frameon=False)


def _arrays(values: Mapping[str, Tensor | ArrayLike]) -> dict[str, NDArray[Any]]:
    if not values:
        raise ValueError("expected at least one prediction, got none")
    return {name: np.asarray(as_array(value)) for name, value in values.items()}


def plot_predictions(
    images: Tensor | ArrayLike, poses: Tensor | ArrayLike, names: Sequence[str], path: str | Path
) -> Path:
    """Draw images without known truth above their predicted skeletons in space.

    Args:
        images: (N, 3, H, W) in [0, 1]; a column each.
        poses: (N, 21, 3) in camera axes, in RHD's order.
        names: N titles.
        path: where the image goes.

    Returns:
        The path.

    Raises:
        ValueError: the shapes do not fit.
    """
    pictures, guesses = as_array(images), as_array(poses)
    check_samples((None, NUM_JOINTS, 3), poses=guesses)
    if not len(pictures) == len(guesses) == len(names):
        raise ValueError(
            f"expected as many images as poses and names, got {len(pictures)}, {len(guesses)}, {len(names)}"
        )
    figure = new_figure(max(2.4 * len(names), 6.5), 5.2)
    for column, (picture, guess, name) in enumerate(zip(pictures, guesses, names, strict=True), start=1):
        above = figure.add_subplot(2, len(names), column)
        show_image(above, picture)
        above.set_title(name, fontsize=9)
        below = figure.add_subplot(2, len(names), len(names) + column, projection="3d")
        _draw(below, upright(guess), linewidth=1.6)
        frame_cube(below, [guess])
    _legend(figure, None)
    return save(figure, path)
