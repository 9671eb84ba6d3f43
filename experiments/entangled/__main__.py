"""`python -m experiments.entangled`."""

from pyro_mmvae.experiments.entangled.cli import main

if __name__ == "__main__":
    main()
