"""`python clients/typescript/generate.py`: the client's types, from those of the server.

Writes src/messages.ts. A test of the server holds the file to what this gives.
"""

from __future__ import annotations

import inspect as of_python
from pathlib import Path
from typing import Any, get_args

import msgspec
from msgspec import inspect

from ticker.gateway.protocol import messages, vocabulary
from ticker.gateway.rest import resources

OUTPUT = Path(__file__).parent / "src" / "messages.ts"
RESOURCES = ("PriceObject", "Prices", "Book", "Bar", "Bars", "ListedSymbol", "Symbols")
HEAD = """\
// What the server says, as types. Made by generate.py from the server's own; do not edit.
// A server that is newer may say more. Prices and sizes are strings with the digits of the tick.
"""
SIMPLE = {
    inspect.StrType: "string",
    inspect.DecimalType: "string",
    inspect.DateTimeType: "string",
    inspect.IntType: "number",
    inspect.FloatType: "number",
    inspect.BoolType: "boolean",
    inspect.NoneType: "null",
}


def generated() -> str:
    """The text of messages.ts."""
    kinds: list[type] = [messages.Limits, messages.Rejected, messages.Mover, *messages.MESSAGES]
    kinds += [getattr(resources, name) for name in RESOURCES]
    exact: set[str] = set()
    bodies = [_interface(kind, exact) for kind in kinds]
    union = " | ".join(kind.__name__ for kind in messages.MESSAGES)
    channels = " | ".join(f'"{name}"' for name in get_args(vocabulary.Channel))
    states = " | ".join(f'"{name}"' for name in get_args(vocabulary.State))
    names = ", ".join(f'"{name}"' for name in sorted(exact))
    return "\n".join(
        [
            HEAD,
            f"export type Channel = {channels};",
            f"export type State = {states};",
            "/** A price of a book, and the size of all orders at it. */",
            "export type Level = [price: string, size: string];",
            "",
            *bodies,
            f"export type AnyMessage = {union};",
            "",
            "/** The fields that are exact decimals. */",
            f"export const EXACT: readonly string[] = [{names}];",
            "",
        ]
    )


def _interface(kind: type, exact: set[str]) -> str:
    found = inspect.type_info(kind)
    assert isinstance(found, inspect.StructType)
    words = of_python.cleandoc(kind.__doc__ or "").splitlines()
    lines = [f"/** {' '.join(word for word in words if word)} */"]
    lines.append(f"export interface {kind.__name__} {{")
    if found.tag is not None:
        lines.append(f'  type: "{found.tag}";')
    for field in found.fields:
        shown = _shown(field.type)
        if _is_exact(field.type):
            exact.add(field.encode_name)
        mark = "" if field.required else "?"
        lines.append(f"  {field.encode_name}{mark}: {shown};")
    return "\n".join([*lines, "}", ""])


def _parts(kind: inspect.Type) -> list[inspect.Type]:
    """The types of a union, without the absence of a value."""
    while isinstance(kind, inspect.Metadata):
        kind = kind.type
    if isinstance(kind, inspect.UnionType):
        return [part for each in kind.types for part in _parts(each)]
    return [] if _is_unset(kind) else [kind]


def _is_unset(kind: inspect.Type) -> bool:
    return isinstance(kind, inspect.CustomType) and kind.cls is msgspec.UnsetType


def _is_exact(kind: inspect.Type) -> bool:
    return any(isinstance(part, inspect.DecimalType) for part in _parts(kind))


def _shown(kind: inspect.Type) -> str:
    return " | ".join(dict.fromkeys(_one(part) for part in _parts(kind)))


def _one(kind: Any) -> str:
    if type(kind) in SIMPLE:
        return SIMPLE[type(kind)]
    if isinstance(kind, inspect.LiteralType):
        return " | ".join(f'"{value}"' for value in kind.values)
    if isinstance(kind, inspect.ListType):
        item = _shown(kind.item_type)
        return f"({item})[]" if " " in item else f"{item}[]"
    if isinstance(kind, inspect.StructType):
        return kind.cls.__name__
    raise TypeError(f"{kind}: say how TypeScript has it")


if __name__ == "__main__":
    OUTPUT.write_text(generated(), encoding="utf-8")
