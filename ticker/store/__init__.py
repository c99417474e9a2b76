"""The store: prices on the disk, written by a worker that reads the feeds' segments."""
