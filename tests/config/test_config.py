"""ticker.toml: its values, and refused ones with their messages."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticker.config import SHIPPED, Config, FeedConfig, load, parse, parse_address, session_date
from ticker.config.filter import FilterConfig, hours_ns
from ticker.errors import ConfigError

FEED = """
[[feeds]]
name = "a"
protocol = "itch50"
session = "moldudp64"
venue = "XNAS"
lines = ["239.192.0.1:26477", "239.192.0.2:26477"]
"""


def refusal(text: str) -> str:
    with pytest.raises(ConfigError) as error:
        parse(text)
    return str(error.value)


STREAM = """
[[feeds]]
name = "a"
protocol = "json"
venue = "XNAS"
"""


def with_feed(line: str) -> str:
    """The feed above with one key set otherwise."""
    key = line.split("=")[0].strip()
    kept = [each for each in FEED.splitlines() if each.split("=")[0].strip() != key]
    return "\n".join([*kept, line])


def test_shipped_configuration_is_right_and_says_the_defaults() -> None:
    config = load()
    assert [feed.name for feed in config.feeds] == ["sim"]
    # what the file spells out is what leaving it out would mean
    assert config.server == Config().server
    assert config.gateway == Config().gateway
    assert config.feeds[0].filter == FilterConfig()
    assert config.feeds[0].simulator is not None


def test_shipped_configuration_is_the_one_at_the_top_of_the_tree(root: Path) -> None:
    assert tomllib.loads(SHIPPED.read_text()) == tomllib.loads((root / "ticker.toml").read_text())


def test_empty_configuration_is_all_defaults() -> None:
    assert parse("") == Config()


def test_configuration_survives_its_own_json() -> None:
    config = load()
    assert msgspec.convert(json.loads(msgspec.json.encode(config)), Config) == config


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[srver]", "srver: unknown key, did you mean server?"),
        ("[server]\nprot = 1", "server.prot: unknown key, did you mean port?"),
        ("[gateway]\nzzz = 1", "gateway.zzz: unknown key, known: commands_burst, "),
        (FEED + "lnes = []", "feeds[0].lnes: unknown key, did you mean lines?"),
        (FEED + "[feeds.simulator]\nsed = 1", "feeds[0].simulator.sed: unknown key, did you mean"),
        (FEED + FEED + "rng = 1", "feeds[1].rng: unknown key, did you mean rings?"),
        ("[server]\nport = '1'", "server.port: expected `int`, got `str`"),
        ("[server]\nport = 70000", "server.port: expected `int` <= 65535"),
        ("server = 1", "server: expected `object`, got `int`"),
        ("feeds = 1", "feeds: expected `array`, got `int`"),
        ("[server]\ninstance = '../x'", "server.instance: expected `str` matching"),
        ("[server]\nlog = 'loud'", "server.log: invalid enum value 'loud'"),
        ("[server]\nhost = 'localhost'", "server.host: 'localhost' is no IPv4 address"),
        ("[gateway]\nmax_outbound = 4096", "gateway.max_outbound: smaller than max_message"),
        ("[gateway]\nflush_interval = nan", "gateway.flush_interval: expected `float`"),
        ("[[feeds]]\nname = 'a'", "feeds[0]: missing the key `protocol`"),
        (with_feed("lines = []"), "feeds[0].lines: missing the key; name one line or two"),
        (with_feed("lines = ['x:1']"), "feeds[0].lines[0]: 'x:1': not an IPv4 address and port"),
        (with_feed("lines = ['1.2.3.4:0']"), "feeds[0].lines[0]: '1.2.3.4:0': not an IPv4"),
        (with_feed("rerequest = '1.2.3.4'"), "feeds[0].rerequest: '1.2.3.4': not an IPv4"),
        (with_feed("interface = 'eth0'"), "feeds[0].interface: 'eth0' is no IPv4 address"),
        (with_feed("source = ['sender']"), "feeds[0].source[0]: 'sender' is no IPv4 address"),
        (with_feed(f"source = {['192.0.2.1'] * 17}"), "feeds[0].source: 17 addresses; "),
        (STREAM + "url = 'tcp://x:1'\nsource = ['192.0.2.1']", "feeds[0].source: only for lines"),
        (with_feed("ring_capacity = 1000"), "feeds[0].ring_capacity: 1000 is not a power of two; "),
        (with_feed("date = 'tomorrow'"), "feeds[0].date: 'tomorrow' is neither"),
        (with_feed("date = '2026-02-30'"), "feeds[0].date: '2026-02-30' is neither"),
        (with_feed("timezone = 'Mars/Base'"), "feeds[0].timezone: no time zone 'Mars/Base'"),
        (with_feed("timezone = '../x'"), "feeds[0].timezone: no time zone '../x'"),
        (
            with_feed("name = 'gateway0'"),
            "feeds[0].name: 'gateway0' is reserved for the server's shared memory",
        ),
        (
            with_feed("name = 'private'"),
            "feeds[0].name: 'private' is reserved for the server's shared memory",
        ),
        (with_feed("venue = 'nasdaq'"), "feeds[0].venue: expected `str` matching"),
        (FEED + FEED, "feeds[1].name: 'a' is the name of feeds[0] too"),
        (FEED + FEED, "feeds[1].lines[0]: 239.192.0.1:26477 is taken by feeds[0].lines[0]"),
        (FEED + "url = 'ws://x/'", "feeds[0].url: not together with lines"),
        (FEED + "symbols = ['A']", "feeds[0].symbols: only for a feed with a url"),
        (STREAM + "url = 'ftp://x/'", "feeds[0].url: 'ftp://x/' is no address; begin with"),
        (STREAM + "url = 'tcp://x'", "feeds[0].url: 'tcp://x' has no port, like tcp://"),
        (STREAM + "url = 'http://x/${symbols}'", "feeds[0].symbols: missing the key; the url"),
        ("a = ", "not TOML: "),
    ],
)
def test_refused_by_path(text: str, words: str) -> None:
    assert words in refusal(text)


def test_every_unknown_key_is_named_at_once() -> None:
    words = refusal("[server]\nprot = 1\nhots = 1")
    assert "server.prot" in words
    assert "server.hots" in words


def test_a_missing_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gone.toml: cannot be read \(No such file"):
        load(tmp_path / "gone.toml")
    (tmp_path / "latin.toml").write_bytes(b"# \xe9")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load(tmp_path / "latin.toml")


def test_a_file_nested_too_deeply() -> None:
    with pytest.raises(ConfigError, match="nested too deeply"):
        parse("x = " + "[" * 10_000)


@given(st.text(max_size=30))
def test_any_address_is_an_address_or_the_declared_error(text: str) -> None:
    try:
        host, port = parse_address(text)
    except ConfigError:
        return
    assert f"{host}:{port}".split(":")[0].count(".") == 3
    assert 0 < port < 65_536


_KEYS = st.sampled_from(["server", "gateway", "feeds", "port", "name", "simulator", "x"])
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(_KEYS, _VALUES, max_size=4))
def test_any_tree_is_a_configuration_or_the_declared_error(tree: dict[str, object]) -> None:
    try:
        parse(_toml(tree))
    except ConfigError:
        return


def _toml(tree: dict[str, object]) -> str:
    return "\n".join(f"{key} = {_value(value)}" for key, value in tree.items())


def _value(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_value(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, float):
        return repr(value)
    return json.dumps(value if value is not None else "none")


def test_session_date() -> None:
    config = parse(with_feed("date = '2026-03-29'"))
    assert session_date(config.feeds[0], date(2027, 1, 1)) == date(2026, 3, 29)
    assert session_date(parse(FEED).feeds[0], date(2027, 1, 1)) == date(2027, 1, 1)


def test_a_check_of_the_callers_refuses_feeds_too() -> None:
    def check(feed: FeedConfig) -> Iterator[str]:
        yield f"protocol: {feed.protocol} is not for today"

    with pytest.raises(ConfigError, match=r"^feeds\[0\].protocol: itch50 is not for today$"):
        parse(FEED, check=check)


URL = """
[[feeds]]
name = "v"
protocol = "json"
venue = "XNAS"
mapping = "plain"
url = "{url}"
"""


@pytest.mark.parametrize(
    ("url", "line", "problem"),
    [
        (
            "tcp://h:1",
            'proxy = "http://p:1"',
            "proxy: 'http://p:1'; of http",
        ),
        ("wss://h/", 'proxy = "socks5://p:1"', "proxy: 'socks5://p:1'"),
        ("wss://h/", 'redirects = "all"', "redirects"),
        ("wss://h/", "stale_after = 0", "stale_after"),
    ],
)
def test_keys_of_a_url_that_are_refused(url: str, line: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(problem)):
        parse(URL.format(url=url) + line)


def test_keys_that_only_a_url_has() -> None:
    for line in ('proxy = "http://p:1"', "stale_after = 5"):
        with pytest.raises(ConfigError, match="only for a feed with a url"):
            parse(FEED + line)
    feed = parse(URL.format(url="wss://h/") + 'proxy = ""\nstale_after = 5').feeds[0]
    assert (feed.proxy, feed.stale_after, feed.redirects) == ("", 5.0, "same_origin")


def test_no_feed_is_imported() -> None:
    code = (
        "import sys, ticker.config as c; c.load(); "
        "print([m for m in sys.modules if m.startswith('ticker.feeds')])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def check(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ticker", "check", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_check_command(tmp_path: Path) -> None:
    right = check()
    assert (right.returncode, right.stderr) == (0, "")
    assert "feeds: sim" in right.stdout
    path = tmp_path / "wrong.toml"
    path.write_text(FEED + "lnes = []")
    wrong = check("--config", str(path))
    assert wrong.returncode == ConfigError.exit_code == 3
    assert wrong.stderr == f"ticker: {path}: feeds[0].lnes: unknown key, did you mean lines?\n"


def test_a_feed_without_a_session_takes_its_protocols_own() -> None:
    assert parse(FEED.replace('session = "moldudp64"', "")).feeds[0].session is None


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("bands = 0.1", "feeds[0].filter.bands: unknown key, did you mean band?"),
        ("band = -0.1", "feeds[0].filter.band: expected `float` >= 0.0"),
        ("hold = -1", "feeds[0].filter.hold: expected `float` >= 0.0"),
        ("duplicate_ids = 0", "feeds[0].filter.duplicate_ids: expected `int` >= 1"),
        ("older = 1", "feeds[0].filter.older: expected `bool`, got `int`"),
        ('odd_lots = "none"', "feeds[0].filter.odd_lots: invalid enum value 'none'"),
        ("band_most = 0.05", "feeds[0].filter.band_most: 0.05 is less than band, 0.1"),
        ('band_floor = "a cent"', "feeds[0].filter.band_floor: 'a cent' is no price, like 0.05"),
        ('band_floor = "-1"', "feeds[0].filter.band_floor: below 0; take 0 or more"),
        ('session_hours = ["09:30"]', "feeds[0].filter.session_hours: give two hours"),
        (
            'session_hours = ["16:00", "09:30"]',
            "feeds[0].filter.session_hours: 16:00 is not before 09:30",
        ),
        (
            'price_hours = ["9:30", "16:00"]',
            "feeds[0].filter.price_hours: '9:30' is no time of day, like 09:30",
        ),
        (
            'price_hours = ["09:30", "24:01"]',
            "feeds[0].filter.price_hours: '24:01' is no time of day, like 09:30",
        ),
    ],
)
def test_a_filter_that_cannot_be(line: str, message: str) -> None:
    assert refusal(f"{FEED}[feeds.filter]\n{line}").startswith(message)


def test_a_filter_whose_rules_are_off() -> None:
    config = parse(
        f"{FEED}[feeds.filter]\nband = 0\nbad_prices = false\nband_most = 0\n"
        'price_hours = ["00:00", "24:00"]\n'
    )
    assert hours_ns(config.feeds[0].filter.price_hours) == (0, 86_400 * 10**9)
    assert hours_ns(config.feeds[0].filter.session_hours) is None
