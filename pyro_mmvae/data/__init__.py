"""Data sets: loaders, generators and corruptions."""
