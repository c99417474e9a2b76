"""Names in a configuration against what is installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ticker.errors import ConfigError
from ticker.feeds.workers.known import mappings, modules
from ticker.supervisor.configuration import load

FEED = '[[feeds]]\nname = "a"\nvenue = "XNAS"\n'
LINES = 'lines = ["239.192.0.1:26477"]\n'
URL = 'protocol = "json"\nurl = "ws://x"\n'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (LINES + "protocol = 'itch5'", "protocol: no protocol 'itch5', did you mean itch50?"),
        (LINES + "protocol = 'zzz'", "feeds[0].protocol: no protocol 'zzz', known: deep, fix, "),
        (
            LINES + "protocol = './mine.py'",
            "mine.py; it is looked for beside the configuration",
        ),
        (
            LINES + "protocol = 'itch50'\nsession = 'zzz'",
            "feeds[0].session: no session 'zzz', known: binaryfile, ",
        ),
        (
            URL + "mapping = 'polygn'",
            "feeds[0].mapping: no mapping 'polygn', did you mean polygon?; or name a .toml file",
        ),
        (URL + "mapping = 'gone.toml'", "gone.toml; it is looked for beside the configuration"),
        (URL + "mapping = 'gone.toml'", "; shipped with ticker: alpaca, "),
    ],
)
def test_a_name_that_nothing_has(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "ticker.toml"
    path.write_text(FEED + text)
    with pytest.raises(ConfigError) as error:
        load(path)
    assert str(error.value).startswith(f"{path}: feeds[0].")
    assert words in str(error.value)


def test_every_name_that_there_is(tmp_path: Path) -> None:
    assert "itch50" in modules("protocols")
    assert {"moldudp64", "binaryfile"} <= set(modules("sessions"))
    path = tmp_path / "ticker.toml"
    for name in (*mappings(), str(tmp_path / "mine.toml")):
        (tmp_path / "mine.toml").touch()
        path.write_text(f"{FEED}{URL}mapping = '{name}'")
        assert load(path).feeds[0].mapping == name
    (tmp_path / "mine.py").touch()
    path.write_text(f"{FEED}{LINES}protocol = 'mine.py'")
    assert load(path).feeds[0].protocol == str(tmp_path / "mine.py")


@pytest.mark.parametrize(("key", "name"), [("mapping", "./mine.toml"), ("protocol", "./mine.py")])
def test_a_file_is_relative_to_the_configuration_not_to_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str, name: str
) -> None:
    folder, elsewhere = tmp_path / "etc", tmp_path / "home"
    folder.mkdir()
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    path = folder / "ticker.toml"
    path.write_text(f"{FEED}{URL if key == 'mapping' else LINES}{key} = '{name}'")
    with pytest.raises(ConfigError) as error:
        load(path)
    assert f"{key}: no file {folder / name}; it is looked for beside" in str(error.value)
    assert "working directory" not in str(error.value)
    (elsewhere / name).touch()
    with pytest.raises(ConfigError) as error:
        load(path)
    assert f"{elsewhere / name} is only beside the working directory" in str(error.value)
    (folder / name).touch()
    assert getattr(load(path).feeds[0], key) == str(folder / name)


def test_names_are_checked_without_importing_what_has_them() -> None:
    code = (
        "import sys; from ticker.supervisor.configuration import load; load(); "
        "print([m for m in sys.modules if m.startswith('ticker.feeds.')])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "['ticker.feeds.workers', 'ticker.feeds.workers.known']"
