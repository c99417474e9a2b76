"""The store of sent messages: in place, bounded, oldest first out."""

from __future__ import annotations

import random
import struct

import pytest

from ticker.simulate.lines.history import History


def framed(number: int, size: int) -> bytes:
    return struct.pack(">H", size) + number.to_bytes(size, "big")


def test_messages_are_sent_in_order_and_found_again() -> None:
    history = History(0)
    blocks = [framed(number, 12 + number % 30) for number in range(1, 300)]
    history.append(b"".join(blocks), len(blocks))
    sent = []
    while (packet := history.send(200, 1000))[0]:
        assert len(packet[1]) <= 200
        sent.append(packet[1])
    assert b"".join(sent) == b"".join(blocks)
    for number, block in enumerate(blocks, 1):
        assert history.get(number) == block[2:]
    assert history.get(0) is None
    assert history.get(300) is None


def test_what_is_not_sent_yet_is_not_found() -> None:
    history = History(0)
    history.append(framed(1, 12) + framed(2, 12), 2)
    assert history.send(1400, 1) == (1, framed(1, 12))
    assert history.get(1) is not None
    assert history.get(2) is None


def test_the_time_is_stamped_and_nothing_else() -> None:
    history = History(0)
    message = bytes(range(100, 119))
    history.append(struct.pack(">H", 19) + message, 1)
    _, data = history.send(1400, 1, 0x0102_0304_0506)
    assert data[2:] == message[:5] + bytes([1, 2, 3, 4, 5, 6]) + message[11:]


@pytest.mark.parametrize("seed", range(3))
def test_full_it_forgets_the_oldest_and_only_them(seed: int) -> None:
    history = History(1 << 20)
    chance = random.Random(seed)
    sizes: list[int] = []
    total = 0
    while total < 3 * history.capacity:
        batch = [chance.randrange(12, 51) for _ in range(500)]
        first = len(sizes) + 1
        history.append(b"".join(framed(first + at, size) for at, size in enumerate(batch)), 500)
        while history.send(1400, 40)[0]:
            pass
        sizes += batch
        total += sum(batch) + 1000
    # it looks up messages from every 64th on, so up to 63 of the oldest are forgotten early
    kept, number = 64 * 52, len(sizes)
    while number and kept + sizes[number - 1] + 2 + 64 <= history.capacity:
        kept += sizes[number - 1] + 2
        assert history.get(number) == number.to_bytes(sizes[number - 1], "big"), number
        number -= 1
    assert number > 300
    assert all(history.get(older) is None for older in range(1, number - 300))


def test_more_than_fits_is_refused() -> None:
    history = History(1 << 20)
    with pytest.raises(ValueError, match="do not fit"):
        history.append(bytes(history.capacity), 1)
