"""Measures of what a model predicts or makes."""
