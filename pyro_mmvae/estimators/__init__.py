"""Log-likelihoods with error bars and diagnostics that say when not to believe them."""

from __future__ import annotations

from pyro_mmvae.estimators.annealing import Annealing, annealed_log_likelihood
from pyro_mmvae.estimators.comparison import compare
from pyro_mmvae.estimators.conditional import conditional_log_likelihood, difference
from pyro_mmvae.estimators.elbo import elbos
from pyro_mmvae.estimators.estimate import KHAT_LIMIT, Estimate
from pyro_mmvae.estimators.gaps import InferenceGap, gaps_table, inference_gaps
from pyro_mmvae.estimators.importance import log_likelihoods
from pyro_mmvae.estimators.inference_data import to_inference_data
from pyro_mmvae.estimators.laplace import Laplace
from pyro_mmvae.estimators.likelihood import log_likelihood
from pyro_mmvae.estimators.proposal import Refinement
from pyro_mmvae.estimators.ranks import Calibration, calibration
from pyro_mmvae.estimators.sandwich import Sandwich, bidirectional
from pyro_mmvae.estimators.seeds import batch_seed, seeded

__all__ = [
    "KHAT_LIMIT",
    "Annealing",
    "Calibration",
    "Estimate",
    "InferenceGap",
    "Laplace",
    "Refinement",
    "Sandwich",
    "annealed_log_likelihood",
    "batch_seed",
    "bidirectional",
    "calibration",
    "compare",
    "conditional_log_likelihood",
    "difference",
    "elbos",
    "gaps_table",
    "inference_gaps",
    "log_likelihood",
    "log_likelihoods",
    "seeded",
    "to_inference_data",
]
