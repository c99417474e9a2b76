"""The engines of the bus: one file for each."""
