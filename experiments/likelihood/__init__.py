"""Log-likelihoods of a trained run of any experiment: `python -m experiments.likelihood RUN --of image`."""
