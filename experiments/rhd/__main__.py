"""`python -m experiments.rhd`."""

from pyro_mmvae.experiments.rhd.cli import main

if __name__ == "__main__":
    main()
