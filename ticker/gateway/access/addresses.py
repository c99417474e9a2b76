"""Limits on the connections and handshakes of one address.

Law: no clock and no socket; addresses and times (monotonic) are passed in. An address costs memory
only while it has connections or has just made handshakes. IPv6 clients are counted by their /64,
which is what one subscriber gets. An IPv4-mapped IPv6 address (RFC 4291, section 2.5.5.2) is the
IPv4 address.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

NS = 1_000_000_000


@dataclass(slots=True)
class _Seen:
    connections: int
    tokens: float
    at: int


class AddressLimits:
    """Counts by address. 0 means no limit; `burst` handshakes may come at once."""

    def __init__(self, connections: int, handshakes_per_second: float, burst: int) -> None:
        self.connections = connections
        self.rate = handshakes_per_second
        self.burst = float(burst)
        self.seen: dict[str, _Seen] = {}

    @property
    def active(self) -> bool:
        """Whether a limit is set."""
        return bool(self.connections or self.rate)

    def admit(self, address: str, steady_ns: int) -> str | None:
        """Count one more connection. Returns the reason if it is refused; then it is not
        counted."""
        key = _key(address)
        seen = self.seen.get(key)
        if seen is None:
            seen = self.seen[key] = _Seen(0, self.burst, steady_ns)
        if self.connections and seen.connections >= self.connections:
            return (
                f"one gateway worker takes at most {self.connections} connections from one "
                "address; close some"
            )
        if self.rate:
            gained = max(steady_ns - seen.at, 0) * self.rate / NS
            seen.tokens = min(seen.tokens + gained, self.burst)
            seen.at = steady_ns
            if seen.tokens < 1:
                return (
                    f"more than {self.rate:g} handshakes a second from one address to one gateway "
                    "worker; slow down"
                )
            seen.tokens -= 1
        seen.connections += 1
        return None

    def release(self, address: str) -> None:
        """Release an admitted connection at its end."""
        seen = self.seen[_key(address)]
        seen.connections -= 1
        if not seen.connections and not self.rate:
            del self.seen[_key(address)]

    def forget(self, steady_ns: int) -> None:
        """Drop the addresses that have no connection and a full burst."""
        if not self.rate:
            return
        full = self.burst * NS / self.rate
        self.seen = {
            key: seen
            for key, seen in self.seen.items()
            if seen.connections or steady_ns - seen.at < full
        }


def canonical(address: str) -> str:
    """The canonical spelling of an address: no zone, and an IPv4-mapped address as IPv4. Any other
    text stays unchanged."""
    if ":" not in address:
        return address
    try:
        found = ipaddress.IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    return str(found.ipv4_mapped or found)


def _key(address: str) -> str:
    address = canonical(address)
    if ":" not in address:
        return address
    return str(ipaddress.ip_network((address, 64), strict=False))
