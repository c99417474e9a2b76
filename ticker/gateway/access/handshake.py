"""The head of an HTTP request, and the WebSocket handshake: bytes in, a decision out.

Law: no bytes raise anything but Refusal. Sources: RFC 9112 (HTTP/1.1), RFC 6455 section 4.2.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass

from ticker.gateway.access.problems import BAD_REQUEST, HEAD_TOO_LARGE, UPGRADE_REQUIRED, Refusal

STREAM_PATH = "/stream"
MAX_HEAD = 8192
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_REQUEST_LINE = re.compile(rb"([A-Z]{1,20}) (\S{1,4096}) HTTP/(1\.[01])")
_HEADER = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*((?:[\x20-\x7e\x80-\xff\t]*)?)")
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://([^/?#]*)")
_HOST = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")


@dataclass(frozen=True)
class Head:
    """A request head: header names in lower case, in order, values stripped."""

    method: str
    target: str
    version: str
    headers: tuple[tuple[str, str], ...]
    rest: bytes

    @property
    def authority(self) -> str | None:
        """That of the request target, if it has one."""
        return authority_of(self.method, self.target)

    @property
    def path(self) -> str:
        """The request target without its query."""
        return self.target.partition("?")[0]

    def values(self, name: str) -> list[str]:
        """All values of a header."""
        return [value for key, value in self.headers if key == name]

    def tokens(self, name: str) -> set[str]:
        """The comma-separated tokens of a header, in lower case."""
        return {token.strip().lower() for value in self.values(name) for token in value.split(",")}


def authority_of(method: str, target: str) -> str | None:
    """The host and port in a request target, which go before those of the Host header: in the form
    of a whole URL, or of CONNECT (RFC 9112, sections 3.2.2 and 3.2.3). None: it names none."""
    if method == "CONNECT":
        return target
    match = _ABSOLUTE.match(target)
    return match[1] if match is not None else None


def parse_head(data: bytes) -> Head | None:
    """The head at the start of `data`; None while it is incomplete.

    Raises:
        Refusal: 431 when it is too long, 400 when it is not a request.
    """
    end = data.find(b"\r\n\r\n")
    if end < 0 or end > MAX_HEAD:
        if len(data) > MAX_HEAD:
            raise Refusal(
                HEAD_TOO_LARGE,
                f"the request head is longer than {MAX_HEAD} bytes; send fewer headers",
            )
        return None
    first, *lines = data[:end].split(b"\r\n")
    request = _REQUEST_LINE.fullmatch(first)
    if request is None:
        raise Refusal(BAD_REQUEST, "the request line is not one of HTTP/1.1")
    method, target, version = (part.decode("latin-1") for part in request.groups())
    headers = tuple(_parse_header(line) for line in lines)
    return Head(method, target, version, headers, data[end + 4 :])


def _parse_header(line: bytes) -> tuple[str, str]:
    match = _HEADER.fullmatch(line)
    if match is None:
        raise Refusal(BAD_REQUEST, "a header line is not name: value")
    name, value = match.groups()
    return name.decode("latin-1").lower(), value.decode("latin-1").strip(" \t")


def accept_key(key: str) -> str:
    """Sec-WebSocket-Accept for a Sec-WebSocket-Key (RFC 6455, section 4.2.2)."""
    return base64.b64encode(hashlib.sha1(key.encode() + _GUID).digest()).decode()


def offered(head: Head) -> list[str]:
    """The subprotocols that a client offers, in the order of its preference (RFC 6455, 4.1)."""
    values = head.values("sec-websocket-protocol")
    return [name.strip() for value in values for name in value.split(",")]


def upgrade(head: Head, subprotocol: str = "", extensions: str = "") -> bytes:
    """The answer that opens a WebSocket connection, with this subprotocol selected, if any, and
    this header of extensions.

    Raises:
        Refusal: 426 for a request without an upgrade, 400 for a wrong one.
    """
    if "upgrade" not in head.tokens("connection") or "websocket" not in head.tokens("upgrade"):
        raise Refusal(
            UPGRADE_REQUIRED,
            "this is a WebSocket endpoint; connect with a WebSocket client",
            headers={"Upgrade": "websocket"},
        )
    selected = f"Sec-WebSocket-Protocol: {subprotocol}\r\n" if subprotocol else ""
    selected += f"{extensions}\r\n" if extensions else ""
    return (
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {accept_key(_checked_key(head))}\r\n{selected}\r\n"
    ).encode()


def _checked_key(head: Head) -> str:
    hosts = head.values("host")
    if head.method != "GET" or head.version != "1.1":
        raise Refusal(BAD_REQUEST, "a WebSocket handshake is a GET of HTTP/1.1")
    if len(hosts) != 1 or not _HOST.fullmatch(hosts[0]):
        raise Refusal(BAD_REQUEST, "exactly one valid Host header is needed")
    if head.values("content-length") or head.values("transfer-encoding") or head.rest:
        raise Refusal(BAD_REQUEST, "a WebSocket handshake has no body")
    if head.values("sec-websocket-version") != ["13"]:
        raise Refusal(
            BAD_REQUEST,
            "this server speaks WebSocket version 13 only",
            headers={"Sec-WebSocket-Version": "13"},
        )
    keys = head.values("sec-websocket-key")
    try:
        valid = len(keys) == 1 and len(base64.b64decode(keys[0], validate=True)) == 16
    except (binascii.Error, ValueError):
        valid = False
    if not valid:
        raise Refusal(BAD_REQUEST, "Sec-WebSocket-Key must be the base64 text of 16 bytes")
    return keys[0]
