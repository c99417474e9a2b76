"""The options of a load: their results, and the combinations that are refused."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from ticker.bench.rig.load import Load
from ticker.cli.bench import command
from ticker.cli.bench.options import load_of, load_options


def asked(*options: str) -> Load:
    found: list[Load] = []

    @click.command()
    @load_options(2000)
    def bench(**options: object) -> None:
        found.append(load_of(options))

    bench.main(list(options), standalone_mode=False)
    return found[0]


def refused(*arguments: str) -> Result:
    done = CliRunner().invoke(command, arguments)
    assert done.exit_code == 2, done.output
    return done


def test_defaults() -> None:
    assert asked() == Load(clients=2000, symbols=1000, per_client=5)
    assert asked().rate == 10


def test_a_rate_is_trades_per_second_of_a_symbol() -> None:
    assert asked("--rate", "5").ticks == pytest.approx(0.5)
    assert asked("--rate", "5", "--interval", "0.5").ticks == pytest.approx(2.5)
    assert asked("--rate", "5", "--flush-interval", "0.02").rate == pytest.approx(5)
    assert asked("--ticks", "0.5").rate == pytest.approx(5)


def test_popularity() -> None:
    load = asked("--popularity", "zipf:1.1", "--trades-by", "popularity", "--warm-up", "0.5")
    assert (load.popularity, load.trades_by, load.warm_up) == ("zipf:1.1", "popularity", 0.5)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--rate 5 --ticks 1", "--rate and --ticks mean the same: give one"),
        ("--rate 0", "--rate"),
        ("--popularity often", "--popularity 'often': uniform, zipf"),
        ("--trades-by popularity", "needs --popularity zipf"),
        ("--symbols 10 --symbols-per-client 11", "11: give 1 to --symbols, which is 10"),
        ("--flush-interval 0", "--flush-interval"),
        ("--channel trades", "give another --encoding"),
        ("--url ws://h:1 --rate 5", "so no --rate or --ticks"),
        ("--url ws://h:1 --trades-by popularity", "so no --trades-by"),
        ("--url ws://h:1 --share 0.5", "does not go with --url"),
    ],
)
def test_what_cannot_be_asked_together(options: str, said: str) -> None:
    assert said in refused("latency", *options.split()).output


def test_a_file_of_symbols_needs_a_server(tmp_path: Path) -> None:
    path = tmp_path / "symbols"
    path.write_text("AAPL\n")
    assert "goes with --url" in refused("latency", "--symbols-file", str(path)).output
    refusal = "does not go with --url"
    assert refusal in refused("fanout", "--url", "ws://h:1", "--rates").output
    assert refusal in refused("connections", "--url", "ws://h:1", "--gateways", "2").output
