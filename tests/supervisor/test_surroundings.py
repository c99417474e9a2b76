"""`ticker check` and the first start: all that a configuration names is read, each fault told."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.certificates import Authority
from ticker.cli import main
from ticker.errors import ConfigError
from ticker.supervisor.configuration import load_all

FEEDS = """
[tls]
certificate = "{folder}/chain.pem"
key = "{folder}/key.pem"

[[feeds]]
name = "vendor"
protocol = "json"
venue = "XNAS"
url = "wss://vendor.example/?k=${{nokey}}"
mapping = "{folder}/mapping.toml"
credentials = {{ key = "$TICKER_TEST_ABSENT" }}
headers = {{ X-Key = "${{other}}" }}
tls_ca = "{folder}/chain.pem"

[[feeds]]
name = "mine"
protocol = "json"
venue = "XNAS"
url = "ws://vendor.example/"
mapping = "polygon"

[[feeds]]
name = "fix"
protocol = "fix"
venue = "XNYS"
lines = ["127.0.0.1:9001"]
[feeds.fix]
sender = "A"
target = "B"
symbols = ["AAPL"]
password_env = "TICKER_TEST_ABSENT"
sequence_file = "{folder}/nowhere/numbers"

[[feeds]]
name = "soup"
protocol = "itch50"
session = "soupbintcp"
venue = "XNYS"
lines = ["127.0.0.1:9002"]
[feeds.soupbintcp]
password_env = "TICKER_TEST_ABSENT"
"""


def faulty(folder: Path) -> Path:
    """A configuration of which everything but its keys is wrong."""
    (folder / "chain.pem").write_text("no certificate")
    (folder / "key.pem").write_text("no key")
    (folder / "mapping.toml").write_text('[[records]]\nname = "t"\nkind = "trade"\nsymbol = "s"\n')
    path = folder / "ticker.toml"
    path.write_text(FEEDS.format(folder=folder))
    return path


def test_all_faults_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TICKER_TEST_ABSENT", raising=False)
    with pytest.raises(ConfigError) as caught:
        load_all(faulty(tmp_path))
    said = str(caught.value)
    for fault in (
        "feeds[0].credentials.key: set TICKER_TEST_ABSENT in the environment",
        f"feeds[0].mapping: {tmp_path}/mapping.toml: records[0].price",
        "feeds[0].url: ${nokey} is no credential of the feed",
        "feeds[0].headers.X-Key: ${other} is no credential of the feed",
        f"feeds[0].tls_ca: {tmp_path}/chain.pem: has no certificates",
        "feeds[1].credentials.key: missing; the mapping sends it to the server",
        "feeds[2].fix.password_env: set TICKER_TEST_ABSENT in the environment",
        f"feeds[2].fix.sequence_file: {tmp_path}/nowhere is not a writable folder; "
        "create or name one",
        "feeds[3].soupbintcp.password_env: set TICKER_TEST_ABSENT in the environment",
        "tls.certificate: chain.pem and tls.key are no certificate chain and its key",
    ):
        assert fault in said


@pytest.mark.slow
@pytest.mark.parametrize("command", ["check", "serve"])
def test_neither_check_nor_serve_stops_at_the_first(command: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(main, [command, "--config", str(faulty(tmp_path))])
    assert result.exit_code == 3
    assert "feeds[0].mapping" in result.output
    assert "feeds[3].soupbintcp.password_env" in result.output
    assert "tls.certificate" in result.output


@pytest.mark.parametrize(("mode", "warned"), [(0o644, True), (0o600, False), (0o640, False)])
def test_a_key_that_everybody_can_read_is_said(mode: int, warned: bool, tmp_path: Path) -> None:
    chain, key = Authority(tmp_path).issue()
    Path(key).chmod(mode)
    path = tmp_path / "ticker.toml"
    path.write_text(f'[tls]\ncertificate = "{chain}"\nkey = "{key}"\n')
    result = CliRunner().invoke(main, ["check", "--config", str(path)])
    assert (result.exit_code, "no fault found" in result.output) == (0, True)
    assert (f"chmod 600 {key}" in result.output) == warned
