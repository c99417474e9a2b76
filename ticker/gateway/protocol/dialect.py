"""The client protocol: one client's message in, calls on the hub and frames out.

Law: a command is atomic: a refused command changes nothing. In the plain dialect only `snapshot`,
`update` and `error` are ever sent. No socket and no clock: `now_ns` comes with every message.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import msgspec

from ticker.gateway.access.access import Access, TooManyConnectionsError
from ticker.gateway.access.auth import AuthError, Grant
from ticker.gateway.access.problems import FAULT
from ticker.gateway.hub.hub import Hub
from ticker.gateway.movers.ranking import Ranking
from ticker.gateway.prices.board import Board
from ticker.gateway.protocol.announcer import Announcer
from ticker.gateway.protocol.answers import Symbols, acknowledged, echoed, moments_of, refusal
from ticker.gateway.protocol.codec import CODECS, Codec, Templates, moment
from ticker.gateway.protocol.codes import Close, Code, close_code
from ticker.gateway.protocol.commands import (
    CommandError,
    channel_of,
    error_message,
    parse_command,
    symbols_of,
)
from ticker.gateway.protocol.depths import Depths, check_channel, too_many
from ticker.gateway.protocol.groups import ALL, Groups
from ticker.gateway.protocol.messages import (
    AnyCommand,
    Auth,
    Configure,
    Error,
    Goodbye,
    Heartbeat,
    Hello,
    Limits,
    Message,
    Ping,
    Pong,
    Unsubscribe,
)
from ticker.gateway.protocol.movers import MoverLists
from ticker.gateway.protocol.settings import Settings
from ticker.gateway.protocol.terms import Terms
from ticker.gateway.protocol.vocabulary import PROTOCOL, Id
from ticker.gateway.sockets.connection import ConnectionTable
from ticker.gateway.sockets.restraint import Restraint
from ticker.shm.counters import Counters

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


class Dialect:
    """Answers the messages of all clients of one worker. `codecs`: by encoding, also those that
    have words for errors only."""

    def __init__(
        self,
        board: Board,
        hub: Hub,
        connections: ConnectionTable,
        counters: Counters,
        terms: Terms,
        announcer: Announcer,
        access: Access,
        depths: Depths,
        codecs: Sequence[Codec] = CODECS,
        *,
        bars: bool = False,
    ) -> None:
        self.board = board
        self.hub = hub
        self.depths = depths
        self.lists = MoverLists(Ranking(board), hub, connections)
        self.connections = connections
        self.restraint = Restraint(connections)
        self.counters = counters
        self.announcer = announcer
        self.access = access
        self.codecs = codecs
        self.bars = bars
        self.groups = Groups(board)
        self.settings = Settings(hub)
        self.hellos = Templates()
        announcer.spared = self.groups.followers
        self.configure(terms)

    def configure(self, terms: Terms) -> None:
        """Apply the settings that may change while clients are connected."""
        self.terms = terms
        self.hellos.clear()

    def hello(self, codec: Codec, limits: Limits, asked: bool, number: int) -> bytes:
        """The frame of the first message of a connection; `asked`: a token is awaited."""

        def named(connection: int) -> Hello:
            return Hello(
                protocol=PROTOCOL,
                epoch=self.terms.epoch,
                limits=limits,
                heartbeat=self.terms.heartbeat,
                auth=asked,
                connection=connection,
            )

        return self.hellos.frame(codec, named, (limits, asked), self.hub.noted.name(number))

    def greeting(self, codec: Codec, number: int) -> bytes:
        """The frames right after the handshake, before any token."""
        if codec.plain:
            return b""
        if self.access.required:
            return self.hello(codec, self.terms.limits, True, number)
        hello = self.hello(codec, self.limits_of(self.access.everybody), False, number)
        return hello + self.announcer.greeting(codec)

    def admitted(self, number: int) -> None:
        """Open the stream without a token."""
        if not self.access.required:
            self.settings.admit(number, self.access.everybody)

    def forget(self, number: int) -> None:
        """Forget a closed connection."""
        self.hub.forget(number)
        self.groups.forget(number)
        self.announcer.forget(number)

    def enter(
        self, number: int, token: str, now_ns: int, command_id: Id | None = None
    ) -> bytes | None:
        """Give the rights of a token to the connection; returns a new hello, empty in the plain
        dialect. A refused token closes the connection and returns None."""
        codec = self._codec(number)
        try:
            grant = self.access.enter(number, token, now_ns)
        except TooManyConnectionsError as error:
            self._turn_away(number, Code.CONNECTION_LIMIT_EXCEEDED, str(error), command_id)
            return None
        except AuthError as error:
            self._turn_away(number, Code.AUTH_FAILED, str(error), command_id)
            return None
        self.settings.admit(number, grant)
        if codec.plain:
            return b""
        hello = self.hello(codec, self.limits_of(grant), False, number)
        return hello + self.announcer.greeting(codec)

    def expire(self, now_ns: int, steady_ns: int) -> None:
        """Close the streams that have shown no token in time, and those whose token has expired."""
        for number in self.access.overdue(steady_ns):
            said = "no token came in time; send auth first, or a token with the handshake"
            self._turn_away(number, Code.AUTH_TIMEOUT, said)
        for number in self.access.expired(now_ns):
            self._turn_away(number, Code.AUTH_FAILED, "the token has expired; get a new one")

    def look(self, now_ns: int) -> None:
        """Give new symbols to the clients that watch all, new lists to those of movers, and word to
        those whose book cannot be shown."""
        self.lists.look(now_ns)
        for number, channel, places in self.groups.look():
            self.hub.subscribe(number, places, channel, now_ns)
        for number, symbol in self.depths.lacking():
            said = (
                f"symbols: no row of depth is left for {symbol}; its book comes when one is free; "
                "watch fewer books, or raise `rows` of [depth]"
            )
            error = refusal(Code.SYMBOL_LIMIT_EXCEEDED, said, symbol=symbol)
            self._say(number, self._codec(number), error)

    def revoke(self) -> None:
        """Close the streams whose rights the configuration has changed."""
        said = "the rights of this connection were changed; reconnect with a valid token"
        for number in self.access.outdated():
            self._turn_away(number, Code.AUTH_FAILED, said)

    def fail(self, number: int) -> None:
        """Close a connection that met a fault of this server."""
        self._turn_away(number, Code.INTERNAL, FAULT)

    def _turn_away(
        self, number: int, code: Code, message: str, command_id: Id | None = None
    ) -> None:
        self.access.dismissed(number)
        self._say(number, self._codec(number), refusal(code, message, command_id))
        self.connections.close(number, close_code(code), code.reason)

    def limits_of(self, grant: Grant) -> Limits:
        """The worker's limits, narrowed by the grant."""
        limits = self.terms.limits
        return msgspec.structs.replace(
            limits,
            symbols=min(limits.symbols, grant.max_symbols or limits.symbols),
            max_rate=min(limits.max_rate, grant.max_rate or limits.max_rate),
        )

    def heartbeat(self, encoding: int, now_ns: int) -> bytes:
        """A heartbeat as a frame."""
        return self.codecs[encoding].frame(Heartbeat(timestamp=moment(now_ns)))

    def last_word(self, number: int, code: int) -> bytes:
        """The message before a close frame with this code: an `error`, a `goodbye`, or none.
        Clients reconnect spread over the time that `retry_after` sets."""
        codec = self._codec(number)
        if code == close_code(Code.SLOW_CLIENT):
            return codec.frame(refusal(Code.SLOW_CLIENT, "read faster, or ask for less"))
        if codec.plain:
            return b""
        if code == Close.TOO_LARGE:
            most = self.terms.limits.message
            said = f"the message has more than {most} bytes, the most; send it in parts"
            return codec.frame(refusal(Code.MESSAGE_TOO_LARGE, said))
        reason = GOODBYES.get(code)
        if reason is None:
            return b""
        retry_after = round(random.uniform(0.1, 1.0) * self.terms.retry_after, 3)
        return codec.frame(Goodbye(reason=reason, retry_after=retry_after))  # type: ignore[arg-type]

    def message(self, number: int, is_text: bool, payload: bytes, now_ns: int) -> None:
        """One message of connection `number`."""
        self.counters.add("commands")
        codec = self._codec(number)
        try:
            self.spend(number)
            self._run(number, codec, parse_command(payload, is_text, codec), now_ns)
        except CommandError as error:
            self._say(number, codec, error_message(error))
            self.strike(number, error.code)

    def strike(self, number: int, code: Code) -> None:
        """Close the connection that had too many messages refused; the last with this code."""
        weight = STRIKES.get(code, 0)
        if weight and self.restraint.strike(number, weight) >= MAX_STRIKES:
            reason = "too many refused messages"
            self.connections.close(number, Close.POLICY_VIOLATION, reason)

    def _codec(self, number: int) -> Codec:
        return self.codecs[self.connections.encoding(number)]

    def spend(self, number: int) -> None:
        """Count one command. Raises CommandError, rate_limited."""
        limits = self.terms.limits
        if not self.restraint.take_token(number, limits.commands_per_second, limits.commands_burst):
            raise CommandError(
                Code.RATE_LIMITED,
                f"more than {limits.commands_per_second:g} commands a second; slow down",
            )

    def _run(self, number: int, codec: Codec, command: AnyCommand, now_ns: int) -> None:
        if isinstance(command, Ping):
            if not codec.plain:
                self._say(number, codec, Pong(id=echoed(command.id)))
            return
        if isinstance(command, Auth):
            if self.access.authenticator is None:
                said = "action: this server asks for no token"
                raise CommandError(Code.UNSUPPORTED_ACTION, said, command.id)
            self.connections.send(
                number, self.enter(number, command.token, now_ns, command.id) or b""
            )
            return
        grant = self.access.grant(number)
        if grant is None:
            said = "action: send auth with a token first"
            raise CommandError(Code.NOT_AUTHENTICATED, said, command.id)
        if isinstance(command, Configure):
            self._configure(number, codec, command, grant)
        else:
            self.change(number, codec, command, grant, now_ns)

    def _configure(self, number: int, codec: Codec, command: Configure, grant: Grant) -> None:
        answer = self.settings.change(number, command, grant, self.terms)
        if not codec.plain:
            self._say(number, codec, answer)

    def change(
        self, number: int, codec: Codec, command: Symbols, grant: Grant, now_ns: int
    ) -> None:
        """Subscribe or unsubscribe the known symbols, and report the others."""
        channel = channel_of(command, plain=codec.plain, bars=self.bars)
        check_channel(command)
        if command.channel not in grant.channels:
            said = f"channel: your token does not open `{command.channel}`"
            raise CommandError(Code.NOT_AUTHENTICATED, said, command.id)
        if command.channel == "movers":
            most = self.limits_of(grant).symbols + self.groups.room(number)
            self.lists.change(number, codec, command, grant, most, now_ns)
            return
        said_names = symbols_of(command)
        everything = any(map(self.groups.is_all, said_names))
        if everything and command.channel == "depth":
            said = "symbols: `*` is not for the channel `depth`; name the symbols"
            raise CommandError(Code.INVALID_SYNTAX, said, command.id)
        origins = self.groups.expand(said_names, grant, command.id)
        names = list(origins)
        most = self.limits_of(grant).symbols
        if len(names) > most and not everything:
            raise too_many(f"{len(names)} symbols in one command", most, command.id)
        seen = [name for name in names if grant.sees(name)]
        known = self._known_ever(seen) if isinstance(command, Unsubscribe) else self._known(seen)
        numbers, room = known, None if everything else most + self.groups.room(number)
        known = self.depths.topics(number, command, channel, known, room)
        if isinstance(command, Unsubscribe):
            missing = self.hub.subscriptions.unsubscribe(number, list(known.values()), channel)
            for name in [name for name, place in known.items() if place in missing]:
                del known[name]
            if everything:
                self.groups.leave(number, channel)
        elif everything:
            self.groups.follow(number, channel, grant)
        rejected = [name for name in names if name not in known]
        taken = list(dict.fromkeys(ALL if origins[name] == ALL else name for name in known))
        rejected = [name for name in rejected if origins[name] != ALL]
        answer = acknowledged(command, taken, rejected, self.depths.told(command))
        before = b"" if codec.plain else codec.frame(answer)
        if isinstance(command, Unsubscribe):
            if before:
                self.connections.send(number, before)
        else:
            moments = moments_of(command, known, origins)
            self.hub.subscribe(number, list(known.values()), channel, now_ns, moments, before)
            places = [numbers[name] for name in known if origins[name] != ALL]
            states = b"" if codec.plain else self.announcer.states(codec, places)
            if states:
                self.connections.send(number, states)
        if codec.plain:
            for name in rejected:
                self._reject(number, codec, command, name)

    def _reject(self, number: int, codec: Codec, command: Symbols, name: str) -> None:
        """A symbol that was not taken, in the plain dialect."""
        if isinstance(command, Unsubscribe) and self.board.index_ever(name) >= 0:
            return  # known, but was not subscribed: nothing to do
        said = f"symbols: no feed has {name!r}"
        self._say(number, codec, refusal(Code.UNKNOWN_SYMBOL, said, command.id, name))

    def _known(self, names: list[str]) -> dict[str, int]:
        """The number of each known symbol; if one is missing, the board looks for new rows."""
        found = {name: self.board.index(name) for name in names}
        if -1 in found.values() and self.board.refresh():
            found = {name: self.board.index(name) for name in names}
        return {name: place for name, place in found.items() if place >= 0}

    def _known_ever(self, names: list[str]) -> dict[str, int]:
        """The same, with the symbols whose feeds have been removed: their subscribers are left."""
        found = {name: self.board.index_ever(name) for name in names}
        return self._known(names) | {name: place for name, place in found.items() if place >= 0}

    def _say(self, number: int, codec: Codec, message: Message) -> None:
        if isinstance(message, Error):
            self.counters.add("errors_sent")
        self.connections.send(number, codec.frame(message))
