"""Likelihoods p(x_m | z), one file each; the folder is the list."""

from collections.abc import Callable

from pyro_mmvae.likelihoods.base import Likelihood
from pyro_mmvae.likelihoods.bernoulli import Bernoulli
from pyro_mmvae.likelihoods.categorical import Categorical
from pyro_mmvae.likelihoods.cross_entropy import CrossEntropy
from pyro_mmvae.likelihoods.heatmap import Heatmap
from pyro_mmvae.likelihoods.laplace import Laplace
from pyro_mmvae.likelihoods.multilabel import Multilabel
from pyro_mmvae.likelihoods.normal import Normal
from pyro_mmvae.likelihoods.pointcloud import Pointcloud
from pyro_mmvae.likelihoods.pose import Pose
from pyro_mmvae.likelihoods.radial import Radial
from pyro_mmvae.likelihoods.segmentation import Segmentation
from pyro_mmvae.registry import load_class

__all__ = [
    "Bernoulli",
    "Categorical",
    "CrossEntropy",
    "Heatmap",
    "Laplace",
    "Likelihood",
    "Multilabel",
    "Normal",
    "Pointcloud",
    "Pose",
    "Radial",
    "Segmentation",
]


def load(name: str) -> Callable[..., Likelihood]:
    """Return the likelihood class that a file of this folder defines, or one's own.

    Args:
        name: the file's name; or an import path, `package.module:Class` or `file.py:Class`.

    Raises:
        ValueError: there is no such likelihood.
    """
    found: Callable[..., Likelihood] = load_class(__name__, name, Likelihood)
    return found
