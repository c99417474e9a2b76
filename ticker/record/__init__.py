"""Recordings: the events of a day on the disk, played again on request."""
