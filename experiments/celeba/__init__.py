"""Faces and their attributes: `python -m experiments.celeba`."""
