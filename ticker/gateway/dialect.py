"""The client protocol: one client's message in, calls on the hub and frames out.

Law: a command is atomic; refused, it has changed nothing. In the plain dialect only `snapshot`,
`update` and `error` are ever sent. No socket and no clock: `now_ns` comes with every message.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from msgspec import UNSET

from ticker.config import GatewayConfig
from ticker.gateway.announcer import Announcer
from ticker.gateway.board import Board
from ticker.gateway.codec import CODECS, Codec, moment
from ticker.gateway.commands import CommandError, error_message, parse_command, seen, symbols_of
from ticker.gateway.connection import ConnectionTable
from ticker.gateway.hub import Hub
from ticker.gateway.messages import (
    PROTOCOL,
    AnyCommand,
    Auth,
    Close,
    Code,
    Configure,
    Configured,
    Error,
    Goodbye,
    Heartbeat,
    Hello,
    Id,
    Limits,
    Message,
    Ping,
    Pong,
    Reconnect,
    Recovered,
    Rejected,
    Subscribe,
    Subscribed,
    Unsubscribe,
    Unsubscribed,
    close_code,
)
from ticker.shm.counters import Counters

CHANNELS = {"price": 0, "quote": 1, "trades": 2}  # as in encode.pxd
STRIKES = {  # of MAX_STRIKES, for a refusal
    Code.INVALID_SYNTAX: 10,
    Code.SYMBOL_LIMIT_EXCEEDED: 10,
    Code.UNSUPPORTED_ACTION: 10,
    Code.RATE_LIMITED: 1,
}
MAX_STRIKES = 50
GOODBYES = {
    int(Close.SHUTDOWN): "shutdown",
    int(Close.RESTART): "restart",
    int(Close.OVERLOAD): "overload",
}
Symbols = Subscribe | Unsubscribe | Reconnect


@dataclass(frozen=True)
class Terms:
    """What clients of one worker are told and granted."""

    epoch: int
    heartbeat: float
    retry_after: float
    limits: Limits


def terms_of(config: GatewayConfig, epoch: int) -> Terms:
    """The terms that a configuration gives."""
    limits = Limits(
        symbols=config.max_symbols,
        message=config.max_message,
        outbound=config.max_outbound,
        commands_per_second=config.commands_per_second,
        commands_burst=config.commands_burst,
        max_rate=round(1 / config.flush_interval, 6),
        slow_timeout=config.slow_timeout,
    )
    return Terms(epoch, config.heartbeat, config.retry_after, limits)


class Dialect:
    """Answers the messages of all clients of one worker."""

    def __init__(
        self,
        board: Board,
        hub: Hub,
        connections: ConnectionTable,
        counters: Counters,
        terms: Terms,
        announcer: Announcer,
    ) -> None:
        self.board = board
        self.hub = hub
        self.connections = connections
        self.counters = counters
        self.announcer = announcer
        self.configure(terms)

    def configure(self, terms: Terms) -> None:
        """Take over what may change while clients are connected."""
        self.terms = terms
        self.greetings = [b"" if codec.plain else codec.frame(self._hello()) for codec in CODECS]

    def _hello(self) -> Hello:
        return Hello(
            protocol=PROTOCOL,
            epoch=self.terms.epoch,
            limits=self.terms.limits,
            heartbeat=self.terms.heartbeat,
            auth=False,
        )

    def greeting(self, codec: Codec) -> bytes:
        """What is sent right after the handshake."""
        return self.greetings[codec.number] + self.announcer.greeting(codec)

    def forget(self, number: int) -> None:
        """The connection is gone."""
        self.hub.forget(number)
        self.announcer.forget(number)

    def heartbeat(self, encoding: int, now_ns: int) -> bytes:
        """A heartbeat as a frame."""
        return CODECS[encoding].frame(Heartbeat(timestamp=moment(now_ns)))

    def last_word(self, number: int, code: int) -> bytes:
        """What is said in front of a close frame with this code: an `error`, a `goodbye`, or
        nothing. Clients come back spread over the time that `retry_after` sets."""
        codec = self._codec(number)
        if code == close_code(Code.SLOW_CLIENT):
            return codec.frame(_error(Code.SLOW_CLIENT, "read faster, or ask for less"))
        reason = GOODBYES.get(code)
        if reason is None or codec.plain:
            return b""
        retry_after = round(random.uniform(0.1, 1.0) * self.terms.retry_after, 3)
        return codec.frame(Goodbye(reason=reason, retry_after=retry_after))  # type: ignore[arg-type]

    def message(self, number: int, is_text: bool, payload: bytes, now_ns: int) -> None:
        """One message of connection `number`."""
        self.counters.add("commands")
        codec = self._codec(number)
        try:
            self._spend(number)
            self._run(number, codec, parse_command(payload, is_text, codec), now_ns)
        except CommandError as error:
            self._say(number, codec, error_message(error))
            weight = STRIKES.get(error.code, 0)
            if weight and self.connections.strike(number, weight) >= MAX_STRIKES:
                reason = "too many refused messages"
                self.connections.close(number, Close.POLICY_VIOLATION, reason)

    def _codec(self, number: int) -> Codec:
        return CODECS[self.connections.encoding(number)]

    def _spend(self, number: int) -> None:
        limits = self.terms.limits
        if not self.connections.take_token(
            number, limits.commands_per_second, limits.commands_burst
        ):
            raise CommandError(
                Code.RATE_LIMITED,
                f"more than {limits.commands_per_second:g} commands a second; slow down",
            )

    def _run(self, number: int, codec: Codec, command: AnyCommand, now_ns: int) -> None:
        if isinstance(command, Ping):
            if not codec.plain:
                self._say(number, codec, Pong(id=_echoed(command.id)))
        elif isinstance(command, Configure):
            self._configure(number, codec, command)
        elif isinstance(command, Auth):
            raise CommandError(
                Code.UNSUPPORTED_ACTION, "action: nobody is asked for a token here", command.id
            )
        else:
            self._change(number, codec, command, now_ns)

    def _configure(self, number: int, codec: Codec, command: Configure) -> None:
        if command.max_rate is None and command.batch is None:
            raise CommandError(
                Code.INVALID_SYNTAX, "max_rate: give `max_rate`, `batch` or both", command.id
            )
        max_rate, batch = self.hub.configure(number, command.max_rate, command.batch)
        if not codec.plain:
            answer = Configured(id=_echoed(command.id), max_rate=round(max_rate, 6), batch=batch)
            self._say(number, codec, answer)

    def _change(self, number: int, codec: Codec, command: Symbols, now_ns: int) -> None:
        """Subscribe or unsubscribe what is known, and say what is not."""
        if codec.plain and command.channel == "trades":
            raise CommandError(
                Code.INVALID_SYNTAX,
                "channel: `trades` is for the ticker.v1 subprotocols, which can say `lagged`",
                command.id,
            )
        names = symbols_of(command)
        if len(names) > self.terms.limits.symbols:
            raise self._too_many(f"{len(names)} symbols in one command", command.id)
        channel = CHANNELS[command.channel]
        known = self._known(names)
        if isinstance(command, Unsubscribe):
            missing = self.hub.unsubscribe(number, list(known.values()), channel)
            for name in [name for name, place in known.items() if place in missing]:
                del known[name]
        else:
            self._check_room(number, command.id, known, channel)
        rejected = [name for name in names if name not in known]
        before = b"" if codec.plain else codec.frame(_acknowledged(command, known, rejected))
        if isinstance(command, Unsubscribe):
            if before:
                self.connections.send(number, before)
        else:
            moments = _moments(command, known)
            self.hub.subscribe(number, list(known.values()), channel, now_ns, moments, before)
            states = b"" if codec.plain else self.announcer.states(codec, known.values())
            if states:
                self.connections.send(number, states)
        if codec.plain:
            for name in rejected:
                self._reject(number, codec, command, name)

    def _reject(self, number: int, codec: Codec, command: Symbols, name: str) -> None:
        """A symbol that was not taken, in the plain dialect."""
        if isinstance(command, Unsubscribe) and self.board.index(name) >= 0:
            return  # known, but was not subscribed: as wished
        said = f"symbols: no feed has {name!r}"
        self._say(number, codec, _error(Code.UNKNOWN_SYMBOL, said, command.id, name))

    def _known(self, names: list[str]) -> dict[str, int]:
        """Number of each symbol that some feed has; new rows are learnt when one is missing."""
        found = {name: self.board.index(name) for name in names}
        if -1 in found.values() and self.board.refresh():
            found = {name: self.board.index(name) for name in names}
        return {name: place for name, place in found.items() if place >= 0}

    def _check_room(
        self, number: int, command_id: Id | None, known: dict[str, int], channel: int
    ) -> None:
        most = self.terms.limits.symbols
        held = self.hub.subscription_count(number)
        if held + len(known) > most:
            new = set(known.values()) - set(self.hub.subscribed(number, channel))
            if held + len(new) > most:
                raise self._too_many(f"{len(new)} more, with {held} there already,", command_id)

    def _too_many(self, what: str, command_id: Id | None) -> CommandError:
        most = self.terms.limits.symbols
        said = f"symbols: {what} would exceed {most}, the most for one connection"
        return CommandError(Code.SYMBOL_LIMIT_EXCEEDED, said, command_id)

    def _say(self, number: int, codec: Codec, message: Message) -> None:
        if isinstance(message, Error):
            self.counters.add("errors_sent")
        self.connections.send(number, codec.frame(message))


def _acknowledged(command: Symbols, known: dict[str, int], rejected: list[str]) -> Message:
    kinds = {Subscribe: Subscribed, Unsubscribe: Unsubscribed, Reconnect: Recovered}
    return kinds[type(command)](
        id=_echoed(command.id),
        symbols=list(known),
        rejected=[Rejected(symbol=name, code=Code.UNKNOWN_SYMBOL) for name in rejected],
        channel=UNSET if command.channel == "price" else command.channel,
    )


def _moments(command: Subscribe | Reconnect, known: dict[str, int]) -> dict[int, int] | None:
    """Microseconds of the price that the client has, by symbol number."""
    if isinstance(command, Subscribe):
        return None
    found = {place: seen(command.last_seen[name]) for name, place in known.items()}
    return {place: moment for place, moment in found.items() if moment is not None}


def _echoed(command_id: Id | None) -> Id:
    return UNSET if command_id is None else command_id  # type: ignore[return-value]


def _error(code: Code, message: str, command_id: Id | None = None, symbol: str = "") -> Error:
    return error_message(CommandError(code, message, command_id, symbol))
