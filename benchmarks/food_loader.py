"""What a worker makes of recipes' pictures against bare Pillow decoding and torchvision's transforms.

    python benchmarks/food_loader.py [--recipes 128] [--repeats 7]

Both decode JPEG files, cut a square at random, turn it by up to 10 degrees, flip it and make a batch of tensors; ours
also looks up the ingredients, and draws what is random from seed, epoch and recipe. One process, one thread, in turns;
the figure that counts is the median of the pairwise ratios.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms import v2

from pyro_mmvae.data.samples import Draws
from pyro_mmvae.food.dataset import IMAGE, Food
from pyro_mmvae.food.index import open_index
from pyro_mmvae.food.pictures import PictureOptions
from pyro_mmvae.food.synthetic import generate
from pyro_mmvae.food.vocabulary import Vocabulary

BATCH = 32
SIZES: dict[str, tuple[tuple[int, int], PictureOptions]] = {
    "yummly28k, 360 x 240": ((360, 240), PictureOptions((360, 240), 224)),
    "recipe1m, 512 x 384 to 256": ((512, 384), PictureOptions(256, 224)),
}
"""Sizes of files, and what becomes of them."""


def bare(options: PictureOptions) -> Callable[[Path], Tensor]:
    """Return the transform that one writes by hand."""
    resize = [v2.Resize(options.size)] if isinstance(options.size, int) else []
    varied = v2.Compose(
        [
            *resize,
            v2.RandomRotation(options.rotation, interpolation=v2.InterpolationMode.BILINEAR),
            v2.RandomCrop(options.crop),
            v2.RandomHorizontalFlip(options.flip),
            v2.PILToTensor(),
            v2.ToDtype(torch.float32, scale=True),
        ]
    )

    def made(path: Path) -> Tensor:
        with Image.open(path) as image:
            found: Tensor = varied(image.convert("RGB"))
        return found

    return made


def compare(name: str, recipes: int, repeats: int) -> str:
    """Return a row of the table."""
    size, options = SIZES[name]
    with tempfile.TemporaryDirectory() as folder:
        root = generate(Path(folder) / "set", recipes, size=size, progress=False)
        index = open_index(root, "yummly28k", Path(folder) / "index")
        rows = list(range(index.size))
        food = Food(root, index, Vocabulary.of(index.counts(rows), least=1), rows, options, augment=True)
        paths = [root / index.images_of(row)[0] for row in food.rows.tolist()]
        transform, draws = bare(options), torch.arange(len(food)).split(BATCH)

        def ours(epoch: int) -> None:
            for chosen in draws:
                assert food.batch(Draws(chosen, epoch)).batch.data[IMAGE].shape[1:] == (3, 224, 224)

        def theirs(_: int) -> None:
            for chosen in draws:
                torch.stack([transform(paths[i]) for i in chosen.tolist()])

        pairs = [(_seconds(ours, epoch), _seconds(theirs, epoch)) for epoch in range(repeats + 1)][1:]
    a, b = (len(food) / statistics.median(values) for values in zip(*pairs, strict=True))
    return f"| {name} | {a:.0f} | {b:.0f} | {statistics.median(y / x for x, y in pairs):.2f} |"


def _seconds(run: Callable[[int], None], epoch: int) -> float:
    begin = time.perf_counter()
    run(epoch)
    return time.perf_counter() - begin


def main() -> None:
    """Print a markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipes", type=int, default=128)
    parser.add_argument("--repeats", type=int, default=7)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    print("| files | ours, pictures/s | bare, pictures/s | ours / bare |\n|---|---|---|---|")
    for name in SIZES:
        print(compare(name, chosen.recipes, chosen.repeats), flush=True)


if __name__ == "__main__":
    main()
