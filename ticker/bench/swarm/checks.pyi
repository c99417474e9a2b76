COUNTS: tuple[str, ...]
VIOLATIONS: tuple[str, ...]
