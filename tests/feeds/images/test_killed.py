"""A worker that is killed goes on from its image, and ends where it would have."""

from __future__ import annotations

import random
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.feeds.itch_venue import Served, Venue, assert_not_back, expected, shown
from tests.feeds.worker_process import wait_for
from ticker.feeds.images.files import image_paths

WORKER = """
import sys
from pathlib import Path
from ticker.config import parse
from ticker.feeds.images import keeper
from ticker.feeds.workers.worker import FeedContext, run
keeper.FEWEST, keeper.AGAIN = 200, 10_000_000
feed = parse(sys.argv[1]).feeds[0]
run(feed, FeedContext(segment=sys.argv[2], boot_id=7, folder=Path(sys.argv[3])))
"""


class Imaged(Served):
    """A feed whose worker makes an image every 20 ms, if 200 messages have come."""

    def __init__(self, venue: Venue, folder: Path, **settings: object) -> None:
        settings.setdefault("image_interval", 0.02)
        super().__init__(venue, request_attempts=40, **settings)
        self.folder = folder
        self.paths = image_paths(folder, self.name)

    def command(self) -> list[str]:
        return [sys.executable, "-c", WORKER, self.toml, self.name, str(self.folder)]

    def image(self) -> int:
        """Sequence of the newest image that is whole, 0: there is none."""
        heads = [path.read_bytes()[:56] for path in self.paths if path.exists()]
        found = [int.from_bytes(head[48:56], "little") for head in heads if head[:8].strip(b"\0")]
        return max(found, default=0)


@pytest.fixture
def venue() -> Iterator[Venue]:
    made = Venue(12_000)
    yield made
    made.close()


@pytest.fixture
def serve(venue: Venue, tmp_path: Path) -> Iterator[Callable[..., Imaged]]:
    made: list[Imaged] = []

    def make(**settings: object) -> Imaged:
        made.append(Imaged(venue, tmp_path, **settings))
        return made[-1]

    yield make
    for each in made:
        each.close()


def sent_and_shown(venue: Venue, feed: Imaged, messages: int) -> None:
    """In small parts, so that images are made between them."""
    for _ in range(0, messages, 100):
        venue.send(100)
        wait_for(lambda: feed.next == venue.next, venue.turn)


@pytest.mark.slow
def test_killed_at_random_places_its_table_is_as_if_it_never_was(
    venue: Venue, serve: Callable[..., Imaged]
) -> None:
    feed = serve()
    chance = random.Random(11)
    feed.start()
    for _ in range(2):
        sent_and_shown(venue, feed, 1_500)
        wait_for(lambda: feed.image() > venue.next - 1_500, venue.turn)
        sent_and_shown(venue, feed, 500)
        time.sleep(chance.random() * 0.1)
        before = feed.rows()
        feed.end(signal.SIGKILL)
        venue.send(300)
        recovered = feed["messages"]
        feed.start()
        wait_for(lambda: feed.heartbeat.state == "live" and feed.next == venue.next, venue.turn)
        assert feed["messages"] - recovered < 2_400, "not from the start"
        assert_not_back(before, feed.rows())
        assert shown(feed.table) == expected(venue)
    assert feed.log().count("image_of=") == 2
    sent_and_shown(venue, feed, 1_000)
    assert shown(feed.table) == expected(venue)
    assert (feed["lost_messages"], feed["unknown_orders"], feed["bad_orders"]) == (0, 0, 0)


@pytest.mark.slow
@pytest.mark.parametrize(
    "harm",
    [
        "damaged",
        *(pytest.param(e, marks=pytest.mark.stress) for e in ("cut", "gone", "configuration")),
    ],
)
def test_an_image_of_no_use_is_refused_and_all_is_asked_for(
    venue: Venue, serve: Callable[..., Imaged], harm: str
) -> None:
    feed = serve()
    feed.start()
    sent_and_shown(venue, feed, 2_000)
    wait_for(feed.image)
    feed.end(signal.SIGKILL)
    for path in filter(Path.exists, feed.paths):
        content = bytearray(path.read_bytes())
        if harm == "damaged":
            content[len(content) // 3] ^= 1
            path.write_bytes(content)
        elif harm == "cut":
            path.write_bytes(content[: len(content) // 2])
        elif harm == "gone":
            path.unlink()
    if harm == "configuration":
        feed.toml += "\n[feeds.filter]\nband = 0.5\n"
    before = feed["messages"]
    feed.start()
    wait_for(lambda: feed.heartbeat.state == "live" and feed.next == venue.next, venue.turn)
    assert feed["messages"] - before == 2_000
    assert "image_of=" not in feed.log()
    assert ("image is not used" in feed.log()) == (harm != "gone")
    assert shown(feed.table) == expected(venue)


@pytest.mark.stress
def test_none_is_made_where_none_is_wanted(venue: Venue, serve: Callable[..., Imaged]) -> None:
    feed = serve(image_interval=0)
    feed.start()
    sent_and_shown(venue, feed, 2_000)
    assert not any(path.exists() for path in feed.paths)
    assert feed.end() == 0
