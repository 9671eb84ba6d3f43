"""`python -m experiments.rhd`."""

from experiments.rhd.cli import main

if __name__ == "__main__":
    main()
