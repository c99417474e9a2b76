"""Bars in motion: the segment that the store worker writes and gateways read."""
