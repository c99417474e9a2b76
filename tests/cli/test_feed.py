"""`ticker feed test`, and `ticker replay` of JSON files."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from ticker.cli import main

pytestmark = pytest.mark.slow

TEXTS = b"""{"sym":"AAPL","px":178.52,"ts":1701432000000}
{"sym":"AAPL","px":"x","ts":1701432000001}
{"sym":"AAPL","px":170,"ts":1701431000000}
{"hello":1}
{
"""


@pytest.fixture
def lines() -> Iterator[str]:
    """A TCP server that sends TEXTS to every client; its URL."""
    server = socket.create_server(("127.0.0.1", 0))

    def speak() -> None:
        try:
            while True:
                client, _ = server.accept()
                client.sendall(TEXTS)
                kept.append(client)
        except OSError:
            return

    kept: list[socket.socket] = []
    thread = threading.Thread(target=speak)
    thread.start()
    yield f"tcp://127.0.0.1:{server.getsockname()[1]}"
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    thread.join()
    for client in kept:
        client.close()


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(main, [str(each) for each in arguments])
    return result.exit_code, result.output


def test_what_is_decoded_and_skipped(tmp_path: Path, lines: str) -> None:
    path = tmp_path / "ticker.toml"
    path.write_text(
        f'[[feeds]]\nname="plain"\nprotocol="json"\nvenue="XNAS"\nmapping="plain"\nurl="{lines}"\n'
    )
    code, output = run("feed", "test", "plain", "--config", path, "--seconds", "1")
    assert code == 0, output
    assert "2023-12-01T12:00:00.000000Z  AAPL          trade 178.52 x 0" in output
    assert "taken: 2 trade" in output
    assert "skipped: 1 trade: no usable price, like" in output
    assert "skipped: 1 trade: no usable symbol, like '{\"hello\":1}'" in output
    assert "rejected: 1 older, like AAPL 170" in output
    assert "AAPL          trade 170 x 0, refused: older" in output

    code, output = run("feed", "test", "other", "--config", path)
    assert code == 2
    assert "no feed 'other'" in output


QUOTES = b"".join(
    b'{"s":"AAPL","bid":%d}\n{"s":"AAPL","ask":%d}\n' % (100 + number, 200 + number)
    for number in range(3)
)
BID_AND_ASK = """
[[records]]
name = "bid"
kind = "quote"
where = { bid = { present = true } }
symbol = "s"
bid = "bid"
[[records]]
name = "ask"
kind = "quote"
where = { ask = { present = true } }
symbol = "s"
ask = "ask"
"""


@contextlib.contextmanager
def speaking(*texts: bytes) -> Iterator[str]:
    """A TCP server that sends each text by itself to whoever comes; its URL."""

    def speak() -> None:
        client, _ = server.accept()
        with client:
            for text in texts:
                client.sendall(text)
                time.sleep(0.02)
            client.recv(1)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=speak)
        thread.start()
        yield f"tcp://127.0.0.1:{server.getsockname()[1]}"
        thread.join()


def configured(folder: Path, url: str, mapping: str) -> Path:
    path = folder / "ticker.toml"
    path.write_text(
        f'[[feeds]]\nname="f"\nprotocol="json"\nvenue="XNAS"\nmapping="{mapping}"\n'
        f'url="{url}"\nheartbeat=0.1\n'
    )
    return path


def test_each_quote_is_the_one_that_was_decoded(tmp_path: Path) -> None:
    """Each quote is its own, not the newest of the table; an empty side is shown as none."""
    mapping = tmp_path / "own.toml"
    mapping.write_text(BID_AND_ASK)
    with speaking(*QUOTES.splitlines(keepends=True)) as url:
        path = configured(tmp_path, url, str(mapping))
        code, output = run("feed", "test", "f", "--config", path, "--seconds", "1")
    assert code == 0, output
    quotes = [line.split("quote ")[1] for line in output.splitlines() if "  quote " in line]
    assert quotes == [
        f"{bid} x 0 - none" if ask is None else f"none - {ask} x 0"
        for number in range(3)
        for bid, ask in ((100 + number, None), (None, 200 + number))
    ]


def test_a_feed_of_no_use_says_so_and_ends_with_1(tmp_path: Path) -> None:
    with speaking(b"<html>Please sign in</html>\n") as url:
        path = configured(tmp_path, url, "plain")
        code, output = run("feed", "test", "f", "--config", path, "--seconds", "0.5")
    assert code == 1
    assert "nothing of use came: no json" in output
    assert "the newest example: <html>Please sign in</html>" in output
    assert "what to do: open the url with the feed's `headers`" in output


def test_a_feed_that_cannot_be_set_up_is_a_refused_configuration(tmp_path: Path) -> None:
    path = configured(tmp_path, "tcp://127.0.0.1:1", "polygon")
    code, output = run("feed", "test", "f", "--config", path)
    assert (code, "credentials.key" in output) == (3, True)


@pytest.mark.parametrize(
    ("file", "mapping", "symbol", "expected"),
    [
        ("polygon/ws_messages.jsonl", "polygon", "AMZN", {"price": "161.87", "volume": 101}),
        ("polygon/v2_snapshot_locale_us_markets_stocks_tickers_AAPL.json", "polygon", "AAPL",
         {"price": "159.99", "bid": "159.98"}),
        ("alpaca/rest_trades_AAPL.json.gz", "alpaca", "AAPL", {"price": None, "volume": 724}),
        ("nautilus/coinbase_ws_market_trades.json", "coinbase", "BTC-USD",
         {"price": "68900", "volume": "0.0515"}),
        ("nautilus/kraken_http_trades.json", "kraken", "XBTUSDT", {"price": "105899.4"}),
    ],
)  # fmt: skip
def test_replay(
    samples: Path, file: str, mapping: str, symbol: str, expected: dict[str, object]
) -> None:
    code, output = run(
        "replay", samples / "json" / file, "--protocol", "json", "--mapping", mapping, "--json"
    )
    assert code == 0, output
    row = json.loads(output)["symbols"][symbol]
    assert {name: row[name] for name in expected} == expected


def test_replay_needs_a_mapping(samples: Path) -> None:
    file = samples / "json/polygon/ws_messages.jsonl"
    code, output = run("replay", file, "--protocol", "json")
    assert (code, "needs a mapping" in output) == (2, True)
    code, output = run("replay", file, "--protocol", "json", "--mapping", "polygn")
    assert (code, "did you mean polygon" in output) == (3, True)
