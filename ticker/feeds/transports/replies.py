"""A vendor's messages beside prices, and the replies: refusals, pings, books that differ from ours.

Law: no socket, no loop; the clock is passed in. Events of a decoder in, texts to send and lines for
the log out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import structlog

from ticker.clock import Clock
from ticker.errors import ConfigError, FeedError
from ticker.feeds.json.events import Event
from ticker.feeds.json.tables import Mapping as JsonMapping
from ticker.feeds.protocols.json import Json
from ticker.feeds.transports.dialogue import Dialogue

log = structlog.get_logger()

SECOND = 1_000_000_000
AGAIN = 60 * SECOND
"""ns until the log says the same refusal once more."""
FIRST_WAIT = 1 * SECOND
"""ns between two requests for the book of one symbol; twice as long before each further one."""
LONGEST_WAIT = 300 * SECOND
MOST_KEPT = 1024
"""The most refusals and symbols that are remembered."""
LONGEST_TEXT = 200
SHORTEST_SECRET = 3


def without(text: str, secrets: Iterable[str]) -> str:
    """A text for the log without the credentials. A credential shorter than SHORTEST_SECRET is not
    removed, because it would be found in many words."""
    for secret in secrets:
        if len(secret) >= SHORTEST_SECRET:
            text = text.replace(secret, "***")
    return text


class Replies:
    """The replies of a feed, over all of its connections.

    Args:
        feed: its name, for the log.
        secrets: credentials, which no line of the log may have.
    """

    def __init__(
        self,
        mapping: JsonMapping,
        dialogue: Dialogue,
        *,
        feed: str,
        clock: Clock,
        secrets: Mapping[str, str] | None = None,
    ) -> None:
        self.feed = feed
        self.clock = clock
        self.dialogue = dialogue
        self._answers = {record.name: record.answer for record in mapping.records}
        self._secrets = tuple((secrets or {}).values())
        self._said: dict[str, int] = {}
        self._waits: dict[str, int] = {}
        self._due: dict[str, int] = {}

    def to(self, protocol: Json) -> Iterator[str]:
        """The texts to send now.

        Raises:
            FeedError: a book is wrong, and only a new connection renews it.
        """
        if protocol.told:
            for event in protocol.take_events():
                yield from self._to_event(event)
        if self._due:
            yield from self._books()

    def listen(self, protocol: Json) -> None:
        """Log refusals, for a transport that cannot send."""
        for event in protocol.take_events():
            if event.kind == "error":
                self._log(event)

    def connected(self) -> None:
        """Forget doubtful books: a new connection sends new ones."""
        self._due.clear()

    def _to_event(self, event: Event) -> Iterator[str]:
        if event.kind == "error":
            self._log(event)
        elif event.kind == "book":
            self._doubt(event.text)
        elif (answer := self._answers.get(event.rule)) is not None:
            try:
                yield self.dialogue.answer(answer, event.text)
            except ConfigError as error:
                self._log(event._replace(text=f"{error}: {event.text}"))

    def _log(self, event: Event) -> None:
        """Log a refusal once a minute: a vendor repeats it for every request."""
        text = event.text
        text = without(text, self._secrets)
        text, now = text[:LONGEST_TEXT], self.clock()
        if now - self._said.get(text, -AGAIN) < AGAIN:
            return
        if len(self._said) >= MOST_KEPT:
            self._said.clear()
        self._said[text] = now
        log.warning("feed says no", feed=self.feed, record=event.rule, text=text)

    def _doubt(self, symbol: str) -> None:
        """Plan a request for a wrong book: the longer it was right before, the sooner."""
        now = self.clock()
        wait = self._waits.get(symbol, 0)
        if len(self._waits) >= MOST_KEPT:
            self._waits.clear()
        self._waits[symbol] = min(max(2 * wait, FIRST_WAIT), LONGEST_WAIT)
        self._due[symbol] = now + wait
        log.warning("book differs from its checksum", feed=self.feed, symbol=symbol)

    def _books(self) -> Iterator[str]:
        """Requests for the books whose time has come."""
        now = self.clock()
        for symbol in [each for each, due in self._due.items() if due <= now]:
            del self._due[symbol]
            texts = self.dialogue.book_again(symbol)
            if not texts:
                raise FeedError(f"the book of {symbol} differs from its checksum: it begins anew")
            yield from texts
