"""Segmentation of surgical views from RGB, a point cloud or both: `python -m experiments.surgical --guide gpoe`."""
