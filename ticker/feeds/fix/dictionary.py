"""The rules of FIX messages: session messages, and market data outside of the hot path.

Law: a check returns the first fault as a SessionRejectReason (373) and a tag; it never raises.
Source: FIX 4.4 volume 2 (session messages), volume 3 (market data), volume 6 (fields).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from ticker.errors import DecodeError
from ticker.feeds.fix.message import HEADER, TRAILER, Message
from ticker.feeds.fix.values import timestamp

INVALID_TAG = 0
REQUIRED_MISSING = 1
NOT_OF_THIS_TYPE = 2
WITHOUT_VALUE = 4
INCORRECT_VALUE = 5
INCORRECT_FORMAT = 6
COMP_ID = 9
SENDING_TIME = 10
INVALID_TYPE = 11
REPEATED = 13
OUT_OF_ORDER = 14
GROUP_COUNT = 16
OTHER = 99

REASONS = {
    INVALID_TAG: "Invalid tag number",
    REQUIRED_MISSING: "Required tag missing",
    NOT_OF_THIS_TYPE: "Tag not defined for this message type",
    WITHOUT_VALUE: "Tag specified without a value",
    INCORRECT_VALUE: "Value is incorrect (out of range) for this tag",
    INCORRECT_FORMAT: "Incorrect data format for value",
    COMP_ID: "CompID problem",
    SENDING_TIME: "SendingTime accuracy problem",
    INVALID_TYPE: "Invalid MsgType",
    REPEATED: "Tag appears more than once",
    OUT_OF_ORDER: "Tag specified out of required order",
    GROUP_COUNT: "Incorrect NumInGroup count for repeating group",
    OTHER: "Other",
}
"""The text of each reason (58), as in volume 2."""
LAST_REASON = {b"FIX.4.2": INVALID_TYPE}
"""The greatest SessionRejectReason of versions that lack some. A reason beyond it is given by its
text alone."""

_TYPES = re.compile(r"[0-9A-Za-z]|A[A-Z]|B[A-H]")
"""Every MsgType of FIX 4.4; 4.2 has fewer."""
USER_FIELDS = 5000
LAST_TAG = {b"FIX.4.2": 446, b"FIX.4.4": 956}

_FORMATS = {
    "int": re.compile(rb"-?[0-9]+"),
    "number": re.compile(rb"[0-9]+"),
    "float": re.compile(rb"-?(?:[0-9]+\.?[0-9]*|\.[0-9]+)"),
    "boolean": re.compile(rb"[YN]"),
}
_NUMBERS = (7, 9, 16, 34, 36, 45, 98, 108, 146, 264, 267, 268, 369, 371, 373, 383, 384, 789)
HEADER_REQUIRED = (49, 56, 34, 52)


@dataclass(frozen=True)
class Problem:
    """The reason why a message is rejected, and the wrong tag, if any."""

    reason: int
    tag: int | None = None


@dataclass(frozen=True)
class Rule:
    """The body of one message type: `groups` are NumInGroup tags with their first member."""

    required: frozenset[int] = frozenset()
    optional: frozenset[int] = frozenset()
    groups: Mapping[int, int] = field(default_factory=dict)


def rule(required: str = "", optional: str = "", groups: Mapping[int, int] | None = None) -> Rule:
    """A Rule of tags written with blanks between them."""
    return Rule(
        frozenset(map(int, required.split())), frozenset(map(int, optional.split())), groups or {}
    )


_TEXT = " 58 354 355"
SESSION_MESSAGES = {
    "0": rule(optional="112"),
    "1": rule("112"),
    "2": rule("7 16"),
    "3": rule("45", "371 372 373" + _TEXT),
    "4": rule("36", "123"),
    "5": rule(optional=_TEXT),
    "A": rule("98 108", "95 96 141 789 383 384 372 385 464 553 554", {384: 372}),
}
MARKET_DATA = {
    "W": rule("268"),
    "X": rule("268"),
    "Y": rule("262", "281 816 817" + _TEXT, {816: 817}),
    "j": rule("372 380", "45 379" + _TEXT),
}
LENIENT = frozenset("WX")
"""Messages that the decoder checks: only their header is checked here."""
FORMATS = dict.fromkeys(_NUMBERS, "number") | dict.fromkeys((43, 97, 123, 141, 464), "boolean")
FORMATS |= {52: "time", 122: "time"}
CHOICES: dict[int, frozenset[bytes]] = {98: frozenset(b"%d" % method for method in range(7))}


@dataclass(frozen=True, kw_only=True)
class Dictionary:
    """The messages by type, with the format and the possible values of their fields.

    Without `strict`, unknown fields of a message pass: fields that a venue adds to its Logon must
    not end the session.
    """

    messages: Mapping[str, Rule] = field(default_factory=lambda: SESSION_MESSAGES | MARKET_DATA)
    formats: Mapping[int, str] = field(default_factory=lambda: FORMATS)
    choices: Mapping[int, frozenset[bytes]] = field(default_factory=lambda: CHOICES)
    strict: bool = False

    def check(self, message: Message) -> Problem | None:
        """The first fault of a message, None if it may be used."""
        if not _TYPES.fullmatch(message.kind):
            return Problem(INVALID_TYPE)
        found = self.messages.get(message.kind)
        body_rule = None if message.kind in LENIENT else found
        return self._fields(message, body_rule) or self._missing(message, body_rule)

    def _fields(self, message: Message, body_rule: Rule | None) -> Problem | None:
        seen: set[int] = set()
        members = _members(message, body_rule)
        in_body = False
        for index, (tag, value) in enumerate(message.fields):
            header = tag in HEADER
            if header and in_body:
                return Problem(OUT_OF_ORDER, tag)
            in_body = in_body or not (header or tag in TRAILER)
            if not header and body_rule is None:
                continue
            problem = self._field(message, tag, value, body_rule)
            if problem is not None:
                return problem
            if tag in seen and index not in members:
                return Problem(REPEATED, tag)
            seen.add(tag)
        return _group_counts(message, body_rule)

    def _field(
        self, message: Message, tag: int, value: bytes, body_rule: Rule | None
    ) -> Problem | None:
        if not value:
            return Problem(WITHOUT_VALUE, tag)
        if self.strict and not 0 < tag <= LAST_TAG.get(message.begin_string, USER_FIELDS - 1):
            return Problem(INVALID_TAG, tag)
        if not well_formed(self.formats.get(tag, ""), value):
            return Problem(INCORRECT_FORMAT, tag)
        if tag in self.choices and value not in self.choices[tag]:
            return Problem(INCORRECT_VALUE, tag)
        if self.strict and body_rule is not None and tag not in HEADER | TRAILER:
            known = body_rule.required | body_rule.optional | frozenset(body_rule.groups)
            if tag not in known:
                return Problem(NOT_OF_THIS_TYPE, tag)
        return None

    def _missing(self, message: Message, body_rule: Rule | None) -> Problem | None:
        required = sorted(body_rule.required) if body_rule is not None else []
        for tag in (*HEADER_REQUIRED, *required):
            if tag not in message.values:
                return Problem(REQUIRED_MISSING, tag)
        return None


def well_formed(kind: str, value: bytes) -> bool:
    """Whether a value has the format of its data type; "" allows any."""
    if kind == "time":
        try:
            timestamp(value)
        except DecodeError:
            return False
        return True
    return not kind or _FORMATS[kind].fullmatch(value) is not None


def _members(message: Message, body_rule: Rule | None) -> set[int]:
    """Indexes of the fields that follow a NumInGroup: those may be there more than once."""
    groups = body_rule.groups if body_rule is not None else {}
    starts = [index for index, (tag, _) in enumerate(message.fields) if tag in groups]
    return set(range(starts[0] + 1, len(message.fields))) if starts else set()


def _group_counts(message: Message, body_rule: Rule | None) -> Problem | None:
    for tag, first in body_rule.groups.items() if body_rule is not None else ():
        count = message.number(tag)
        entries = sum(found == first for found, _ in message.fields)
        if tag in message.values and count != entries:
            return Problem(GROUP_COUNT, tag)
    return None
