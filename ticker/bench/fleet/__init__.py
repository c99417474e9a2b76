"""The size of a fleet, from what things cost on this machine."""
