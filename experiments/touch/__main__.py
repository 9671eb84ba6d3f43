"""`python -m experiments.touch`."""

from pyro_mmvae.experiments.common.driver import main

if __name__ == "__main__":
    main("touch")
