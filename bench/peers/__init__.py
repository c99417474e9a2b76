"""Other servers beside ours: the same ticks, the same clients, one run. See README.md."""
