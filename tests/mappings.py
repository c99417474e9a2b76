"""Mappings for JSON that tests make up: records whose `k` says what they are."""

from __future__ import annotations


def rule(kind: str, mark: str, **keys: str) -> str:
    """A rule of this kind for records with `k = mark`, named like its kind."""
    lines = [f'name = "{kind}"', f'kind = "{kind}"', f'where = {{ k = "{mark}" }}']
    lines += [f'{key} = "{value}"' for key, value in keys.items()]
    return "\n".join(["[[records]]", *lines, ""])
