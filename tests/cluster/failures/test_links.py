"""The connection to the bus when a link or a server is gone: how soon messages come again.

A real nats-server; the links are proxies that are cut (tests/cluster/proxy.py).
"""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.cluster.proxy import Proxy
from tests.cluster.servers import Nats, running
from ticker.cluster.buses.nats import NatsBus

SUBJECT = b"test.links"
MESSAGE = bytes(1000)


class Listener:
    """Hears what a second client says each 5 ms, and notes when. An asynchronous context."""

    def __init__(self, nats: Nats, urls: list[str], late: float = 0.0) -> None:
        self.bus = NatsBus(urls, "listener", late=late, quiet=True)
        self.bus.subscribe(SUBJECT.decode(), self._hear)
        self.speaker = NatsBus([nats.url], "speaker", quiet=True)
        self.heard = 0.0

    def _hear(self, _: bytes, __: bytes) -> None:
        self.heard = time.monotonic()

    async def __aenter__(self) -> Listener:
        self.tasks = [
            asyncio.ensure_future(each)
            for each in (self.bus.run(), self.speaker.run(), self._speak())
        ]
        await self.after(0.0)
        return self

    async def __aexit__(self, *_: object) -> None:
        for each in self.tasks:
            each.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    async def _speak(self) -> None:
        while True:
            self.speaker.publish([(SUBJECT, MESSAGE)])
            await asyncio.sleep(0.005)

    async def after(self, moment: float) -> float:
        """How many seconds after that moment something came."""
        async with asyncio.timeout(10.0):
            while self.heard <= moment:
                await asyncio.sleep(0.001)
        return self.heard - moment


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0.65, 1.3])
def test_a_link_that_comes_back_is_used_at_once(nats: Nats, seconds: float) -> None:
    """The old connection is silent for as long as the cut was, and those that were tried meanwhile
    are lost."""
    proxy = Proxy(nats.port)

    async def cut() -> float:
        async with Listener(nats, [proxy.url]) as listener:
            proxy.cut()
            await asyncio.sleep(seconds)
            proxy.join()
            return await listener.after(time.monotonic())

    with running(proxy):
        assert asyncio.run(cut()) < 0.4


@pytest.mark.slow
def test_a_server_that_is_gone_in_silence_is_left_for_another(nats: Nats) -> None:
    """It does not answer, and refuses no connection."""
    silent = Proxy(nats.port)

    async def cut() -> float:
        async with Listener(nats, [silent.url, nats.url]) as listener:
            silent.cut()
            return await listener.after(time.monotonic() + 0.05)

    with running(silent):
        assert asyncio.run(cut()) < 0.8


@pytest.mark.slow
def test_a_connection_that_is_behind_is_left(nats: Nats) -> None:
    """More comes than the link carries: what waits for it would only grow older."""
    proxy = Proxy(nats.port)

    async def slow() -> None:
        async with Listener(nats, [proxy.url], late=0.3) as listener:
            proxy.pace = 20_000.0
            async with asyncio.timeout(3.0):
                while listener.bus.said.connects < 2:
                    await asyncio.sleep(0.01)
            proxy.pace = 0.0
            await listener.after(time.monotonic())

    with running(proxy):
        asyncio.run(slow())
