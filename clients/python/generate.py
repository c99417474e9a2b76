"""`python clients/python/generate.py`: the client's types, from those of the server.

Writes ticker_client/messages.py. A test of the server holds the file to what this gives.
"""

from __future__ import annotations

import ast
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
GATEWAY = ROOT / "ticker" / "gateway"
OUTPUT = HERE / "ticker_client" / "messages.py"
ALIASES = (
    "Symbol", "Id", "Price", "Size", "Time", "Count", "LastPrice", "TradesSoFar", "Venue",
    "TradeId", "Channel", "State", "Interval", "OfBars", "Levels", "OneVenue", "BookSeq", "Limit",
    "Pace",
)  # fmt: skip
RESOURCES = ("PriceObject", "Prices", "Book", "Bar", "Bars", "ListedSymbol", "Symbols")
HEAD = '''"""What the server says, as types. Made by generate.py from the server's own; do not edit.

A server that is newer may say more: what is not known here is left out.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

MAX_ID = 64
'''


def generated() -> str:
    """The text of messages.py."""
    messages = (GATEWAY / "protocol" / "messages.py").read_text(encoding="utf-8")
    resources = (GATEWAY / "rest" / "resources.py").read_text(encoding="utf-8")
    words = (GATEWAY / "protocol" / "vocabulary.py").read_text(encoding="utf-8")
    parts = [part for part in _parts(words) if _is_alias(part[0])]
    _, _, said = messages.partition("# -- server to client")
    classes = [part for part in _parts(messages[: -len(said)] + said) if _is_class(part, said)]
    union = next(part for part in _parts(messages) if _name(part[0]) == "AnyMessage")
    shown = [part for part in _parts(resources) if _name(part[0]) in RESOURCES]
    aliases = "\n".join(text for _, text in parts)
    bodies = "\n\n\n".join(text for _, text in (*classes, union, *shown))
    return f"{HEAD}{aliases}\n\n\n{bodies}\n".replace(", forbid_unknown_fields=True", "")


def _parts(source: str) -> list[tuple[ast.stmt, str]]:
    """Each statement of a module, and its text."""
    found = []
    for node in ast.parse(source).body:
        text = ast.get_source_segment(source, node)
        assert text is not None
        found.append((node, text))
    return found


def _name(node: ast.stmt) -> str:
    if isinstance(node, ast.ClassDef):
        return node.name
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
        return node.targets[0].id
    return ""


def _is_alias(node: ast.stmt) -> bool:
    return _name(node) in ALIASES


def _is_class(part: tuple[ast.stmt, str], said: str) -> bool:
    """Whether the server says it: commands stand above the line."""
    return isinstance(part[0], ast.ClassDef) and part[1] in said


if __name__ == "__main__":
    OUTPUT.write_text(generated(), encoding="utf-8")
