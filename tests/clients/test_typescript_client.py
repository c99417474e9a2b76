"""The TypeScript client against a real gateway, as it is installed from `npm pack`."""

from __future__ import annotations

import os
import signal
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.clients.package import MODULES, Program, run
from tests.gateway.books.exchange import Exchange
from tests.gateway.conftest import E9, Rig
from tests.gateway.kept import keep, kept_bar
from ticker.config import Config, GatewayConfig
from ticker.config.access import AuthConfig, TokenConfig
from ticker.feeds.calls import BID
from ticker.gateway.access.auth import hash_token
from ticker.store.past import Past
from ticker.store.reader import HistoryReader

pytestmark = pytest.mark.slow
START = 1_774_960_200  # 2026-03-31T12:30:00Z
TOKEN = "the-token-of-a-test"
ASKING = Config(
    gateway=GatewayConfig(max_connections=64),
    auth=AuthConfig(tokens=(TokenConfig(name="desk", sha256=hash_token(TOKEN)),)),
)
HEAD = """
import * as ticker from "@ticker/client";
const url = process.argv[1];
const say = (value) => console.log(JSON.stringify(value));
"""
Run = Callable[..., Program]


@pytest.fixture
def rig(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Rig]:
    keep(tmp_path, [kept_bar("AAPL", START + 60 * n, (185 + n) * E9) for n in range(5)])
    open_to_all = Config(gateway=GatewayConfig(max_connections=64, heartbeat=0.2))
    config = getattr(request, "param", open_to_all)
    made = Rig(f"node{time.monotonic_ns()}", config, past=Past(HistoryReader(tmp_path)))
    for symbol in ("AAPL", "MSFT"):
        made.trade(made.row(symbol), 185 * E9)
    yield made
    made.close()


@pytest.fixture
def program(project: Path, rig: Rig) -> Iterator[Run]:
    """program(source) -> Program whose first argument is the URL of the rig's gateway."""
    running: list[Program] = []

    def start(source: str, *arguments: str) -> Program:
        url = f"http://127.0.0.1:{rig.port}"
        running.append(Program(project, HEAD + source, url, *arguments))
        return running[-1]

    yield start
    for each in running:
        each.__exit__()


def test_prices_over_a_killed_gateway(rig: Rig, program: Run) -> None:
    running = program("""
const client = await ticker.connect(url);
for await (const each of client.prices("AAPL", "MSFT")) {
  say([each.symbol, each.price, client.state, typeof client.lag]);
}
""")
    first = [running.line(), running.line()]
    assert sorted(first) == [
        ["AAPL", "185", "open", "number"],
        ["MSFT", "185", "open", "number"],
    ]
    rig.restart()
    rig.trade(0, 186 * E9 + 1)
    assert running.line()[:2] == ["AAPL", "186.000000001"]
    rig.trade(1, 187 * E9)
    assert running.line()[:2] == ["MSFT", "187"], "AAPL was not told twice"


def test_a_slow_reader_gets_the_newest_and_every_trade_waits(rig: Rig, program: Run) -> None:
    running = program("""
const client = await ticker.connect(url);
const prices = client.prices("AAPL"), trades = client.trades("AAPL");
const short = client.trades("AAPL", 2);
await Promise.all([prices.next(), trades.next()]);
say("ready");
process.stdin.once("data", async () => {
  say((await prices.next()).value.price);
  const each = [];
  while (each.length < 10) each.push((await trades.next()).value.price);
  say(each);
  say([(await short.next()).value.price, (await short.next()).value.price, short.dropped]);
  prices.close();
  say((await prices.next()).done);
  client.close();
  say((await trades.next()).done);
  process.exit();
});
""")
    assert running.line() == "ready"
    seq = rig.seq[0]
    for price in range(190, 200):
        rig.trade(0, price * E9)
    watcher = program("""
const client = await ticker.connect(url);
for await (const each of client.trades("AAPL")) say(each.seq);
""")
    while watcher.line() < seq + 10:
        pass  # until the gateway has told the last of them
    time_to_read(running)
    assert running.line() == "199"
    assert running.line() == [str(price) for price in range(190, 200)]
    assert running.line() == ["198", "199", 9]
    assert running.line() is True
    assert running.line() is True


def time_to_read(running: Program) -> None:
    """What the gateway has sent is in the program before it reads on."""
    assert running.process.stdin is not None
    running.process.stdin.write("go\n")
    running.process.stdin.flush()


def test_who_has_no_server_symbol_or_websocket(rig: Rig, program: Run) -> None:  # noqa: ARG001
    running = program("""
const told = (work) => work().catch((error) => [error.name, error.message]);
say(await told(() => ticker.connect("http://127.0.0.1:9")));
say(await told(async () => ticker.connect("localhost:8700")));
const { WebSocket } = globalThis;
delete globalThis.WebSocket;
say(await told(() => ticker.connect(url)));
const client = await ticker.connect(url, { WebSocket });
say(await told(() => client.prices("NOPE").next()));
say((await client.prices("NOPE", "AAPL").next()).value.symbol);
say(await told(() => client.price("NOPE")));
process.exit();
""")
    name, said = running.line()
    assert (name, "is `ticker serve` running" in said) == ("NoServerError", True)
    assert running.line()[0] == "TypeError"
    assert "no WebSocket here" in running.line()[1]
    assert running.line() == [
        "UnknownSymbolError",
        "no feed has NOPE; look it up with client.symbols()",
    ]
    assert running.line() == "AAPL"
    name, said = running.line()
    assert name == "RequestError"
    assert said.startswith("unknown_symbol: ")


@pytest.mark.parametrize("rig", [ASKING], indirect=True)
def test_a_token(rig: Rig, program: Run) -> None:  # noqa: ARG001
    running = program(
        """
const token = process.argv[2];
const client = await ticker.connect(url, { token });
say((await client.prices("AAPL").next()).value.price);
say((await client.price("AAPL")).price);
client.close();
for (const wrong of [undefined, "wrong"]) {
  try {
    const other = await ticker.connect(url, { token: wrong });
    await other.prices("AAPL").next();
  } catch (error) { say(error.name); }
}
process.exit();
""",
        TOKEN,
    )
    found = [running.line() for _ in range(4)]
    assert found == ["185", "185", "AuthError", "AuthError"]


NARROW = Config(
    gateway=GatewayConfig(max_connections=64),
    auth=AuthConfig(
        tokens=(TokenConfig(name="desk", sha256=hash_token(TOKEN), channels=("price",)),)
    ),
)


@pytest.mark.parametrize("rig", [NARROW], indirect=True)
def test_a_refused_command_ends_its_own_watch_alone(rig: Rig, program: Run) -> None:
    running = program(
        """
const refusals = [];
const client = await ticker.connect(url, {
  token: process.argv[2], onrefusal: ({ topic }) => refusals.push(topic.channel),
});
const prices = client.prices("AAPL");
const books = client.depth("AAPL");
say((await prices.next()).value.price);
try { await books.next(); } catch (error) { say([error.name, error.message, refusals]); }
say([client.state, client.failure]);
for (const _ of [1, 2]) say((await prices.next()).value.price);
process.exit();
""",
        TOKEN,
    )
    assert running.line() == "185"
    said = "channel: your token does not open `depth` (code 401)"
    assert running.line() == ["AuthError", said, ["depth"]]
    assert running.line() == ["open", None]
    rig.trade(0, 186 * E9)
    assert running.line() == "186"
    rig.restart()
    rig.trade(0, 187 * E9)
    assert running.line() == "187"


def test_a_silent_server_is_left(rig: Rig, program: Run) -> None:
    running = program("""
const client = await ticker.connect(url);
await client.prices("AAPL").next();
say(client.state);
let before = client.state;
setInterval(() => {
  if (client.state !== before) say([before = client.state, client.reason]);
}, 10);
""")
    assert running.line() == "open"
    os.kill(rig.pid, signal.SIGSTOP)
    try:
        assert running.line() == ["waiting", "the server does not answer"]
    finally:
        os.kill(rig.pid, signal.SIGCONT)
    assert running.line() == ["open", ""]


def test_rest_and_frames(rig: Rig, program: Run) -> None:
    rig.quote(
        0, bid=184 * E9 + 10, ask=186 * E9, bid_size=3, ask_size=4, volume=2**63, flags=0x1900
    )
    running = program("""
const client = await ticker.connect(url);
const { price, bid, bid_size, volume, venue, seq } = await client.price("AAPL");
say({ price, bid, bid_size, volume, venue, seq });
const several = await client.several(["AAPL", "NOPE"]);
say([several.prices.map((each) => each.symbol), several.unknown]);
say((await client.bars("AAPL", { limit: 2 })).map((bar) => bar.close));
const start = new Date(1774960260000);
say((await client.bars("AAPL", { start, limit: 2 })).map((bar) => bar.open));
say((await client.symbols("MS")).map((each) => each.symbol));
say((await client.status()).ready);
let drawn = 0;
globalThis.requestAnimationFrame = (show) => setTimeout(() => { drawn += 1; show(); }, 400);
client.frames(["AAPL", "MSFT"], (changes) => {
  say([drawn, changes.map((each) => [each.symbol, each.price]).sort()]);
});
""")
    assert running.line() == {
        "price": "185",
        "bid": "184.00000001",
        "bid_size": "3",
        "volume": str(2**63),
        "venue": "XNAS",
        "seq": 1,
    }
    assert running.line() == [["AAPL"], ["NOPE"]]
    assert running.line() == ["188", "189"]
    assert running.line() == ["186", "187"]
    assert running.line() == ["MSFT"]
    assert running.line() is True
    assert running.line() == [1, [["AAPL", "185"], ["MSFT", "185"]]]
    for price in range(190, 196):
        rig.trade(0, price * E9)
    frame = 1
    while True:  # a frame may be drawn while the prices are on their way
        drawn, changes = running.line()
        frame += 1
        assert drawn == frame
        assert [symbol for symbol, _ in changes] == ["AAPL"], "each once"
        if changes[0][1] == "195":
            break
    assert frame <= 4


def test_books_over_a_restart(rig: Rig, program: Run) -> None:
    exchange = Exchange(rig)
    try:
        with exchange.packet() as calls:
            row = calls.define(1, "BOOK")
        references = exchange.fill(row, 12)
        running = program("""
const client = new ticker.Client(url, {
  onstate: ({ state, retryAt }) => say([state, retryAt > 0]),
  onrefusal: ({ code, symbol, channel }) => say([code, symbol, channel]),
}).start();
const watch = client.depth(["BOOK", "NOPE"]);
for await (const { bids, asks } of watch) say([bids.length, bids[0], asks.at(-1)]);
""")
        assert running.line() == ["waiting", False]
        assert running.line() == ["open", False]
        assert running.line() == [460, "NOPE", "depth"]
        assert running.line() == [10, ["99.99", "101"], ["100.1", "110"]]
        with exchange.packet() as calls:
            calls.delete_order(references[0], 7)
        assert running.line() == [10, ["99.98", "102"], ["100.1", "110"]]
        rig.restart()
        with exchange.packet() as calls:
            exchange.add(calls, row, BID, 5, 9_999)
        assert running.line() == ["waiting", True]
        said = running.line()
        while said[0] == "waiting":  # until the new worker accepts
            said = running.line()
        assert said == ["open", False]
        assert running.line() == [460, "NOPE", "depth"]
        assert running.line() == [10, ["99.99", "5"], ["100.1", "110"]]
    finally:
        exchange.close()


def test_live_bars_and_movers(rig: Rig, program: Run) -> None:
    rig.bar_writer.add("AAPL")
    words = {"open": E9, "high": 9 * E9, "low": E9, "vwap": E9, "volume": 10, "trades": 3}
    start = {"start": START * E9, "time": START * E9 + 1, "flags": 7}
    rig.bar(0, 1, state=0, close=6 * E9 + 1, **words, **start)
    rig.quote(0, previous_close=100 * E9, volume=7)
    running = program("""
const client = await ticker.connect(url);
const bars = client.liveBars("AAPL");
const first = (await bars.next()).value;
say([first.type, first.interval, first.state, first.close]);
say((await bars.next()).value.state);
const { gainers, limit } = (await client.movers(3).next()).value;
say([limit, gainers.map(({ symbol, change }) => [symbol, change])]);
try { client.movers(4); } catch (error) { say(error.message); }
say((await client.book("AAPL", 5).catch(({ code }) => code)));
""")
    assert running.line() == ["bar", "1m", "forming", "6.000000001"]
    rig.bar(0, 1, state=1, close=7 * E9, **words, **start)
    assert running.line() == "final"
    assert running.line() == [3, [["AAPL", "85"]]]
    assert "the list of movers is watched with" in running.line()
    assert running.line() == "no_book"


USER = """
import { AuthError, connect } from "@ticker/client";
import type { Depth, LiveBar, Price, Trade } from "@ticker/client";
const client = await connect("http://localhost:8700", { token: "t" });
for await (const each of client.prices("AAPL")) {
  const price: string | null = each.price;
  // @ts-expect-error a price is no number: its digits would be lost
  const wrong: number = each.price;
  console.log(price, wrong);
}
const trade: Trade = (await client.trades("AAPL").next()).value;
if (trade.type === "correction") console.log(trade.new_trade_id);
const book: Depth = (await client.depth("AAPL", { levels: 3, venue: "XNAS" }).next()).value;
const best: string | undefined = book.bids[0]?.[0];
const bar = (await client.liveBars(["AAPL"], "1d").next()).value;
if (bar.type === "bar") console.log(best, (bar as LiveBar).close);
// @ts-expect-error an interval that there is not
client.liveBars("AAPL", "2m");
// @ts-expect-error a channel that there is not
client.frames(["AAPL"], (changes: Price[]) => console.log(changes), "tea");
console.log(AuthError.name);
"""


def test_the_package_is_small_needs_nothing_and_is_typed(tarball: Path, project: Path) -> None:
    assert tarball.stat().st_size < 20_000
    with tarfile.open(tarball) as archive:
        names = {member.name.removeprefix("package/") for member in archive.getmembers()}
        described = archive.extractfile("package/package.json")
        assert described is not None
        assert b'"dependencies"' not in described.read()
    sources = {path.stem for path in (MODULES.parent / "src").glob("*.ts")}
    built = {f"dist/{name}{suffix}" for name in sources for suffix in (".js", ".d.ts")}
    assert names == {*built, "package.json", "README.md"}
    (project / "user.ts").write_text(USER)
    options = (
        "--noEmit",
        "--skipLibCheck",
        "--strict",
        "--module",
        "nodenext",
        "--target",
        "es2022",
    )
    libraries = ("--lib", "es2022,dom,dom.iterable")
    run(str(MODULES / ".bin" / "tsc"), *options, *libraries, "user.ts", folder=project)
