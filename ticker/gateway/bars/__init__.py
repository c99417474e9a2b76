"""Bars in motion as a gateway has them: those that clients watch, and their frames."""
