"""Training step and joint log-likelihood against MultiVae 1.0.3 (PyPI): same networks, same data, same weights.

    pip install nltk cloudpickle pydantic imageio torchmetrics      in an environment that holds this library
    pip install --no-deps multivae==1.0.3 pythae==0.1.2             (their other requirements would change its packages)
    OMP_NUM_THREADS=2 python benchmarks/against_multivae.py [--what step likelihood memory] [--repeats 7]

Data are scikit-learn's digits, enlarged to 28 x 28 and cut at one half, and their labels. Image encoder
784-512-512-(64, 64), label encoder 10-512-512-(64, 64), decoders mirrored, ReLU; JMVAE has a third encoder of both,
794-512-512-(64, 64). Steps are forward, backward and Adam on batches of 128 in memory. Log-likelihoods are log p(x, y)
of 200 points with K = 1000 draws from q(z | x, y), after some epochs of training, with the same weights on both sides.
The two sides take turns in one process; the figure that counts is the median of the pairwise ratios.
"""

from __future__ import annotations

import argparse
import logging
import os
import platform
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import pyro
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, one_hot

from pyro_mmvae import Batch, Guide, Modality, MultimodalVAE, guides, objectives
from pyro_mmvae.distributions.product import product_of_normals
from pyro_mmvae.estimators import log_likelihood
from pyro_mmvae.guide import ExpertGuide, GaussianHead
from pyro_mmvae.likelihoods import Bernoulli, Categorical

TRAIN, TEST, BATCH, LATENT, HIDDEN, DRAWS = 1920, 200, 128, 64, 512, 1000
SIZES = {"image": 784, "label": 10}
MODELS = ("JMVAE", "MVAE", "MMVAE", "MoPoE")


def digits() -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return training and test data, image `(N, 784)` in {0, 1} and label `(N, 10)`."""
    from sklearn.datasets import load_digits

    loaded = load_digits()
    small = torch.tensor(loaded.images, dtype=torch.float32).unsqueeze(1) / 16
    image = (interpolate(small, size=28, mode="bilinear") > 0.5).float().flatten(1)
    label = one_hot(torch.tensor(loaded.target), 10).float()
    rows = torch.from_numpy(np.random.default_rng(0).integers(0, len(image) - TEST, TRAIN))
    return {"image": image[rows], "label": label[rows]}, {"image": image[-TEST:], "label": label[-TEST:]}


def trunk(inputs: int) -> nn.Sequential:
    """Return two hidden layers."""
    return nn.Sequential(nn.Linear(inputs, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, HIDDEN), nn.ReLU())


def decoder(outputs: int) -> nn.Sequential:
    """Return a decoder."""
    return nn.Sequential(*trunk(LATENT), nn.Linear(HIDDEN, outputs))


# -- ours


class OwnJoint(ExpertGuide):
    """An encoder for each modality and one for both together, as JMVAE has."""

    def __init__(self, modalities: Sequence[Modality], latent_dim: int) -> None:
        super().__init__(modalities, latent_dim)
        self.both = nn.Sequential(trunk(sum(SIZES.values())), GaussianHead(HIDDEN, latent_dim))

    def posterior(self, batch: Batch) -> Any:
        """Return the Gaussian of the encoder that fits what is observed."""
        observed = self.observed(batch)
        single = self.experts(self.features(batch))
        loc, scale = self.both(torch.cat([batch.data[name] for name in self.inputs], dim=-1))
        locs, scales = torch.cat([single.loc, loc.unsqueeze(1)], 1), torch.cat([single.scale, scale.unsqueeze(1)], 1)
        both = observed.all(-1, keepdim=True)
        chosen = torch.cat([observed & ~both, both], dim=-1).unsqueeze(-1)
        return product_of_normals(locs, torch.where(chosen, scales.pow(-2), 0.0))


def modalities() -> list[Modality]:
    """Return the two modalities."""
    likelihoods = {"image": Bernoulli((784,)), "label": Categorical(10)}
    return [Modality(n, likelihoods[n], decoder(size), trunk(size), HIDDEN) for n, size in SIZES.items()]


def ours(name: str) -> tuple[MultimodalVAE, Guide, nn.Module]:
    """Return model, guide and loss of one of the published models."""
    parts = modalities()
    guide: Guide
    if name == "JMVAE":
        guide = OwnJoint(parts, LATENT)
    else:
        guide = guides.load("moe" if name == "MMVAE" else "poe")(parts, LATENT)
    # MoPoE of the other library decodes one subset for each sample; a budget of one row is the same work.
    options: dict[str, Any] = {"MoPoE": {"max_terms": 1}}.get(name, {})
    model = MultimodalVAE(parts, LATENT)
    return model, guide, objectives.load(name.lower())(tuple(SIZES), tuple(SIZES), **options)(model, guide)


# -- theirs


def theirs(name: str) -> Any:
    """Return the model of the other library."""
    from multivae.models import JMVAE, MMVAE, MVAE, JMVAEConfig, MMVAEConfig, MoPoE, MoPoEConfig, MVAEConfig
    from multivae.models.nn.base_architectures import BaseJointEncoder
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseEncoder

    def heads(module: Any) -> None:
        module.latent_dim = LATENT
        module.loc, module.log_variance = nn.Linear(HIDDEN, LATENT), nn.Linear(HIDDEN, LATENT)

    class Encoder(BaseEncoder):
        def __init__(self, size: int) -> None:
            super().__init__()
            self.net = trunk(size)
            heads(self)

        def forward(self, value: Tensor) -> Any:
            features = self.net(value)
            return ModelOutput(embedding=self.loc(features), log_covariance=self.log_variance(features))

    class JointEncoder(BaseJointEncoder):
        def __init__(self) -> None:
            super().__init__()
            self.net = trunk(sum(SIZES.values()))
            heads(self)

        def forward(self, data: dict[str, Tensor]) -> Any:
            features = self.net(torch.cat([data[n] for n in SIZES], dim=1))
            return ModelOutput(embedding=self.loc(features), log_covariance=self.log_variance(features))

    class Decoder(BaseDecoder):
        def __init__(self, size: int) -> None:
            super().__init__()
            self.latent_dim = LATENT
            self.net = decoder(size)

        def forward(self, z: Tensor) -> Any:
            return ModelOutput(reconstruction=self.net(z))

    common: dict[str, Any] = {
        "n_modalities": 2,
        "latent_dim": LATENT,
        "input_dims": {n: (size,) for n, size in SIZES.items()},
        "decoders_dist": {"image": "bernoulli", "label": "categorical"},
    }
    encoders, decoders = ({n: kind(size) for n, size in SIZES.items()} for kind in (Encoder, Decoder))
    if name == "JMVAE":
        model = JMVAE(JMVAEConfig(alpha=0.1, warmup=1, **common), encoders, decoders, joint_encoder=JointEncoder())
    elif name == "MVAE":
        model = MVAE(MVAEConfig(use_subsampling=True, k=0, warmup=1, **common), encoders, decoders)
    elif name == "MMVAE":
        form = {"K": 1, "prior_and_posterior_dist": "normal", "loss": "iwae_looser", "learn_prior": False}
        model = MMVAE(MMVAEConfig(**form, **common), encoders, decoders)
    else:
        model = MoPoE(MoPoEConfig(**common), encoders, decoders)
    model.device = "cpu"
    return model


def their_batch(data: dict[str, Tensor]) -> Any:
    """Return data as the other library takes them."""
    from pythae.data.datasets import DatasetOutput

    return DatasetOutput(data=dict(data))


# -- timing


def stepper(parameters: Sequence[nn.Parameter], losses: Sequence[Callable[[], Tensor]]) -> Callable[[], None]:
    """Return a function that trains on all batches once."""
    optimiser = torch.optim.Adam(parameters, lr=1e-3)

    def run() -> None:
        for compute in losses:
            optimiser.zero_grad()
            compute().backward()
            optimiser.step()

    return run


def steppers(name: str) -> tuple[Callable[[], None], Callable[[], None], Any, Any]:
    """Return our epoch, theirs, and both trained things."""
    train, _ = digits()
    slices = [{n: v[i : i + BATCH] for n, v in train.items()} for i in range(0, TRAIN, BATCH)]
    torch.manual_seed(0)
    model, guide, loss = ours(name)
    torch.manual_seed(0)
    other = theirs(name).train()
    keys = {"epoch": 2, "batch_ratio": 0.0, "dataset_size": TRAIN, "uses_ddp": False}
    mine = stepper(list(loss.parameters()), [partial(loss, Batch.of(s)) for s in slices])
    batches = [their_batch(s) for s in slices]
    yours = stepper(list(other.parameters()), [lambda b=b: other(b, **keys).loss for b in batches])
    return mine, yours, (model, guide), other


def timed(run: Callable[[], Any]) -> tuple[float, float, Any]:
    """Return wall seconds, CPU seconds and the value."""
    wall, cpu = time.perf_counter(), time.process_time()
    value = run()
    return time.perf_counter() - wall, time.process_time() - cpu, value


def turns(first: Callable[[], Any], second: Callable[[], Any], repeats: int) -> list[tuple[float, float, float, float]]:
    """Let the two take turns; return wall and CPU seconds of both for every repeat."""
    found = []
    for _ in range(repeats):
        a, b = timed(first), timed(second)
        found.append((a[0], b[0], a[1], b[1]))
    return found


def step_table(repeats: int) -> None:
    """Print the table of training steps."""
    print("| model | ours, ms | MultiVae, ms | ours / MultiVae | the same in CPU time |\n|---|---|---|---|---|")
    for name in MODELS:
        mine, yours, _, _ = steppers(name)
        mine(), yours()
        pairs = turns(mine, yours, repeats)
        batches = TRAIN / BATCH / 1000
        a, b = (statistics.median(p[i] for p in pairs) / batches for i in (0, 1))
        wall, cpu = (statistics.median(p[i] / p[i + 1] for p in pairs) for i in (0, 2))
        print(f"| {name} | {a:.1f} | {b:.1f} | {wall:.2f} | {cpu:.2f} |", flush=True)


def matmul_seconds(model: MultimodalVAE) -> float:
    """Return the time that the decoders' matrix products alone take at the best size of a block."""
    weights = [m.weight for m in model.decoders.modules() if isinstance(m, nn.Linear)]
    best = float("inf")
    for rows in (500, 1000, 2000, 4000):
        inputs = [torch.randn(rows, w.shape[1]) for w in weights]
        outputs = [torch.empty(rows, w.shape[0]) for w in weights]

        def multiply(inputs: list[Tensor] = inputs, outputs: list[Tensor] = outputs) -> None:
            for w, x, y in zip(weights, inputs, outputs, strict=True):
                torch.mm(x, w.T, out=y)

        with torch.no_grad():
            multiply()
            seconds = statistics.median(timed(multiply)[0] for _ in range(20))
        best = min(best, seconds * TEST * DRAWS / rows)
    return best


def likelihood_table(repeats: int, epochs: int) -> None:
    """Print the table of log-likelihoods."""
    from multivae.data.datasets import MultimodalBaseDataset
    from multivae.metrics import LikelihoodsEvaluator, LikelihoodsEvaluatorConfig

    _, test = digits()
    print(
        "| model | log p(x, y), ours | MultiVae | ours, s | MultiVae, s, blocks of 100 | of 1000 "
        "| MultiVae (100) / ours | MultiVae (1000) / ours | matrix products / ours "
        "| ours under bfloat16, s | MultiVae (100) / it | its error per point, mean, spread |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|---|")
    for name in ("JMVAE", "MVAE"):
        _, yours, (model, guide), other = steppers(name)
        for _ in range(epochs):
            yours()
        _same_weights(model, guide, other)
        other.eval()

        def estimate(block: int, other: Any = other) -> Any:
            config = LikelihoodsEvaluatorConfig(batch_size=512, num_samples=DRAWS, batch_size_k=block)
            return LikelihoodsEvaluator(other, MultimodalBaseDataset(dict(test)), eval_config=config).joint_nll()

        mine = partial(log_likelihood, model, guide, Batch.of(test), num_samples=DRAWS)
        half = torch.autocast("cpu", torch.bfloat16)(mine)
        exact, peer = mine(), -float(estimate(1000))
        error = half().value - exact.value  # the draws are the same
        rows = []
        for _ in range(repeats):
            rows.append([timed(run)[0] for run in (mine, lambda: estimate(100), lambda: estimate(1000), half)])
        own, small, large, lower = (statistics.median(column) for column in zip(*rows, strict=True))
        ratios = [statistics.median(r[i] / r[j] for r in rows) for i, j in ((1, 0), (2, 0), (1, 3))]
        share = matmul_seconds(model) / own
        print(
            f"| {name} | {exact.mean:.2f} | {peer:.2f} | {own:.2f} | {small:.2f} | {large:.2f} "
            f"| {ratios[0]:.2f} | {ratios[1]:.2f} | {share:.0%} "
            f"| {lower:.2f} | {ratios[2]:.2f} | {error.mean():.3f}, {error.std():.3f} |",
            flush=True,
        )


def _same_weights(model: MultimodalVAE, guide: Guide, other: Any) -> None:
    """Copy decoders, and the moments of the encoders as near as softplus and exp allow: through the whole posterior."""
    for name in SIZES:
        model.decoders[name].load_state_dict(other.decoders[name].net.state_dict())
    guide.posterior = lambda batch: _posterior_of(other, batch)  # type: ignore[method-assign]


def _posterior_of(other: Any, batch: Batch) -> Any:
    """Return q(z | x, y) of the other library's model."""
    with torch.no_grad():
        if hasattr(other, "joint_encoder"):
            out = other.joint_encoder(dict(batch.data))
            loc, log_variance = out.embedding, out.log_covariance
        else:
            loc, log_variance = other.compute_mu_log_var_subset(their_batch(dict(batch.data)), list(SIZES))
    return pyro.distributions.Normal(loc, (0.5 * log_variance).exp()).to_event(1)


def memory_table() -> None:
    """Print the peak memory of our estimator by K, each in a process of its own."""
    print("| K | peak resident memory above the start, MiB |\n|---|---|")
    for draws in (100, 1000, 10_000):
        command = [sys.executable, __file__, "--child", str(draws)]
        found = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[-1]
        print(f"| {draws} | {float(found):.1f} |", flush=True)


def child(draws: int) -> None:
    """Print the growth of peak resident memory (Linux) during one estimate of an untrained MVAE."""
    _, test = digits()
    torch.manual_seed(0)
    model, guide, _ = ours("MVAE")
    batch = Batch.of(test)
    log_likelihood(model, guide, batch, num_samples=20)  # thread pools and allocator are warm
    before = _status("VmRSS")
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")
    log_likelihood(model, guide, batch, num_samples=draws)
    print(_status("VmHWM") - before)


def _status(key: str) -> float:
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith(key))


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--what", nargs="+", choices=["step", "likelihood", "memory"], default=["step", "likelihood", "memory"]
    )
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--epochs", type=int, default=30, help="of training before the log-likelihoods")
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    warnings.filterwarnings("ignore")
    logging.disable(logging.CRITICAL)
    os.environ["TQDM_DISABLE"] = "1"
    if chosen.child:
        child(chosen.child)
        return
    print(f"{os.cpu_count()} cores, {torch.get_num_threads()} threads, torch {torch.__version__}")
    print(f"Python {platform.python_version()}\n")
    with pyro.validation_enabled(False):
        if "step" in chosen.what:
            step_table(chosen.repeats)
        if "likelihood" in chosen.what:
            likelihood_table(chosen.repeats, chosen.epochs)
    if "memory" in chosen.what:
        memory_table()


if __name__ == "__main__":
    main()
