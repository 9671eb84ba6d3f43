"""`python -m experiments.compare`."""

from experiments.compare.cli import main

if __name__ == "__main__":
    main()
