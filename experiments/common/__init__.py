"""What all experiments share: configurations, run folders, checkpoints."""
