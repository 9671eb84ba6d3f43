"""Weather: a thermometer and a camera see the same day, one of them may fail."""
