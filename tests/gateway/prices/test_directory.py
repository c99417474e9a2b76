"""The CSV directory: the entries of a right file, and the faults of wrong ones."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from ticker.cli.check import command
from ticker.config import SHIPPED, load
from ticker.errors import ConfigError
from ticker.gateway.prices.directory import Listing, SymbolDirectory
from ticker.simulate.market.listings import listings

HEAD = "symbol,name,venue,currency,tick_size,test\n"
RIGHT = HEAD + 'BRK.B,"Berkshire Hathaway Inc., Class B",XNYS,USD,0.01,N\n\nZVZZT,,,,,Y\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "symbols.csv"
    path.write_text(RIGHT)
    return path


def test_what_a_file_says(file: Path) -> None:
    directory = SymbolDirectory(file)
    name = "Berkshire Hathaway Inc., Class B"
    assert directory.get("BRK.B") == Listing("BRK.B", name, "XNYS", "USD", 10_000_000)
    assert directory.get("ZVZZT") == Listing("ZVZZT", test=True)
    assert directory.get("AAPL") is None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("berk", {"BRK.B"}), ("HATH", {"BRK.B"}), ("hathaway inc., cl", {"BRK.B"}),
        ("class", {"BRK.B"}), ("shire", set()), ("", set()), ("zz", set()),
    ],
)  # fmt: skip
def test_names_are_found_by_the_start_of_any_word(file: Path, text: str, found: set[str]) -> None:
    assert SymbolDirectory(file).named(text) == found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1: the first line names the columns"),
        ("symbol,nme\n", "line 1: unknown column 'nme', known: symbol, name"),
        ("name\n", "line 1: the first line names the columns"),
        ("symbol,symbol\n", "line 1: the first line names the columns"),
        (HEAD + "A,b\n", "line 2: has 2 fields, the first line names 6"),
        (HEAD + "A B,,,,,\n", "line 2: symbol: 'A B' is not 1 to 23 ASCII"),
        (HEAD + "A,,,,,\nB,,,,,\nA,,,,,\n", "line 4: symbol: A is on line 2 already"),
        (HEAD + "A,,Nasdaq,,,\n", "line 2: venue: 'Nasdaq' is no market identifier"),
        (HEAD + "A,,,dollar,,\n", "line 2: currency: 'dollar' is no code"),
        (HEAD + "A,,,,0,\n", "line 2: tick_size: '0' is no price above zero"),
        (HEAD + "A,,,,a cent,\n", "line 2: tick_size: 'a cent' is no price"),
        (HEAD + "A,,,,,maybe\n", "line 2: test: 'maybe' is neither Y nor N"),
        (HEAD + 'A,"open\n', "line 2: unexpected end of data"),
        (HEAD + f"A,{'x' * 201},,,,\n", "line 2: name: more than 200"),
    ],
)
def test_a_wrong_file_says_where(file: Path, text: str, said: str) -> None:
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        SymbolDirectory(file)
    assert f"directory.file: {file} {said}" in str(caught.value)


def test_a_file_is_read_again_only_if_it_is_another_one(file: Path) -> None:
    """While a gateway reads thousands of lines, its clients wait."""
    directory = SymbolDirectory(file)
    before = directory.listings
    assert directory.reload() == 2
    assert directory.listings is before
    other = file.with_name("other")
    other.write_text(RIGHT)
    other.replace(file)
    directory.reload()
    assert directory.listings == before
    assert directory.listings is not before


def test_a_refused_reload_changes_nothing(file: Path) -> None:
    directory = SymbolDirectory(file)
    file.write_text("nonsense\n")
    with pytest.raises(ConfigError):
        directory.reload()
    assert directory.get("BRK.B") and directory.named("berk")
    file.write_text("symbol,name\nAAPL,Apple\n")
    assert directory.reload() == 1
    assert (directory.get("BRK.B"), directory.named("berk")) == (None, set())


def test_no_file(tmp_path: Path) -> None:
    assert SymbolDirectory().reload() == 0
    with pytest.raises(ConfigError, match="cannot be read"):
        SymbolDirectory(tmp_path / "none.csv")


def test_check_reads_it_beside_the_configuration(file: Path) -> None:
    path = file.with_name("mine.toml")
    path.write_text('[directory]\nfile = "symbols.csv"\n')
    run = CliRunner().invoke(command, ["--config", str(path)])
    assert run.exit_code == 0
    file.write_text(HEAD + "A,,,,-1,\n")
    run = CliRunner().invoke(command, ["--config", str(path)])
    assert isinstance(run.exception, ConfigError)
    assert "line 2: tick_size" in str(run.exception)


def test_the_shipped_one_names_what_the_shipped_exchange_lists() -> None:
    config = load()
    assert config.directory.file == str(SHIPPED.with_name("symbols.csv"))
    directory = SymbolDirectory(Path(config.directory.file))
    (feed,) = config.feeds
    assert feed.simulator
    assert all(directory.get(each.symbol) for each in listings(feed.simulator.symbols))
    assert "AAPL" in directory.named("apple")
