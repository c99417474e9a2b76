"""The JSON reader, held against Python's own."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticker.errors import DecodeError
from ticker.feeds.json.tape import values_of

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=30,
)  # fmt: skip


def rebuilt(text: bytes) -> Any:
    """A text by its tape, as Python values; numbers by Python's own rule."""
    values = values_of(text)

    def build(at: int) -> tuple[Any, int]:
        kind, plain, end = values[at]
        at += 1
        if kind == "string":
            return plain.decode("utf-8", "surrogatepass"), end
        if kind == "array":
            found = []
            while at < end:
                value, at = build(at)
                found.append(value)
            return found, end
        if kind == "object":
            members = {}
            while at < end:
                name, at = build(at)
                members[name], at = build(at)
            return members, end
        return json.loads(plain), end

    whole, end = build(0)
    assert end == len(values)
    return whole


@given(VALUES, st.booleans(), st.sampled_from([None, 0, 2]))
def test_every_text_comes_out_as_it_was_meant(value: Any, plain: bool, indent: int | None) -> None:
    text = json.dumps(value, ensure_ascii=plain, indent=indent).encode("utf-8", "surrogatepass")
    if rebuilt(text) != value:
        # Half of a surrogate pair is no character: it comes out as the replacement character.
        assert "\\ud" in json.dumps(value)


@given(
    st.binary(max_size=60) | st.text(alphabet='{}[]",:0123456789.eE+-truefalsn \\u', max_size=40)
)
def test_any_bytes_are_json_or_refused(data: bytes | str) -> None:
    text = data if isinstance(data, bytes) else data.encode()
    try:
        values_of(text)
    except DecodeError:
        accepted = False
    else:
        accepted = True
    try:
        plain = text.decode("utf-8")
        if "NaN" in plain or "Infinity" in plain:
            return
        json.loads(plain)
    except ValueError as error:
        # The reader is lenient about UTF-8 and about nothing else.
        assert not accepted or isinstance(error, UnicodeDecodeError), (text, error)
    else:
        assert accepted or plain.startswith("\ufeff"), text


@pytest.mark.parametrize(
    "text",
    [
        b"", b" ", b"{", b"[1", b"[1,]", b"{,}", b'{"a"}', b'{"a":}', b'{"a":1,}', b"[1 2]",
        b"]", b"[}", b'{"a":1]', b"01", b"1.", b".5", b"+1", b"-", b"1e", b"tru", b"nul", b'"a',
        b'"\x01"', b'"\\x"', b'"\\u12G4"', b"1 2", b"{1:2}", b'"a" "b"', b"[[]",
    ],
)  # fmt: skip
def test_what_is_no_json(text: bytes) -> None:
    with pytest.raises(DecodeError):
        values_of(text)


def test_bounds() -> None:
    """Depth and size; every prefix of a text is refused."""
    values_of(b"[" * 64 + b"]" * 64)
    with pytest.raises(DecodeError):
        values_of(b"[" * 65 + b"]" * 65)
    with pytest.raises(DecodeError):
        values_of(b"[1,2,3]", 6)
    text = b'{"a":[1,-2.5e3,"x\\u00e9",null],"b":{"c":true}}'
    for end in range(len(text)):
        with pytest.raises(DecodeError):
            values_of(text[:end])


def test_more_values_than_the_first_room() -> None:
    text = json.dumps(list(range(5000))).encode()
    assert rebuilt(text) == list(range(5000))


def test_escapes() -> None:
    text = rb'["\"\\\/\b\f\n\r\t","\u0041\u00e9\u20ac","\ud83d\ude00"]'
    assert rebuilt(text) == json.loads(text)
