"""`python -m experiments.mog`."""

from pyro_mmvae.experiments.mog.cli import main

if __name__ == "__main__":
    main()
