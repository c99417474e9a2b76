"""`hello` has the name of its connection, and is encoded once for all of them."""

from __future__ import annotations

import random

import pytest

from ticker.gateway.protocol.codec import CODECS, MOST_TEMPLATES, Codec, Templates
from ticker.gateway.protocol.messages import Hello, Limits
from ticker.gateway.protocol.vocabulary import PROTOCOL

LIMITS = Limits(
    symbols=1000,
    message=65536,
    outbound=1 << 20,
    commands_per_second=10.0,
    commands_burst=50,
    max_rate=10.0,
    slow_timeout=5.0,
)
FIRST, LAST = 1 << 44, (1 << 53) - 1
EDGES = [1, 127, 128, 1 << 32, FIRST, (1 << 49) - 1, 1 << 49, 10**15 - 1, 10**15, LAST]


class Making:
    """Makes the hellos of connections; `made` counts them."""

    def __init__(self, *, auth: bool = False, epoch: int = 77) -> None:
        self.auth = auth
        self.epoch = epoch
        self.made = 0

    def __call__(self, connection: int) -> Hello:
        self.made += 1
        return Hello(
            protocol=PROTOCOL,
            epoch=self.epoch,
            limits=LIMITS,
            heartbeat=15.0,
            auth=self.auth,
            connection=connection,
        )


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: str(codec.number))
def test_each_is_what_the_encoder_makes(codec: Codec) -> None:
    templates = Templates()
    chance = random.Random(20261130)
    makers = {about: Making(auth=about) for about in (False, True)}
    names = [*EDGES, *(chance.randint(FIRST, LAST) for _ in range(500))]
    for name in chance.sample(names, len(names)) * 2:
        for about, make in makers.items():
            assert templates.frame(codec, make, about, name) == codec.frame(make(name)), name
            make.made -= 1
    lengths = {len(codec.frame(Making()(name))) for name in names}
    assert makers[True].made == makers[False].made < 3 * len(lengths)


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: str(codec.number))
def test_a_name_that_is_there_twice(codec: Codec) -> None:
    """Its place is not known then; the next name finds it."""
    templates = Templates()
    make = Making(epoch=FIRST + 5)
    for name in (FIRST + 5, FIRST + 6, FIRST + 5, FIRST + 7, FIRST + 5):
        assert templates.frame(codec, make, 0, name) == codec.frame(make(name))


def test_other_settings_are_said_after_a_reload() -> None:
    templates = Templates()
    codec = CODECS[1]
    before, after = Making(epoch=1), Making(epoch=2)
    templates.frame(codec, before, 0, FIRST)
    templates.clear()
    assert templates.frame(codec, after, 0, FIRST + 1) == codec.frame(after(FIRST + 1))


def test_their_number_is_bounded() -> None:
    """A token may have limits of its own."""
    templates = Templates()
    make = Making()
    for about in range(2 * MOST_TEMPLATES):
        templates.frame(CODECS[1], make, about, FIRST)
    assert make.made == 2 * MOST_TEMPLATES
    assert len(templates) <= MOST_TEMPLATES
    templates.frame(CODECS[1], make, 2 * MOST_TEMPLATES - 1, FIRST + 1)
    assert make.made == 2 * MOST_TEMPLATES
