"""`python -m experiments.mog`."""

from experiments.mog.cli import main

if __name__ == "__main__":
    main()
