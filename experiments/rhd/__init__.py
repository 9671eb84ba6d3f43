"""Hands from RGB, trained with more than RGB: `python -m experiments.rhd --guide gpoe`."""
