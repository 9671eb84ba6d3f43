"""From a folder of recordings, some of which lack a sensor, to a file that runs in production."""

from __future__ import annotations

import csv
import functools
import tempfile
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Subset

from pyro_mmvae import Modality, MultimodalVAE, collate, load, predictive, save
from pyro_mmvae.export import export
from pyro_mmvae.guides.gpoe import GPoE
from pyro_mmvae.likelihoods import Categorical, Normal
from pyro_mmvae.networks import ConvEncoder, DCGANDecoder, MLPDecoder, MLPEncoder
from pyro_mmvae.objectives.mixing import mixing

work = Path(tempfile.mkdtemp())


# [files]
def record(folder: Path, count: int) -> None:
    """Write recordings that stand for yours: a picture, a force that fails at times, and labels of some."""
    rng = np.random.default_rng(0)
    force, place = rng.normal(size=(3, 4)), np.array([2, 7, 12])
    with open(folder / "labels.csv", "w", newline="") as file:
        rows = csv.writer(file)
        for number in range(count):
            kind = int(rng.integers(3))
            picture = rng.normal(0.2, 0.1, (16, 16))
            picture[place[kind] - 2 : place[kind] + 2] += 0.6
            np.save(folder / f"{number:04}-picture.npy", picture.clip(0, 1).astype(np.float32))
            if rng.random() < 0.7:
                np.save(folder / f"{number:04}-force.npy", force[kind] + 0.3 * rng.normal(size=4))
            if rng.random() < 0.5:
                rows.writerow([number, kind])


record(work, 400)


# [dataset]
class Recordings(Dataset[dict]):
    """One dictionary for each recording; what there is no file of is None."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.numbers = sorted(int(path.name[:4]) for path in folder.glob("*-picture.npy"))
        with open(folder / "labels.csv", newline="") as file:
            self.kinds = {int(number): int(kind) for number, kind in csv.reader(file)}

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, index: int) -> dict:
        number = self.numbers[index]
        force = self.folder / f"{number:04}-force.npy"
        kind = self.kinds.get(number)
        return {
            "picture": np.load(self.folder / f"{number:04}-picture.npy")[None],  # (1, 16, 16)
            "force": np.load(force) if force.exists() else None,  # (4,)
            "label": None if kind is None else np.eye(3)[kind],  # one-hot, (3,)
        }


# [loader]
data = Recordings(work)
like = {"picture": np.zeros((1, 16, 16)), "force": np.zeros(4), "label": np.zeros(3)}  # the shapes, once
batches = functools.partial(DataLoader, batch_size=50, collate_fn=functools.partial(collate, like=like))
train = batches(Subset(data, range(300)), shuffle=True)
(held_out,) = batches(Subset(data, range(300, 400)), batch_size=100)
print({name: int(mask.sum()) for name, mask in held_out.observed.items()})

# [model]
D = 4
torch.manual_seed(0)
parts = [
    Modality(
        "picture",
        Normal((1, 16, 16), scale=0.1),
        DCGANDecoder(D, (1, 16, 16), width=8),
        ConvEncoder((1, 16, 16), width=8, out_features=32),
    ),
    Modality("force", Normal((4,), scale=0.3), MLPDecoder(D, (4,), (32,)), MLPEncoder((4,), (32,))),
    Modality("label", Categorical(3), MLPDecoder(D, (3,), (32,))),  # predicted, never looked at
]
model, guide = MultimodalVAE(parts, D), GPoE(parts, D)

# [train]
objective = mixing(["picture", "force"], {"picture": 0.1, "force": 1.0, "label": 5.0}, beta=0.5)
loss = objective(model, guide)
optimiser = torch.optim.Adam(loss.parameters(), lr=2e-3)
for _ in range(15):
    for batch in train:
        optimiser.zero_grad()
        loss(batch).backward()
        optimiser.step()

# [judge]
labelled = held_out.observed["label"]
truth = held_out.data["label"].argmax(-1)
accuracy = {}
for given in (["picture"], ["force"], ["picture", "force"]):
    label = predictive(model, guide, held_out, given=given, of="label").mean["label"]  # probabilities, (100, 3)
    there = labelled & torch.stack([held_out.observed[name] for name in given]).any(0)
    accuracy[tuple(given)] = (label.argmax(-1) == truth)[there].float().mean().item()
    print(f"label from {' and '.join(given)}: {accuracy[tuple(given)]:.0%} correct")
force = predictive(model, guide, held_out, given="picture", of="force")
low, _, high = force.quantiles["force"]  # of 5, 50 and 95 %
within = ((held_out.data["force"] > low) & (held_out.data["force"] < high))[held_out.observed["force"]]
print(f"forces within what the picture lets expect: {within.float().mean():.0%}")

# [save]
save(work / "model", model, guide)
model, guide = load(work / "model")  # in another program: none of the code above is needed

# [export]
program = export(guide, held_out, model=model, of=["label", "force"])
torch.export.save(program, work / "model.pt2")


# [run]
def label_of(picture: Tensor, force: Tensor | None = None) -> Tensor:
    """Return label probabilities of pictures `(B, 1, 16, 16)`, with or without forces `(B, 4)`."""
    size = len(picture)
    values = {"picture": picture, "force": torch.zeros(size, 4) if force is None else force}
    there = {"picture": torch.ones(size, dtype=torch.bool), "force": torch.full((size,), force is not None)}
    return graph(values, there)["label"]


graph = torch.export.load(work / "model.pt2").module()  # needs PyTorch alone
probability = label_of(held_out.data["picture"])
