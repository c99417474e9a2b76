"""Replies to a vendor's pings and refusals, and the pace of requests for a wrong book."""

from __future__ import annotations

import structlog

from tests.feeds.protocols.json_feed import JsonFeed
from ticker.errors import FeedError
from ticker.feeds.json.mapping import parse_mapping
from ticker.feeds.transports.dialogue import Dialogue
from ticker.feeds.transports.replies import AGAIN, FIRST_WAIT, LONGEST_WAIT, Replies

MAPPING = """
[[records]]
name = "ping"
kind = "ping"
path = "[]?"
where = { op = "ping" }
answer = { op = "pong", id = "${id}" }
[[records]]
name = "no"
kind = "error"
path = "[]?"
where = { op = "error" }
text = ["why", "message"]
[[records]]
name = "begin"
kind = "clear"
path = "[]?"
where = { op = "snapshot" }
symbol = "s"
[[records]]
name = "bid"
kind = "level"
path = "[]?.bids[]"
symbol = "^.s"
side = "bid"
price = "0"
size = "1"
depth = 2
checksum = { path = "^.crc", method = "kraken" }
[stream]
%s
"""
ASK_AGAIN = 'book_again = [{ op = "again", s = "${symbols}" }]'


class Connection:
    """A feed by MAPPING, what it would answer, and a clock that is set."""

    def __init__(self, stream: str = ASK_AGAIN, **secrets: str) -> None:
        mapping = parse_mapping(MAPPING % stream)
        self.feed = JsonFeed(mapping)
        self.now = 10**18
        self.replies = Replies(
            mapping, Dialogue(mapping.stream), feed="f", clock=lambda: self.now, secrets=secrets
        )

    def hear(self, *texts: object) -> list[str]:
        self.feed.send(*texts)
        return list(self.replies.to(self.feed.protocol))

    def wrong_book(self, symbol: str = "A") -> list[str]:
        """A new book whose checksum cannot be right."""
        book = {"op": "snapshot", "s": symbol, "bids": [[1, 1]], "crc": 1}
        return self.hear(book)


def test_a_ping_is_answered_and_counts_for_nothing_else() -> None:
    connection = Connection()
    assert connection.hear([{"op": "ping", "id": 7}, {"op": "ping", "id": "x"}]) == [
        '{"op":"pong","id":7}', '{"op":"pong","id":"x"}',
    ]  # fmt: skip
    assert connection.hear({"op": "other"}) == []
    assert connection.feed.protocol.taken["ping"] == 2
    assert connection.feed.counter("bad_records") == 0


def test_a_ping_that_lacks_what_it_should_have_is_in_the_log() -> None:
    connection = Connection()
    with structlog.testing.capture_logs() as logged:
        assert connection.hear({"op": "ping"}, {"op": "ping", "id": 1}) == ['{"op":"pong","id":1}']
    assert "nothing is at 'id'" in logged[0]["text"]


def test_a_refusal_is_counted_each_time_and_logged_once_a_minute() -> None:
    connection = Connection(key="s3cret")
    error = {"op": "error", "message": "no more for s3cret"}
    with structlog.testing.capture_logs() as logged:
        assert connection.hear(error, error, {"op": "error", "why": "too many", "message": 1}) == []
        connection.now += AGAIN
        assert connection.hear(error) == []
    assert [line["text"] for line in logged] == [
        "no more for ***", "too many", "no more for ***",
    ]  # fmt: skip
    assert {line["log_level"] for line in logged} == {"warning"}
    assert connection.feed.counter("refusals") == 4


def test_a_refusal_without_a_text_is_shown_as_it_is() -> None:
    connection = Connection()
    with structlog.testing.capture_logs() as logged:
        connection.hear({"op": "error", "code": 405})
    assert '"code": 405' in logged[0]["text"]


def test_a_wrong_book_is_asked_for_ever_more_rarely() -> None:
    connection = Connection()
    asked = ['{"op":"again","s":["A"]}']
    assert connection.wrong_book() == asked
    assert (
        connection.hear({"s": "A", "bids": [[2, 1]], "crc": 2}) == []
    )  # not twice before it comes
    wait = FIRST_WAIT
    for _ in range(12):
        assert connection.wrong_book() == []
        connection.now += wait - 1
        assert connection.hear({"op": "x"}) == []
        connection.now += 1
        assert connection.hear({"op": "x"}) == asked
        wait = min(2 * wait, LONGEST_WAIT)
    assert connection.wrong_book("B") == ['{"op":"again","s":["B"]}']


def test_a_new_connection_has_no_old_events() -> None:
    connection = Connection()
    connection.wrong_book()
    connection.wrong_book()
    connection.feed.send({"op": "ping", "id": 1})
    connection.feed.protocol.connected()
    connection.replies.connected()
    connection.now += LONGEST_WAIT
    assert connection.hear({"op": "x"}) == []


def test_without_a_way_to_ask_the_connection_begins_anew() -> None:
    connection = Connection("")
    try:
        connection.wrong_book()
    except FeedError as error:
        assert "the book of A differs from its checksum" in str(error)
    else:
        raise AssertionError("nothing was said")


def test_a_server_that_is_polled_gets_no_answer() -> None:
    connection = Connection()
    connection.feed.send({"op": "ping", "id": 1}, {"op": "error", "why": "later"})
    with structlog.testing.capture_logs() as logged:
        connection.replies.listen(connection.feed.protocol)
    assert [line["text"] for line in logged] == ["later"]
    assert not connection.feed.protocol.told


def test_only_the_last_events_are_kept() -> None:
    connection = Connection()
    answers = connection.hear([{"op": "ping", "id": n} for n in range(100)])
    assert len(answers) == 64
    assert answers[-1] == '{"op":"pong","id":99}'
