"""An echo server over the gateway's own connections and frames, for compliance suites.

Law: nothing here touches a frame or a handshake; it answers a message with the same message,
deflated for a client that has offered permessage-deflate.
`python -m ticker.gateway.echo --port 9001`, then point the suite to ws://127.0.0.1:9001/.
"""

from __future__ import annotations

import asyncio
import signal
import socket

import click
import uvloop

from ticker.clock import now_ns, steady_ns
from ticker.gateway.access.extensions import negotiate
from ticker.gateway.access.handshake import parse_head, upgrade
from ticker.gateway.access.problems import Refusal
from ticker.gateway.sockets.connection import ConnectionTable
from ticker.gateway.sockets.deadlines import Deadlines
from ticker.gateway.sockets.deflated import Deflater
from ticker.gateway.sockets.frames import Opcode, frame
from ticker.gateway.sockets.reception import Reception
from ticker.shm.segment import private_gateway

NS = 1_000_000_000
EXPIRE = 0.5  # s between two looks at the deadlines
MAX_MESSAGE = 16 << 20  # suites send some MiB at a time
MAX_FRAGMENTS = 1024
"""Of one message: the suite sends 512. A gateway takes 100, and closes with 1008."""
CAPACITY = 1000


class Echo:
    """Handler of its Reception: every path is a stream, no subprotocol."""

    def __init__(self, loop: asyncio.AbstractEventLoop, listener: socket.socket) -> None:
        self.loop = loop
        segment = private_gateway(now_ns())
        self.deflater = Deflater(segment)
        self.window_bits: dict[int, int] = {}  # of connections that deflate
        self.connections = ConnectionTable(
            segment,
            capacity=CAPACITY,
            max_outbound=4 * MAX_MESSAGE,
            slow_timeout=10 * NS,
            ping_interval=45 * NS,
            head_timeout=5 * NS,
        )
        self.reception = Reception(self.connections, self, MAX_MESSAGE, MAX_FRAGMENTS)
        self.deadlines = Deadlines(self.connections, self)
        self.reception.listen(listener.fileno())
        loop.add_reader(self.connections.epoll_fd, self._on_sockets)
        self._look_at_deadlines()

    def on_accept(self, number: int) -> bool:  # noqa: ARG002
        """Accept every connection."""
        return True

    def on_head(self, number: int, data: bytes) -> None:
        """Bytes of a request head; answers the handshake once the head is complete."""
        try:
            head = parse_head(data)
            if head is not None:
                deflate = negotiate(head)
                if deflate is not None:
                    self.window_bits[number] = deflate.bits
                answer = upgrade(head, extensions=deflate.answer if deflate is not None else "")
                self.connections.open(number, answer, window_bits=self.window_bits.get(number, 0))
        except Refusal as refusal:
            self.connections.refuse(number, refusal.raw_response())

    def on_message(self, number: int, is_text: bool, payload: bytes) -> None:
        """Send a whole message back."""
        answer = frame(Opcode.OPCODE_TEXT if is_text else Opcode.OPCODE_BINARY, payload)
        if bits := self.window_bits.get(number):
            answer = self.deflater.shrunk(answer, bits)
        self.connections.send(number, answer)

    def on_closed(self, number: int) -> None:
        """Forget a connection that is about to be freed."""
        self.window_bits.pop(number, None)

    def last_word(self, number: int, code: int) -> bytes:  # noqa: ARG002
        """Empty: no message comes before a close frame."""
        return b""

    def heartbeat(self, encoding: int) -> bytes:  # noqa: ARG002
        """Never asked for."""
        return b""

    def _on_sockets(self) -> None:
        self.reception.poll(steady_ns())
        self.reception.reap()

    def _look_at_deadlines(self) -> None:
        self.deadlines.expire(steady_ns())
        self.reception.reap()
        self.loop.call_later(EXPIRE, self._look_at_deadlines)


async def _serve(host: str, port: int) -> None:
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    with socket.create_server((host, port), backlog=128) as listener:
        listener.setblocking(False)
        echo = Echo(loop, listener)
        click.echo(f"echo serves on ws://{host}:{listener.getsockname()[1]}/")
        await stopped.wait()
        loop.remove_reader(echo.connections.epoll_fd)


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=9001, show_default=True, help="Port; 0 takes a free one.")
def main(host: str, port: int) -> None:
    """Echo every WebSocket message, with the gateway's own frame code; for compliance suites."""
    uvloop.run(_serve(host, port))


if __name__ == "__main__":
    main()
