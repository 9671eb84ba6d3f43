"""Six pictures made from one face: `python -m experiments.transforms`."""
