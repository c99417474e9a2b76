"""Answers of a feed's servers beside prices, and configurations."""

from __future__ import annotations

from datetime import UTC, datetime

from tests.fuzz.subject import ROOT
from tests.fuzz.target import Target
from tests.fuzz.targets.texts import TOKENS, texts, vary
from ticker import config
from ticker.errors import ConfigError
from ticker.feeds.json import mapping
from ticker.feeds.transports.dialogue import Dialogue
from ticker.feeds.transports.reconnect import LONGEST_RETRY_AFTER, retry_after
from ticker.feeds.workers.known import MAPPINGS
from ticker.feeds.workers.known import mappings as shipped
from ticker.feeds.workers.mappings import load_mapping

NOW = datetime(2026, 1, 2, 14, 30, tzinfo=UTC)
OWNERS_BUDGET_NS = 50_000_000
"""For files that the owner writes, and that are read once: suggestions for wrong keys take time."""
TOML = (
    b"[", b"]", b"[[feeds]]\n", b"[[records]]\n", b'"', b"'", b"=", b"\n", b"{}", b"[]", b"[[]]",
    b"true", b"nan", b"inf", b"1979-05-27", b'""', b"path=", b"'a..b'", b"'$.a'", b"'^^@key'",
    b"\0", b"\xff", b"kind='level'\n", b"where={}\n", b"-1", b"0x", b"1e400",
)  # fmt: skip


class Waits:
    """The Retry-After of an answer to a poll."""

    def __call__(self, data: bytes) -> None:
        assert 0 <= retry_after(data.decode("latin-1"), NOW) <= LONGEST_RETRY_AFTER


class Judges:
    """What a server says to an authentication, by every shipped mapping."""

    def __init__(self) -> None:
        streams = [load_mapping(name).stream for name in shipped()]
        keys = {"key": "k", "secret": "s"}
        self.dialogues = [Dialogue(stream, ("AAPL",), keys) for stream in streams]

    def __call__(self, data: bytes) -> None:
        for dialogue in self.dialogues:
            dialogue.judge(data)


def read_mapping(data: bytes) -> None:
    """A mapping file, and each of its paths; what is taken can be compiled."""
    mapping.parse_mapping(data.decode("utf-8", "replace"))


def read_config(data: bytes) -> None:
    """A configuration file."""
    config.parse(data.decode("utf-8", "replace"))


def configurations() -> list[bytes]:
    """The shipped one, with and without its comments."""
    text = (ROOT / "ticker.toml").read_bytes()
    return [text, text.replace(b"\n# ", b"\n"), text.replace(b"\n#", b"\n")]


def mappings() -> list[bytes]:
    """The shipped ones."""
    return [path.read_bytes() for path in sorted(MAPPINGS.glob("*.toml"))]


DATES = (
    b"120", b"0", b"Fri, 02 Jan 2026 14:31:00 GMT", b"Friday, 02-Jan-26 14:31:00 GMT",
    b"Fri Jan  2 14:31:00 2026", b"02 Jan 2026 14:31:00 +0530", b"",
)  # fmt: skip

TARGETS = [
    Target(
        name="retry-after",
        covers=("ticker.feeds.transports.http",),
        start=Waits,
        seeds=lambda: list(DATES),
        per_subject=1000,
        longest=200,
        tokens=(b"Jan", b"Fri,", b":", b"GMT", b"+9999", b"-0000", b" ", b"99999999999999999999"),
    ),
    Target(
        name="dialogue",
        covers=("ticker.feeds.transports.dialogue",),
        start=Judges,
        seeds=lambda: [
            b'[{"ev":"status","status":"auth_success","message":"x"}]',
            b'[{"T":"success","msg":"authenticated"}]',
            b'[{"T":"error","code":402}]',
            *texts(),
        ],
        per_subject=1000,
        tokens=TOKENS,
        vary=vary,
    ),
    Target(
        name="mapping",
        covers=("ticker.feeds.json.mapping",),
        start=lambda: read_mapping,
        seeds=mappings,
        errors=(ConfigError,),
        per_subject=1000,
        tokens=TOML,
        budget_ns=OWNERS_BUDGET_NS,
    ),
    Target(
        name="config",
        covers=("ticker.config",),
        start=lambda: read_config,
        seeds=configurations,
        errors=(ConfigError,),
        per_subject=1000,
        tokens=TOML,
        budget_ns=OWNERS_BUDGET_NS,
    ),
]
