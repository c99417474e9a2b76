"""Every documented spelling means one canonical symbol, and canonical symbols stay."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticker.symbology import (
    CANONICAL,
    SYMBOLOGIES,
    canonical,
    default_symbology,
    is_test_issue,
    spelled,
)

PAGE = Path(__file__).parents[1] / "docs" / "symbology.md"


def documented() -> list[tuple[str, str, str]]:
    """(symbology, spelling, canonical) of each cell of the page's table."""
    found = []
    rows = [
        [cell.strip(" `") for cell in line.strip().strip("|").split("|")]
        for line in PAGE.read_text().splitlines()
        if line.startswith("| ")
    ]
    head, *lines = rows
    for line in lines:
        for symbology, cell in zip(head[2:], line[2:], strict=True):
            found += [(symbology, each, line[1]) for each in re.split(r"`, `", cell) if each]
    return found


def test_the_page_has_the_whole_table() -> None:
    cells = documented()
    assert {symbology for symbology, _, _ in cells} == set(SYMBOLOGIES) - {"none"}
    assert len(cells) > 70


@pytest.mark.parametrize(("symbology", "written", "expected"), documented())
def test_each_documented_pair(symbology: str, written: str, expected: str) -> None:
    assert canonical(written, symbology) == expected
    assert canonical(expected, symbology) == expected


@pytest.mark.parametrize(
    ("written", "symbology"),
    [
        ("BRK.B", "nasdaq"), ("BRK B", "cms"), ("BRK/B", "cqs"), ("BRK.B", "cqs"),
        ("BRK-B", "dash"), ("BRK.B", "act"),
    ],
)  # fmt: skip
def test_berkshire_is_berkshire_everywhere(written: str, symbology: str) -> None:
    assert canonical(written, symbology) == "BRK.B"


@pytest.mark.parametrize("symbology", SYMBOLOGIES)
@pytest.mark.parametrize(
    "symbol", ["AAPL", "F", "", "BTC-USD", "BTC/USD", "abc", "A..B", "A+?", "7203"]
)
def test_unknown_forms_pass_unchanged(symbol: str, symbology: str) -> None:
    assert canonical(symbol, symbology) == symbol


def test_a_dash_is_a_preferred_at_nasdaq_and_a_class_at_vendors() -> None:
    assert (canonical("ABC-A", "nasdaq"), canonical("ABC-A", "dash")) == ("ABC.PRA", "ABC.A")


def test_five_letters_of_nasdaq_are_a_root() -> None:
    assert canonical("ABCDW", "nasdaq") == "ABCDW"


suffixes = st.sampled_from([*sorted(CANONICAL), ""])
roots = st.from_regex(r"[A-Z]{1,5}", fullmatch=True)
symbologies = st.sampled_from(SYMBOLOGIES)


@given(
    st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126), max_size=12), symbologies
)
def test_canonical_twice_is_canonical_once(text: str, symbology: str) -> None:
    once = canonical(text, symbology)
    assert canonical(once, symbology) == once


@given(roots, st.sampled_from(" ./-+^=~!@#$%*prw"), suffixes, symbologies)
def test_so_it_is_for_what_looks_like_a_suffix(
    root: str, mark: str, suffix: str, symbology: str
) -> None:
    once = canonical(root + mark + suffix, symbology)
    assert canonical(once, symbology) == once


@given(roots, st.sampled_from(sorted(CANONICAL)), st.sampled_from(["nasdaq", "cqs", "cms"]))
def test_spelled_and_read_again_is_the_same(root: str, suffix: str, symbology: str) -> None:
    symbol = f"{root}.{suffix}"
    written = spelled(symbol, symbology)
    assert written != symbol or "." in written
    assert canonical(written, symbology) == symbol


@given(st.sampled_from(sorted(CANONICAL)))
def test_no_two_suffixes_are_spelled_alike(suffix: str) -> None:
    for symbology in ("nasdaq", "cqs", "cms"):
        alike = [
            other
            for other in CANONICAL
            if spelled(f"A.{other}", symbology) == spelled(f"A.{suffix}", symbology)
        ]
        assert alike == [suffix]


def test_test_issues() -> None:
    assert all(map(is_test_issue, ["ZVZZT", "ZXYZ.A", "NTEST", "ABC.TEST"]))
    assert not any(map(is_test_issue, ["Z", "AAPL", "TEST", "ZM"]))
    assert is_test_issue(canonical("ABC~", "nasdaq"))


def test_each_protocol_has_its_venues_symbology() -> None:
    assert default_symbology("itch50") == "nasdaq"
    assert default_symbology("pillar") == "cms"
    assert default_symbology("json") == default_symbology("protocols/own.py") == "none"


def test_no_such_symbology() -> None:
    with pytest.raises(ValueError, match="one of none, nasdaq"):
        canonical("A", "isin")
