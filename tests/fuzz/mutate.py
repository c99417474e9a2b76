"""Mutates inputs: bits, numbers at their bounds, lengths, cuts, copies, splices; from a seed."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Literal

BOUNDS = sorted(
    {0, 1, 2, 3, 7, 8, 9, 15, 16, 19, 20, 21, 31, 32, 33, 63, 64, 99, 100, 127, 128, 255}
    | {each + delta for bits in (8, 15, 16, 31, 32, 40, 48, 62, 63, 64) for delta in (-1, 0, 1)
       for each in (1 << bits,)}
)  # fmt: skip
DIGITS = (
    b"0", b"-1", b"1e400", b"-0", b"00", b"9223372036854775807", b"9223372036854775808", b"1e-10",
    b"18446744073709551616", b"0.0000000001", b"99999999999999999999999999", b"4294967296", b"+1",
)  # fmt: skip


class Mutator:
    """Mutated inputs of a corpus, the same ones for the same seed.

    Args:
        corpus: what is mutated; at least one.
        repair: applied to every other input; vary: makes every other one (target.py).
    """

    def __init__(
        self,
        corpus: Sequence[bytes],
        seed: int | random.Random,
        *,
        longest: int,
        tokens: Sequence[bytes] = (),
        repair: Callable[[bytes], bytes] | None = None,
        vary: Callable[[random.Random], bytes] | None = None,
    ) -> None:
        self.corpus = corpus
        self.chance = seed if isinstance(seed, random.Random) else random.Random(seed)
        self.longest = longest
        self.tokens = (*tokens, *(DIGITS if tokens else ()))
        self.repair = repair
        self.vary = vary
        self.steps = (
            self._flip, self._flip, self._byte, self._bound, self._bound, self._add, self._cut,
            self._delete, self._copy, self._insert, self._splice, self._overwrite, self._token,
        )  # fmt: skip

    def next(self) -> bytes:
        """The next input."""
        if self.vary is not None and self.chance.random() < 0.5:
            return self.vary(self.chance)[: self.longest]
        chance = self.chance.random()
        if chance < 0.01:
            return self.chance.randbytes(self.chance.randrange(1 + min(self.longest, 300)))
        data = bytearray(self.chance.choice(self.corpus))
        if chance < 0.02:
            self._repeat(data)
        while True:
            self.chance.choice(self.steps)(data)
            if self.chance.random() < 0.4:
                break
        made = bytes(data[: self.longest])
        if self.repair is not None and self.chance.random() < 0.5:
            return self.repair(made)[: self.longest]
        return made

    def _place(self, data: bytearray, width: int = 1) -> int:
        """Somewhere; more often near the start, where headers are."""
        room = max(len(data) - width, 0)
        if self.chance.random() < 0.3:
            room = min(room, 48)
        return self.chance.randrange(room + 1)

    def _span(self, data: bytearray, longest: int = 64) -> tuple[int, int]:
        start = self._place(data)
        return start, min(start + self.chance.randint(1, longest), len(data))

    def _flip(self, data: bytearray) -> None:
        if data:
            data[self._place(data)] ^= 1 << self.chance.randrange(8)

    def _byte(self, data: bytearray) -> None:
        if data:
            data[self._place(data)] = self.chance.randrange(256)

    def _number(self) -> bytes:
        width = self.chance.choice((1, 2, 2, 4, 8))
        value = self.chance.choice(BOUNDS) % (1 << 8 * width)
        return value.to_bytes(width, self.chance.choice(("little", "big")))

    def _bound(self, data: bytearray) -> None:
        number = self._number()
        at = self._place(data, len(number))
        data[at : at + len(number)] = number

    def _add(self, data: bytearray) -> None:
        """A little more or less in what may be a length or a count."""
        width = self.chance.choice((1, 2, 4))
        order: Literal["little", "big"] = self.chance.choice(("little", "big"))
        at = self._place(data, width)
        value = int.from_bytes(data[at : at + width], order) + self.chance.randint(-17, 17)
        data[at : at + width] = (value % (1 << 8 * width)).to_bytes(width, order)

    def _cut(self, data: bytearray) -> None:
        if self.chance.random() < 0.5:
            del data[self._place(data) :]

    def _delete(self, data: bytearray) -> None:
        start, end = self._span(data)
        del data[start:end]

    def _copy(self, data: bytearray) -> None:
        start, end = self._span(data, 256)
        at = self._place(data)
        data[at:at] = data[start:end]

    def _insert(self, data: bytearray) -> None:
        at = self._place(data)
        data[at:at] = (
            self.chance.randbytes(self.chance.randint(1, 16))
            if self.chance.random() < 0.5
            else self._number()
        )

    def _splice(self, data: bytearray) -> None:
        other = self.chance.choice(self.corpus)
        data[self._place(data) :] = other[self.chance.randrange(len(other) + 1) :]

    def _overwrite(self, data: bytearray) -> None:
        other = bytearray(self.chance.choice(self.corpus))
        start, end = self._span(other)
        at = self._place(data)
        data[at : at + end - start] = other[start:end]

    def _token(self, data: bytearray) -> None:
        if not self.tokens:
            return
        token = self.chance.choice(self.tokens)
        at = self._place(data)
        data[at : at + self.chance.choice((0, 0, 1, len(token)))] = token

    def _repeat(self, data: bytearray) -> None:
        """A part of it many times over, up to the longest input."""
        start, end = self._span(data, 40)
        part = data[start:end]
        if part:
            times = self.chance.randint(2, max(2, self.longest // len(part)))
            data[start:end] = part * times
