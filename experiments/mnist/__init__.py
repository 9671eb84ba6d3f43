"""Images of digits or clothes with their labels: `python -m experiments.mnist --guide set --objective smvae`."""
