"""The rights of one request, by its token, applied to REST's answers.

In: a grant and the moment. Out: the symbols that exist for it, the fields that it may read, or a
Refusal. docs/security.md has the table of all rights; a test compares it with the code.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ticker.gateway.access.auth import EVERYBODY, Grant
from ticker.gateway.access.pace import Pace
from ticker.gateway.access.problems import NOT_ENTITLED, TOO_MANY_REQUESTS, Refusal

IN_EVERY_CHANNEL = frozenset(
    {
        "symbol",
        "price",
        "currency",
        "exchange_timestamp",
        "server_timestamp",
        "seq",
        "status",
        "stale",
        "trading_status",
    }
)
OF_THE_LAST_SALE = frozenset({"size", "venue"})
"""Fields of a price object that `trades` opens, too; all other fields are those of `quote`."""


class Entitled:
    """The rights of one request. `client` distinguishes clients that share a grant without a
    name."""

    def __init__(
        self, grant: Grant, pace: Pace | None = None, client: str = "", steady_ns: int = 0
    ) -> None:
        self.grant = grant
        self._pace = pace
        self._client = client
        self._now = steady_ns

    def sees(self, symbol: str) -> bool:
        """Whether the symbol exists for this request."""
        return self.grant.sees(symbol)

    def require(self, channel: str) -> None:
        """Refuse, with a 403, where the token does not open this channel."""
        if channel not in self.grant.channels:
            raise Refusal(
                NOT_ENTITLED,
                f"Your token does not open the channel {channel!r}; its operator grants it by "
                "`channels`.",
                channel=channel,
            )

    def require_one(self, channels: Sequence[str]) -> None:
        """Refuse, with a 403, where the token opens none of these channels."""
        if not self.grant.channels & set(channels):
            raise Refusal(
                NOT_ENTITLED,
                f"Your token opens none of the channels {', '.join(channels)}; its operator "
                "grants one by `channels`.",
                channel=channels[0],
            )

    def require_metrics(self) -> None:
        """Refuse, with a 403, where the token does not open /metrics."""
        if not self.grant.metrics:
            raise Refusal(
                NOT_ENTITLED,
                "Your token does not open /metrics, which tells of all clients and feeds; its "
                "operator grants it by `metrics = true`.",
            )

    def most_symbols(self, most: int) -> int:
        """Symbols at once: the server's most, or the token's."""
        return min(most, self.grant.max_symbols or most)

    def read(self, symbols: Sequence[str]) -> None:
        """Count one read of these symbols' prices. Raises Refusal: 429, above `max_rate`."""
        rate = self.grant.max_rate
        if not rate or self._pace is None:
            return
        reader = self.grant.name or self._client
        keys = [(self.grant.name, reader, symbol) for symbol in symbols]
        wait = self._pace.take(keys, rate, max(1.0, rate), self._now)
        if wait:
            raise Refusal(
                TOO_MANY_REQUESTS,
                f"Your token gives a symbol's price {rate:g} times a second at each gateway "
                "worker, and no more; watch it on /stream.",
                headers={"Retry-After": str(math.ceil(wait))},
            )

    def narrowed(self, price: dict[str, object]) -> dict[str, object]:
        """A price object with None in the fields of channels that the token does not open."""
        if "quote" in self.grant.channels:
            return price
        shown = IN_EVERY_CHANNEL
        if "trades" in self.grant.channels:
            shown |= OF_THE_LAST_SALE
        return {name: each if name in shown else None for name, each in price.items()}

    def rejects(self, rejects: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        """A feed's rejected trades (status.py), those of other symbols left out; how many there
        were of each rule stays."""
        return {
            rule: {**found, "last": [one for one in found["last"] if self.sees(one["symbol"])]}
            for rule, found in rejects.items()
        }


UNBOUND = Entitled(EVERYBODY)
