"""`python -m experiments.likelihood`."""

from experiments.likelihood.cli import main

if __name__ == "__main__":
    main()
