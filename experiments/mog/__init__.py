"""Mixture of Gaussians: two modalities of which neither tells all classes."""
