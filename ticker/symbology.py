"""The symbols of each venue's convention, converted to one canonical form and back.

Law: pure text. `canonical(canonical(x)) == canonical(x)` in every symbology. A symbol that no rule
knows passes unchanged: a wrong guess would merge two securities into one price.

The canonical form is the root, a point, and the suffix of the CMS convention (`BRK.B`, `ABC.PRA`,
`ABC.WS`, `ABC.U`). It has only capitals, digits and points, so a URL needs no escapes, and each
suffix has one meaning. docs/symbology.md has the table.
Source: Nasdaq Trader, "Ticker Symbol Convention" (CQS, CMS, Nasdaq integrated, ACT).
"""

from __future__ import annotations

import re

SYMBOLOGIES = ("none", "nasdaq", "cqs", "cms", "act", "dash")

ROOT = re.compile(r"[A-Z][A-Z0-9]{0,9}")
LETTER = r"[A-Z]"

# A suffix has parts in this order: the kind (class, preferred, warrant, ...), then its states.
# Each is (canonical, Nasdaq integrated, CQS); a class letter stands for {}.
KINDS = (
    ("PR{}", "-{}", "p{}"),
    ("PR", "-", "p"),
    ("WS{}", "+{}", "/WS/{}"),
    ("WS", "+", "/WS"),
    ("RT", "^", "r"),
    ("U", "=", "/U"),
    ("TEST", "~", "/TEST"),
    ("EC", "!", "/EC"),
    ("PP", "@", "/PP"),
    ("{}", ".{}", "/{}"),
    ("", "", ""),
)
STATES = (
    ("CVCL", "%*", "/CV/CL"),
    ("CV", "%", "/CV"),
    ("CL", "*", "/CL"),
    ("WD", "$", "/WD"),
    ("WI", "#", "w"),
    ("", "", ""),
)

DEFAULTS = {
    "itch50": "nasdaq", "pitch": "nasdaq", "tops": "nasdaq", "deep": "nasdaq", "pillar": "cms",
}  # fmt: skip
"""By protocol; all others, also protocols of a user's own, have none."""

TEST_ISSUES = frozenset(
    {
        "ATEST", "ATEST.A", "ATEST.B", "ATEST.C", "CBO", "CBX", "CTEST", "CTEST.E", "CTEST.G",
        "CTEST.L", "CTEST.O", "CTEST.S", "CTEST.V", "MTEST", "NTEST", "NTEST.A", "NTEST.B",
        "NTEST.C", "NTEST.D", "NTEST.E", "NTEST.F", "NTEST.G", "NTEST.H", "NTEST.I", "NTEST.J",
        "NTEST.K", "NTEST.L", "NTEST.M", "NTEST.N", "NTEST.O", "NTEST.P", "NTEST.Q", "NTEST.Y",
        "NTEST.Z", "PTEST", "PTEST.W", "PTEST.X", "PTEST.Y", "PTEST.Z", "ZAZZT", "ZBZX", "ZBZZT",
        "ZCZZT", "ZEXIT", "ZIEXT", "ZJZZT", "ZTEST", "ZTST", "ZVZZT", "ZVZZC", "ZWZZT", "ZXIET",
        "ZXYZ.A", "ZXZZT",
    }
)  # fmt: skip
"""Test issues of the US venues that are traded in production, canonical."""


def _suffixes(kinds: int, states: int) -> dict[str, str]:
    """Each suffix of one convention (its column) with its canonical suffix."""
    found: dict[str, str] = {}
    for kind in KINDS:
        letters = [chr(65 + i) for i in range(26)] if "{}" in kind[0] else [""]
        for letter in letters:
            for state in STATES:
                canonical = kind[0].format(letter) + state[0]
                written = kind[kinds].format(letter) + state[states]
                if canonical and written:
                    # An earlier kind goes first: .U is the units, there is no class U.
                    found.setdefault(written, canonical)
    return found


CANONICAL = frozenset(_suffixes(0, 0))
NASDAQ = _suffixes(1, 1)
CQS = _suffixes(2, 2)
# The consolidated feeds write a point where the tables have a slash: BRK.B, BAC.WS.A.
CQS.update({written.replace("/", "."): suffix for written, suffix in _suffixes(2, 2).items()})
CMS = {suffix: suffix for suffix in CANONICAL}
ACT = {
    "$": "PR", ".W": "WS", ".R": "RT", ".U": "U", ".D": "PRWD",
    **{f"${chr(65 + i)}": f"PR{chr(65 + i)}" for i in range(26)},
}  # fmt: skip
DASH = {
    "WT": "WS", "WS": "WS", "UN": "U", "U": "U", "RI": "RT", "RT": "RT", "WI": "WI",
    **{f"P{chr(65 + i)}": f"PR{chr(65 + i)}" for i in range(26)},
    **{f"PR{chr(65 + i)}": f"PR{chr(65 + i)}" for i in range(26)},
    **{chr(65 + i): chr(65 + i) for i in range(26) if chr(65 + i) not in "U"},
}  # fmt: skip


def canonical(symbol: str, symbology: str) -> str:
    """The canonical form of a symbol as a venue with this symbology writes it.

    Raises:
        ValueError: no such symbology.
    """
    if symbology not in SYMBOLOGIES:
        raise ValueError(f"no symbology {symbology!r}; one of {', '.join(SYMBOLOGIES)}")
    root = ROOT.match(symbol)
    if symbology == "none" or root is None or root.end() == len(symbol):
        return symbol
    base, rest = root[0], symbol[root.end() :]
    suffix = _READERS[symbology](rest)
    return f"{base}.{suffix}" if suffix else symbol


def spelled(symbol: str, symbology: str) -> str:
    """A canonical symbol in the spelling of a symbology; unchanged if it has no such form."""
    base, point, suffix = symbol.partition(".")
    if not point or suffix not in CANONICAL:
        return symbol
    if symbology == "cms":
        return f"{base} {suffix}"
    if symbology == "dash":
        return f"{base}-{_TO_DASH[suffix]}" if suffix in _TO_DASH else symbol
    written = _WRITERS.get(symbology, {}).get(suffix)
    return base + written if written else symbol


def is_test_issue(symbol: str) -> bool:
    """Whether a canonical symbol is one that venues trade to test, never for real."""
    return symbol in TEST_ISSUES or symbol.endswith(".TEST")


def default_symbology(protocol: str) -> str:
    """The symbology of a protocol, unless the configuration names another."""
    return DEFAULTS.get(protocol, "none")


def _nasdaq(rest: str) -> str | None:
    return NASDAQ.get(rest)


def _cqs(rest: str) -> str | None:
    return CQS.get(rest)


def _cms(rest: str) -> str | None:
    """A blank, then the suffix; some write the point already."""
    suffix = rest[1:]
    return suffix if rest[0] in " ." and suffix in CANONICAL else None


def _act(rest: str) -> str | None:
    """Nasdaq's clearing protocols: fewer suffixes, and points for most of them."""
    return ACT.get(rest) or (rest[1:] if re.fullmatch(rf"\.{LETTER}", rest) else None)


def _dash(rest: str) -> str | None:
    """A dash before everything, as many data vendors have it: BRK-B, ABC-PA, ABC-WT."""
    return DASH.get(rest[1:]) if rest[0] == "-" else None


_READERS = {"nasdaq": _nasdaq, "cqs": _cqs, "cms": _cms, "act": _act, "dash": _dash}
_WRITERS = {
    "nasdaq": {suffix: written for written, suffix in reversed(NASDAQ.items())},
    "cqs": {suffix: written for written, suffix in reversed(_suffixes(2, 2).items())},
    "act": {suffix: written for written, suffix in reversed(ACT.items())},
}
_TO_DASH = {suffix: written for written, suffix in reversed(DASH.items())}
