"""The log of the bus: all frames of the last days, and how they are read again."""
