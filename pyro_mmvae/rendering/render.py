"""The renderers by name."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .raster import Fragments, rasterise

Renderer = Callable[[np.ndarray, np.ndarray, np.ndarray, int, int], Fragments]
RENDERERS = ("numpy", "open3d")


def renderer_named(name: str) -> Renderer:
    """The function that draws triangles; see `raster.rasterise` for its arguments.

    Raises:
        ValueError: no renderer has this name.
        ImportError: "open3d" is asked for and cannot be imported.
    """
    if name == "numpy":
        return rasterise
    if name == "open3d":
        from .raycast import raycast  # the extra is imported only where it is asked for

        return raycast
    raise ValueError(f"expected a renderer of {RENDERERS}, got {name!r}")
