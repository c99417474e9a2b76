"""A day on the disk, event by event, and played again."""
