"""The WebSocket extension of this server: permessage-deflate (RFC 7692), without context takeover.

Law: of several offers the first one that can be met is taken; an offer with a parameter that is
not known, given twice, or with a wrong value is declined (section 7), never half of it taken. A
header that breaks the grammar is refused (RFC 6455, section 9.1).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ticker.gateway.access.handshake import Head
from ticker.gateway.access.problems import BAD_REQUEST, Refusal

NAME = "permessage-deflate"
HEADER = "Sec-WebSocket-Extensions"
LEAST_BITS = 9  # zlib makes no stream for a window of 8
MOST_BITS = 15
_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_QUOTED = r'"(?:[^"\\\x00-\x08\x0a-\x1f\x7f]|\\[\t\x20-\x7e])*"'
_PIECE = re.compile(rf"[ \t]*({_TOKEN})(?:[ \t]*=[ \t]*({_TOKEN}|{_QUOTED}))?[ \t]*(;|,|\Z)")
_BITS = re.compile(r"[89]|1[0-5]")
_ESCAPED = re.compile(r"\\(.)")
Parameters = list[tuple[str, str | None]]


@dataclass(frozen=True)
class Deflate:
    """What was agreed on. `bits`: of the largest window that our messages may need; `answers_bits`:
    the client has asked for a bound."""

    bits: int
    answers_bits: bool

    @property
    def answer(self) -> str:
        """The header of the answer."""
        bound = f"; server_max_window_bits={self.bits}" if self.answers_bits else ""
        return f"{HEADER}: {NAME}; server_no_context_takeover; client_no_context_takeover{bound}"


def negotiate(head: Head) -> Deflate | None:
    """The first offer that can be met; None: there is none.

    Raises:
        Refusal: 400, the header breaks the grammar.
    """
    for name, parameters in list(offers(", ".join(head.values(HEADER.lower())))):
        if name == NAME and (agreed := _agreed(parameters)) is not None:
            return agreed
    return None


def offers(text: str) -> Iterator[tuple[str, Parameters]]:
    """Each extension that a header offers, with its parameters in their order."""
    for each in _split(text):
        (name, value), *parameters = each
        if value is not None:
            raise _malformed()
        yield name, parameters


def _split(text: str) -> Iterator[Parameters]:
    """The pieces of each element of the list, which may be empty (RFC 9110, section 5.6.1)."""
    pieces: Parameters = []
    at = 0
    while at < len(text):
        if not pieces and text[at] in ", \t":
            at += 1
            continue
        piece = _PIECE.match(text, at)
        if piece is None or (piece[3] == ";" and piece.end() == len(text)):
            raise _malformed()
        pieces.append((piece[1], _unquoted(piece[2])))
        at = piece.end()
        if piece[3] != ";":
            yield pieces
            pieces = []


def _unquoted(value: str | None) -> str | None:
    if value is None or not value.startswith('"'):
        return value
    return _ESCAPED.sub(r"\1", value[1:-1])


def _malformed() -> Refusal:
    return Refusal(BAD_REQUEST, f"{HEADER} is no list of extensions; send one, or none")


def _agreed(parameters: Parameters) -> Deflate | None:
    given = dict(parameters)
    if len(given) != len(parameters) or not all(map(_is_valid, given, given.values())):
        return None
    wanted = given.get("server_max_window_bits")
    bits = int(wanted) if wanted is not None else MOST_BITS
    return Deflate(bits, wanted is not None) if bits >= LEAST_BITS else None


def _is_valid(name: str, value: str | None) -> bool:
    if name in ("server_no_context_takeover", "client_no_context_takeover"):
        return value is None
    if name == "client_max_window_bits":
        return value is None or _BITS.fullmatch(value) is not None
    return name == "server_max_window_bits" and _BITS.fullmatch(value or "") is not None
