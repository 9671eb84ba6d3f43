"""`python -m experiments.mnist`."""

from pyro_mmvae.experiments.mnist.cli import main

if __name__ == "__main__":
    main()
