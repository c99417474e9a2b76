"""IPv4 addresses, as ticker.toml writes them."""

from __future__ import annotations

import ipaddress
import re

from ticker.errors import ConfigError


def parse_address(text: str) -> tuple[str, int]:
    """`"239.192.0.1:26477"` as (host, port). Raises ConfigError."""
    host, colon, port = text.rpartition(":")
    try:
        ipaddress.IPv4Address(host)
    except ValueError:
        colon = ""
    if not colon or not re.fullmatch(r"[0-9]{1,5}", port) or not 0 < int(port) < 65_536:
        raise ConfigError(f"{text!r}: not an IPv4 address and port, like 239.192.0.1:26477")
    return host, int(port)


def is_ipv4(text: str) -> bool:
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True
