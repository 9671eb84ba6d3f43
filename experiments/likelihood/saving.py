"""Where results go."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pyro_mmvae.experiments.likelihood.options import Options
from pyro_mmvae.files import write_json, write_text


def keep(content: Mapping[str, Any], text: str, options: Options, name: str) -> Path:
    """Print the text, save it beside the JSON, and return the path of the latter."""
    folder = options.out or options.run / "likelihood"
    folder.mkdir(parents=True, exist_ok=True)
    write_json(dict(content), folder / f"{name}.json")
    write_text(f"{text}\n", folder / f"{name}.md")
    print(f"\n{text}\n\nsaved: {folder / name}.json and .md")
    return folder / f"{name}.json"
