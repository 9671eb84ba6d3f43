"""`python -m experiments.likelihood`."""

from pyro_mmvae.experiments.likelihood.cli import main

if __name__ == "__main__":
    main()
