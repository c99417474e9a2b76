"""Admission of connections: addresses behind proxies, limits by address, origins, tokens.

In: the request heads that the front has read. Out: admission, or a Refusal. By connection number it
keeps the address that a connection counts for, and the grant of its token. No socket, no clock:
rates and deadlines use the monotonic clock (`steady_ns`), tokens expire by the wall clock
(`now_ns`).
"""

from __future__ import annotations

from collections import Counter

from ticker.config import Config
from ticker.gateway.access.addresses import AddressLimits
from ticker.gateway.access.auth import EVERYBODY, Authenticator, AuthError, Grant, granted
from ticker.gateway.access.forwarded import Address, Proxies, Values
from ticker.gateway.access.handshake import Head
from ticker.gateway.access.origins import Names
from ticker.gateway.access.problems import (
    DRAINING,
    NOT_AUTHENTICATED,
    TOO_MANY_CONNECTIONS,
    Refusal,
)

NS = 1_000_000_000
TOKEN_PROTOCOL = "ticker.token."
BEARER = "bearer "
WRITTEN_BY_PROXIES = ("x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "forwarded")


class Access:
    """The rules of one gateway worker; `authenticator` is None if it asks for no token."""

    def __init__(self, config: Config, authenticator: Authenticator | None = None) -> None:
        self.limits = AddressLimits(0, 0, 0)
        self.addresses: dict[int, str] = {}  # counted, by connection
        self.unheaded: dict[int, str] = {}  # connections of proxies whose PROXY header has not come
        self.grants: dict[int, Grant] = {}
        self.strangers: dict[int, int] = {}  # ns by which each must have shown a token, in order
        self.held: Counter[str] = Counter()  # connections by the name of their grant
        self.nameless: set[int] = set()  # streams that have shown no token
        self.authenticator: Authenticator | None = None
        self.everybody = EVERYBODY
        self.drains = False
        """No new streams: an operator drains the server."""
        self.configure(config, authenticator)

    def configure(self, config: Config, authenticator: Authenticator | None) -> None:
        """Apply all settings that may change while the server runs, at once. outdated() then has
        the streams that lost rights."""
        self.before = (self.authenticator, self.everybody)
        self.authenticator = authenticator
        self.everybody = EVERYBODY
        if config.auth is not None and config.auth.default is not None:
            self.everybody = granted(config.auth.default)
        self.names = Names(config)
        self.proxies = Proxies(config.access.proxies, config.access.forwarded)
        self.proxy_protocol = config.access.proxy_protocol
        self.required = config.auth is not None and config.auth.required
        self.timeout = int((config.auth.timeout if config.auth else 0.0) * NS)
        if not self.required:
            self.strangers.clear()
        self.limits.connections = config.access.connections_per_address
        self.limits.rate = config.access.handshakes_per_second
        self.limits.burst = float(config.access.handshakes_burst)

    @property
    def counts(self) -> bool:
        """Whether accepted() has to be called at all."""
        return self.limits.active or self.proxy_protocol

    def accepted(self, number: int, peer: str, steady_ns: int) -> None:
        """Admit a connection before its first byte. Raises Refusal."""
        if self.proxies.trusts(peer):
            if self.proxy_protocol:
                self.unheaded[number] = peer
            return  # counted once its client is known
        self._count(number, peer, steady_ns)

    def introduced(self, number: int, client: str | None, steady_ns: int) -> None:
        """Count a connection for the client that a PROXY header has named; None: the connection is
        the proxy's own. Raises Refusal."""
        del self.unheaded[number]
        if client is not None:
            self._count(number, client, steady_ns)

    def opening(self, number: int, head: Head, peer: str, steady_ns: int) -> None:
        """Admit one more stream of a client, at its handshake. Raises Refusal."""
        if number not in self.addresses and self.proxies.trusts(peer):
            self._count(number, self.client(head.values, peer), steady_ns)

    def client(self, values: Values, peer: str) -> str:
        """The address of a request's client."""
        return peer if self.proxy_protocol else self.proxies.client(values, peer)

    def check_page(
        self, values: Values, peer: str, *, encrypted: bool, authority: str | None = None
    ) -> None:
        """Check that the request is for this server, and from a page that may use it. Raises
        Refusal.

        Args:
            encrypted: TLS ends at this server.
            authority: the host and port in the request target itself, if it has them. The Host
            header, and what proxies say, have to be this server's all the same.
        """
        self.names.check_written(values("host"), authority)
        if self.proxy_protocol:  # its proxy passes bytes on and writes no headers
            address = Address(tuple(host.lower() for host in values("host")))
        else:
            address = self.proxies.address(values, peer, encrypted=encrypted)
        self.names.check_host(address.hosts)
        unbelieved = not self.proxies.trusts(peer) and any(map(values, WRITTEN_BY_PROXIES))
        self.names.check_origin(values("origin"), address, peer if unbelieved else "")

    def check_open(self) -> None:
        """Check that new streams are taken at all. Raises Refusal."""
        if self.drains:
            raise Refusal(
                DRAINING,
                "Connect again, to another server of the same address.",
                headers={"Retry-After": "1"},
            )

    def opened(self, number: int, steady_ns: int) -> None:
        """Note that a stream is open. If tokens are required, its time to show one begins."""
        self.nameless.add(number)
        if self.required:
            self.strangers[number] = steady_ns + self.timeout

    def overdue(self, steady_ns: int) -> list[int]:
        """The streams whose time to show a token is over."""
        found = []
        for number, deadline in self.strangers.items():
            if deadline > steady_ns:
                break
            found.append(number)
        return found

    def dismissed(self, number: int) -> None:
        """Expect no token any more of a connection that is being closed."""
        self.strangers.pop(number, None)
        self.nameless.discard(number)
        self._let_go(number)

    def closed(self, number: int) -> None:
        """Forget a closed connection."""
        self.unheaded.pop(number, None)
        address = self.addresses.pop(number, None)
        if address is not None:
            self.limits.release(address)
        self.dismissed(number)

    def moved(self, number: int) -> str | None:
        """Hand a connection over; returns the address that it counts for. The new owner calls
        limits.release() with it at the end."""
        self.unheaded.pop(number, None)
        return self.addresses.pop(number, None)

    def returned(self, number: int, address: str | None, steady_ns: int) -> None:
        """Take back a connection that was moved(), to become a stream. Raises Refusal."""
        if address is not None:
            self._count(number, address, steady_ns)

    def enter(self, number: int, token: str, now_ns: int) -> Grant:
        """Give the rights of the token to this connection.

        Raises:
            AuthError: the token has no rights; those of the connection do not change.
        """
        if self.authenticator is None:
            return self.everybody
        grant = self.authenticator.grant(token, now_ns)
        others = self.held[grant.name] - (self.grant(number) == grant)
        if grant.connections and others >= grant.connections:
            raise TooManyConnectionsError(
                f"{grant.name} has {grant.connections} connections, its most, at this gateway "
                "worker; close one"
            )
        self._let_go(number)
        self.strangers.pop(number, None)
        self.nameless.discard(number)
        self.grants[number] = grant
        self.held[grant.name] += 1
        return grant

    def admit(self, number: int, token: str | None, now_ns: int, steady_ns: int) -> Grant:
        """The rights of a stream that cannot show a token later. Raises Refusal: 401 or 429."""
        if token is None or self.authenticator is None:
            if self.required:
                raise _unauthorised("Send the header Authorization: Bearer TOKEN, or ?token=TOKEN.")
            self.opened(number, steady_ns)
            return self.everybody
        try:
            return self.enter(number, token, now_ns)
        except TooManyConnectionsError as error:
            raise Refusal(TOO_MANY_CONNECTIONS, f"{error}.", headers={"Retry-After": "1"}) from None
        except AuthError as error:
            raise _unauthorised(f"{error}.", error="invalid_token") from None

    def grant(self, number: int) -> Grant | None:
        """The rights of the connection; None: it has to show a token first."""
        found = self.grants.get(number)
        return self.everybody if found is None and not self.required else found

    def expired(self, now_ns: int) -> list[int]:
        """The connections whose grant has run out."""
        return [number for number, grant in self.grants.items() if 0 < grant.expires <= now_ns]

    def outdated(self) -> list[int]:
        """The streams whose rights the last configure() has changed: those with a static token that
        is gone or has other rights; those with a signed token, if the rules for these changed; and
        those without a token, if one is required now or their rights changed."""
        authenticator, everybody = self.before
        found = self._outdated_grants(authenticator, self.authenticator)
        changed = self.everybody != everybody or self.required
        found += [number for number in self.nameless if changed and number not in self.strangers]
        return found

    def _outdated_grants(
        self, before: Authenticator | None, now: Authenticator | None
    ) -> list[int]:
        if now is None:
            return []  # no token is asked for: no client loses anything
        known = set(now.tokens.values())
        signed = before is not None and (before.config.jwt, before.config.default) == (
            now.config.jwt,
            now.config.default,
        )
        return [
            number
            for number, grant in self.grants.items()
            if (not signed if grant.expires else grant not in known)
        ]

    def request_grant(self, headers: list[str], now_ns: int) -> Grant:
        """The rights of a REST request by its Authorization header. Raises Refusal, a 401."""
        if self.authenticator is None or (not headers and not self.required):
            return self.everybody
        token = _bearer(headers)
        if token is None:
            raise _unauthorised("Send the header Authorization: Bearer TOKEN.")
        try:
            return self.authenticator.grant(token, now_ns)
        except AuthError as error:
            raise _unauthorised(f"{error}.", error="invalid_token") from None

    def _count(self, number: int, address: str, steady_ns: int) -> None:
        if not self.limits.active:
            return
        reason = self.limits.admit(address, steady_ns)
        if reason is not None:
            raise Refusal(TOO_MANY_CONNECTIONS, f"{reason}.", headers={"Retry-After": "1"})
        self.addresses[number] = address

    def _let_go(self, number: int) -> None:
        grant = self.grants.pop(number, None)
        if grant is not None:
            self.held[grant.name] -= 1
            if not self.held[grant.name]:
                del self.held[grant.name]


class TooManyConnectionsError(AuthError):
    """The token is valid, but already has its maximum of connections."""


def offered_token(head: Head) -> str | None:
    """The token in a handshake: `Authorization: Bearer`, or a subprotocol `ticker.token.TOKEN`,
    because a page cannot send the header."""
    token = _bearer(head.values("authorization"))
    if token is not None:
        return token
    for value in head.values("sec-websocket-protocol"):
        for offer in value.split(","):
            if offer.strip().startswith(TOKEN_PROTOCOL):
                return offer.strip()[len(TOKEN_PROTOCOL) :]
    return None


def _bearer(headers: list[str]) -> str | None:
    if len(headers) == 1 and headers[0].lower().startswith(BEARER):
        return headers[0][len(BEARER) :].strip()
    return None


def _unauthorised(detail: str, error: str = "") -> Refusal:
    challenge = 'Bearer realm="ticker"' + (f', error="{error}"' if error else "")
    return Refusal(NOT_AUTHENTICATED, detail, headers={"WWW-Authenticate": challenge})
