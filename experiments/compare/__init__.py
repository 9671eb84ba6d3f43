"""Train every combination of guides, objectives and seeds of an experiment, and compare the results."""
