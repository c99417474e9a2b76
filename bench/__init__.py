"""Benches: reference programs in C (limits/), and the set that `make bench` runs."""
