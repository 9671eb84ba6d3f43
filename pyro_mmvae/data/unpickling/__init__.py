"""A reader of pickles that makes plain values and numeric arrays, and can make nothing else."""
