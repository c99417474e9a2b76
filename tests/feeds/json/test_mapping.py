"""What a mapping file may say, and what is refused with which words."""

from __future__ import annotations

from pathlib import Path

import pytest

from ticker.errors import ConfigError
from ticker.feeds.json.mapping import parse_mapping
from ticker.feeds.json.paths import EACH, EACH_OR_SELF, KEY, MEMBERS, ROOT, read_path
from ticker.feeds.workers.known import mappings
from ticker.feeds.workers.mappings import load_mapping

TRADE = '[[records]]\nname="t"\nkind="trade"\nsymbol="s"\nprice="p"\n'


def test_shipped_mappings_are_right() -> None:
    names = mappings()
    assert {"polygon", "alpaca", "coinbase", "kraken", "plain", "lastprice"} <= set(names)
    for name in names:
        assert load_mapping(name).description


def test_paths() -> None:
    route = read_path("trades{}[].a.'b.c'.0", many=True)
    assert [(step.kind, step.name) for step in route.steps] == [
        (KEY, "trades"), (MEMBERS, ""), (EACH, ""), (KEY, "a"), (KEY, "b.c"), (KEY, "0"),
    ]  # fmt: skip
    assert route.depth == 3
    assert route.steps[-1].index == 0
    assert read_path("[]?", many=True).steps[0].kind == EACH_OR_SELF
    assert read_path("$.a").up == ROOT
    assert (read_path("^^@key").up, read_path("^^@key").key) == (2, True)
    assert read_path("").steps == ()


@pytest.mark.parametrize(
    "text", ["a[]", ".a", "a..b", "a.", "[0]", "$@key", "a^", "{}", "a@b", "'"]
)
def test_what_is_no_path_of_a_field(text: str) -> None:
    with pytest.raises(ConfigError):
        read_path(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x = 1\n" + TRADE, "unknown field `x`"),
        (TRADE + 'prize="p"\n', "unknown field `prize`"),
        ("records = []", "length >= 1"),
        ('[[records]]\nname="t"\nkind="trade"\nsymbol="s"', "price: a record of kind 'trade'"),
        ('[[records]]\nname="t"\nkind="quote"\nsymbol="s"', "bid: a quote must say"),
        (TRADE + TRADE, "records[1].name: 't'"),
        (TRADE + 'time="a[]"\n', "records[0].time: 'a[]'"),
        (TRADE + 'path="a..b"\n', "records[0].path"),
        (TRADE + 'size="^.x"\n', "goes up further"),
        (TRADE + 'time_unit="min"\n', "records[0].time_unit"),
        (TRADE + 'where={"a..b"=1}\n', "records[0].where"),
        (TRADE + 'conditions={path="a..b"}\n', "records[0].conditions.path"),
        ("size_decimals = 10\n" + TRADE, "size_decimals"),
        ("sequence = 'a..b'\n" + TRADE, "sequence: 'a..b'"),
        ("[", "not TOML"),
        ("x = " + "[" * 10_000, "nested too deeply"),
    ],
)
def test_what_is_refused(text: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_mapping(text)
    assert words.lower() in str(caught.value).lower()


def test_by_name_and_by_file(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text(TRADE)
    assert load_mapping(own).records[0].name == "t"
    with pytest.raises(ConfigError, match="did you mean polygon"):
        load_mapping("polygn")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_mapping(tmp_path / "none.toml")
    own.write_text("x")
    with pytest.raises(ConfigError, match=r"own\.toml: not TOML"):
        load_mapping(own)
