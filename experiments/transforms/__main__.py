"""`python -m experiments.transforms`."""

from pyro_mmvae.experiments.common.driver import main

if __name__ == "__main__":
    main("transforms")
