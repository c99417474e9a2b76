"""[feeds.pillar]: further channels of a feed, and refused ones."""

import pytest

from ticker.config import FeedConfig, parse
from ticker.errors import ConfigError
from ticker.feeds.workers.sources import further_lines

FEED = """
[[feeds]]
name = "nyse"
protocol = "{protocol}"
{more}venue = "XNYS"
lines = ["224.0.59.76:11076", "224.0.59.204:11076"]
[feeds.pillar]
more_lines = {lines}
"""


def read(lines: str, protocol: str = "pillar", more: str = "") -> FeedConfig:
    return parse(FEED.format(lines=lines, protocol=protocol, more=more)).feeds[0]


def test_each_further_pair_is_a_channel_of_its_own() -> None:
    feed = read('[["224.0.59.77:11077", "224.0.59.205:11077"], ["224.0.59.78:11078"]]')
    assert further_lines(feed) == [
        ("224.0.59.77", 11077, 0x100),
        ("224.0.59.205", 11077, 0x101),
        ("224.0.59.78", 11078, 0x200),
    ]


@pytest.mark.parametrize(
    ("lines", "protocol", "more", "said"),
    [
        ("[[]]", "pillar", "", "pillar.more_lines"),
        ('[["224.0.59.77"]]', "pillar", "", "pillar.more_lines[0][0]"),
        ('[["224.0.59.77:1"]]', "itch50", 'session = "moldudp64"\n', "only for protocol pillar"),
        (str([["224.0.59.77:1"]] * 31).replace("'", '"'), "pillar", "", "more than 30"),
    ],
)
def test_what_does_not_go_together_is_refused(
    lines: str, protocol: str, more: str, said: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        read(lines, protocol, more)
    assert said in str(refused.value)


REQUESTS = """[["224.0.59.77:1"]]
request_server = "192.0.2.1:7000"
gap_lines = ["224.0.59.90:1", "224.0.59.91:1"]
source = "TICKER"
product = 1
channels = [3, 4]
"""


def test_a_request_server_has_a_line_and_a_number_for_each_channel() -> None:
    feed = read(REQUESTS)
    assert further_lines(feed) == [
        ("224.0.59.90", 1, 0x002), ("224.0.59.91", 1, 0x102), ("224.0.59.77", 1, 0x100),
    ]  # fmt: skip
    assert feed.pillar is not None
    assert ("pillar.request_server", "192.0.2.1:7000") in list(feed.pillar.addresses())


@pytest.mark.parametrize(
    ("key", "instead", "said"),
    [
        ("gap_lines", 'gap_lines = ["224.0.59.90:1"]', "1 addresses for 2 channels"),
        ("channels", "channels = [3, 3]", "1 numbers for 2 channels"),
        ("source", "", "pillar.source: missing the key"),
        ("request_server", "", "pillar.gap_lines: only with a request_server"),
        ("source", 'source = "ELEVENCHARS"', "pillar.source"),
    ],
)
def test_what_a_request_server_needs(key: str, instead: str, said: str) -> None:
    lines = [instead if line.startswith(key) else line for line in REQUESTS.splitlines()]
    with pytest.raises(ConfigError) as refused:
        read("\n".join(lines))
    assert said in str(refused.value)
