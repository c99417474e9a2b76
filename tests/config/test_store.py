"""[store]: the url of a database, and its password, which nothing shows."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ticker.config import parse
from ticker.config.effective import effective_text
from ticker.config.store import StoreConfig, database_url, without_password
from ticker.errors import ConfigError, StoreError
from ticker.store.past import reader_of
from ticker.store.postgres import DatabaseReader
from ticker.store.reader import HistoryReader
from ticker.supervisor.surroundings import server_faults


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://u:secret@h:5432/db", "postgresql://u:***@h:5432/db"),
        ("postgresql://u@h/db?password=secret&sslmode=require", None),
        ("postgresql://u@h/db?sslmode=require&sslpassword=secret", None),
        ("postgres://u:sec@ret/s?e#cret@h/db", "postgres://u:***@h/db"),
        ("postgresql://:secret@/db", "postgresql://:***@/db"),
        ("postgresql://u@[::1]:5432/db", "postgresql://u@[::1]:5432/db"),
        ("postgresql:///db?host=/run/postgresql", "postgresql:///db?host=/run/postgresql"),
        ("$PRICES", "$PRICES"),
    ],
)
def test_a_password_is_hidden(url: str, shown: str | None) -> None:
    found = without_password(url)
    assert found == (shown or url.replace("secret", "***"))
    assert "secret" not in found
    assert "cret" not in found


def test_an_effective_configuration_has_no_password() -> None:
    text = '[store]\nurl = "postgresql://u:secret@h/db"\n'
    assert 'url = "postgresql://u:***@h/db"' in effective_text(parse(text))
    assert 'url = "$PRICES"' in effective_text(parse('[store]\nurl = "$PRICES"\n'))


@pytest.mark.parametrize("url", ["", "mysql://u:secret@h/db", "host=h password=secret"])
def test_an_address_of_another_kind_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match=r"^store\.url: begins with no postgresql://") as refused:
        parse(f'[store]\nurl = "{url}"\n')
    assert "secret" not in str(refused.value)


def test_a_url_of_the_environment() -> None:
    assert database_url("$PRICES", {"PRICES": "postgres://h/db"}) == "postgres://h/db"
    with pytest.raises(ConfigError, match=r"^store\.url: set PRICES in the environment$"):
        database_url("$PRICES", {})
    with pytest.raises(ConfigError, match=r"^store\.url \(from PRICES\): begins with") as refused:
        database_url("$PRICES", {"PRICES": "secret"})
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("url", ["postgresql://u:sec%ret@h/db", "postgresql://u:p@h/db?secret=1"])
def test_a_url_that_cannot_be_read_is_a_fault_of_the_start(url: str) -> None:
    config = parse(f'[store]\nurl = "{url}"\n')
    (fault,) = server_faults(config)
    assert fault.startswith("store.url: postgresql://u:***@h/db")
    assert "cannot be read; write each of" in fault
    assert "sec%ret" not in fault
    with pytest.raises(StoreError):
        reader_of(config.store, Path())


def test_which_engine_reads(tmp_path: Path) -> None:
    assert isinstance(reader_of(StoreConfig(), tmp_path), HistoryReader)
    url = "postgresql://u@h/db"
    assert isinstance(reader_of(StoreConfig(url=url), tmp_path), DatabaseReader)
    off = parse(f'[store]\nenabled = false\nurl = "{url}x?y=z"\n')
    assert list(server_faults(off)) == []


def test_a_driver_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "ticker.store.postgres")
    monkeypatch.setitem(sys.modules, "psycopg", None)
    (fault,) = server_faults(parse('[store]\nurl = "postgresql://h/db"\n'))
    assert fault == "store.url: a database needs psycopg: pip install 'ticker[postgres]'"
