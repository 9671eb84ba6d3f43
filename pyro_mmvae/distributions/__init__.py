"""Distributions that neither Pyro nor PyTorch has."""
