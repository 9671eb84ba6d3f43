"""The same pictures by open3d's ray caster (Embree): it checks `raster`, and is as fast for meshes of this size."""

from __future__ import annotations

import numpy as np

from pyro_mmvae.data.open3d_import import import_open3d

from .pinhole import project
from .raster import NEAR, Fragments, facing


def pixel_rays(camera: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Rays (v, u, 6) through pixels' centres; directions have z = 1, so that distance along them is depth.

    `open3d`'s own `create_rays_pinhole` shoots half a pixel beside them.
    """
    rays = np.zeros((len(v), len(u), 6), dtype=np.float32)
    rays[..., 3] = (u - camera[0, 2]) / camera[0, 0]
    rays[..., 4] = ((v - camera[1, 2]) / camera[1, 1])[:, None]
    rays[..., 5] = 1
    return rays


def _window(vertices: np.ndarray, camera: np.ndarray, height: int, width: int) -> tuple[slice, slice]:
    """Rows and columns of the image outside which no vertex beyond the near plane is."""
    uv = project(vertices[vertices[:, 2] > NEAR], camera)
    low = np.floor(uv.min(0)).clip(0, [width, height]).astype(int)
    high = np.ceil(uv.max(0)).clip(-1, [width - 1, height - 1]).astype(int) + 1
    return slice(low[1], max(low[1], high[1])), slice(low[0], max(low[0], high[0]))


def raycast(vertices: np.ndarray, faces: np.ndarray, camera: np.ndarray, height: int, width: int) -> Fragments:
    """Draws triangles; arguments and result as `raster.rasterise`, which it agrees with.

    Raises:
        ImportError: open3d cannot be imported; the message says how to install it.
    """
    o3d = import_open3d()
    seen = Fragments(np.full((height, width), np.inf), np.full((height, width), -1), np.zeros((height, width, 3)))
    shown = facing(vertices, faces)
    if not len(shown):
        return seen
    # Workers run side by side, one picture each: one thread for each of them.
    scene = o3d.t.geometry.RaycastingScene(nthreads=1)
    scene.add_triangles(
        o3d.core.Tensor(np.ascontiguousarray(vertices, dtype=np.float32)),
        o3d.core.Tensor(np.ascontiguousarray(faces[shown], dtype=np.uint32)),
    )
    window = rows, columns = _window(vertices, camera, height, width)
    rays = pixel_rays(camera, np.arange(width)[columns], np.arange(height)[rows])
    cast = scene.cast_rays(o3d.core.Tensor(rays), nthreads=1)
    hit = np.isfinite(cast["t_hit"].numpy())
    u, v = np.moveaxis(cast["primitive_uvs"].numpy()[hit].astype(np.float64), -1, 0)
    seen.depth[window] = cast["t_hit"].numpy()
    seen.face[window][hit] = shown[cast["primitive_ids"].numpy()[hit]]
    seen.barycentric[window][hit] = np.stack([1 - u - v, u, v], axis=-1)
    return seen
