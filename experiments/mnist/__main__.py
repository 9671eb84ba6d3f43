"""`python -m experiments.mnist`."""

from experiments.mnist.cli import main

if __name__ == "__main__":
    main()
