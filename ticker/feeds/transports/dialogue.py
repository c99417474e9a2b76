"""The messages of a client to a vendor: authentication, subscriptions, pings; from a mapping.

Messages are tables of a mapping's [stream], sent as JSON, or texts, sent unchanged. They may have

    "${symbols}"          alone in its string: the list of all symbols
    ${key}                the credential of that name, of the feed's configuration
    ${each:T.{},Q.{}}     the pattern for each symbol, with commas between: T.AAPL,Q.AAPL,T.MSFT,…
    "${list:{lower}@trade}"   alone in its string: the list of the patterns, {lower}: in lower case
    ${ping.id}            in an answer: what is at that path of the record that wants it

Law: no socket and no clock; texts in, texts to send out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from collections.abc import Mapping as Lookup
from enum import Enum
from typing import Any

import msgspec

from ticker.errors import ConfigError
from ticker.feeds.json.paths import read_path
from ticker.feeds.json.tables import Message, Stream

_PLACE = re.compile(r"\$\{(each:)?((?:\{\}|\{lower\}|[^{}])*)\}")
_LIST = re.compile(r"\$\{list:((?:\{\}|\{lower\}|[^{}])*)\}")


class Verdict(Enum):
    """The result of our authentication, in a text from the server."""

    NOTHING = 0
    ACCEPTED = 1
    REFUSED = 2


class Dialogue:
    """Fills in the messages of a mapping for one feed.

    Raises:
        ConfigError: a message needs a credential that there is not.
    """

    def __init__(
        self,
        stream: Stream,
        symbols: Sequence[str] = (),
        credentials: Lookup[str, str] | None = None,
    ) -> None:
        self._stream = stream
        self._credentials = dict(credentials or {})
        self.auth = self._text(stream.auth, symbols) if stream.auth is not None else None
        self.ping = self._text(stream.ping, symbols) if stream.ping is not None else None
        self.subscriptions = list(self._subscriptions(symbols))
        self.compression = stream.compression

    @property
    def waits(self) -> bool:
        """Whether subscriptions must wait for the answer to the authentication."""
        return self.auth is not None and bool(self._stream.auth_ok)

    def judge(self, data: bytes) -> Verdict:
        """Whether a text, or an element of its array, accepts or refuses the authentication."""
        try:
            text = msgspec.json.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return Verdict.NOTHING
        for each in text if isinstance(text, list) else [text]:
            if _fits(each, self._stream.auth_ok):
                return Verdict.ACCEPTED
            if _fits(each, self._stream.auth_failed):
                return Verdict.REFUSED
        return Verdict.NOTHING

    def answer(self, message: Message, record: str) -> str:
        """The answer to a record that asks for one; bytes after the record's text are ignored.

        Raises:
            ConfigError: the answer repeats a field that the record does not have.
        """
        try:
            value, _ = json.JSONDecoder().raw_decode(record)
        except (ValueError, RecursionError):
            value = None
        filled = self._repeat(message, value)
        return filled if isinstance(filled, str) else msgspec.json.encode(filled).decode()

    def book_again(self, symbol: str) -> list[str]:
        """The messages that request one symbol's book anew; none if the mapping has none."""
        return [self._text(message, (symbol,)) for message in self._stream.book_again]

    def _repeat(self, value: Any, record: Any) -> Any:
        """An answer, or part of one, with what it repeats of the record."""
        if isinstance(value, dict):
            return {key: self._repeat(each, record) for key, each in value.items()}
        if isinstance(value, list):
            return [self._repeat(each, record) for each in value]
        if not isinstance(value, str):
            return value
        if (found := _PLACE.fullmatch(value)) and not found[1]:
            return _at(record, found[2])
        return _PLACE.sub(lambda found: str(_at(record, found[2])), value)

    def _subscriptions(self, symbols: Sequence[str]) -> Iterator[str]:
        batch = self._stream.subscribe_batch
        for first in range(0, len(symbols) or 1, batch):
            for message in self._stream.subscribe:
                yield self._text(message, symbols[first : first + batch])

    def _text(self, message: Message, symbols: Sequence[str]) -> str:
        filled = self.fill(message, symbols)
        return filled if isinstance(filled, str) else msgspec.json.encode(filled).decode()

    def fill(self, value: Any, symbols: Sequence[str]) -> Any:
        """A message, or part of one, with all placeholders filled in."""
        if isinstance(value, dict):
            return {key: self.fill(each, symbols) for key, each in value.items()}
        if isinstance(value, list):
            return [self.fill(each, symbols) for each in value]
        if not isinstance(value, str):
            return value
        if value == "${symbols}":
            return list(symbols)
        if found := _LIST.fullmatch(value):
            return [part for each in _each(found[1], symbols) for part in each.split(",")]

        def put(found: re.Match[str]) -> str:
            if found[1]:
                return ",".join(_each(found[2], symbols))
            if found[2] == "symbols":
                return ",".join(symbols)
            return self._credential(found[2])

        return _PLACE.sub(put, value)

    def _credential(self, name: str) -> str:
        if name not in self._credentials:
            raise ConfigError(f"credentials.{name}: missing; the mapping sends it to the server")
        return self._credentials[name]


def _each(pattern: str, symbols: Sequence[str]) -> Iterator[str]:
    """A pattern for each symbol."""
    for symbol in symbols:
        yield pattern.replace("{}", symbol).replace("{lower}", symbol.lower())


def _at(record: Any, path: str) -> Any:
    """The value at a path of a record. Raises ConfigError if there is none."""
    found = record
    for step in read_path(path).steps:
        if isinstance(found, list) and 0 <= step.index < len(found):
            found = found[step.index]
        elif isinstance(found, dict) and step.name in found:
            found = found[step.name]
        else:
            raise ConfigError(f"answer: nothing is at {path!r} of the record that wants it")
    return found


def _fits(text: object, wanted: Lookup[str, object]) -> bool:
    return (
        bool(wanted)
        and isinstance(text, dict)
        and all(text.get(key) == value for key, value in wanted.items())
    )
