"""The mirror: the newest prices in a Redis, for other programs."""
