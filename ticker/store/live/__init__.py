"""Bars in motion: made from the rings of all feeds, and published as they change."""
