"""Comparisons of the papers, and ours, by name: `python -m experiments.compare --experiment rhd --study NAME`."""

from __future__ import annotations

from pyro_mmvae.experiments.common.run_config import Comparison

EXPERTS = ("moe", "poe:prior_expert=never", "gpoe")
"""As Joshi et al. (2022) compare them: their PoE has no prior."""

STUDIES = {
    "joshi2022_table3": Comparison(EXPERTS, vary={"pixel_corruption": ("0", "0.25", "0.5")}),
    # The strength of their noise on clouds and the share of pixels are ours: they do not print them.
    "joshi2022_figure4": Comparison(
        EXPERTS[1:],
        vary={"corrupted_share": ("0", "0.25", "0.5", "0.75")},
        options=("--pixel-corruption", "0.5", "--cloud-noise", "0.5", "--corrupt", "both"),
    ),
    "joshi2022_figure4_pck": Comparison(EXPERTS[1:], vary={"pixel_corruption": ("0", "0.5", "0.7")}),
    "gupta2021_table6.2": Comparison(
        ("poe", "moe_moments:weights=learned", "transformer"),
        vary={"cross_correlation": ("0", "0.1")},
        options=("--samples", "0.2", "--batch-size", "128"),
    ),
    "gupta2021_table6.5": Comparison(
        ("poe", "moe_moments:weights=learned", "transformer"), options=("--setting", "rcs2chps")
    ),
    # Ours: both sensors fail so badly, in half of the samples each, that the other one is better then.
    "sensor_failure": Comparison(
        EXPERTS,
        options=(
            *("--setting", "rc2cp", "--corrupt", "both", "--corrupted-share", "0.5"),
            *("--pixel-corruption", "0.9", "--cloud-noise", "4"),
        ),
    ),
}
