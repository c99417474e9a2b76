"""Messages of NYSE Pillar (XDP Integrated 2.5), field by field, and XDP packets of them."""

from __future__ import annotations

import struct

E9 = 1_000_000_000
DAY = 1_640_995_200
"""A second; all messages here are sent in it unless they say otherwise."""
HEARTBEAT, ORIGINAL, RESET, RETRANSMITTED = 1, 11, 12, 13


def message(kind: int, layout: str, *fields: int | bytes) -> bytes:
    """`layout` is of what follows size and type."""
    body = struct.pack("<" + layout, *fields)
    return struct.pack("<HH", 4 + len(body), kind) + body


def packet(
    sequence: int,
    *messages: bytes,
    flag: int = ORIGINAL,
    sent: int = DAY * E9,
    count: int = -1,
    size: int = -1,
) -> bytes:
    """`sent` in ns; `count` and `size` where they are to be wrong."""
    body = b"".join(messages)
    return (
        struct.pack(
            "<HBBIII",
            16 + len(body) if size < 0 else size,
            flag,
            len(messages) if count < 0 else count,
            sequence,
            sent // E9,
            sent % E9,
        )
        + body
    )


class Speak:
    """Symbol index 7 is AAPL on engine 1 unless said otherwise; prices in its scale."""

    def reset(self, time: int = DAY) -> bytes:
        return message(1, "IIBB", time, 0, 1, 1)

    def reference(self, second: int = DAY, engine: int = 1) -> bytes:
        return message(2, "III", engine, 0, second)

    def mapping(
        self, index: int = 7, symbol: bytes = b"AAPL", scale: int = 4, engine: int = 1,
        close: int = 0, exchange: bytes = b"N",
    ) -> bytes:  # fmt: skip
        return message(
            3, "I11sBHBcBcHIIBBHHH", index, symbol, 0, 1, engine, exchange, scale, b"A", 100,
            close, 0, 0, 1, 1, 1, 0,
        )  # fmt: skip

    def clear(self, index: int = 7) -> bytes:
        return message(32, "IIII", DAY, 5, index, 1)

    def status(self, status: str, halt: str = "~", market: str = "O", index: int = 7) -> bytes:
        return message(
            34, "IIIIccIIIcIIccc", DAY, 5, index, 1, status.encode(), halt.encode(), 0, 0, 0,
            b" ", 0, 0, b"~", market.encode(), b"\0",
        )  # fmt: skip

    def refresh_header(self) -> bytes:
        return message(35, "HHII", 1, 1, 9, 9)

    def add(
        self, order: int, side: str, size: int, price: int, index: int = 7, ns: int = 5
    ) -> bytes:
        return message(
            100, "IIIQIIc5sB", ns, index, 1, order, price, size, side.encode(), b"", 0
        )  # fmt: skip

    def modify(self, order: int, size: int, price: int, index: int = 7) -> bytes:
        return message(101, "IIIQIIBcB", 5, index, 1, order, price, size, 0, b"B", 0)

    def delete(self, order: int, index: int = 7) -> bytes:
        return message(102, "IIIQB", 5, index, 1, order, 0)

    def execute(
        self, order: int, size: int, price: int, trade: int, printed: int = 1,
        conditions: bytes = b"@   ", index: int = 7, ns: int = 5,
    ) -> bytes:  # fmt: skip
        return message(
            103, "IIIQIIIBB4s", ns, index, 1, order, trade, price, size, printed, 0, conditions
        )

    def replace(self, order: int, new: int, size: int, price: int, index: int = 7) -> bytes:
        return message(104, "IIIQQIIcB", 5, index, 1, order, new, price, size, b"\0", 0)

    def imbalance(self, index: int = 7) -> bytes:
        return message(105, "IIII53s", DAY, 5, index, 1, b"")

    def refreshed(self, order: int, index: int = 7) -> bytes:
        return message(106, "IIIIQIIc5sB", DAY, 5, index, 1, order, 1, 1, b"B", b"", 0)

    def trade(
        self, size: int, price: int, trade: int, printed: int = 1,
        conditions: bytes = b"@   ", index: int = 7, ns: int = 5,
    ) -> bytes:  # fmt: skip
        return message(110, "IIIIIIB4s", ns, index, 1, trade, price, size, printed, conditions)

    def cross(self, size: int, price: int, cross: int, kind: str = "O", index: int = 7) -> bytes:
        return message(111, "IIIIIIc", 5, index, 1, cross, price, size, kind.encode())

    def cancel(self, trade: int, index: int = 7) -> bytes:
        return message(112, "IIII", 5, index, 1, trade)

    def correct_cross(self, cross: int, size: int, index: int = 7) -> bytes:
        return message(113, "IIIII", 5, index, 1, cross, size)

    def retail(self, index: int = 7) -> bytes:
        return message(114, "IIIc", 5, index, 1, b"B")

    def summary(self, index: int = 7) -> bytes:
        return message(223, "IIIIIIII", DAY, 5, index, 5, 1, 2, 3, 100)


say = Speak()
