"""The needs of feeds beside their workers: hours, last prices, simulated exchanges, and changes by
a new configuration."""
