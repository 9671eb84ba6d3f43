"""`python -m experiments.celeba`."""

from pyro_mmvae.experiments.common.driver import main

if __name__ == "__main__":
    main("celeba")
