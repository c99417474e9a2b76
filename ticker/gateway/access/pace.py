"""Rate limits: token buckets by key.

Law: no clock; times (monotonic) are passed in, and a time that goes back fills nothing. A key costs
memory only until its bucket is full again.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable
from typing import NamedTuple

NS = 1_000_000_000
FEW = 1024  # with fewer keys, full buckets are not dropped


class _Bucket(NamedTuple):
    tokens: float
    at: int
    full: int  # when the bucket will be full


class Pace:
    """Buckets that gain `rate` a second up to `burst`; each call passes both."""

    def __init__(self) -> None:
        self.buckets: dict[Hashable, _Bucket] = {}
        self._limit = FEW

    def take(self, keys: Collection[Hashable], rate: float, burst: float, steady_ns: int) -> float:
        """Take one from each key's bucket. If one is empty, take none, and return the seconds until
        all have one."""
        found = {key: self._tokens(key, rate, burst, steady_ns) for key in keys}
        least = min(found.values(), default=1.0)
        if least < 1:
            return (1 - least) / rate
        for key, tokens in found.items():
            full = steady_ns + int((burst - tokens + 1) * NS / rate)
            self.buckets[key] = _Bucket(tokens - 1, steady_ns, full)
        if len(self.buckets) > self._limit:
            self._forget(steady_ns)
        return 0.0

    def _forget(self, steady_ns: int) -> None:
        """Drop the buckets that are full again."""
        self.buckets = {key: each for key, each in self.buckets.items() if each.full > steady_ns}
        self._limit = max(FEW, 2 * len(self.buckets))

    def _tokens(self, key: Hashable, rate: float, burst: float, steady_ns: int) -> float:
        bucket = self.buckets.get(key)
        if bucket is None:
            return burst
        return min(bucket.tokens + max(steady_ns - bucket.at, 0) * rate / NS, burst)
