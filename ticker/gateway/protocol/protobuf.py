"""Protobuf (proto3) made from the message types: the .proto text, messages out, commands in.

The numbers of fields and messages are those of numbers.py. Prices become `<name>_e9` (int64),
times `<name>_ns` (int64), sizes uint64 in units of 10^-size_exponent. Price updates are written by
encode_protobuf.pyx, the rarer messages here. Source: protobuf.dev, "Encoding" and "Language guide
(proto 3)".

Law: any bytes give a tree for msgspec to convert, or DecodeError.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Context
from functools import cache
from typing import Any

import msgspec
from msgspec import UNSET, inspect

from ticker.errors import DecodeError
from ticker.gateway.protocol.messages import COMMANDS, MESSAGES
from ticker.gateway.protocol.numbers import COMMAND_NUMBERS, FIELD_NUMBERS, MESSAGE_NUMBERS

PACKAGE = "ticker.v1"
# Fields that the types do not have: there sizes are decimals of any length.
EXTRA = {"volume_high": "uint64", "size_exponent": "uint32"}
VARINT, I64, LEN, I32 = 0, 1, 2, 5
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SCALARS = {"string", "uint64", "int64", "double", "bool"}


@dataclass(frozen=True)
class Field:
    """One field as Protobuf has it. `unit`: "price", "time", "id", "seen" or ""."""

    number: int
    name: str
    wire_name: str
    kind: str
    label: str
    unit: str = ""
    struct: type[msgspec.Struct] | None = None

    @property
    def line(self) -> str:
        """The field's line of the .proto."""
        if self.label == "map":
            return f"map<string, {self.kind}> {self.wire_name} = {self.number};"
        label = f"{self.label} " if self.label else ""
        return f"{label}{self.kind} {self.wire_name} = {self.number};"


@cache
def fields_of(message: type[msgspec.Struct]) -> tuple[Field, ...]:
    """The fields of a message, in the order of its type.

    Raises:
        TypeError: numbers.py has no number for one of them, or one for a field that is not there.
    """
    info = inspect.type_info(message)
    assert isinstance(info, inspect.StructType)
    numbers = FIELD_NUMBERS.get(message.__name__, {})
    names = {field.encode_name for field in info.fields}
    if wrong := sorted(names ^ (numbers.keys() - EXTRA.keys())):
        raise TypeError(
            f"{message.__name__}: {', '.join(wrong)}: give every field its number in numbers.py, "
            "one that was never used, and only those"
        )
    return tuple(_field(numbers[field.encode_name], field) for field in info.fields)


def _field(number: int, field: inspect.Field) -> Field:
    kind, unit = _unwrapped(field.type)
    optional = not field.required or _nullable(field.type)
    name = field.encode_name
    if unit == "id":
        return Field(number, name, name, "string", "optional", unit)
    if isinstance(kind, inspect.ListType):
        item, _ = _unwrapped(kind.item_type)
        inner = item.cls if isinstance(item, inspect.StructType) else None
        return Field(number, name, name, _kind(item, ""), "repeated", "", inner)
    if isinstance(kind, inspect.DictType):
        return Field(number, name, f"{name}_ns", "int64", "map", "seen")
    if isinstance(kind, inspect.StructType):
        return Field(number, name, name, kind.cls.__name__, "", "", kind.cls)
    suffix = {"price": "_e9", "time": "_ns"}.get(unit, "")
    return Field(
        number, name, name + suffix, _kind(kind, unit), "optional" if optional else "", unit
    )


def _nullable(kind: inspect.Type) -> bool:
    while isinstance(kind, inspect.Metadata):
        kind = kind.type
    return isinstance(kind, inspect.UnionType) and kind.includes_none


def _unwrapped(kind: inspect.Type) -> tuple[inspect.Type, str]:
    """(the type itself, its unit), without constraints and None."""
    unit = ""
    while True:
        if isinstance(kind, inspect.Metadata):
            unit = str((kind.extra or {}).get("unit", unit))
            kind = kind.type
        elif isinstance(kind, inspect.UnionType):
            kinds = [one for one in kind.types if not isinstance(one, inspect.NoneType)]
            if len(kinds) > 1:
                return kind, "id"
            kind = kinds[0]
        else:
            return kind, "time" if isinstance(kind, inspect.DateTimeType) else unit


def _kind(kind: inspect.Type, unit: str) -> str:
    if isinstance(kind, inspect.DecimalType):
        return "int64" if unit == "price" else "uint64"
    if isinstance(kind, inspect.StructType):
        return kind.cls.__name__
    names: dict[type[inspect.Type], str] = {
        inspect.StrType: "string",
        inspect.LiteralType: "string",
        inspect.IntType: "uint64",
        inspect.FloatType: "double",
        inspect.BoolType: "bool",
        inspect.DateTimeType: "int64",
    }
    return names[type(kind)]


# -- the .proto ----------------------------------------------------------------------------


def proto_text() -> str:
    """ticker_v1.proto, which the package ships."""
    lines = [
        "// The client protocol of ticker, version 1, in Protobuf. Made from",
        "// ticker/gateway/protocol/messages.py; a test holds the two together.",
        "//",
        "// A binary WebSocket message is one ServerMessage or one ClientMessage. Prices are in",
        "// units of 1e-9, times in ns since 1970-01-01T00:00:00Z, sizes in 10^-size_exponent; a",
        "// volume is volume_high * 2^64 + volume of them.",
        'syntax = "proto3";',
        f"package {PACKAGE};",
        "",
    ]
    lines += _one_of("ClientMessage", "command", COMMANDS, COMMAND_NUMBERS)
    lines += _one_of(
        "ServerMessage",
        "message",
        MESSAGES,
        MESSAGE_NUMBERS,
        f"Batch batch = {MESSAGE_NUMBERS['batch']};",
    )
    lines += ["// All updates of one flush, after `configure` with `batch`."]
    lines += ["message Batch {", "  repeated ServerMessage messages = 1;", "}", ""]
    for message in [*COMMANDS, *MESSAGES, *_inner()]:
        lines += [f"// {(message.__doc__ or '').splitlines()[0]}", f"message {message.__name__} {{"]
        lines += [f"  {field.line}" for field in fields_of(message)]
        numbers = FIELD_NUMBERS[message.__name__]
        lines += [
            f"  {kind} {name} = {numbers[name]};" for name, kind in EXTRA.items() if name in numbers
        ]
        lines += ["}", ""]
    return "\n".join(lines)


def _one_of(
    name: str,
    group: str,
    messages: tuple[type[msgspec.Struct], ...],
    numbers: dict[str, int],
    *more: str,
) -> list[str]:
    members = [
        f"{message.__name__} {_tag(message)} = {numbers[_tag(message)]};" for message in messages
    ]
    return [
        f"message {name} {{",
        f"  oneof {group} {{",
        *(f"    {line}" for line in (*members, *more)),
        "  }",
        "}",
        "",
    ]


def _tag(message: type[msgspec.Struct]) -> str:
    return str(message.__struct_config__.tag)


def _inner() -> Iterator[type[msgspec.Struct]]:
    """The structs that messages hold, each once."""
    found: dict[type[msgspec.Struct], None] = {}
    for message in MESSAGES:
        found.update({field.struct: None for field in fields_of(message) if field.struct})
    yield from found


# -- messages out --------------------------------------------------------------------------


def encode(message: msgspec.Struct) -> bytes:
    """A message as a ServerMessage."""
    return _length(MESSAGE_NUMBERS[_tag(type(message))], _body(message))


def encode_command(command: msgspec.Struct) -> bytes:
    """A command as a ClientMessage, for clients and tests."""
    return _length(COMMAND_NUMBERS[_tag(type(command))], _body(command))


def _body(message: msgspec.Struct) -> bytes:
    out = b""
    extra = {"volume_high": 0, "size_exponent": _exponent(message)}
    for field in fields_of(type(message)):
        value = getattr(message, field.name)
        if value is None or value is UNSET:
            continue
        if field.unit == "size":
            value = int(_WIDE.scaleb(value, extra["size_exponent"]))
            extra["volume_high"] |= value >> 64
        if not field.label and value in (0, ""):
            continue  # the default of a field without presence
        if field.label == "map":
            pairs = ((_length(1, name.encode()), moment) for name, moment in value.items())
            out += b"".join(
                _length(field.number, key + varint(2 << 3 | VARINT) + varint(moment & _MASK))
                for key, moment in pairs
            )
        elif field.label == "repeated":
            out += b"".join(_scalar(field, item) for item in value)
        else:
            out += _scalar(field, value)
    numbers = FIELD_NUMBERS.get(type(message).__name__, {})
    for name, value in extra.items():
        if value:
            out += varint(numbers[name] << 3 | VARINT) + varint(value)
    return out


_WIDE = Context(prec=60)


def _exponent(message: msgspec.Struct) -> int:
    """The decimals of its sizes, at most; 0 for a message that has no room for them."""
    if "size_exponent" not in FIELD_NUMBERS.get(type(message).__name__, ()):
        return 0
    fields = (field for field in fields_of(type(message)) if field.unit == "size")
    sizes = [getattr(message, field.name) for field in fields]
    return max([0, *(-int(size.as_tuple().exponent) for size in sizes if size is not UNSET)])


_MASK = (1 << 64) - 1


def _scalar(field: Field, value: Any) -> bytes:
    if field.struct is not None:
        return _length(field.number, _body(value))
    if field.unit == "time":
        delta = value - _EPOCH
        value = (delta.days * 86400 + delta.seconds) * 10**9 + delta.microseconds * 1000
    if field.unit == "price":
        value = int(value.scaleb(9))
    if field.kind == "string":
        return _length(field.number, str(value).encode())
    if field.kind == "double":
        return varint(field.number << 3 | I64) + struct.pack("<d", value)
    return varint(field.number << 3 | VARINT) + varint(int(value) & _MASK)


def _length(number: int, body: bytes) -> bytes:
    return varint(number << 3 | LEN) + varint(len(body)) + body


def varint(value: int) -> bytes:
    """An unsigned integer, 7 bits a byte, the lowest first."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


# -- commands in ---------------------------------------------------------------------------

_COMMANDS = {COMMAND_NUMBERS[_tag(command)]: command for command in COMMANDS}


def decode_command(data: bytes) -> dict[str, Any]:
    """A ClientMessage as the tree that its JSON form would have; the times of `last_seen` in
    microseconds. A field that the schema does not have is kept by its number, to be refused.

    Raises:
        DecodeError: not a ClientMessage.
    """
    found = list(_wire(data))
    if len(found) != 1 or not isinstance(found[0][1], bytes):
        raise DecodeError("not one command in a ClientMessage")
    number, body = found[0]
    command = _COMMANDS.get(number)
    if command is None:
        return {"action": f"{number}"}
    assert isinstance(body, bytes)
    return {"action": _tag(command), **_tree(command, body)}


def _tree(message: type[msgspec.Struct], data: bytes) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    fields = {field.number: field for field in fields_of(message)}
    for number, raw in _wire(data):
        field = fields.get(number)
        if field is None:
            tree[str(number)] = None
        elif field.label == "map":
            name, moment = _entry(raw)
            _once(tree.setdefault(field.name, {}), name, moment // 1000)
        elif field.label == "repeated":
            tree.setdefault(field.name, []).append(_value(field, raw))
        else:
            _once(tree, field.name, _value(field, raw))
    for field in fields.values():
        if field.label == "map":
            tree.setdefault(field.name, {})  # an empty map is not on the wire
    return tree


def _once(tree: dict[str, Any], name: str, value: object) -> None:
    if name in tree:
        raise DecodeError(f"{name}: given twice")
    tree[name] = value


def _entry(raw: int | bytes) -> tuple[str, int]:
    if not isinstance(raw, bytes):
        raise DecodeError("last_seen: not a map")
    pair = dict(_wire(raw))
    name, moment = pair.get(1, b""), pair.get(2, 0)
    if not isinstance(name, bytes) or not isinstance(moment, int):
        raise DecodeError("last_seen: not a map of string to int64")
    return _text(name), moment - (1 << 64) if moment >> 63 else moment


def _value(field: Field, raw: int | bytes) -> object:
    if field.kind == "string" and isinstance(raw, bytes):
        return _text(raw)
    if field.kind == "double" and isinstance(raw, bytes) and len(raw) == 8:
        return struct.unpack("<d", raw)[0]
    if field.kind == "bool" and isinstance(raw, int):
        return bool(raw)
    if field.kind == "uint64" and isinstance(raw, int):
        return raw
    raise DecodeError(f"{field.name}: not of type {field.kind}")


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise DecodeError("a string is not UTF-8") from None


def _wire(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """(field number, value) of each field: an int for varints, else the bytes."""
    at = 0
    while at < len(data):
        key, at = _read_varint(data, at)
        number, wire = key >> 3, key & 7
        if wire == VARINT:
            value, at = _read_varint(data, at)
            yield number, value
            continue
        size = {I64: 8, I32: 4}.get(wire, -1)
        if wire == LEN:
            size, at = _read_varint(data, at)
        if not number or size < 0 or size > len(data) - at:
            raise DecodeError(f"not Protobuf at byte {at}")
        yield number, data[at : at + size]
        at += size


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at == len(data):
            break
        value |= (data[at] & 0x7F) << shift
        at += 1
        if not data[at - 1] & 0x80:
            return value & _MASK, at
    raise DecodeError(f"not Protobuf at byte {at}")
