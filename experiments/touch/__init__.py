"""What a robot sees, from what it feels and does: pegs put into holes."""
