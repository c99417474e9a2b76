"""The guides of docs/how-to, followed as far as no server is started: `ticker init` writes, or the
page's table is saved, `ticker check` finds no fault, and the feed that is tried is there.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.docs.blocks import blocks, commands
from ticker.cli import main

FEEDS = ("alpaca", "polygon", "itch", "fix", "rest-vendor", "nginx")
FILE = "ticker.toml"


@pytest.mark.parametrize("guide", FEEDS)
def test_a_guide(guide: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = f"docs/how-to/{guide}.md"
    monkeypatch.chdir(tmp_path)
    lines = [words for block, words in commands() if block.page == page]
    tables = [block.text for block in blocks() if block.page == page and block.language == "toml"]
    for name in re.findall(r"([A-Z_]+)=", " ".join(" ".join(words) for words in lines)):
        monkeypatch.setenv(name, "secret")
    if not any(words[:2] == ["ticker", "init"] for words in lines):
        text = tables[0].replace("/var/lib/ticker", str(tmp_path))
        (tmp_path / FILE).write_text(text)
    followed = 0
    for words in lines:
        if words[0] != "ticker" or words[1] not in ("init", "check"):
            continue
        done = CliRunner().invoke(main, words[1:])
        assert done.exit_code == 0, f"{' '.join(words)}: {done.output}"
        followed += 1
    assert followed >= 1
    names = {feed["name"] for feed in tomllib.loads((tmp_path / FILE).read_text())["feeds"]}
    tried = {words[3] for words in lines if words[:3] == ["ticker", "feed", "test"]}
    assert tried <= names
