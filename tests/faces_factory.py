"""Small sets in CelebA's layout, for tests."""

from __future__ import annotations

import io
import zipfile

import numpy as np
from PIL import Image

from pyro_mmvae.faces.attributes import ATTRIBUTES

POINTS = "lefteye_x lefteye_y righteye_x righteye_y nose_x nose_y leftmouth_x leftmouth_y rightmouth_x rightmouth_y"


def jpeg(number=0, size=(20, 26)):
    values = np.random.default_rng(number).integers(0, 255, (size[1], size[0], 3), np.uint8)
    stream = io.BytesIO()
    Image.fromarray(values).save(stream, "JPEG")
    return stream.getvalue()


def attributes(number):
    """Whether each of the forty is there: the binary digits of the number, the last one first."""
    return [bool(number >> place & 1) for place in range(len(ATTRIBUTES))]


def celeba(root, count=7, *, zipped=False, anno=False, size=(20, 26)):
    """Write a set; face i, from 1, has the attributes of i, landmarks (i, i+1), (i+2, i+3), ..., and split i % 3."""
    root.mkdir(parents=True, exist_ok=True)
    names = [f"{i:06d}.jpg" for i in range(1, count + 1)]
    texts = root / "Anno" if anno else root
    splits = root / "Eval" if anno else root
    for folder in (texts, splits):
        folder.mkdir(exist_ok=True)
    rows = [" ".join("1" if a else "-1" for a in attributes(i)) for i in range(1, count + 1)]
    lines = "".join(f"{name}  {row}\n" for name, row in zip(names, rows, strict=True))
    (texts / "list_attr_celeba.txt").write_text(f"{count}\n{' '.join(ATTRIBUTES)} \n{lines}")
    points = [" ".join(str(i + k) for k in range(10)) for i in range(1, count + 1)]
    lines = "".join(f"{name} {row}\n" for name, row in zip(names, points, strict=True))
    (texts / "list_landmarks_align_celeba.txt").write_text(f"{count}\n{POINTS}\n{lines}")
    (splits / "list_eval_partition.txt").write_text(
        "".join(f"{name} {i % 3}\n" for i, name in enumerate(names, start=1))
    )
    pictures = {name: jpeg(i, size) for i, name in enumerate(names, start=1)}
    if zipped:
        with zipfile.ZipFile(root / "img_align_celeba.zip", "w") as archive:
            archive.writestr("img_align_celeba/", "")
            for name, content in pictures.items():
                archive.writestr(f"img_align_celeba/{name}", content)
    else:
        (root / "img_align_celeba").mkdir()
        for name, content in pictures.items():
            (root / "img_align_celeba" / name).write_bytes(content)
    return root
