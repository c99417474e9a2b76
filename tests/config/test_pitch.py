"""[feeds.pitch]: accepted values, and refused ones with advice."""

from __future__ import annotations

import pytest

from ticker.config import FeedConfig, parse
from ticker.errors import ConfigError

FEED = """
[[feeds]]
name = "bats"
protocol = "pitch"
venue = "BATS"
lines = ["239.192.1.1:26487", "239.192.1.2:26487"]
"""


def feed(*pitch: str, before: str = "") -> FeedConfig:
    return parse("\n".join([FEED, before, "[feeds.pitch]", *pitch])).feeds[0]


def test_all_of_it() -> None:
    pitch = feed(
        "units = [1, 2]",
        'more_lines = [["239.192.2.1:26487", "239.192.2.2:26487"]]',
        'gap_proxy = "127.0.0.1:26488"',
        'gap_lines = ["239.192.1.3:26489"]',
        'spin = ["127.0.0.1:26491", "127.0.0.1:26492"]',
        "spin_timeout = 2.5",
        'session_sub_id = "0001"',
        'username = "TICK"',
        'password_env = "PITCH_PASSWORD"',
    ).pitch
    assert pitch is not None
    assert pitch.units == (1, 2)
    assert [key for key, _ in pitch.addresses()] == [
        "pitch.more_lines[0][0]",
        "pitch.more_lines[0][1]",
        "pitch.gap_lines[0]",
        "pitch.gap_proxy",
        "pitch.spin[0]",
        "pitch.spin[1]",
    ]


def test_lines_alone_will_do() -> None:
    assert parse(FEED).feeds[0].pitch is None
    assert feed("units = [3]").pitch is not None


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (['gap_proxy = "127.0.0.1:1"'], "feeds[0].pitch.gap_lines: missing the key"),
        (['gap_lines = ["239.1.1.1:1"]'], "pitch.gap_lines: only with a gap_proxy"),
        (["units = [1, 1]"], "pitch.units: the same unit twice"),
        (["units = [0]"], "feeds[0].pitch.units[0]"),
        (["units = [1]", 'spin = ["1.1.1.1:1", "1.1.1.1:2"]'], "2 servers for 1 units"),
        (['gap_proxy = "here:1"', 'gap_lines = ["239.1.1.1:1"]'], "pitch.gap_proxy: 'here:1'"),
        (['username = "FIVE5"'], "feeds[0].pitch.username"),
        (['password_env = ""'], "name an environment variable"),
        (["gap_prox = 1"], "did you mean gap_proxy?"),
        (
            ['gap_proxy = "239.192.1.1:26487"', 'gap_lines = ["239.1.1.1:1"]'],
            "is taken by feeds[0].lines[0]",
        ),
        (["more_lines = [[]]"], "feeds[0].pitch.more_lines[0]"),
        (
            [
                "more_lines = ["
                + ",".join(f'["1.1.1.1:{port}", "1.1.1.2:{port}"]' for port in range(1, 32))
                + "]"
            ],
            "spread the units over feeds",
        ),
    ],
)
def test_what_is_refused(lines: list[str], message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        feed(*lines)
    assert message in str(refused.value)


def test_the_simulator_has_units_of_its_own() -> None:
    with pytest.raises(ConfigError, match="the simulator speaks of 1 to 2"):
        feed("units = [2, 3]", "[feeds.simulator]")
    assert feed("units = [1, 2]", "[feeds.simulator]").simulator is not None


def test_only_pitch_has_it_and_pitch_has_no_rerequest() -> None:
    with pytest.raises(ConfigError, match=r"only for protocol pitch, not itch50"):
        parse(FEED.replace('"pitch"', '"itch50"') + "[feeds.pitch]\n")
    with pytest.raises(ConfigError, match=r"name it by pitch\.gap_proxy"):
        feed(before='rerequest = "127.0.0.1:1"')
