"""Mapping files: accepted ones, and refused ones with their messages."""

from __future__ import annotations

from pathlib import Path

import pytest

from ticker.errors import ConfigError
from ticker.feeds.json.mapping import parse_mapping
from ticker.feeds.json.paths import EACH, EACH_OR_SELF, KEY, MEMBERS, ROOT, read_path
from ticker.feeds.workers.known import mappings
from ticker.feeds.workers.mappings import load_mapping

TRADE = '[[records]]\nname="t"\nkind="trade"\nsymbol="s"\nprice="p"\n'
LEVEL = '[[records]]\nname="l"\nkind="level"\nsymbol="s"\nside="bid"\nprice="p"\nsize="z"\n'


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
        (TRADE + "prize_decimals=2", "did you mean price_decimals?"),
        ("zzz = 1\n" + TRADE, "docs/json-mappings.md has all keys"),
        ("price_decimals = 10\n" + TRADE, "price_decimals"),
        ("price_scale = 12\n" + TRADE, "price_scale: 12: neither a count of decimals"),
        (TRADE + "price_scale=9\nprice_decimals=2", "records[0].price_scale: not together"),
        ('time_zone = "Mars"\n' + TRADE, "time_zone: no time zone 'Mars' here"),
        (TRADE + 'time_zone="Mars"', "records[0].time_zone: no time zone 'Mars'"),
        (TRADE + 'time_format="%Y"', "time_format: '%Y': without %m"),
        (TRADE + 'time_format="%Y%m%d %H"', "say with time_zone whose time it is"),
        (TRADE + 'time_unit="ms"\ntime_format="%Y%m%d %H%z"', "time_format: not together with"),
        ('symbology = "x"\n' + TRADE, "symbology: 'x' is none of none, nasdaq"),
        (TRADE + 'id_parts=["a"]', "id_parts: what further tells trades apart; say with `id`"),
        (TRADE + 'id="i"\nid_parts=["a..b"]', "records[0].id_parts: 'a..b'"),
        (TRADE + "size_factor_until=2025-11-03", "size_factor, which is missing"),
        (TRADE + 'conditions={path="c",tape="z"}', "conditions.tapes: missing"),
        (TRADE + 'conditions={path="c",tapes={A="cta"}}', "conditions.tape: missing"),
        (TRADE + 'conditions={path="c",tape="a..b",tapes={A="cta"}}', "conditions.tape: 'a..b'"),
        (TRADE + 'conditions={path="c",table="sip"}', "invalid enum value 'sip'"),
        (TRADE + 'new_id="c"', "new_id: only of a record of kind correct, not trade"),
        (TRADE + "depth=10", "depth: only of a record of kind level, not trade"),
        (LEVEL + 'checksum={path="c",method="kraken"}', "say with `depth` how deep it is sent"),
        (LEVEL + 'depth=10\nchecksum={path="c",method="md5"}', "invalid enum value 'md5'"),
        (TRADE + 'answer="x"', "answer: only of a record of kind ping, not trade"),
        (TRADE + 'text="x"', "text: only of a record of kind error, not trade"),
        ('[[records]]\nname="p"\nkind="ping"', "answer: a record of kind 'ping' must say"),
        ('[[records]]\nname="p"\nkind="ping"\nanswer={a=["${a..b}"]}', "answer: 'a..b'"),
        ('[[records]]\nname="t"\nkind="trade"\nprice="p"', "symbol: a record of kind 'trade'"),
        (TRADE + '[stream]\ncompression="lzma"', "stream.compression"),
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
