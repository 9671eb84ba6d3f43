"""`python -m experiments.entangled`."""

from experiments.entangled.cli import main

if __name__ == "__main__":
    main()
