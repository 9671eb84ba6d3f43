"""`python -m experiments.compare`."""

from pyro_mmvae.experiments.compare.cli import main

if __name__ == "__main__":
    main()
