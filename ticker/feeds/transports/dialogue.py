"""What a client says on a connection: authentication, subscriptions, pings; from a mapping.

Messages are tables of a mapping's [stream], sent as JSON, or texts, sent as they are. In them

    "${symbols}"          alone in its string: the list of all symbols
    ${key}                the credential of that name, of the feed's configuration
    ${each:T.{},Q.{}}     the pattern for each symbol, with commas between: T.AAPL,Q.AAPL,T.MSFT,…

Law: no socket and no clock; texts in, texts to send out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from collections.abc import Mapping as Lookup
from enum import Enum
from typing import Any

import msgspec

from ticker.errors import ConfigError
from ticker.feeds.json.tables import Message, Stream

_PLACE = re.compile(r"\$\{(each:)?((?:\{\}|[^{}])*)\}")


class Verdict(Enum):
    """What a text from the server says about our authentication."""

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

    @property
    def waits(self) -> bool:
        """Subscriptions must wait until the server has accepted the authentication."""
        return self.auth is not None and bool(self._stream.auth_ok)

    def judge(self, data: bytes) -> Verdict:
        """Whether a text accepts or refuses the authentication: it, or one in its array, does."""
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

    def _subscriptions(self, symbols: Sequence[str]) -> Iterator[str]:
        batch = self._stream.subscribe_batch
        for first in range(0, len(symbols) or 1, batch):
            for message in self._stream.subscribe:
                yield self._text(message, symbols[first : first + batch])

    def _text(self, message: Message, symbols: Sequence[str]) -> str:
        filled = self.fill(message, symbols)
        return filled if isinstance(filled, str) else msgspec.json.encode(filled).decode()

    def fill(self, value: Any, symbols: Sequence[str]) -> Any:
        """A message, or part of one, with everything put in its place."""
        if isinstance(value, dict):
            return {key: self.fill(each, symbols) for key, each in value.items()}
        if isinstance(value, list):
            return [self.fill(each, symbols) for each in value]
        if not isinstance(value, str):
            return value
        if value == "${symbols}":
            return list(symbols)

        def put(found: re.Match[str]) -> str:
            if found[1]:
                return ",".join(found[2].replace("{}", symbol) for symbol in symbols)
            if found[2] == "symbols":
                return ",".join(symbols)
            return self._credential(found[2])

        return _PLACE.sub(put, value)

    def _credential(self, name: str) -> str:
        if name not in self._credentials:
            raise ConfigError(f"credentials.{name}: missing; the mapping sends it to the server")
        return self._credentials[name]


def _fits(text: object, wanted: Lookup[str, object]) -> bool:
    return (
        bool(wanted)
        and isinstance(text, dict)
        and all(text.get(key) == value for key, value in wanted.items())
    )
