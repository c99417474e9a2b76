"""The encodings: messages out as frames, commands in as trees.

Law: one object per encoding, shared by all connections; bytes in and out, no state. Price updates
    are not encoded here (see shared_frames.pyx), only the rarer messages.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Hashable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec

from ticker.errors import DecodeError
from ticker.gateway.protocol import protobuf
from ticker.gateway.protocol.messages import MESSAGES, Heartbeat, Message
from ticker.gateway.protocol.vocabulary import PROTOCOL
from ticker.gateway.sockets.connection import ENCODING_NAMES, Encoding
from ticker.gateway.sockets.frames import Opcode, frame
from ticker.units import format_timestamp

PLAIN, JSON = Encoding.PLAIN, Encoding.JSON
MSGPACK, PROTOBUF = Encoding.MSGPACK, Encoding.PROTOBUF
EVENT_STREAM = Encoding.EVENT_STREAM
MOST_TEMPLATES = 256
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Codec:
    """One encoding. `number` is an Encoding, or one of a vendor's dialect; `subprotocol` is ""
    where a client cannot select it so: the plain dialect, events, vendors' dialects. `encode` gives
    no bytes for what it cannot say, `integer` those of an integer in a message."""

    def __init__(
        self,
        number: int,
        opcode: int,
        encode: Callable[[Message], bytes],
        read: Callable[[bytes], dict[str, Any]] | None,
        integer: Callable[[int], bytes] | None = None,
    ) -> None:
        self.number = number
        named = PLAIN < number < EVENT_STREAM
        self.subprotocol = f"{PROTOCOL}.{ENCODING_NAMES[number]}" if named else ""
        self.opcode = opcode
        self.encode = encode
        self.integer = integer
        self._read = read

    @property
    def plain(self) -> bool:
        """Whether it is the plain dialect: only `snapshot`, `update` and `error` may be sent."""
        return self.number == PLAIN

    def frame(self, message: Message) -> bytes:
        """A message as a ready WebSocket frame, or as a server-sent event; empty, if the encoding
        has no words for it."""
        encoded = self.encode(message)
        if self.number == EVENT_STREAM:
            begin = b": " if isinstance(message, Heartbeat) else b"data: "
            return begin + encoded + b"\n\n"
        return frame(self.opcode, encoded) if encoded else b""

    def read(self, is_text: bool, payload: bytes) -> dict[str, Any]:
        """A command as a tree. Text messages are read as JSON in every encoding.

        Raises:
            DecodeError: not in this encoding, or a key twice.
        """
        if is_text:
            return read_json(payload)
        if self._read is None:
            raise DecodeError("a binary message; commands are JSON in text messages here")
        return self._read(payload)


class Templates:
    """The frames of messages that differ in one integer alone. Each is encoded once; after that the
    integer is put in its place. At most MOST_TEMPLATES are kept."""

    def __init__(self) -> None:
        self._around: dict[Hashable, tuple[bytes, bytes]] = {}

    def __len__(self) -> int:
        return len(self._around)

    def frame(self, codec: Codec, make: Callable[[int], Message], about: Hashable, n: int) -> bytes:
        """The frame of `make(n)`; all messages `about` the same are alike but for `n`."""
        if codec.integer is None:
            return codec.frame(make(n))
        said = codec.integer(n)
        # Integers of one length: so all lengths around them are the same, too.
        key = codec.number, len(said), about
        if (around := self._around.get(key)) is not None:
            return said.join(around)
        whole = codec.frame(make(n))
        before, found, after = whole.partition(said)
        if found and said not in after:
            if len(self._around) >= MOST_TEMPLATES:
                self._around.clear()
            self._around[key] = before, after
        return whole

    def clear(self) -> None:
        """Forget them: what they are about means something else now."""
        self._around.clear()


def moment(ns: int) -> datetime:
    """A time in ns, converted for messages."""
    return _EPOCH + timedelta(microseconds=ns // 1000)


def encode_json(message: Message) -> bytes:
    """Times as RFC 3339 with microseconds, decimals as numbers."""
    return _JSON.encode(_tree(message, _json_value))


def encode_msgpack(message: Message) -> bytes:
    """Times as integer microseconds, prices as strings, whole sizes as integers."""
    return _MSGPACK.encode(_tree(message, _msgpack_value))


_JSON = msgspec.json.Encoder(decimal_format="number")
_MSGPACK = msgspec.msgpack.Encoder(decimal_format="string")
_SIZES = frozenset(
    field.name
    for outer in MESSAGES
    for kind in (outer, *(field.struct for field in protobuf.fields_of(outer) if field.struct))
    for field in protobuf.fields_of(kind)
    if field.unit == "size"
)
Convert = Callable[[str, Any], object]


def _tree(message: Message, convert: Convert) -> Any:
    tree = msgspec.to_builtins(message, builtin_types=(datetime, Decimal))
    return _converted("", tree, convert)


def _converted(name: str, value: Any, convert: Convert) -> Any:
    """The values of a tree by `convert`, which gets the name of each."""
    if isinstance(value, dict):
        return {key: _converted(key, each, convert) for key, each in value.items()}
    if isinstance(value, list):
        return [_converted(name, each, convert) for each in value]
    return convert(name, value)


def _json_value(_: str, value: Any) -> object:
    if isinstance(value, datetime):
        return format_timestamp((value - _EPOCH) // _MICROSECOND * 1000)
    return value


def _msgpack_value(name: str, value: Any) -> object:
    if isinstance(value, datetime):
        return (value - _EPOCH) // _MICROSECOND
    if name in _SIZES and isinstance(value, Decimal) and value == int(value) < 1 << 64:
        return int(value)
    return value


def read_json(payload: bytes) -> dict[str, Any]:
    """A JSON object (RFC 8259) as a tree; keys twice, NaN and numbers without bounds refused."""
    try:
        tree = _READER.decode(payload.decode())
    except UnicodeDecodeError:
        raise DecodeError("the message is not UTF-8") from None
    except RecursionError:
        raise DecodeError("the message is nested too deeply") from None
    except ValueError as error:  # json's own, and integers of thousands of digits
        raise DecodeError(f"the message is not JSON: {str(error)[:100]}") from None
    return _object(tree)


def _object(tree: object) -> dict[str, Any]:
    if not isinstance(tree, dict):
        raise DecodeError("the message is not an object")
    return tree


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise DecodeError(f"{ascii(twice[:40])[1:-1]}: given twice")
    for name, value in pairs:
        if isinstance(value, float) and not math.isfinite(value):
            raise DecodeError(f"{ascii(name[:40])[1:-1]}: not a finite number")
        if not _is_unicode(name) or (isinstance(value, str) and not _is_unicode(value)):
            raise DecodeError(f"{ascii(name[:40])[1:-1]}: a lone surrogate")
    return found


def _is_unicode(text: str) -> bool:
    """Whether the text has no lone surrogate; only escapes in JSON can bring one."""
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)


_READER = json.JSONDecoder(object_pairs_hook=_unique)


def read_msgpack(payload: bytes) -> dict[str, Any]:
    """A MessagePack map as a tree."""
    try:
        tree = _object(_UNPACK.decode(payload))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DecodeError(f"the message is not MessagePack: {error}") from None
    except RecursionError:
        raise DecodeError("the message is nested too deeply") from None
    if _map_size(payload) != len(tree):
        raise DecodeError("the message has a key twice")
    return tree


_UNPACK = msgspec.msgpack.Decoder(dict[str, Any])


def _map_size(payload: bytes) -> int:
    """Entries that the head of a map announces (fixmap, map 16, map 32)."""
    if payload[0] & 0xF0 == 0x80:
        return payload[0] & 0x0F
    return int.from_bytes(payload[1 : 3 if payload[0] == 0xDE else 5], "big")


def _digits(n: int) -> bytes:
    return b"%d" % n


CODECS = (
    Codec(PLAIN, Opcode.OPCODE_TEXT, encode_json, None, _digits),
    Codec(JSON, Opcode.OPCODE_TEXT, encode_json, None, _digits),
    Codec(MSGPACK, Opcode.OPCODE_BINARY, encode_msgpack, read_msgpack, _MSGPACK.encode),
    Codec(
        PROTOBUF, Opcode.OPCODE_BINARY, protobuf.encode, protobuf.decode_command, protobuf.varint
    ),
    Codec(EVENT_STREAM, Opcode.OPCODE_TEXT, encode_json, None, _digits),
)


def select(offered: list[str]) -> Codec:
    """The first subprotocol of a client's offer that the server knows, else the plain dialect."""
    spoken = {codec.subprotocol: codec for codec in CODECS if codec.subprotocol}
    return next((spoken[name] for name in offered if name in spoken), CODECS[PLAIN])
