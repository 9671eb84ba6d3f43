"""Small files in Vision&Touch's layout, without a simulation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np


def arrays(steps: int = 5, side: int = 16, seed: int = 0) -> dict[str, Any]:
    """Return what a file holds."""
    rng = np.random.default_rng(seed)
    return {
        "image": rng.integers(0, 256, (steps, side, side, 3), dtype=np.uint8),
        "depth_data": rng.uniform(0.3, 1.0, (steps, side, side, 1)).astype(np.float32),
        "ee_forces_continuous": rng.normal(0, 3, (steps, 50, 6)).astype(np.float32),
        "action": rng.normal(0, 0.01, (steps, 4)).astype(np.float32),
        "proprio": rng.normal(0, 1, (steps, 8)).astype(np.float32),
    }


def write(path: Path, content: dict[str, Any] | None = None, **options: Any) -> dict[str, Any]:
    """Write a file, of which `content` replaces or adds arrays; None leaves one out. Returns what it holds."""
    held = {n: v for n, v in {**arrays(**options), **(content or {})}.items() if v is not None}
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        for name, value in held.items():
            large = name in ("image", "depth_data") and np.size(value) > 1
            packed = {"chunks": (1, *value.shape[1:]), "compression": 1} if large else {}
            file.create_dataset(name, data=value, **packed)
    return held
