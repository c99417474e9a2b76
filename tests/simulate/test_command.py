"""`ticker simulate itch --output`, and the refusals of the command."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from ticker.cli.simulate import command
from ticker.cli.simulate.parameters import Address, Count, Share


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(command, ["itch", *arguments])
    return result.exit_code, result.output


def test_a_day_is_written_and_the_same_again(tmp_path: Path) -> None:
    options = ("--symbols", "10", "--messages", "2k", "--seed", "7")
    for name in ("one.itch", "two.itch", "one.pcap", "two.pcap"):
        code, output = run("--output", str(tmp_path / name), *options)
        assert code == 0, output
        assert "2000 messages" in output
    for suffix in ("itch", "pcap"):
        one, two = (tmp_path / f"{name}.{suffix}" for name in ("one", "two"))
        assert one.read_bytes() == two.read_bytes()


def test_too_few_messages_are_refused(tmp_path: Path) -> None:
    code, output = run("--output", str(tmp_path / "x"), "--symbols", "500", "--messages", "100")
    assert code == 2
    assert "need at least" in output


@pytest.mark.parametrize(("text", "share"), [("0.1%", 0.001), ("0.001", 0.001), ("0", 0.0)])
def test_shares(text: str, share: float) -> None:
    assert Share().convert(text, None, None) == pytest.approx(share)


@pytest.mark.parametrize(("text", "number"), [("1M", 1e6), ("20k", 2e4), ("7", 7), ("0.5", 0.5)])
def test_counts(text: str, number: float) -> None:
    assert Count().convert(text, None, None) == number


def test_addresses() -> None:
    assert Address().convert("239.192.0.1:26477", None, None) == ("239.192.0.1", 26477)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (Share(), "x"), (Share(), "100%"), (Share(), "-1%"), (Count(), ""), (Count(), "0"),
        (Count(), "-5"), (Count(), "nan"), (Address(), "localhost:1"), (Address(), "1.2.3.4"),
        (Address(), "1.2.3.4:70000"), (Address(), "1.2.3.400:7"),
    ],
)  # fmt: skip
def test_what_is_none_of_them_is_refused(kind: click.ParamType[Any], text: str) -> None:
    with pytest.raises(click.BadParameter, match=r"give|0 to 65535"):
        kind.convert(text, None, None)
